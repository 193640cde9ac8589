"""The specification of the record says what the code does: every field, kind and limit."""

from __future__ import annotations

import pytest

from anchor import limits
from anchor.records.fields import MODES, ROLES, TIERS, TYPES
from anchor.records.kinds import COMMON, ENVELOPE, KINDS
from anchor.records.record import MEDIA_TYPE, SCHEMA, Beacon, Place
from anchor.records.sdjwt import SALT_BYTES
from anchor.records.seed import beacon_seed
from tests.docs.record_page import PAGE, between, sections

TEXT = PAGE.read_text()


@pytest.mark.parametrize("name", sorted(sections()))
def test_tables_are_those_of_the_code(name: str) -> None:
    start, end = between(TEXT, name)
    assert TEXT[start:end] == sections()[name], "run python -m tests.docs.record_page"


def test_every_type_has_its_line() -> None:
    used = {f.type for k in KINDS.values() for f in (*k.fields, *COMMON, *ENVELOPE)} | {"file"}
    for name in sorted(used):
        assert name in TYPES
        assert f"| {name} |" in TEXT, name


def test_words_and_numbers() -> None:
    for word in (*ROLES, *MODES, *TIERS, SCHEMA, MEDIA_TYPE):
        assert f"`{word}`" in TEXT, word
    assert f"{SALT_BYTES} bytes" in TEXT
    assert f"{limits.MAX_RECORD_BYTES >> 20} MiB" in TEXT
    assert f"{limits.MAX_RECORD_DISCLOSURES:,}" in TEXT


def test_the_example_of_a_seed_is_right() -> None:
    place = Place("000102030405060708090a0b0c0d0e0f", 7, bytes(32), bytes(32), 1)
    seed = beacon_seed(place, Beacon("drand", 1000, bytes(range(32))))
    assert 0 <= seed < 2**64
    assert f"`{seed}`" in TEXT
