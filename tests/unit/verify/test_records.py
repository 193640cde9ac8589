"""Records with their proofs: the word, the bounds, what is claimed, and how a person redoes it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from anchor.errors import FormatError
from anchor.formats.drand import QUICKNET
from anchor.records.record import Beacon, parse_record
from anchor.verify import (
    ConfirmedBlock,
    KnownFacts,
    ProvenRecord,
    RecordsVerdict,
    Verdict,
    judge_records,
)
from anchor.verify.report import all_steps, records_to_json, verdict_to_json
from tests import evidence
from tests.recorder import (
    START,
    Project,
    judge,
    proof,
    proven,
    stub,
    whole_project,
)
from tests.unit.records.test_record import resigned

WHOLE = whole_project()
LISTED = proven(WHOLE.records)
DRAND = 1_692_803_367
ROUND = (int(START.timestamp()) - DRAND) // 3 + 1
BEACON = Beacon("drand", ROUND, b"\x0d" * 32)
KNOWN = KnownFacts(drand={(QUICKNET, ROUND): ConfirmedBlock(BEACON.value, "two relays")})


def codes(verdict: Verdict, word: str = "failed") -> set[str]:
    assert verdict.record is not None
    return {found.code for found in verdict.record.findings if found.word == word}


def with_beacon(beacon: Beacon = BEACON, **options: object) -> Project:
    project = Project()
    project.genesis()
    project.note(not_before=[beacon], **options)
    return project


def judged(project: Project, at: datetime | None = None, **options: object) -> RecordsVerdict:
    return judge_records(proven(project.records, at), judge(known=KNOWN), **options)


def test_the_whole_project_is_verified() -> None:
    verdict = judge_records(LISTED, judge())
    assert (verdict.status, verdict.exit_status) == ("verified", 0)
    assert verdict.statement == (
        f"complete up to record 8 of project {WHOLE.project}, 0 of them withheld; "
        "nothing is shown about later records, about other projects or other keys"
    )
    for each in verdict.verdicts:
        assert (each.status, each.exit_status, each.warnings) == ("verified", 0, ())
        assert each.file_status == "verified"


def test_closed_projects_say_nothing_less() -> None:
    project = whole_project()
    project.add("close")
    verdict = judged(project)
    assert "which is closed" in verdict.statement
    assert "later records" not in verdict.statement


def test_what_is_withheld_is_counted() -> None:
    items = [
        item if item.record.seq in (0, 8) else stub(item.record)
        for item in LISTED
    ]  # fmt: skip
    hidden = parse_record(WHOLE.records[8].sd_jwt.showing(lambda _: False).serialize())
    items[8] = replace(LISTED[8], record=hidden)
    verdict = judge_records(items, judge())
    assert verdict.status == "verified"
    assert (verdict.withheld_records, verdict.withheld_fields) == (7, 2)
    assert "7 of them withheld" in verdict.statement
    assert [s["seq"] for s in records_to_json(verdict)["stubs"]] == list(range(1, 8))


def test_a_record_that_is_not_listed_voids_completeness_and_touches_no_other() -> None:
    verdict = judge_records([*LISTED[:3], *LISTED[4:]], judge())
    assert (verdict.status, verdict.exit_status) == ("not_checked", 4)
    assert "1 records are not listed" in verdict.statement
    assert {each.status for each in verdict.verdicts} == {"verified"}


def test_nothing_shown_is_no_list() -> None:
    with pytest.raises(FormatError):
        judge_records([stub(WHOLE.records[0])], judge())


# -- the record and its proof ----------------------------------------------------------------------


def test_a_proof_of_another_record_fails() -> None:
    items = [*LISTED]
    items[4] = ProvenRecord(WHOLE.records[4], LISTED[5].proof)
    verdict = judge_records(items, judge())
    assert (verdict.status, verdict.exit_status) == ("failed", 1)
    assert verdict.verdicts[4].file_status == "failed"
    assert verdict.reason.startswith("record 4:")
    assert verdict.verdicts[5].status == "verified"


def test_a_proof_of_another_record_fails_without_the_key_too() -> None:
    item = ProvenRecord(WHOLE.records[4], LISTED[5].proof)
    later = START + timedelta(hours=9)
    for before in (None, later):
        verdict = judge_records([item], judge(), before=before).verdicts[0]
        assert (verdict.status, verdict.exit_status) == ("failed", 1)


def test_a_record_without_proof_is_not_checked() -> None:
    items = [*LISTED[:8], ProvenRecord(WHOLE.records[8])]
    verdict = judge_records(items, judge())
    assert (verdict.status, verdict.exit_status) == ("not_checked", 4)
    assert verdict.verdicts[8].reason == "there is no evidence yet"


def test_a_record_that_waits_is_pending() -> None:
    log = evidence.Log()
    log.add(WHOLE.records[8].digest)
    waiting = replace(
        LISTED[8].proof,
        inclusions=(log.inclusion(0, 1),),
        attestations=(evidence.pending_attestation(log.root(1)),),
    )
    verdict = judge_records([*LISTED[:8], ProvenRecord(WHOLE.records[8], waiting)], judge())
    assert (verdict.status, verdict.exit_status) == ("pending", 3)


def test_without_its_key_nothing_of_a_record_is_verified() -> None:
    verdict = judge_records([LISTED[4]], judge()).verdicts[0]
    assert (verdict.status, verdict.exit_status) == ("not_checked", 4)
    assert codes(verdict, "not_checked") == {"record.key_unknown", "record.place_unknown"}
    assert verdict.headline is not None


def test_a_false_signature_fails_and_takes_the_headline() -> None:
    record = WHOLE.records[4]
    jwt, rest = record.sd_jwt.serialize().split("~", 1)
    head, _, _ = jwt.rpartition(".")
    other = WHOLE.records[5].sd_jwt.jwt.rpartition(".")[2]
    false = parse_record(f"{head}.{other}~{rest}")
    items = [*LISTED]
    items[4] = ProvenRecord(false, proof(false, START))
    verdict = judge_records(items, judge()).verdicts[4]
    assert (verdict.status, verdict.exit_status, verdict.headline) == ("failed", 1, None)
    assert codes(verdict) == {"record.signature"}
    assert verdict.existed_before


# -- before T --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "answer", "code"), [(9, "yes", 0), (0, "no", 6)])
def test_before(hours: int, answer: str, code: int) -> None:
    before = START + timedelta(hours=hours)
    verdict = judge_records(LISTED, judge(), before=before)
    assert {each.answer for each in verdict.verdicts} == {answer}
    assert verdict.exit_status == code


def test_before_without_its_key_is_unknown() -> None:
    later = START + timedelta(hours=9)
    verdict = judge_records([LISTED[4]], judge(), before=later).verdicts[0]
    assert (verdict.answer, verdict.exit_status) == ("unknown", 4)
    verdict = judge_records([LISTED[4]], judge(), before=START).verdicts[0]
    assert (verdict.answer, verdict.exit_status) == ("no", 6)


def test_before_of_a_false_record_is_no_question() -> None:
    wrong = parse_record(resigned(WHOLE.records[4], head="00" * 32))
    items = [*LISTED]
    items[4] = ProvenRecord(wrong, proof(wrong, START))
    verdict = judge_records(items, judge(), before=START + timedelta(hours=9)).verdicts[4]
    assert (verdict.status, verdict.answer, verdict.exit_status) == ("failed", None, 1)


# -- beacons ---------------------------------------------------------------------------------------


def test_a_confirmed_beacon_gives_not_before() -> None:
    verdict = judged(with_beacon(), START + timedelta(minutes=5)).verdicts[1]
    assert verdict.record is not None
    assert verdict.record.not_before == START
    assert verdict.status == "verified"
    report = verdict_to_json(verdict)
    assert report["not_before"] == "2026-11-23T09:00:00Z"
    assert report["record"]["beacons"][0] == {
        "source": "drand", "round": ROUND, "randomness": "0d" * 32, "status": "verified",
        "reason": f"drand quicknet round {ROUND}", "code": "beacon.verified",
        "not_before": "2026-11-23T09:00:00Z",
        "trust": "believe that nobody knew that value before drand quicknet round "
        f"{ROUND} was published (confirmed by two relays)",
    }  # fmt: skip


def test_the_latest_beacon_counts() -> None:
    rounds = (ROUND - 100, ROUND, ROUND - 7)
    known = KnownFacts(drand={(QUICKNET, n): ConfirmedBlock(BEACON.value, "x") for n in rounds})
    project = Project()
    project.genesis()
    beacons = [Beacon("drand", n, BEACON.value) for n in (ROUND - 100, ROUND, ROUND - 7, ROUND + 9)]
    project.note(not_before=beacons)
    verdict = judge_records(proven(project.records), judge(known=known)).verdicts[1]
    assert verdict.record is not None
    assert verdict.record.not_before == START


def test_a_beacon_that_nobody_confirmed_gives_nothing_and_fails_nothing() -> None:
    verdict = judge_records(proven(with_beacon().records), judge()).verdicts[1]
    assert verdict.status == "verified"
    assert verdict_to_json(verdict)["not_before"] is None


def test_a_beacon_of_another_value_fails_the_record() -> None:
    project = with_beacon(Beacon("drand", ROUND, bytes(32)))
    verdict = judged(project).verdicts[1]
    assert (verdict.status, verdict.exit_status) == ("failed", 1)


@pytest.mark.parametrize(("seconds", "status"), [(-2, "failed"), (-1, "verified"), (0, "verified")])
def test_not_before_later_than_existed_before_fails(seconds: int, status: str) -> None:
    # A token's bound is its time and one second.
    verdict = judged(with_beacon(), START + timedelta(seconds=seconds)).verdicts[1]
    assert verdict.status == status
    wanted = {"record.not_before_after_existed_before"} if status == "failed" else set()
    assert codes(verdict) == wanted


# -- what is claimed -------------------------------------------------------------------------------


def test_lag_is_recomputed() -> None:
    project = Project()
    project.genesis()
    record = project.note(claimed_time=START)
    verdict = judged(project, START + timedelta(minutes=5)).verdicts[1]
    assert record.capture.lag_s == 0
    assert verdict.record is not None
    assert verdict.record.lag_s == 301
    assert verdict.warnings == ()


def test_late_is_only_a_claim() -> None:
    project = Project()
    project.genesis()
    project.note(claimed_time=START - timedelta(days=700))
    project.note(claimed_time=START - timedelta(days=700), late=True)
    verdict = judged(project, START)
    backdated, late = verdict.verdicts[1:]
    assert "does not say late" in backdated.warnings[0]
    assert late.warnings == ()
    assert backdated.record is not None
    assert late.record is not None
    assert backdated.record.lag_s == late.record.lag_s == 700 * 86400 + 1


@pytest.mark.parametrize(("seconds", "said"), [(0, False), (1, True)])
def test_a_day_of_lag_is_not_late_yet(seconds: int, said: bool) -> None:
    project = Project()
    project.genesis()
    project.note(claimed_time=START - timedelta(days=1, seconds=seconds - 1))
    warnings = judged(project, START).verdicts[1].warnings
    assert any("does not say late" in text for text in warnings) is said


def test_a_claimed_time_at_the_headline_is_no_contradiction() -> None:
    project = Project()
    project.genesis()
    project.note(claimed_time=START + timedelta(seconds=1))
    verdict = judged(project, START).verdicts[1]
    assert verdict.warnings == ()
    assert verdict.record is not None
    assert verdict.record.lag_s == 0


def test_a_wrong_clock_is_said_and_fails_nothing() -> None:
    project = Project()
    project.genesis()
    project.note(claimed_time=datetime(2037, 1, 1, tzinfo=UTC))
    project.note(claimed_time=datetime(1970, 1, 1, tzinfo=UTC), not_before=[BEACON], late=True)
    ahead, behind = judged(project, START + timedelta(hours=1)).verdicts[1:]
    assert ahead.status == behind.status == "verified"
    assert "later than the time by which it existed" in ahead.warnings[0]
    assert "earlier than its beacon" in behind.warnings[0]
    assert ahead.record is not None
    assert ahead.record.lag_s is not None
    assert ahead.record.lag_s < 0


@pytest.mark.parametrize(("seconds", "said"), [(-1, True), (0, False), (1, False)])
def test_a_claimed_time_at_the_beacons_is_no_contradiction(seconds: int, said: bool) -> None:
    project = Project()
    project.genesis()
    project.note(claimed_time=START + timedelta(seconds=seconds), not_before=[BEACON])
    warnings = judged(project, START + timedelta(hours=1)).verdicts[1].warnings
    assert any("earlier than its beacon" in text for text in warnings) is said


def test_without_evidence_there_is_no_lag() -> None:
    verdict = judge_records([ProvenRecord(r) for r in WHOLE.records], judge()).verdicts[3]
    assert verdict.record is not None
    assert verdict.record.lag_s is None


# -- the report ------------------------------------------------------------------------------------


def test_a_proof_alone_reports_as_before() -> None:
    verdict = judge().verify_proof(LISTED[4].proof)
    report = verdict_to_json(verdict)
    assert report["not_before"] is None
    assert "record" not in report


def test_the_report_is_json_and_holds_nothing_withheld() -> None:
    hidden = parse_record(WHOLE.records[2].sd_jwt.showing(lambda _: False).serialize())
    items = [LISTED[0], LISTED[1], replace(LISTED[2], record=hidden)]
    text = json.dumps(records_to_json(judge_records(items, judge(), steps=True), steps=True))
    assert "cute" not in text
    assert '"withheld_fields": 2' in text


def test_the_steps_can_be_redone_with_stock_tools() -> None:
    verdict = judge_records(LISTED, judge(), steps=True).verdicts[5]
    steps = {step.number: step for step in all_steps(verdict)}
    assert list(steps) == sorted(steps, key=lambda n: [int(part) for part in n.split(".")])
    record = WHOLE.records[5]
    jwt, *rest = record.sd_jwt.serialize().split("~")
    assert hashlib.sha256(jwt.encode()).hexdigest() in steps["13.1"].lines[0]
    for line in steps["13.2"].lines[:-1]:
        name, _, digest = line.partition(": ")
        text = next(t for t in rest if json.loads(base64.urlsafe_b64decode(t + "=="))[1] == name)
        again = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert again.rstrip("=") == digest
        assert digest in record.sd_jwt.hidden_digests
    assert record.place.head.hex() in steps["13.5"].lines[1]
