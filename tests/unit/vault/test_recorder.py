"""Every record is in its place and says what it was told; what would be false is refused."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from anchor.errors import (
    FormatError,
    NotFoundError,
    StoreConflictError,
    UsageError,
    VestigeError,
)
from anchor.records.record import Beacon, Place, Record
from anchor.records.seed import beacon_seed
from anchor.vault import Attachment, Draft, Recorder, Vault
from anchor.vault.signer import Signer
from tests.unit.vault.conftest import START, Project


def test_records_make_one_chain_that_the_kernel_verifies(project: Project):
    for number in range(40):
        record = project.note(f"remark {number}")
        assert record.seq == number + 1
    report = project.assert_sound()
    assert report.complete_up_to == 40
    assert not report.closed


def test_a_record_says_what_the_draft_says_and_nothing_of_the_machine(project: Project):
    path = project.write("in/cat.png")
    draft = Draft(
        "generation",
        {"tool": "ComfyUI", "seed": "12345678901234567890", "note": "the third try"},
        (Attachment("output", path), Attachment("workflow", data=b"{}", name="workflow.json")),
        role="tool",
        mode="live_plugin",
        client="plugin/1.2",
        lag_s=3,
        tier="T4",
        late=True,
    )
    record = project.recorder().append(draft)
    assert record.fields == dict(draft.fields)
    assert [entry["name"] for entry in record.files.values()] == ["in/cat.png", "workflow.json"]
    assert [entry["role"] for entry in record.files.values()] == ["output", "workflow"]
    assert record.capture.mode == "live_plugin"
    assert (record.capture.client, record.capture.lag_s) == ("plugin/1.2", 3)
    payload = record.sd_jwt.payload
    assert (payload["tier"], payload["late"], payload["actor"]["role"]) == ("T4", True, "tool")
    assert str(project.work) not in record.sd_jwt.serialize()
    for entry in record.files.values():
        project.vault.objects.verify(bytes.fromhex(entry["sha256"]))
    project.assert_sound()


def test_salts_are_never_used_twice(project: Project):
    records = [project.note("the same words") for _ in range(20)]
    salts = [item.salt for record in records for item in record.sd_jwt.disclosures]
    assert len(set(salts)) == len(salts)
    assert min(map(len, salts)) >= 16
    assert len({digest for record in records for digest in record.sd_jwt.hidden_digests}) == 20


def test_an_import_is_always_late(project: Project):
    record = project.recorder().append(Draft("import", {"made_at": "last summer"}))
    assert record.sd_jwt.payload["late"] is True


# -- the clock -------------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_shows_and_order_stays(project: Project):
    project.note("one")
    project.clock.time -= timedelta(days=400)
    back = project.note("two")
    after = project.note("three")
    assert back.claimed_time < START
    assert back.sd_jwt.payload["clock_source"] == "stepped_back"
    assert after.sd_jwt.payload["clock_source"] != "stepped_back"
    assert [record.seq for record in (back, after)] == [2, 3]
    project.assert_sound()


def test_a_clock_set_back_within_one_batch_shows_too(project: Project):
    times = iter([START + timedelta(hours=2), START + timedelta(hours=1)])
    recorder = Recorder(project.vault, project.signer, now=lambda: next(times))
    first, second = recorder.append_many([Draft("note", {"text": t}) for t in "ab"])
    assert first.sd_jwt.payload["clock_source"] != "stepped_back"
    assert second.sd_jwt.payload["clock_source"] == "stepped_back"


def test_the_offset_of_the_place_is_recorded(project: Project):
    from datetime import timezone

    zone = timezone(timedelta(hours=5, minutes=45))
    recorder = Recorder(project.vault, project.signer, now=lambda: START.astimezone(zone))
    payload = recorder.append(Draft("note", {"text": "x"})).sd_jwt.payload
    assert payload["utc_offset_minutes"] == 345
    assert payload["claimed_time"] == "2026-11-23T10:00:00Z"


# -- beacons ---------------------------------------------------------------------------------------


def test_beacons_stand_in_the_open_part_and_are_asked_before_the_vault_is_held(project: Project):
    beacon = Beacon("bitcoin", 976_101, bytes(range(32)))

    def ask():
        with project.vault.writing():  # would wait for ever if the recorder held it
            return (beacon,)

    record = project.recorder(beacons=ask).append(Draft("note", {"text": "x"}))
    assert record.not_before == (beacon,)
    assert record.sd_jwt.payload["not_before"][0]["height"] == 976_101


# -- what is refused -------------------------------------------------------------------------------


def refused(project: Project, draft: Draft) -> VestigeError:
    before = project.vault.layout.record_numbers()
    with pytest.raises(VestigeError) as caught:
        project.recorder().append(draft)
    assert project.vault.layout.record_numbers() == before
    return caught.value


@pytest.mark.parametrize(
    ("reference", "kind"),
    [("7", NotFoundError), ("2", NotFoundError), ("1.1", NotFoundError), ("0.0", NotFoundError)],
)
def test_references_to_what_is_not_there_are_refused(project: Project, reference: str, kind: type):
    project.recorder().append(Draft("sketch", {}, (Attachment("sketch", project.write("a.png")),)))
    error = refused(project, Draft("note", {"text": "x", "parents": [reference]}))
    assert isinstance(error, kind)
    assert error.code == "record.reference"
    project.recorder().append(Draft("note", {"text": "x", "parents": ["0", "1", "1.0"]}))


@pytest.mark.parametrize("fields", [{"text": 3}, {"text": "x", "unknown": "y"}, {}])
def test_fields_that_the_kind_does_not_have_are_refused(project: Project, fields: dict):
    assert isinstance(refused(project, Draft("note", fields)), FormatError)


def test_a_second_genesis_is_refused(project: Project):
    error = refused(project, Draft("genesis", {"title": "again"}))
    assert error.code == "vault.genesis"


def test_nothing_comes_before_genesis(tmp_path: Path):
    with Vault.init(tmp_path) as vault, pytest.raises(StoreConflictError) as caught:
        Recorder(vault, Signer.generate()).append(Draft("note", {"text": "x"}))
    assert caught.value.code == "vault.genesis"


def test_a_key_that_the_project_does_not_name_signs_nothing(project: Project):
    recorder = project.recorder(signer=Signer.generate())
    with pytest.raises(StoreConflictError) as caught:
        recorder.append(Draft("note", {"text": "x"}))
    assert caught.value.code == "keys.not_in_force"
    assert project.vault.size == 1


def test_a_closed_project_takes_no_more(project: Project):
    project.recorder().append(Draft("close", {"statement": "done"}))
    assert refused(project, Draft("note", {"text": "x"})).code == "vault.closed"
    assert project.assert_sound().closed


def test_nothing_follows_a_close_in_the_same_batch(project: Project):
    made = project.recorder().append_many([Draft("close"), Draft("note", {"text": "x"})])
    assert made[0].seq == 1
    assert made[1].code == "vault.closed"


def test_a_run_made_again_never_stands_for_an_original(project: Project):
    project.recorder().append(Draft("generation", {"tool": "x"}))
    project.recorder().append(Draft("reproduction_test", {"of": "1"}))
    for draft in (
        Draft("selection", {"chosen": ["2"]}),
        Draft("final", {"derivation": ["2"]}),
        Draft("sketch", {"parents": ["2"]}),
    ):
        assert refused(project, draft).code == "record.reproduction_as_original"
    project.recorder().append(Draft("note", {"text": "it comes out the same", "parents": ["2"]}))
    project.assert_sound()


def test_an_attachment_of_nothing_is_refused(project: Project):
    error = refused(project, Draft("sketch", {}, (Attachment("sketch"),)))
    assert isinstance(error, UsageError)


# -- many at once ----------------------------------------------------------------------------------


def test_one_bad_file_stops_no_other(project: Project):
    good = [project.write(f"{n}.png", b"cat %d" % n) for n in range(5)]
    (project.work / "empty.png").touch()
    paths = [*good[:2], project.work / "empty.png", project.work / "gone.png", *good[2:]]
    made = project.recorder().append_many(
        [Draft("generation", {}, (Attachment("output", path),)) for path in paths]
    )
    codes = [item.code if isinstance(item, VestigeError) else item.seq for item in made]
    assert codes == [1, 2, "file.empty", "file.not_found", 3, 4, 5]
    project.assert_sound()


def test_a_batch_may_refer_to_itself(project: Project):
    path = project.write("cat.png")
    made = project.recorder().append_many(
        [
            Draft("generation", {}, (Attachment("output", path),)),
            Draft("selection", {"chosen": ["1.0"], "why": "the light"}),
            Draft("note", {"text": "x", "parents": ["1.1"]}),
            Draft("note", {"text": "y", "parents": ["2"]}),
        ]
    )
    assert [getattr(item, "code", None) for item in made] == [None, None, "record.reference", None]
    assert [item.seq for item in made if not isinstance(item, VestigeError)] == [1, 2, 3]


def test_more_than_one_batch_keeps_the_order(project: Project):
    made = project.recorder().append_many([Draft("note", {"text": f"{n}"}) for n in range(600)])
    assert [record.seq for record in made] == list(range(1, 601))
    assert [record.fields["text"] for record in made] == [f"{n}" for n in range(600)]
    project.assert_sound()


def test_threads_share_a_vault_without_a_fork(project: Project):
    errors = []

    def work(name: str):
        try:
            for number in range(10):
                project.recorder().append(Draft("note", {"text": f"{name} {number}"}))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert project.assert_sound().complete_up_to == 40


def _record_in_process(work: str, seed: bytes, name: str) -> None:
    with Vault.open(Path(work)) as vault:
        recorder = Recorder(vault, Signer.of_seed(seed))
        for number in range(15):
            recorder.append(Draft("note", {"text": f"{name} {number}"}))


def test_processes_share_a_vault_without_a_fork(project: Project):
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(
            target=_record_in_process, args=(str(project.work), project.signer.seed, name)
        )
        for name in "abc"
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    report = project.assert_sound()
    assert report.complete_up_to == 45
    texts = [item.record.fields.get("text") for item in report.records[1:]]
    for name in "abc":
        assert [t for t in texts if t.startswith(name)] == [f"{name} {n}" for n in range(15)]


def test_a_very_long_prompt_is_recorded_whole(project: Project):
    text = "cat, " * 1_000_000
    record = project.recorder().append(Draft("prompt", {"positive": text}))
    assert project.vault.read(record.seq).fields["positive"] == text
    assert len(project.vault.index.entries()[-1].summary) <= 200


def test_a_record_past_the_limit_is_refused_before_it_is_written(project: Project):
    error = refused(project, Draft("prompt", {"positive": "x" * (25 << 20)}))
    assert isinstance(error, FormatError)
    project.note("after")
    project.assert_sound()


# -- for one place only ----------------------------------------------------------------------------


def test_a_record_for_one_number_is_refused_at_another(project):
    """A seed from a beacon is derived from the number too: at another number it would be false."""
    beacon = Beacon("bitcoin", 900_000, bytes(range(32)))
    recorder = project.recorder(beacons=lambda: [beacon])
    seq = project.vault.size
    project.note("in between")
    for wanted in (seq, seq + 7):
        with pytest.raises(StoreConflictError) as caught:
            recorder.append(Draft("generation", {"seed": "1"}), at_seq=wanted)
        assert caught.value.code == "vault.place_taken"
    assert project.vault.size == seq + 1
    seq = project.vault.size
    place = Place(project.vault.project.id, seq, None, b"", 0)
    fields = {"seed": str(beacon_seed(place, beacon)), "seed_origin": "beacon"}
    record = recorder.append(Draft("generation", fields), at_seq=seq)
    assert record.seq == seq
    assert record.fields["seed"] == str(beacon_seed(record.place, record.not_before[0]))


def test_of_many_that_want_one_number_one_gets_it(project):
    """Each derives again until it has a number, and none holds a false one."""

    def record(_number: int) -> Record:
        recorder = project.recorder()
        while True:
            seq = project.vault.size
            try:
                return recorder.append(Draft("note", {"text": f"{seq}"}), at_seq=seq)
            except StoreConflictError as error:
                if error.code != "vault.place_taken":
                    raise

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(record, range(12)))
    assert sorted(item.seq for item in made) == list(range(1, 13))
    assert all(item.fields["text"] == f"{item.seq}" for item in made)
    project.assert_sound()
