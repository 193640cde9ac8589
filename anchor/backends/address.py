"""Web addresses as people type them: what is wrong with one, and how one is shown.

An address may carry a password or an access key, so messages and logs show only scheme, host, port
and path. Nothing is fetched here.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

_SCHEMES: Final = ("http", "https")
_MAX_SHOWN: Final = 120
_MAX_LABEL: Final = 63
_MAX_HOST: Final = 253


def address_problem(text: str) -> str | None:
    """Return what is wrong with an http or https address, in a few words; None if nothing is."""
    if not text.isprintable() or any(character.isspace() for character in text):
        return "it holds a space or a character that is not printable"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "its host is no host"
    if parts.scheme not in _SCHEMES or "://" not in text:
        return "it does not begin with http:// or https://"
    try:
        port = parts.port
    except ValueError:
        return "its port is no number from 1 to 65535"
    if port == 0:
        return "its port is no number from 1 to 65535"
    if not _is_host(parts.hostname or ""):
        return "its host is no host"
    if parts.query or parts.fragment:
        return "it has a query or a fragment, which have no place there"
    return None


def holds_secret(text: str) -> bool:
    """Say whether an address carries a user or a password."""
    parts = _split(text)
    return "@" in text if parts is None else parts.username is not None


def shown_address(text: str) -> str:
    """Return an address without user, password, query and fragment; cut to 120 characters."""
    parts = _split(text)
    if parts is None or not parts.scheme or not parts.netloc:
        shown = text.rpartition("@")[2].partition("?")[0].partition("#")[0]
    else:
        place = parts.netloc.rpartition("@")[2]
        shown = f"{parts.scheme}://{place}{parts.path}"
    return shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "…"


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _is_host(host: str) -> bool:
    if ":" in host:
        return True  # an IPv6 address in brackets, which urlsplit has checked
    try:
        plain = host.encode("idna").decode()
    except UnicodeError:
        return False
    labels = plain.removesuffix(".").split(".")
    return len(plain) <= _MAX_HOST and all(0 < len(label) <= _MAX_LABEL for label in labels)
