"""Tries a merchant's keys at the company, with a call that changes nothing."""

import threading
from collections.abc import Mapping

from connector.bulkhead import PAGES, Bulkhead, Shares
from connector.domain.deadline import Deadline
from connector.domain.merchant import Merchant
from connector.provider import Call, Provider

# Keys of one company, and of all, that a process tries at once. Whoever connects a merchant can
# start a try. If a company hangs, tries must not take the places of its payments. If all companies
# hang, tries must not take all threads of the pages.
TRIES_AT_ONCE, ALL_TRIES = 2, PAGES // 2


class CredentialProbe:
    """Tries keys. Each try holds a thread and a place of its company, as every call does."""

    def __init__(self, providers: Mapping[str, Provider], shares: Shares, seconds: float) -> None:
        self._providers = providers
        self._shares = shares
        self._seconds = seconds
        self._all = _places(ALL_TRIES)
        self._tries = {name: _places(TRIES_AT_ONCE) for name in providers}

    def run(self, merchant: Merchant) -> None:
        """Try the keys of a merchant.

        Raises ProviderCredentials if the company refuses the keys, ProviderBusy if too many keys
        are being tried, and what else `Provider.probe` raises if it is not known if they work.
        """
        provider = self._providers[merchant.provider]
        deadline = Deadline.after(self._seconds)
        account = merchant.account(sandbox=merchant.sandbox)
        place = self._shares.place(provider.name)
        with self._tries[provider.name].slot(), self._all.slot(), place, provider.slot():
            provider.probe(Call.about_nobody(account, deadline))


def _places(count: int) -> Bulkhead:
    """Make places for which nobody waits."""
    return Bulkhead(count, threading.Semaphore(0))
