"""Who may ask: the name in ``Host`` and the web page in ``Origin``.

A service on loopback is reachable from every web page that its user looks at: by making a name of
its own resolve to 127.0.0.1 (DNS rebinding), or by simply posting there. So on loopback only names
of this machine, and those that the settings add, are served, and no foreign page is.

A service that others can reach anyway checks ``Host`` only where the settings name hosts; it keeps
no secret from pages, and knows no cookies.

Origins that the settings allow get the headers of cross-origin sharing (Fetch standard, CORS).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from anchor.errors import quote_peer
from anchor_api.asgi import Answer, Header, Scope, header
from anchor_api.problems import ForbiddenOriginError, MisdirectedError

_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"Accept, Content-Type, Idempotency-Key"),
    (b"access-control-max-age", b"600"),
)
_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"Vestige-Tree-Size, Vestige-Checkpoint, Retry-After",
)


class Guard:
    """Checks each request's ``Host`` and ``Origin``.

    Args:
        host: the address bound.
        allowed_hosts: further names, with or without a port.
        allowed_origins: web origins whose pages may call.
    """

    def __init__(
        self, host: str, allowed_hosts: Sequence[str] = (), allowed_origins: Sequence[str] = ()
    ) -> None:
        self.is_loopback = is_loopback(host)
        self._checks_host = self.is_loopback or bool(allowed_hosts)
        self._hosts = frozenset(name.lower() for name in allowed_hosts)
        self._own_hosts = frozenset({"localhost", "127.0.0.1", "[::1]", bracketed(host.lower())})
        self._origins = frozenset(origin.rstrip("/").lower() for origin in allowed_origins)
        # What was found good before, so that most requests cost one look-up.
        self._good: set[bytes] = set()

    def check(self, scope: Scope) -> None:
        """Let the request pass or not.

        Raises:
            MisdirectedError: ``Host`` is missing, there twice, or none of this service's names.
            ForbiddenOriginError: a page of another origin asks.
        """
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        origin = header(scope["headers"], b"origin")
        if self._checks_host and not (len(hosts) == 1 and hosts[0] in self._good):
            self._check_host(hosts)
        if origin is not None and self.is_loopback:
            self._check_origin(origin, hosts[0])

    def sharing_headers(self, scope: Scope) -> tuple[Header, ...]:
        """Return the headers that let an allowed page read the answer."""
        if not self._origins:
            return ()
        origin = header(scope["headers"], b"origin")
        vary = (b"vary", b"Origin")
        if origin is None or origin.decode("latin-1").lower() not in self._origins:
            return (vary,)
        return ((b"access-control-allow-origin", origin), _EXPOSED, vary)

    def preflight(self, scope: Scope) -> Answer | None:
        """Return the answer to an allowed page's question whether it may ask, or None."""
        sharing = self.sharing_headers(scope)
        if scope["method"] != "OPTIONS" or len(sharing) < 2:
            return None
        return Answer(204, b"", (*sharing, *_PREFLIGHT))

    def _check_host(self, hosts: Sequence[bytes]) -> None:
        if len(hosts) != 1:
            raise MisdirectedError(f"{len(hosts)} Host headers, wanted one")
        text = hosts[0].decode("latin-1").lower()
        name = _without_port(text)
        if name not in self._own_hosts and text not in self._hosts and name not in self._hosts:
            raise MisdirectedError(
                f"Host {quote_peer(text)!r} is none of this service's names",
                hint="the setting http.allowed_hosts adds names",
            )
        if len(self._good) < 64:
            self._good.add(hosts[0])

    def _check_origin(self, origin: bytes, host: bytes) -> None:
        text = origin.decode("latin-1").lower()
        if text in self._origins:
            return
        # The page came from this service itself: same name and port.
        own = host.decode("latin-1").lower()
        if text in (f"http://{own}", f"https://{own}"):
            return
        raise ForbiddenOriginError(
            f"a page of {quote_peer(text)!r} may not use this service",
            hint="the setting http.allowed_origins adds origins",
        )


def is_loopback(host: str) -> bool:
    """Say whether an address to bind is reachable from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def bracketed(host: str) -> str:
    """Return a host as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
