"""How much each client may ask for: requests a second, digests a day.

Rules:

* A client is an address; of IPv6 the first 64 bits, which one subscriber commonly has whole.
  Behind a proxy that the settings trust it is the last address in ``X-Forwarded-For`` that is not
  such a proxy's.
* Clients on this machine are not counted.
* Quotas stop writes and verifications, never reads. Nothing here survives a restart.

Each limit is a bucket that fills evenly (token bucket). One event loop only.
"""

from __future__ import annotations

import copy
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from anchor.errors import ConfigError, QuotaExceededError
from anchor_api.asgi import Scope, header

_DAY_S: Final = 86_400.0
_BURST_S: Final = 10.0
_MAX_CLIENTS: Final = 65_536
LOCAL_CLIENT: Final = "local"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientNames:
    """Tells whose request one is.

    Args:
        trusted_proxies: addresses or networks whose ``X-Forwarded-For`` is believed.

    Raises:
        ConfigError: one of them is neither.
    """

    def __init__(self, trusted_proxies: Sequence[str] = ()) -> None:
        self._proxies = tuple(_network(text) for text in trusted_proxies)

    def client_of(self, scope: Scope) -> str:
        """Return the client's name: an address, or ``local``."""
        peer = scope.get("client")
        address = peer[0] if peer else ""
        if self._proxies:
            address = self._forwarded(scope, address)
        return _client_name(address)

    def counted(self, address: str) -> str | None:
        """Return whose connection one from this address is; None for a proxy's or our own."""
        name = _client_name(address)
        return None if name == LOCAL_CLIENT or self._is_proxy(address) else name

    def _forwarded(self, scope: Scope, address: str) -> str:
        # From the right: what stands left of the first untrusted address is that one's own word.
        forwarded = (header(scope["headers"], b"x-forwarded-for") or b"").decode("latin-1")
        chain = [part.strip() for part in forwarded.split(",") if part.strip()]
        while chain and self._is_proxy(address):
            address = chain.pop()
        return address

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ConfigError(
            f"http.trusted_proxies: {text!r} is no address or network", code="config.value"
        ) from None


def _client_name(address: str) -> str:
    if address.startswith("127."):
        return LOCAL_CLIENT
    try:
        parsed = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        # A Unix socket, or a proxy that writes no address.
        return address or LOCAL_CLIENT
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return _client_name(str(parsed.ipv4_mapped))
        if parsed.is_loopback:
            return LOCAL_CLIENT
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class Buckets:
    """One bucket a client; each fills at ``per_s`` up to ``capacity``.

    Args:
        per_s: units a second; 0 is no limit.
        capacity: the most that can be taken at once.
        what: named in the error.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self, per_s: float, capacity: float, what: str, monotonic: Callable[[], float]
    ) -> None:
        self._per_s = per_s
        self._capacity = capacity
        self._what = what
        self._monotonic = monotonic
        # Client to (units left, when that was true); the least recently seen first.
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, units: float) -> None:
        """Take units from the client's bucket.

        Raises:
            QuotaExceededError: they are not there; nothing was taken. ``retry_after_s`` says when
                they will be, unless the bucket could never hold them.
        """
        if not self._per_s:
            return
        now = self._monotonic()
        left, since = self._levels.pop(client, (self._capacity, now))
        left = min(self._capacity, left + (now - since) * self._per_s)
        enough = units <= left
        self._levels[client] = (left - units if enough else left, now)
        while len(self._levels) > _MAX_CLIENTS:
            self._levels.popitem(last=False)
        if not enough:
            error = QuotaExceededError(
                f"{self._what}: {units:g} wanted, {left:.0f} left of {self._capacity:.0f}"
            )
            error.retry_after_s = min((units - left) / self._per_s, _DAY_S)
            raise error


class Quotas:
    """The limits of one service.

    Args:
        requests_per_s: of one client, on average; 0 is no limit.
        digests_per_client_per_day: 0 is no limit.
        digests_per_day: of all clients together; 0 is no limit.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self,
        *,
        requests_per_s: float = 0,
        digests_per_client_per_day: int = 0,
        digests_per_day: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._requests = _request_buckets(requests_per_s, monotonic)
        self._digests = Buckets(
            digests_per_client_per_day / _DAY_S,
            digests_per_client_per_day,
            "digests of this client",
            monotonic,
        )
        self._all_digests = Buckets(
            digests_per_day / _DAY_S, digests_per_day, "digests of all clients", monotonic
        )

    def with_requests_per_s(self, requests_per_s: float) -> Quotas:
        """Return quotas that count requests apart, and digests together with these."""
        other = copy.copy(self)
        other._requests = _request_buckets(requests_per_s, self._monotonic)
        return other

    def take_request(self, client: str) -> None:
        """Count one request; QuotaExceededError if the client makes too many."""
        if client != LOCAL_CLIENT:
            self._requests.take(client, 1)

    def take_digests(self, client: str, n_digests: int) -> None:
        """Count digests; QuotaExceededError if the client's or everybody's share is used up."""
        if client != LOCAL_CLIENT:
            self._digests.take(client, n_digests)
        self._all_digests.take("", n_digests)


def _request_buckets(per_s: float, monotonic: Callable[[], float]) -> Buckets:
    return Buckets(per_s, max(per_s * _BURST_S, 1), "requests", monotonic)
