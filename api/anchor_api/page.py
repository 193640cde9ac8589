"""Write the pages: documents without scripts, every value escaped.

One column, system fonts, the four words with their signs and never colour alone. A page loads one
style sheet from this service and nothing else; its content policy says so to the browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

SIGNS: Final = {
    "verified": "✓ verified",
    "failed": "✕ failed",
    "pending": "… pending",
    "not_checked": "○ not checked",
}


@dataclass(frozen=True, slots=True)
class Html:
    """Text that is HTML already."""

    text: str


Part = str | Html


def tag(name: str, *parts: Part, **attributes: str) -> Html:
    """Return an element; strings are escaped. ``class_`` stands for ``class``."""
    shown = "".join(
        f' {key.rstrip("_")}="{escape(value, quote=True)}"' for key, value in attributes.items()
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


def page(title: str, *parts: Part, noindex: bool = False) -> bytes:
    """Return a whole page."""
    robots = '<meta name="robots" content="noindex">' if noindex else ""
    links = joined(
        tag("a", "Vestige", href="/"),
        tag("a", "Verify", href="/verify"),
        tag("a", "Status", href="/v1/status"),
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="referrer" content="no-referrer">{robots}'
        f"<title>{escape(title)}</title>"
        '<link rel="stylesheet" href="/page.css"></head><body>'
        f"{tag('header', tag('nav', links)).text}"
        f"<main>{_joined(parts)}</main></body></html>\n"
    ).encode()


def _joined(parts: tuple[Part, ...]) -> str:
    return "".join(part.text if isinstance(part, Html) else escape(part) for part in parts)
