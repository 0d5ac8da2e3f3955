"""The address of a caller, also behind named proxies, and the number of its requests."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from connector.domain.page_errors import TooManyRequests

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Addresses of X-Forwarded-For that are read. Nobody has more proxies in a row.
MOST_HOPS = 16
# So many refusals of a peer are answered at once. After so many seconds there is one more.
BURST, REFILL_SECONDS = 20, 3.0
# Seconds of the pause before each further refusal, and pauses that a process holds at once. A pause
# holds a thread, and a process has at least three. If all pauses are in use, there is no pause.
PAUSE_SECONDS, PLACES = 1.0, 2
# The process remembers so many peers, the last that called. Each takes some hundred bytes.
MOST_PEERS = 10_000
# The first bits of an IPv6 address name one customer's network.
CUSTOMERS_BITS = 64
# Many sites have a network of so many bits, with many customer's networks in it.
SITES_BITS = 48
# A socket for both kinds of addresses writes this before an IPv4 address.
_MAPPED = "::ffff:"


def peer_of(remote: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """Return the caller's address: the last address that is no proxy of ours.

    `remote` is the other end of the connection. `forwarded_for` is the header X-Forwarded-For. Each
    proxy adds the address of its own caller at the end. Only the `proxies` are believed. A stranger
    can invent every address to the left of its own.
    """
    if not proxies:
        return remote.removeprefix(_MAPPED)
    peer = _address(remote)
    if peer is None:
        return remote
    for hop in reversed(forwarded_for.split(",")[-MOST_HOPS:]):
        caller = _address(hop) if any(peer in network for network in proxies) else None
        if caller is None:
            break
        peer = caller
    return str(peer)


def is_among(remote: str, networks: Sequence[Network]) -> bool:
    """Whether the other end of a connection is in one of the networks."""
    address = _address(remote)
    return address is not None and any(address in network for network in networks)


def _address(text: str) -> Address | None:
    """Read an address, with a port or without."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


class _Spending:
    """Counts what each peer spent, up to `most`. In `refill_seconds` one is forgotten.

    The peers that called last are remembered.
    """

    def __init__(self, most: int, refill_seconds: float) -> None:
        self._most = most
        self._refill_seconds = refill_seconds
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def spend(self, peer: str) -> float:
        """Spend one. Return how much the peer has spent by now, at most one more than the most."""
        now = time.monotonic()
        with self._lock:
            spent, at = self._spent.pop(peer, (0.0, now))
            spent = max(0.0, spent - (now - at) / self._refill_seconds) + 1
            self._spent[peer] = (min(spent, self._most), now)
            if len(self._spent) > MOST_PEERS:
                self._spent.popitem(last=False)
        return spent


class Quota:
    """Limits the requests of each peer at an open endpoint.

    A peer may send `burst` requests at once, and then one in `refill_seconds`. Each endpoint has a
    quota of its own in each process.
    """

    def __init__(self, burst: int, refill_seconds: float) -> None:
        self._burst = burst
        self._refill_seconds = refill_seconds
        self._spending = _Spending(burst, refill_seconds)

    def take(self, peer: str) -> None:
        """Count a request. Raises TooManyRequests, which says after how many seconds to repeat."""
        excess = self._spending.spend(customer_network(peer)) - self._burst
        if excess > 0:
            raise TooManyRequests(seconds=excess * self._refill_seconds)


class Refusals:
    """Slows a peer after many refusals. It never slows a request with right credentials."""

    def __init__(self) -> None:
        self._spending = _Spending(BURST + 1, REFILL_SECONDS)
        self._places = threading.BoundedSemaphore(PLACES)

    def pause(self, peer: str) -> None:
        """Count a refusal. If the peer had many, wait before the answer."""
        is_over = self._spending.spend(customer_network(peer)) > BURST
        if is_over and self._places.acquire(blocking=False):
            try:
                time.sleep(PAUSE_SECONDS)
            finally:
                self._places.release()


def customer_network(peer: str, bits: int = CUSTOMERS_BITS) -> str:
    """Return the network of a customer: an IPv6 customer has many addresses."""
    address = _address(peer)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, bits), strict=False))
    return peer
