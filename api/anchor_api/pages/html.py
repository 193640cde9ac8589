"""Write the pages: documents without scripts, every value escaped.

One column, system fonts, the four words with their signs and never colour alone. A page loads one
style sheet from this service and nothing else; its content policy says so to the browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Final

SIGNS: Final = {
    "verified": "✓ verified",
    "failed": "✕ failed",
    "pending": "… pending",
    "not_checked": "○ not checked",
}
STYLE_SHEET: Final = files("anchor_api").joinpath("static", "page.css").read_bytes()
# Named by its content, so that a browser may keep it and never shows an old one.
STYLE_PATH: Final = f"/page.css?v={sha256(STYLE_SHEET).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Html:
    """Text that is HTML already."""

    text: str


Part = str | Html


def tag(name: str, *parts: Part, **attributes: str) -> Html:
    """Return an element; strings are escaped.

    ``class_`` stands for ``class``, and ``_`` within a name for ``-``.
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value, quote=True)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{shown}>{_joined(parts)}</{name}>")


def joined(*parts: Part) -> Html:
    """Return parts one after the other."""
    return Html(_joined(parts))


def facts(*pairs: tuple[str, Part]) -> Html:
    """Return a list of names and values."""
    return tag("dl", *(joined(tag("dt", name), tag("dd", value)) for name, value in pairs))


def digest(value: str) -> Html:
    """Return a digest in monospace, whole."""
    return tag("span", value, class_="digest")


def word(status: str) -> Html:
    """Return the sign and word of a status."""
    return tag("span", SIGNS.get(status, status), class_=f"word {status}")


def moment(when: datetime) -> Html:
    """Return a time as people and programs read it: ``2026-11-23 10:02:08 UTC``."""
    in_utc = when.astimezone(UTC)
    return tag("time", f"{in_utc:%Y-%m-%d %H:%M:%S} UTC", datetime=f"{in_utc:%Y-%m-%dT%H:%M:%S}Z")


def link(text: Part, address: str) -> Html:
    """Return a link to an address of this service."""
    return tag("a", text, href=address)


def page(title: str, *parts: Part, noindex: bool = False) -> bytes:
    """Return a whole page."""
    robots = '<meta name="robots" content="noindex">' if noindex else ""
    links = joined(
        tag("a", "Vestige", href="/", class_="name"),
        link("Verify", "/verify"),
        link("Status (JSON)", "/v1/status"),
        link("Checkpoint (text)", "/checkpoint"),
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="referrer" content="no-referrer">{robots}'
        f"<title>{escape(title)}</title>"
        f'<link rel="stylesheet" href="{STYLE_PATH}"></head><body>'
        f"{tag('header', tag('nav', links, aria_label='Pages')).text}"
        f"<main>{_joined(parts)}</main></body></html>\n"
    ).encode()


def _joined(parts: tuple[Part, ...]) -> str:
    return "".join(part.text if isinstance(part, Html) else escape(part) for part in parts)
