"""The chain: order, head, what is missing, and histories that do not agree."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from anchor.errors import FormatError
from anchor.formats.merkle import EMPTY_ROOT, leaf_hash, root_hash
from anchor.records.chain import ChainReport, ChainTip, Stub, verify_chain
from anchor.records.record import Record, parse_record
from tests.recorder import CREATOR, PROJECT, Key, Project, salts, stub, whole_project
from tests.unit.records.test_record import resigned

WHOLE = whole_project()
RECORDS = WHOLE.records
SIZE = len(RECORDS)


def place(report: ChainReport, seq: int) -> tuple[str, str]:
    finding = next(item.place for item in report.records if item.record.seq == seq)
    return finding.word, finding.code


def failed(items: Sequence[Record | Stub]) -> set[str]:
    report = verify_chain(items)
    findings = [f for item in report.records for f in (item.signature, item.place)]
    return {finding.code for finding in findings if finding.word == "failed"}


def put(seq: int, item: Record | Stub) -> list[Record | Stub]:
    return [*RECORDS[:seq], item, *RECORDS[seq + 1 :]]


def test_the_whole_project() -> None:
    report = verify_chain(RECORDS)
    assert report.project == PROJECT
    assert {item.place.word for item in report.records} == {"verified"}
    assert {item.signature.word for item in report.records} == {"verified"}
    assert (report.complete_up_to, report.closed, report.missing) == (SIZE - 1, False, 0)
    assert report.stubs == report.forks == ()
    assert verify_chain(list(reversed(RECORDS))) == report


def test_heads_are_rfc_6962_roots_over_the_digests() -> None:
    digests = [record.digest for record in RECORDS]
    assert RECORDS[0].place.head == EMPTY_ROOT
    assert RECORDS[0].place.prev is None
    for record in RECORDS:
        assert record.place.head == root_hash([leaf_hash(d) for d in digests[: record.seq]])


def test_the_tip_is_the_place_of_the_next_record() -> None:
    tip = ChainTip(PROJECT)
    for record in RECORDS:
        assert tip.place == record.place
        tip.append(record.digest, record.kind.name)
    assert tip.size == SIZE


def test_no_record_shown_is_no_chain() -> None:
    for items in ([], [stub(RECORDS[0])]):
        with pytest.raises(FormatError):
            verify_chain(items)


# -- withheld and missing --------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [[0, 8], [0, 3, 8], [0, 1, 2, 3, 4, 5, 6, 8]])
def test_stubs_keep_the_head_whole(shown: list[int]) -> None:
    items = [r if r.seq in shown else stub(r) for r in RECORDS]
    report = verify_chain(items)
    assert report.complete_up_to == 8
    assert [s.seq for s in report.stubs] == [n for n in range(9) if n not in shown]
    assert not failed(items)


def test_stubs_after_the_last_record_shown_show_nothing() -> None:
    report = verify_chain([*RECORDS[:4], Stub(4, "idea", bytes(32))])
    assert report.complete_up_to == 3


def test_a_place_that_is_not_listed_leaves_the_rest_unchecked() -> None:
    report = verify_chain([*RECORDS[:3], *RECORDS[4:]])
    assert place(report, 2)[0] == "verified"
    assert {place(report, seq) for seq in range(4, 9)} == {("not_checked", "record.place_unknown")}
    assert (report.missing, report.complete_up_to) == (1, None)


def test_neighbours_are_compared_even_after_a_gap() -> None:
    stranger = Stub(4, "prompt", bytes(32))
    assert failed([RECORDS[0], stranger, RECORDS[5]]) == {"record.prev"}


def test_a_far_place_costs_nothing() -> None:
    far = parse_record(resigned(RECORDS[1], seq=2**53 - 1, count=2**53 - 1))
    report = verify_chain([RECORDS[0], far])
    assert report.missing == 2**53 - 2


# -- false -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", range(SIZE - 1))
def test_a_stub_of_another_digest_is_found(seq: int) -> None:
    wrong = Stub(seq, RECORDS[seq].kind.name, hashlib.sha256(b"other").digest())
    assert "record.prev" in failed(put(seq, wrong))


def test_two_records_swapped() -> None:
    first, second = RECORDS[3], RECORDS[4]
    items = [*RECORDS[:3], Stub(3, "x", second.digest), Stub(4, "x", first.digest), *RECORDS[5:]]
    assert "record.prev" in failed(items)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"prev": "00" * 32}, "record.prev"),
        ({"head": "00" * 32}, "record.head"),
        ({"prev": None}, "record.prev"),
        ({"project": "ff" * 16}, "record.project"),
        ({"key_records": 0}, "record.key_records"),
        ({"key_records": 2}, "record.key_records"),
    ],
)
def test_a_record_out_of_place(change: dict[str, object], code: str) -> None:
    wrong = parse_record(resigned(RECORDS[4], **change))
    report = verify_chain([*RECORDS[:4], wrong])
    assert report.records[4].place.word == "failed"
    assert code in failed([*RECORDS[:4], wrong])
    assert report.complete_up_to is None


def test_the_first_record_is_a_genesis() -> None:
    project = Project()
    project.note()
    assert failed(project.records) == {"record.genesis"}
    text = resigned(RECORDS[0], seq=1, count=1)
    assert "record.genesis" in failed([RECORDS[0], parse_record(text)])


def test_another_projects_records_are_not_this_ones() -> None:
    other = Project("ff" * 16)
    other.genesis()
    other.bind(Key("tool"), "tool")
    items = [RECORDS[0], other.records[1]]
    assert failed(items) == {"record.project"}
    finding = verify_chain(items).records[1].signature
    assert (finding.word, finding.code) == ("not_checked", "record.project")


def test_after_close_only_a_revocation() -> None:
    project = Project()
    project.genesis()
    project.add("close")
    assert verify_chain(project.records).closed
    project.revoke(CREATOR, "2026-12-01T00:00:00Z")
    report = verify_chain(project.records)
    assert report.closed
    assert report.complete_up_to == 2
    project = Project()
    project.genesis()
    project.add("close")
    project.note("one more thing")
    assert failed(project.records) == {"record.after_close"}


@pytest.mark.parametrize("field", ["parents", "derivation"])
def test_a_reproduction_is_no_original(field: str) -> None:
    project = Project()
    project.genesis()
    project.add("generation")
    project.add("reproduction_test", {"of": "1"})
    project.note("it looks the same", files=())
    project.add("correction", {"target": "2", "reason": "another seed"})
    assert not failed(project.records)
    project.add("final", {field: ["2"]})
    assert failed(project.records) == {"record.reproduction_as_original"}


# -- two histories ---------------------------------------------------------------------------------


def diverged(at: int, key: Key = CREATOR) -> Project:
    """Return a copy of the project that goes another way from a place on."""
    project = Project(PROJECT, key, RECORDS[:at], salts("diverged"))
    project.note("another way")
    return project


def test_a_fork_is_two_signing_inputs_for_one_place() -> None:
    other = diverged(4).records[4]
    report = verify_chain(RECORDS, [other])
    (fork,) = report.forks
    assert fork.record is RECORDS[4]
    assert fork.other is other
    assert fork.one_key
    assert verify_chain([*RECORDS, other]).forks == report.forks


def test_the_same_record_disclosed_in_two_ways_is_no_fork() -> None:
    hidden = [parse_record(r.sd_jwt.showing(lambda _: False).serialize()) for r in RECORDS]
    assert verify_chain(RECORDS, hidden).forks == ()


def test_what_no_key_of_the_project_signed_is_no_fork() -> None:
    thief = diverged(4, Key("thief")).records[4]
    assert verify_chain(RECORDS, [thief]).forks == ()
    claimed = parse_record(
        thief.sd_jwt.serialize().replace(
            thief.sd_jwt.jwt, resigned(thief, drop=()).split("~", maxsplit=1)[0]
        )
    )
    assert claimed.actor.key == Key("thief").thumbprint
    assert verify_chain(RECORDS, [claimed]).forks == ()


def test_another_project_is_no_fork() -> None:
    other = Project("ff" * 16)
    other.genesis()
    assert verify_chain(RECORDS, other.records).forks == ()


def test_two_keys_of_one_project_are_two_histories() -> None:
    project = Project()
    project.genesis()
    project.bind(Key("tool"), "tool")
    copy = project.copy()
    project.note()
    copy.note(key=Key("tool"), role="tool")
    (fork,) = verify_chain(project.records, copy.records).forks
    assert not fork.one_key


def test_a_stub_does_not_hide_a_fork() -> None:
    other = diverged(4).records[4]
    items = put(4, stub(RECORDS[4]))
    (fork,) = verify_chain(items, [other]).forks
    assert fork.record == stub(RECORDS[4])
    assert verify_chain(items, [RECORDS[4]]).forks == ()
    assert verify_chain([*RECORDS[:4], Stub(4, "x", bytes(32))], [other]).forks == ()
