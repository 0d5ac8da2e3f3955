"""The peer that calls: its address, also behind named proxies, and how often it was refused."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Addresses of the header that are read. Nobody has more proxies in a row.
MOST_HOPS = 16
# Refusals of a peer that are answered at once; seconds until one more of them is.
BURST, REFILL_SECONDS = 20, 3.0
# Seconds of the pause before each further refusal, and how many pauses a process has at once: a
# pause holds a thread, and at least three threads are there. Beyond that there is no pause.
PAUSE_SECONDS, PLACES = 1.0, 2
# Peers that are remembered, the last refused ones: some hundred bytes each.
MOST_PEERS = 10_000
# Bits of an IPv6 address that name one customer's network.
CUSTOMERS_BITS = 64
# A socket for both kinds of addresses writes this before an IPv4 address.
_MAPPED = "::ffff:"


def peer_of(remote: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """Return the caller's address: the last one that is no proxy of ours.

    `remote` is the other end of the connection, `forwarded_for` the header X-Forwarded-For. Each
    proxy adds its own caller to that header; only the `proxies` are believed. A stranger may invent
    everything to the left of its address.
    """
    if not proxies:
        return remote.removeprefix(_MAPPED)
    peer = _address(remote)
    if peer is None:
        return remote
    for hop in reversed(forwarded_for.split(",")[-MOST_HOPS:]):
        before = _address(hop) if any(peer in network for network in proxies) else None
        if before is None:
            break
        peer = before
    return str(peer)


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


class Refusals:
    """Slows a peer that is refused again and again, and never a request that is let in."""

    def __init__(self) -> None:
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(PLACES)

    def pause(self, peer: str) -> None:
        """Count a refusal, and wait before it is answered if there were many."""
        if self._is_over(_customer(peer)) and self._places.acquire(blocking=False):
            try:
                time.sleep(PAUSE_SECONDS)
            finally:
                self._places.release()

    def _is_over(self, peer: str) -> bool:
        """Spend one of the peer's refusals; say whether it had none left."""
        now = time.monotonic()
        with self._lock:
            spent, at = self._spent.pop(peer, (0.0, now))
            spent = max(0.0, spent - (now - at) / REFILL_SECONDS) + 1
            self._spent[peer] = (min(spent, BURST + 1), now)
            if len(self._spent) > MOST_PEERS:
                self._spent.popitem(last=False)
        return spent > BURST


def _customer(peer: str) -> str:
    address = _address(peer)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, CUSTOMERS_BITS), strict=False))
    return peer
