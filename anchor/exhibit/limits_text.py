"""``LIMITS.md`` and ``LIMITS.zh.md``: what an exhibit does not show.

They are about the format and, in a few numbers, about the exhibit; nothing in them is a promise.
"""

from __future__ import annotations

from collections.abc import Mapping

from anchor.exhibit.listing import Listing
from anchor.exhibit.texts import load_text
from anchor.verify.records import RecordsVerdict


def limits_texts(listing: Listing, verdict: RecordsVerdict) -> dict[str, str]:
    """Return both texts by path."""
    values = _values(listing, verdict)
    return {
        "data/LIMITS.md": load_text("limits.en.md").format_map(values),
        "data/LIMITS.zh.md": load_text("limits.zh.md").format_map(values),
    }


def _values(listing: Listing, verdict: RecordsVerdict) -> Mapping[str, object]:
    shown = sum(record.shown for record in listing.records)
    return {
        "name": listing.name,
        "total": len(listing.records),
        "shown": shown,
        "withheld": len(listing.records) - shown,
        "fields": verdict.withheld_fields,
        "files": sum(file.path is None for file in listing.files),
        "statement": verdict.statement[:1].upper() + verdict.statement[1:],
    }
