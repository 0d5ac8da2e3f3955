"""Tries a merchant's keys at the company, with a call that changes nothing."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from connector.bulkhead import Shares
from connector.domain.deadline import Deadline
from connector.domain.errors import ProviderBusy
from connector.domain.merchant import Merchant
from connector.provider import Call, Provider

# Keys of one company that a process tries at once. Whoever connects a merchant can start a try. If
# the company hangs, tries must not take the places of payments.
TRIES_AT_ONCE = 2


class CredentialProbe:
    """Tries keys. Each try holds a thread and a place of its company, as every call does."""

    def __init__(self, providers: Mapping[str, Provider], shares: Shares, seconds: float) -> None:
        self._providers = providers
        self._shares = shares
        self._seconds = seconds
        self._tries = {name: threading.BoundedSemaphore(TRIES_AT_ONCE) for name in providers}

    def run(self, merchant: Merchant) -> None:
        """Try the keys of a merchant.

        Raises ProviderCredentials if the company refuses the keys, ProviderBusy if too many keys
        are being tried, and what else `Provider.probe` raises if it is not known if they work.
        """
        provider = self._providers[merchant.provider]
        deadline = Deadline.after(self._seconds)
        account = merchant.account(sandbox=merchant.sandbox)
        with self._try(provider.name), self._shares.place(provider.name), provider.slot():
            provider.probe(Call.about_nobody(account, deadline))

    @contextmanager
    def _try(self, name: str) -> Iterator[None]:
        if not self._tries[name].acquire(blocking=False):
            raise ProviderBusy
        try:
            yield
        finally:
            self._tries[name].release()
