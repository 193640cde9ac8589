"""``README.txt``: what an exhibit is, in English and Chinese, short enough to be read first."""

from __future__ import annotations

from anchor.exhibit.listing import Listing
from anchor.exhibit.texts import load_text


def readme_text(listing: Listing) -> str:
    """Return the text for one exhibit."""
    shown = sum(record.shown for record in listing.records)
    return load_text("readme.txt").format(
        name=listing.name,
        title=_one_line(listing.title),
        shown=shown,
        total=len(listing.records),
        withheld=len(listing.records) - shown,
    )


def _one_line(text: str) -> str:
    """Return the party's words on one line, without what is not printable."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
