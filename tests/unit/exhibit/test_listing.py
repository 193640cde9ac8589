"""``exhibit.json``: bounded before it is read, and its words are plain."""

from __future__ import annotations

import pytest

from anchor import limits
from anchor.errors import LimitExceededError
from anchor.exhibit.listing import ListedRecord, Listing, parse_listing


def listing(**changes: object) -> Listing:
    values = {
        "name": "cat", "project": "00" * 16, "title": "A cat, 猫", "languages": ("en",),
        "date": "2026-11-23T10:02:08Z", "generator": "vestige 0.1.0",
        "records": (ListedRecord(0, "genesis", bytes(32), shown=True),), "files": (),
    }  # fmt: skip
    return Listing(**{**values, **changes})  # type: ignore[arg-type]


def test_what_is_written_is_read():
    assert parse_listing(listing().to_bytes()) == listing()


def test_a_title_is_written_without_what_controls():
    told = listing(title="one\ntwo\x1b[31m\u202e \U0001fae9").to_bytes()
    assert parse_listing(told).title == "one two [31m  \U0001fae9"


def test_the_longest_list_is_read():
    """Records that are withheld without a reason take the fewest bytes."""
    first = ListedRecord(0, "genesis", bytes(32), shown=True)
    rest = (
        ListedRecord(seq, "idea", bytes(32), shown=False)
        for seq in range(1, limits.MAX_EXHIBIT_RECORDS)
    )
    long = listing(records=(first, *rest)).to_bytes()
    assert len(long) < limits.MAX_EXHIBIT_LIST_BYTES
    assert len(parse_listing(long).records) == limits.MAX_EXHIBIT_RECORDS


@pytest.mark.parametrize("unit", [b'{"a":1},', b"{},", b"1,"])
def test_more_values_than_a_list_has_are_not_read(unit: bytes):
    data = b'{"a":[' + unit * (limits.MAX_EXHIBIT_LIST_JSON_VALUES + 1) + b"1]}"
    with pytest.raises(LimitExceededError) as caught:
        parse_listing(data)
    assert caught.value.code == "format.json.values"
