"""``vestige verify`` of records: one, several, a folder, a vault, and files that it recorded."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from anchor.backends import drand_signature
from anchor.cli import _verifier
from anchor.client import online_facts
from anchor.records.record import Beacon, parse_record
from anchor.verify import ProvenRecord
from tests.parts.drand import QUICKNET_32281667, Network, beacon_of
from tests.parts.record_folder import text_of, write_policy, write_records
from tests.recorder import (
    CREATOR,
    RECOVERY,
    START,
    Key,
    Project,
    file_entry,
    proven,
    salts,
    whole_project,
)

WHOLE = whole_project()
ITEMS = proven(WHOLE.records)
NOT_BEFORE = "2026-09-17 12:32:45"


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    monkeypatch.setattr(_verifier, "now", lambda: START + timedelta(days=20))


@pytest.fixture
def work(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with a vault's records and proofs, under the tests' policy."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VESTIGE_POLICY", str(write_policy(tmp_path / "policy.json")))
    return folder


def write_vault(work: Path, items=ITEMS) -> list[Path]:
    return write_records(work / ".vestige" / "records", items)


def showing(items, keep) -> list[ProvenRecord]:
    return [
        ProvenRecord(parse_record(item.record.sd_jwt.showing(keep).serialize()), item.proof)
        for item in items
    ]


# -- one record ------------------------------------------------------------------------------------


def test_record_of_a_vault_is_judged_with_the_others_of_its_folder(run, work):
    paths = write_vault(work)
    ran = run("verify", paths[5])
    lines = ran.out.splitlines()
    assert (ran.status, ran.err) == (0, "")
    assert lines[0].startswith(f"{paths[5]} existed before 2026-11-23 10:05:01 UTC")
    assert lines[0].endswith("✓ verified")
    assert lines[1].startswith("  RFC 3161    before 2026-11-23 10:05:01   ✓ verified     believe")
    assert any(line.startswith("  signature   –") and "✓ verified" in line for line in lines)
    assert any(line.startswith("  place       –") and "✓ verified" in line for line in lines)
    assert f"record 5 (generation) of project {WHOLE.project}" in ran.out
    assert lines[-1].startswith("  complete up to record 8 of project")


def test_json_of_a_record(run, work):
    value = run("verify", write_vault(work)[5], "--json", "--steps").json
    assert (value["status"], value["exit_status"], value["record"]["seq"]) == ("verified", 0, 5)
    assert value["list"]["complete_up_to"] == 8
    assert value["list"]["withheld_records"] == 0
    assert "records" not in value["list"]
    assert {step["number"] for step in value["steps"]} >= {"13.1", "13.2", "13.3", "13.5"}


def test_record_alone_is_not_checked_since_nothing_names_its_key(run, work):
    (path,) = write_records(work / "alone", ITEMS[5:6], proofs=".")
    ran = run("verify", path)
    assert ran.status == 4
    assert ran.out.splitlines()[0].endswith("○ not checked")


def test_record_without_its_proof_is_not_checked_and_one_elsewhere_can_be_named(run, work):
    paths = write_vault(work)
    proof = work / ".vestige" / "proofs" / "00000005.proof"
    moved = work / "elsewhere.json"
    proof.rename(moved)
    assert run("verify", paths[5]).status == 4
    assert run("verify", paths[5], "--proof", moved).status == 0
    moved.write_text("{")
    broken = run("verify", paths[5], "--proof", moved)
    assert broken.status == 5
    assert str(moved) in broken.err


def test_changed_record_fails(run, work):
    paths = write_vault(work)
    other = Project(records=list(WHOLE.records[:5]), new_salt=salts("other"))
    paths[5].write_text(text_of(other.note("another")))
    ran = run("verify", paths[5])
    assert ran.status == 1
    assert ran.out.splitlines()[0].endswith("✕ failed")


def test_asked_for_a_time(run, work):
    path = write_vault(work)[5]
    assert run("verify", path, "--before", "2026-12-01").status == 0
    assert run("verify", path, "--before", "2020-01-01").status == 6


def test_withheld_fields_are_counted_and_nothing_of_them_is_shown(run, work):
    hidden = showing(ITEMS, lambda name: name == "seed")
    paths = write_records(work / "given", hidden, proofs=".")
    ran = run("verify", paths[2])
    assert ran.status == 0
    assert "  withheld    2 of 2 fields" in ran.out
    assert "cute" not in run("verify", paths[2], "--json", "--steps").out


def test_revoked_key_and_what_existed_before_its_compromise(run, work):
    project = Project()
    project.genesis()
    project.note("mine")
    project.note("late")
    project.rotate(CREATOR, Key("next"), "2026-11-24T09:00:00Z")
    later = START + timedelta(days=10)
    items = [*proven(project.records[:2]), *proven(project.records[2:], later)]
    paths = write_vault(work, items)
    kept = run("verify", paths[1])
    assert kept.status == 0
    assert "  key         –" in kept.out
    doubted = run("verify", paths[2])
    assert doubted.status == 4
    assert "compromised at 2026-11-24 09:00:00" in doubted.out.splitlines()[0]
    assert RECOVERY.thumbprint.hex() not in doubted.out


# -- not before ------------------------------------------------------------------------------------


def with_beacons(*beacons: Beacon, **options) -> list[ProvenRecord]:
    project = Project()
    project.genesis()
    project.note(not_before=beacons, **options)
    return proven(project.records)


def test_not_before_stands_in_its_row_as_in_the_sample(run, work):
    paths = write_vault(work, with_beacons(beacon_of(QUICKNET_32281667, named=False)))
    lines = run("verify", paths[1]).out.splitlines()
    (row,) = (line for line in lines if line.startswith("  not before"))
    sample = (
        "  not before  2026-11-23 07:58:10          ✓ verified     Bitcoin block 976101, minus 2…"
    )
    assert (
        row == f"  not before  {NOT_BEFORE}          ✓ verified     drand quicknet round 32281667"
    )
    for part in ("not before", "2026-", "✓ verified"):
        assert row.index(part) == sample.index(part)
    assert row.index("drand") == sample.index("Bitcoin")
    value = run("verify", paths[1], "--json").json
    assert value["not_before"] == "2026-09-17T12:32:45Z"


def test_beacon_that_nobody_confirms_is_not_checked_and_touches_nothing(run, work):
    block = Beacon("bitcoin", 976101, bytes(range(32)))
    ran = run("verify", write_vault(work, with_beacons(block))[1])
    assert ran.status == 0
    assert "  not before  –                            ○ not checked  nothing here says" in ran.out


def test_false_beacon_fails_the_record(run, work):
    beacon = beacon_of(Network("theirs").sign(32281667))
    ran = run("verify", write_vault(work, with_beacons(beacon))[1])
    assert ran.status == 1
    assert "  not before  –                            ✕ failed" in ran.out


def test_not_before_later_than_existed_before_is_failed(run, work):
    early = proven(
        [item.record for item in with_beacons(beacon_of(QUICKNET_32281667))],
        START - timedelta(days=300),
    )
    ran = run("verify", write_vault(work, early)[1])
    assert ran.status == 1
    assert "its beacon is of 2026-09-17 12:32:45 at the earliest" in ran.out.splitlines()[0]


def test_without_the_extra_the_signature_is_not_checked_and_the_row_says_what_is_missing(
    run, work, monkeypatch
):
    monkeypatch.setattr(drand_signature, "find_spec", lambda name: None)
    ran = run("verify", write_vault(work, with_beacons(beacon_of(QUICKNET_32281667)))[1])
    assert ran.status == 0
    assert "○ not checked  its signature was not checked: that needs the extra drand" in ran.out


def test_online_asks_the_policys_sources_for_what_beacons_name(run, work, monkeypatch):
    asked = []

    class Relay:
        name = "a relay"

        def fetch_round(self, number):
            asked.append(number)
            return QUICKNET_32281667

    monkeypatch.setattr(online_facts, "_drand_source", lambda network: Relay())
    items = with_beacons(beacon_of(QUICKNET_32281667, signature=False))
    paths = write_vault(work, items)
    offline = run("verify", paths[1])
    assert "○ not checked  nothing here says that drand 32281667" in offline.out
    assert asked == []
    online = run("verify", paths[1], "--online")
    assert NOT_BEFORE in online.out
    assert asked == [32281667]


# -- several, folders, vaults ----------------------------------------------------------------------


@pytest.mark.parametrize("path", [".vestige", ".", ".vestige/records"])
def test_vault_is_verified_whole_one_line_a_record(run, work, path):
    write_vault(work)
    ran = run("verify", path)
    lines = ran.out.splitlines()
    assert (ran.status, ran.err) == (0, "")
    assert lines[0].startswith("9 records of project 00010203… existed before 2026-11-23 10:08:01")
    assert lines[0].endswith("✓ verified")
    rows = [line for line in lines if "✓ verified" in line and line.startswith("   ")]
    assert [line.split()[1] for line in rows] == [item.record.kind.name for item in ITEMS]
    assert lines[-1].startswith("  complete up to record 8")


def test_json_of_a_folder_names_each_path(run, work):
    paths = write_vault(work)
    (value,) = run("verify", ".vestige", "--json").json["verdicts"]
    assert value["path"] == ".vestige"
    assert [each["path"] for each in value["records"]] == [
        str(path.relative_to(work)) for path in paths
    ]
    assert value["statement"].startswith("complete up to record 8")


def test_gap_in_the_chain_is_counted(run, work):
    paths = write_vault(work)
    paths[3].unlink()
    ran = run("verify", ".vestige")
    assert ran.status == 4
    assert "1 more is not listed" in ran.out.splitlines()[0]
    assert "  not listed" in ran.out


def test_one_broken_record_is_named_and_the_others_go_on(run, work):
    paths = write_vault(work)
    paths[3].write_bytes(b"\xff")
    ran = run("verify", ".vestige")
    assert ran.status == 5
    assert f"vestige: error: {paths[3].relative_to(work)}: " in ran.err
    assert ran.out.count("✓ verified") == 8
    alone = run("verify", paths[5])
    assert alone.status == 0
    assert "vestige: warning: not read with it: " in alone.err
    paths[3].write_text(text_of(WHOLE.records[3]) + text_of(WHOLE.records[1]).split("~")[1] + "~")
    assert run("verify", ".vestige").status == 1


def test_several_records_in_one_line_each(run, work):
    paths = write_vault(work)
    ran = run("verify", paths[5], paths[6])
    assert ran.status == 0
    assert [line.split()[0] for line in ran.out.splitlines()[:2]] == [str(p) for p in paths[5:7]]
    value = run("verify", paths[5], paths[6], "--json").json
    assert [item["record"]["seq"] for item in value["verdicts"]] == [5, 6]


def test_two_records_for_one_place_are_both_judged_as_a_fork(run, work):
    paths = write_vault(work)
    other = Project(records=list(WHOLE.records[:5]), new_salt=salts("fork"))
    other.note("another end")
    (twin,) = write_records(work / "copy", proven(other.records)[5:], proofs=".")
    ran = run("verify", paths[5], twin)
    assert ran.status == 1
    assert [line.split()[-1] for line in ran.out.splitlines()[:2]] == ["failed", "failed"]


def test_two_projects_in_one_folder_are_two_lists(run, work):
    write_records(work / "all", ITEMS, proofs=".")
    other = Project(project="ff" * 16)
    other.genesis()
    (path,) = write_records(work / "more", proven(other.records), proofs=".")
    path.rename(work / "all" / "other.sdjwt")
    path.with_suffix(".proof").rename(work / "all" / "other.proof")
    value = run("verify", work / "all", "--json").json
    assert [item["project"] for item in value["verdicts"]] == [WHOLE.project, "ff" * 16]
    assert value["exit_status"] == 0


def test_records_of_another_project_beside_it_touch_nothing(run, work):
    paths = write_records(work / "all", ITEMS, proofs=".")
    other = Project(project="ff" * 16)
    other.genesis()
    (path,) = write_records(work / "more", proven(other.records), proofs=".")
    path.rename(work / "all" / "00000000-other.sdjwt")
    ran = run("verify", paths[5])
    assert ran.status == 0
    assert ran.out.splitlines()[-1].startswith("  complete up to record 8")
    (work / "all" / "two.png").write_bytes(b"two")
    assert run("verify", work / "all" / "two.png").status == 5, "no vault is around it"


def test_folder_without_anything_to_verify(run, work):
    (work / "cat.png").write_bytes(b"cat")
    ran = run("verify", work)
    assert ran.status == 5
    assert "no file in it has a proof beside it" in ran.err


# -- files that a record names ---------------------------------------------------------------------


def test_file_of_a_vault_is_judged_by_the_record_that_names_it(run, work):
    write_vault(work)
    (work / "two.png").write_bytes(b"two")
    ran = run("verify", "two.png")
    assert ran.status == 0
    assert ran.out.splitlines()[0].startswith("two.png existed before 2026-11-23 10:05:01 UTC")
    assert "two.png is file 0 of record 5 (generation)" in ran.out
    value = run("verify", "two.png", "--json").json
    assert value["named_by"] == [{"seq": 5, "file": 0}]
    (work / "four.png").write_bytes(b"four")
    assert run("verify", "four.png", "--json").json["named_by"] == [
        {"seq": 7, "file": 0},
        {"seq": 8, "file": 0},
    ]


def test_file_of_a_vault_rests_on_a_record_that_is_verified_if_there_is_one(run, work):
    project = Project()
    project.genesis()
    for key in (CREATOR, Key("next")):
        project.add("sketch", files=[file_entry("four")], key=key)
        if key == CREATOR:
            project.rotate(CREATOR, Key("next"), "2026-11-23T09:00:00Z")
    early, late = proven(project.records[:3]), proven(project.records[3:])
    paths = write_vault(work, [*early, *late])
    assert run("verify", paths[1]).status == 4, "its key was compromised before"
    (work / "four.png").write_bytes(b"four")
    ran = run("verify", "four.png")
    assert ran.status == 0
    assert "four.png is file 0 of record 3" in ran.out


def test_file_that_lies_beside_records_of_two_projects(run, work):
    other = Project(project="ff" * 16)
    other.genesis()
    write_vault(work)
    (path,) = write_records(work / "more", proven(other.records), proofs=".")
    path.rename(work / ".vestige" / "records" / "00000000-other.sdjwt")
    (work / "two.png").write_bytes(b"two")
    assert run("verify", "two.png").status == 0


def test_file_that_no_record_names_has_no_evidence(run, work):
    write_vault(work)
    (work / "other.png").write_bytes(b"other")
    ran = run("verify", "other.png")
    assert (ran.status, ran.out) == (5, "")
    assert "there is no other.png.proof" in ran.err


def test_withheld_file_entry_names_nothing(run, work):
    write_vault(work, showing(ITEMS, lambda name: not name.startswith("file")))
    (work / "two.png").write_bytes(b"two")
    assert run("verify", "two.png").status == 5


def test_record_and_a_file_that_it_names(run, work):
    paths = write_vault(work)
    (work / "two.png").write_bytes(b"two")
    (work / "other.png").write_bytes(b"other")
    named = run("verify", paths[5], "--file", "two.png")
    assert named.status == 0
    assert "two.png is file 0 of record 5" in named.out
    wrong = run("verify", paths[5], "--file", "other.png")
    assert wrong.status == 1
    assert "other.png is none of the files of the record" in wrong.out.splitlines()[0]
    assert run("verify", paths[5], paths[6], "--file", "two.png").status == 2


def test_record_whose_files_are_withheld_may_name_the_file(run, work):
    paths = write_vault(work, showing(ITEMS, lambda name: name == "file.1"))
    (work / "two.png").write_bytes(b"two")
    ran = run("verify", paths[5], "--file", "two.png")
    assert ran.status == 4
    assert "1 of the record are withheld" in ran.out


# -- what cannot be read ---------------------------------------------------------------------------


@pytest.mark.timeout(20)
def test_pipe_with_the_name_of_a_record_is_refused_at_once(run, work):
    os.mkfifo(work / "pipe.sdjwt")
    ran = run("verify", "pipe.sdjwt")
    assert ran.status == 5
    assert ran.err.splitlines() == ["vestige: error: pipe.sdjwt is a pipe, a file is wanted"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 5),
        (b"\x00" * 1000, 5),
        (b"A" * (5 << 20), 5),
        (b"~" * (5 << 20), 5),
        (text_of(WHOLE.records[5])[:500].encode(), 5),
        ((text_of(WHOLE.records[5]) + text_of(WHOLE.records[1]).split("~")[1] + "~").encode(), 1),
    ],
    ids=["empty", "binary", "text", "tildes", "cut", "unreferenced"],
)
def test_broken_record_gets_one_clear_line(run, work, data, status):
    paths = write_vault(work)
    paths[5].write_bytes(data)
    ran = run("verify", paths[5])
    assert (ran.status, ran.out) == (status, "")
    (line,) = ran.err.splitlines()
    assert line.startswith(f"vestige: error: {paths[5]}: ")
    assert len(line) < len(str(paths[5])) + 200
    value = run("verify", paths[5], "--json").json
    assert value["exit_status"] == status
    assert value["error"]["message"] in line


def test_record_cannot_write_into_the_terminal(run, work):
    project = Project()
    project.genesis()
    project.add("note", {"text": "\x1b[2J✓ verified"}, files=[file_entry("x", name="\x1b[31m")])
    paths = write_vault(work, proven(project.records))
    said = run("verify", paths[1], "--steps").out
    assert "\x1b" not in said
    assert hashlib.sha256(b"x").hexdigest() not in said
    assert json.loads(run("verify", paths[1], "--json").out)["record"]["withheld_fields"] == 0
