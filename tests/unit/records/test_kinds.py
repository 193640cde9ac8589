"""The table of kinds holds together, and every kind can be written and read."""

from __future__ import annotations

from typing import Any

import pytest

from anchor.records.fields import TYPES
from anchor.records.kinds import COMMON, ENVELOPE, KINDS, Kind
from anchor.records.record import Record, parse_record
from tests.recorder import CREATOR, RECOVERY, Key, Project

SAMPLES: dict[str, Any] = {
    "text": "words 猫",
    "texts": ["a", ""],
    "word": "licence",
    "integer": 0,
    "number": "-0.5",
    "boolean": True,
    "time": "2026-11-23T10:02:08.5Z",
    "sha256": "ab" * 32,
    "sha256s": ["ab" * 32],
    "ref": "0",
    "refs": ["0", "0.12"],
    "maps": [{"role": "lora", "name": "x"}],
    "pairs": [["a", "b"], ["a", "c"]],
    "difference": [["=", "a "], ["-", "b"], ["+", "c"]],
    "role": "tool",
}
KEYS = {
    "genesis": {"public_key": CREATOR.public.hex(), "recovery": RECOVERY.thumbprint.hex()},
    "key_bind": {"public_key": Key("tool").public.hex()},
    "key_rotate": {
        "public_key": Key("next").public.hex(),
        "recovery_key": RECOVERY.public.hex(),
        "recovery": RECOVERY.thumbprint.hex(),
    },
    "key_revoke": {"recovery_key": RECOVERY.public.hex()},
}


def filled(kind: Kind) -> Record:
    project = Project()
    if kind.name != "genesis":
        project.genesis()
    fields = {row.name: SAMPLES.get(row.type) for row in (*kind.fields, *COMMON)}
    if kind.name == "genesis":
        fields["parents"] = None
    return project.add(kind.name, {**fields, **KEYS.get(kind.name, {})}, late=True)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_field_of_every_kind_is_carried(kind: Kind) -> None:
    record = parse_record(filled(kind).sd_jwt.serialize())
    assert record.kind is kind
    rows = {row.name for row in (*kind.fields, *COMMON)} - (
        {"parents"} if kind.name == "genesis" else set()
    )
    assert record.fields.keys() == rows


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_names_are_unique_and_types_known(kind: Kind) -> None:
    rows = [*ENVELOPE, *kind.fields, *COMMON]
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert {row.type for row in rows} <= set(TYPES)
    assert all(row.required for row in ENVELOPE)
    assert not any(row.open for row in COMMON)


def test_the_kinds_that_courts_and_the_issue_name_are_there() -> None:
    assert set(KINDS) >= {
        "genesis", "key_bind", "key_rotate", "key_revoke", "idea", "sketch", "reference", "prompt",
        "generation", "candidate_set", "selection", "region_edit", "manual_edit", "composite",
        "recording", "tool_export", "metadata", "final", "publication", "import", "correction",
        "reproduction_test", "branch", "close", "custody", "rights", "note",
    }  # fmt: skip


def test_what_is_never_original() -> None:
    for name in ("import", "reproduction_test", "correction", "metadata", "publication"):
        assert not KINDS[name].original
    for name in ("idea", "sketch", "prompt", "generation", "selection", "manual_edit", "final"):
        assert KINDS[name].original


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        (
            "number",
            ["0", "-1", "18446744073709551615", "7.50"],
            ["", "-", "01", "+1", "1.", ".5", 1],
        ),
        ("ref", ["0", "12.3"], ["", "-1", "1.", "01", "1.2.3", "a", 1, "1\n"]),
        ("word", ["a", "a_1"], ["", "A", "1a", "a-b", "a" * 41, 1]),
        ("time", ["2026-11-23T10:02:08Z"], ["2026-11-23", 1, None, "2026-11-23T10:02:08.0Z"]),
        ("sha256", ["00" * 32], ["00" * 31, "AA" * 32, "zz" * 32, 1, None]),
        ("integer", [0, 2**53 - 1], [-1, True, "1", None]),
        ("boolean", [True, False], [0, 1, None, "true"]),
        ("offset", [0, -840, 840], [841, -841, True, "0", None]),
        ("lag", [None, 0], [-1, True, "0"]),
        ("pairs", [[], [["a", "b"]]], [{}, ["a"], [["a"]], [["a", 1]], None]),
        ("difference", [[["=", "a"]]], [[["x", "a"]], [["=", 1]], "=", None]),
        ("sha256 or null", [None, "00" * 32], ["", 0]),
    ],
)
def test_types(type_: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert TYPES[type_](value), value
    for value in bad:
        assert not TYPES[type_](value), value
