"""The providers that are switched on: which they are, where they call, and how many threads."""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from connector import bulkhead, metrics, providers
from connector.config import Settings
from connector.domain.errors import ConfigurationError, ProviderUnavailable
from connector.domain.merchant import SUITE_PROVIDER
from connector.http_client import HttpClient
from connector.provider import Hosts, Provider


class Enabled(dict[str, Provider]):
    """The providers that are switched on, by name; those `sold` are in CONNECTOR_PROVIDERS."""

    def __init__(self, sold: Sequence[str]) -> None:
        super().__init__()
        self._sold = sold

    @property
    def sold(self) -> dict[str, Provider]:
        return {name: self[name] for name in self._sold}

    def __missing__(self, name: str) -> Provider:
        raise ProviderUnavailable("The provider is switched off in this connector")


def enable(settings: Settings, *, slots: int) -> Enabled:
    """Make the providers; each may have `slots` operations at a time. Raises ConfigurationError."""
    kinds = providers.discover()
    _check_paths(settings, kinds)
    enabled = Enabled(sold=settings.providers)
    for name in _names(settings):
        client = http_client_of(name, settings, slots)
        enabled[name] = kinds[name](client, _hosts(kinds[name], settings))
    return enabled


def all_threads(settings: Settings, threads: int) -> int:
    """Count the threads of a process; the companies that are switched off count as one."""
    return bulkhead.all_threads(len(_names(settings)) + 1, threads)


def http_client_of(name: str, settings: Settings, slots: int) -> HttpClient:
    """Make the client of one company, or of VTEX for the callbacks."""
    return HttpClient(
        name,
        seconds=settings.provider_seconds,
        slots=slots,
        measure=metrics.measure_call,
        ca_file=settings.ca_file,
    )


def _names(settings: Settings) -> list[str]:
    """Name the providers that are switched on, and the one that plays the test suite."""
    suite = [SUITE_PROVIDER] if settings.test_suite else []
    return list(dict.fromkeys([*settings.providers, *suite]))


def _check_paths(settings: Settings, kinds: Mapping[str, type[Provider]]) -> None:
    """Refuse a base URL without the documented path.

    A company answers a wrong path much as it answers for an unknown payment, which would then
    count as cancelled.
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
    """Name each variable with its base URL and the documented path."""
    for name, url in settings.urls.items():
        yield f"CONNECTOR_{name.upper()}_URL", url, _path(kinds[name].url)
    for name, url in settings.sandbox_urls.items():
        documented = kinds[name].sandbox_url or kinds[name].url
        yield f"CONNECTOR_{name.upper()}_SANDBOX_URL", url, _path(documented)


def _path(url: str) -> str:
    return urlsplit(url).path


def _hosts(kind: type[Provider], settings: Settings) -> Hosts:
    """A company without a sandbox host of its own has both in one place."""
    url = settings.urls.get(kind.name, kind.url)
    sandbox_url = kind.sandbox_url or url
    return Hosts(url, settings.sandbox_urls.get(kind.name, sandbox_url))
