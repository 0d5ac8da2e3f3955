"""The providers that are switched on, their base URLs and their threads."""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from connector import bulkhead, metrics, providers
from connector.config import Settings
from connector.domain.errors import ConfigurationError, ProviderUnavailable
from connector.domain.merchant import SUITE_PROVIDER
from connector.http_client import HttpClient
from connector.provider import Hosts, Provider


class Enabled(dict[str, Provider]):
    """The providers that are switched on, by name. CONNECTOR_PROVIDERS names those `sold`."""

    def __init__(self, sold: Sequence[str]) -> None:
        super().__init__()
        self._sold = sold

    @property
    def sold(self) -> dict[str, Provider]:
        return {name: self[name] for name in self._sold}

    def __missing__(self, name: str) -> Provider:
        raise ProviderUnavailable("The provider is switched off in this connector")


def enable(settings: Settings, *, slots: int) -> Enabled:
    """Make the providers. Each has `slots` operations at a time. Raises ConfigurationError."""
    kinds = providers.discover()
    _check_paths(settings, kinds)
    enabled = Enabled(sold=settings.providers)
    for name in _names(settings):
        client = http_client_of(name, settings, slots)
        enabled[name] = kinds[name](client, _hosts(kinds[name], settings))
    return enabled


def all_threads(settings: Settings, threads: int) -> int:
    """Count the threads of a process. All companies that are switched off count as one company."""
    return bulkhead.all_threads(len(_names(settings)) + 1, threads)


def http_client_of(name: str, settings: Settings, slots: int) -> HttpClient:
    """Make the HTTP client for one company, or for VTEX's callbacks."""
    return HttpClient(
        name,
        seconds=settings.provider_seconds,
        slots=slots,
        measure=metrics.measure_call,
        ca_file=settings.ca_file,
    )


def _names(settings: Settings) -> list[str]:
    """Name the providers that are switched on, with the provider of the test suite."""
    suite = [SUITE_PROVIDER] if settings.test_suite else []
    return list(dict.fromkeys([*settings.providers, *suite]))


def _check_paths(settings: Settings, kinds: Mapping[str, type[Provider]]) -> None:
    """Refuse a base URL without the documented path.

    A company's answer to a wrong path looks like the answer for an unknown payment. Then the
    connector would believe that the payment is cancelled.
    """
    faults = [
        f"{variable}: the path must end in {path}"
        for variable, url, path in _base_urls(settings, kinds)
        if not url.endswith(path)
    ]
    if faults:
        raise ConfigurationError("\n".join(faults))


def _base_urls(
    settings: Settings, kinds: Mapping[str, type[Provider]]
) -> Iterator[tuple[str, str, str]]:
    """Yield each variable's name, its base URL and the documented path."""
    for name, url in settings.urls.items():
        yield f"CONNECTOR_{name.upper()}_URL", url, _path(kinds[name].url)
    for name, url in settings.sandbox_urls.items():
        documented = kinds[name].sandbox_url or kinds[name].url
        yield f"CONNECTOR_{name.upper()}_SANDBOX_URL", url, _path(documented)


def _path(url: str) -> str:
    return urlsplit(url).path


def _hosts(kind: type[Provider], settings: Settings) -> Hosts:
    """Return both base URLs. A company without a sandbox host has its sandbox at the same URL."""
    url = settings.urls.get(kind.name, kind.url)
    sandbox_url = kind.sandbox_url or url
    return Hosts(url, settings.sandbox_urls.get(kind.name, sandbox_url))
