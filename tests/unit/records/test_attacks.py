"""What opposing counsel, or a thief, would try: one test for each attack that has a counter here.

The names are those of the research on what is attacked in court; each docstring says what is tried.
"""

from __future__ import annotations

import hashlib
import json
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from anchor.errors import FormatError, VerificationError
from anchor.formats.drand import QUICKNET
from anchor.formats.encoding import base64url
from anchor.records.chain import Stub
from anchor.records.record import Beacon, parse_record
from anchor.records.sdjwt import make_disclosure
from anchor.verify import (
    ConfirmedBlock,
    KnownFacts,
    ProvenRecord,
    RecordsVerdict,
    Verdict,
    judge_records,
)
from anchor.verify.report import records_to_json, verdict_to_json
from tests.recorder import (
    CREATOR,
    START,
    THIEF,
    Key,
    Project,
    file_entry,
    judge,
    proof,
    proven,
    salts,
    stub,
    whole_project,
)
from tests.unit.records.test_record import resigned

COMPROMISE = START + timedelta(days=1)
COMPROMISED_AT = f"{COMPROMISE:%Y-%m-%dT%H:%M:%SZ}"
LATER = START + timedelta(days=10)


def codes(verdict: Verdict, word: str) -> set[str]:
    assert verdict.record is not None
    return {found.code for found in verdict.record.findings if found.word == word}


# -- backdated content -----------------------------------------------------------------------------


def test_backdated_content() -> None:
    """Made last week, labelled 2024: the label is set beside what is shown, and earns nothing."""
    project = Project()
    project.genesis(title="honest")
    project.add("idea", {"text": "mine since 2024"}, claimed_time=datetime(2024, 1, 1, tzinfo=UTC))
    verdict = judge_records(
        proven(project.records, START), judge(), before=datetime(2025, 1, 1, tzinfo=UTC)
    ).verdicts[1]
    assert (verdict.answer, verdict.exit_status) == ("no", 6)
    report = verdict_to_json(verdict)
    assert report["existed_before"]["headline"] == "2026-11-23T09:00:01Z"
    assert report["record"]["lag_s"] > 2 * 365 * 86400
    assert report["warnings"]


def test_backdated_content_with_a_beacon_contradicts_itself() -> None:
    """A record said to be of 2024 that names a block of 2026 says itself when it was made."""
    beacon = Beacon("drand", 30_000_000, b"\x01" * 32)
    known = KnownFacts(drand={(QUICKNET, 30_000_000): ConfirmedBlock(beacon.value, "two relays")})
    project = Project()
    project.genesis()
    early = datetime(2024, 1, 1, tzinfo=UTC)
    project.note(claimed_time=early, not_before=[beacon])
    verdict = judge_records(proven(project.records, LATER), judge(now=LATER, known=known))
    assert verdict_to_json(verdict.verdicts[1])["not_before"] > "2026"
    assert any("earlier than its beacon" in text for text in verdict.verdicts[1].warnings)


def test_inserted_record_before_an_anchored_head() -> None:
    """A sketch is slipped in after the fact, with everything after it signed again."""
    honest = whole_project()
    anchored = proven(honest.records)
    forged = Project(records=honest.records[:3], new_salt=salts("later"))
    forged.add("sketch", files=[file_entry("made later")])
    for record in honest.records[3:]:
        fields = {k: v for k, v in record.fields.items() if not k.startswith("file")}
        fields = {k: v for k, v in fields.items() if k not in ("parents", "chosen", "rejected")}
        forged.note(json.dumps(sorted(fields)))
    listed = proven(forged.records, LATER)
    alone = judge_records(listed, judge(now=LATER + timedelta(days=1)), before=COMPROMISE)
    assert {v.answer for v in alone.verdicts[3:]} == {"no"}
    met = judge_records(listed, judge(now=LATER + timedelta(days=1)), others=anchored)
    assert (met.status, met.exit_status) == ("failed", 1)
    assert {found.code for found in met.forks} == {"record.forked"}
    spliced = [*honest.records[:3], forged.records[3], *honest.records[4:]]
    verdict = judge_records(proven(spliced), judge())
    assert codes(verdict.verdicts[4], "failed") == {"record.prev"}


# -- before is not after ---------------------------------------------------------------------------


def test_before_is_not_after() -> None:
    """Old content is stamped as new: only a beacon that is confirmed gives a lower bound."""
    beacon = Beacon("bitcoin", 900_000, b"\x02" * 32)
    project = Project()
    project.genesis()
    project.note(not_before=[beacon])
    verdict = judge_records(proven(project.records), judge()).verdicts[1]
    assert verdict_to_json(verdict)["not_before"] is None
    assert verdict_to_json(verdict)["record"]["beacons"][0]["status"] == "not_checked"


def test_a_beacon_that_was_hidden_or_put_in_later_is_none() -> None:
    """A beacon counts only inside the signed bytes: it is not withheld, or chosen later."""
    project = Project()
    project.genesis()
    record = project.note()
    beacon = Beacon("drand", 1000, b"\x01" * 32).to_json()
    hidden = make_disclosure(bytes(16), "not_before", [beacon])
    with pytest.raises((FormatError, VerificationError)):
        parse_record(resigned(record, hidden, hidden=1))
    late = make_disclosure(bytes(16), "not_before", [beacon]).text
    with pytest.raises(VerificationError):
        parse_record(f"{record.sd_jwt.serialize()}{late}~")


# -- stamp everything, disclose the winner ---------------------------------------------------------


def _forty() -> Project:
    project = Project()
    project.genesis()
    for number in range(40):
        project.add("generation", {"seed": str(number)}, files=[file_entry(f"variant {number}")])
    project.add("selection", {"chosen": ["7.0"], "rejected": [f"{n}" for n in range(8, 41)]})
    project.add("final", {"derivation": ["7"]}, files=[file_entry("variant 6")])
    return project


def test_stamp_everything_disclose_the_winner() -> None:
    """Forty variants, one shown: the others are counted, and can not be left off the list."""
    items = proven(_forty().records)
    shown = [item if item.record.seq in (0, 7, 42) else stub(item.record) for item in items]
    report = records_to_json(judge_records(shown, judge()))
    assert report["withheld_records"] == 40
    assert "complete up to record 42" in report["statement"]
    assert "40 of them withheld" in report["statement"]


def test_stamp_everything_and_leave_the_rest_off_the_list() -> None:
    items = [item for item in proven(_forty().records) if item.record.seq in (0, 7, 42)]
    verdict = judge_records(items, judge())
    assert verdict.status == "not_checked"
    assert "40 records are not listed" in verdict.statement


def test_stamp_everything_and_shorten_the_list() -> None:
    """Fewer stubs than records, or stubs made up, do not give the head that was signed."""
    records = _forty().records
    for stubs in (
        [Stub(n, "generation", records[n].digest) for n in range(8, 42)],
        [Stub(n, "generation", hashlib.sha256(bytes([n])).digest()) for n in range(1, 42)],
        [Stub(n, "generation", records[41 - n].digest) for n in range(1, 42)],
    ):
        items = [*proven(records[:1]), *stubs, *proven(records[42:])]
        verdict = judge_records(items, judge())
        assert verdict.status in ("failed", "not_checked")
        assert verdict.report.complete_up_to is None
    entry = make_disclosure(bytes(16), "file.0", records[42].files[0])
    renumbered = parse_record(resigned(records[42], entry, seq=2, count=2, hidden=1))
    items = [*proven(records[:1]), Stub(1, "generation", records[7].digest), *proven([renumbered])]
    assert judge_records(items, judge()).status == "failed"


def test_several_projects_are_outside_what_is_claimed() -> None:
    verdict = judge_records(proven(whole_project().records), judge())
    assert "nothing is shown about later records, about other projects" in verdict.statement


# -- forked history --------------------------------------------------------------------------------


def _forked() -> tuple[Project, Project]:
    honest = whole_project()
    second = Project(records=honest.records[:5], new_salt=salts("second"))
    second.add("generation", files=[file_entry("another end")])
    return honest, second


def test_forked_history() -> None:
    """Two ends of one project, one shown to each court: whoever has both sees it."""
    honest, second = _forked()
    assert judge_records(proven(second.records), judge()).status == "verified"
    verdict = judge_records(proven(honest.records), judge(), others=proven(second.records))
    assert (verdict.status, verdict.exit_status) == ("failed", 1)
    assert codes(verdict.verdicts[5], "failed") == {"record.forked"}
    assert honest.records[5].digest.hex() in verdict.forks[0].reason
    assert second.records[5].digest.hex() in verdict.forks[0].reason


def test_forked_history_behind_a_stub() -> None:
    honest, second = _forked()
    items = [item if item.record.seq != 5 else stub(item.record) for item in proven(honest.records)]
    verdict = judge_records(items, judge(), others=proven(second.records))
    assert verdict.status == "not_checked"
    assert verdict.forks[0].code == "record.histories_meet"
    assert "not shown" in verdict.statement


def test_forked_history_under_two_keys_of_one_project() -> None:
    honest = Project()
    honest.genesis()
    honest.bind(Key("tool"), "tool")
    second = honest.copy()
    honest.note()
    second.note(key=Key("tool"), role="tool")
    verdict = judge_records(proven(honest.records), judge(), others=proven(second.records))
    assert (verdict.status, verdict.exit_status) == ("not_checked", 4)
    assert "two histories meet at record 2" in verdict.reason


def test_two_encodings_of_one_record_are_no_fork() -> None:
    """An altered ending would make an honest creator look false; it is not even read."""
    record = whole_project().records[5]
    jwt, rest = record.sd_jwt.serialize().split("~", 1)
    assert len(jwt.rpartition(".")[2]) % 4 == 2
    for ending in set(string.ascii_letters + string.digits + "-_") - set("AQgw"):
        with pytest.raises(FormatError):
            parse_record(f"{jwt[:-1]}{ending}~{rest}")
    other = f"{jwt[:-1]}{'AQgw'[('AQgw'.index(jwt[-1]) + 1) % 4]}"
    assert (
        judge_records(
            [*proven(whole_project().records)], judge(), others=[ProvenRecord(record)]
        ).forks
        == ()
    )
    false = parse_record(f"{other}~{rest}")
    verdict = judge_records(proven(whole_project().records), judge(), others=[ProvenRecord(false)])
    assert verdict.forks == ()
    assert verdict.status == "verified"


# -- low-entropy prompt guessable ------------------------------------------------------------------

ADJECTIVES = ("cute", "sad", "small", "black", "white", "angry", "sleeping", "flying")
ANIMALS = ("cat", "dog", "bird", "fox", "whale", "horse")


def test_low_entropy_prompt_dictionary_attack_on_a_withheld_field_fails() -> None:
    """Whoever has everything but the disclosure tries every likely prompt against what is left."""
    project = whole_project()
    record = project.records[2]
    shown = record.sd_jwt.showing(lambda name: name == "negative").serialize()
    assert "cute" not in shown
    targets = {
        *parse_record(shown).sd_jwt.hidden_digests,
        base64url(record.digest),
        *(base64url(r.digest) for r in project.records),
    }
    known_salts = [d.salt for d in parse_record(shown).sd_jwt.disclosures]
    for adjective, animal in product(ADJECTIVES, ANIMALS):
        prompt = f"a {adjective} {animal}"
        guesses = [prompt.encode(), json.dumps(prompt).encode()]
        guesses += [
            base64url(json.dumps([base64url(salt), "positive", prompt]).encode()).encode()
            for salt in (b"", bytes(16), *known_salts, record.digest[:16])
        ]
        guesses += [
            make_disclosure(salt, "positive", prompt).text.encode()
            for salt in (bytes(16), *known_salts, record.digest[:16])
        ]
        for guess in guesses:
            assert base64url(hashlib.sha256(guess).digest()) not in targets
    (truth,) = (d for d in record.sd_jwt.disclosures if d.name == "positive")
    assert make_disclosure(truth.salt, "positive", "a cute cat").digest in targets


def test_the_same_prompt_twice_looks_like_two() -> None:
    project = Project()
    project.genesis()
    first = project.add("prompt", {"positive": "a cute cat", "negative": "a cute cat"})
    second = project.add("prompt", {"positive": "a cute cat"})
    digests = [*first.sd_jwt.hidden_digests, *second.sd_jwt.hidden_digests]
    assert len(set(digests)) == 3


def test_a_files_digest_is_hidden_too() -> None:
    """A published image must not lead from its SHA-256 to the record."""
    record = whole_project().records[5]
    bare = record.sd_jwt.showing(lambda _: False)
    for entry in record.files.values():
        assert entry["sha256"] not in json.dumps(dict(bare.payload))
        assert bytes.fromhex(entry["sha256"]) != record.digest


# -- identity, keys --------------------------------------------------------------------------------


def _stolen() -> tuple[Project, Project]:
    """Return the creator's history, and one that a thief made from record 3 on."""
    honest = Project()
    honest.genesis()
    honest.note("mine")
    honest.note("mine too")
    thief = Project(records=list(honest.records), new_salt=salts("thief"))
    thief.add("final", files=[file_entry("stolen")])
    honest.rotate(CREATOR, Key("next"), COMPROMISED_AT)
    honest.note("goes on", key=Key("next"))
    return honest, thief


def _times(project: Project, at: datetime) -> list[ProvenRecord]:
    """Return the first three records as of the start, the rest as of another time."""
    return [*proven(project.records[:3], START), *proven(project.records[3:], at)]


def test_key_stolen() -> None:
    """What the thief signs is not the creator's: it is not shown to precede the compromise."""
    honest, thief = _stolen()
    now = judge(now=LATER + timedelta(days=1))
    listed = _times(thief, LATER)
    assert judge_records(listed, now).status == "verified"
    verdict = judge_records(listed, now, others=_times(honest, LATER))
    assert {v.status for v in verdict.verdicts[:3]} == {"verified"}
    assert (verdict.verdicts[3].status, verdict.verdicts[3].exit_status) == ("not_checked", 4)
    assert codes(verdict.verdicts[3], "not_checked") == {"record.key_compromised"}
    assert verdict.status == "not_checked"


def test_key_stolen_does_not_make_the_creators_history_false() -> None:
    """A thief signs another record 2: that is no fork of the creator's."""
    honest, _ = _stolen()
    thief = Project(records=honest.records[:2], new_salt=salts("thief"))
    thief.add("final", files=[file_entry("stolen")])
    now = judge(now=LATER + timedelta(days=1))
    verdict = judge_records(_times(honest, LATER), now, others=proven(thief.records, LATER))
    assert (verdict.status, verdict.exit_status) == ("verified", 0)
    assert verdict.forks[0].code == "record.fork_by_compromised_key"
    for at in (START, COMPROMISE - timedelta(seconds=2)):
        forked = judge_records(_times(honest, LATER), now, others=proven(thief.records, at))
        assert forked.status == "failed"


@pytest.mark.parametrize(("seconds", "word"), [(-2, "verified"), (-1, "not_checked")])
def test_a_record_precedes_the_compromise_or_does_not(seconds: int, word: str) -> None:
    """The bound, a second after the token's time, is before the time stated, not at it."""
    project = Project()
    project.genesis()
    project.note()
    project.revoke(CREATOR, COMPROMISED_AT)
    at = COMPROMISE + timedelta(seconds=seconds)
    items = [*proven(project.records[:1], START), *proven(project.records[1:], at)]
    assert judge_records(items, judge(now=LATER)).verdicts[1].status == word


def test_a_claimed_time_before_the_compromise_does_not_matter() -> None:
    project = Project()
    project.genesis()
    project.note(claimed_time=START - timedelta(days=300))
    project.revoke(CREATOR, COMPROMISED_AT)
    items = [*proven(project.records[:1], START), *proven(project.records[1:], LATER)]
    verdict = judge_records(items, judge(now=LATER + timedelta(days=1)), before=LATER).verdicts[1]
    assert codes(verdict, "not_checked") == {"record.key_compromised"}


def test_without_evidence_a_compromised_key_signed_nothing() -> None:
    project = Project()
    project.genesis()
    project.note()
    project.revoke(CREATOR, COMPROMISED_AT)
    items = [*proven(project.records[:1], START), ProvenRecord(project.records[1])]
    items += proven(project.records[2:], LATER)
    verdict = judge_records(items, judge(now=LATER + timedelta(days=1))).verdicts[1]
    assert codes(verdict, "not_checked") == {"record.key_compromised"}


def test_a_key_that_a_thief_bound_is_the_thiefs() -> None:
    project = Project()
    project.genesis()
    project.bind(THIEF, "author")
    project.note(key=THIEF)
    project.revoke(CREATOR, COMPROMISED_AT)
    items = [*proven(project.records[:1], START), *proven(project.records[1:], LATER)]
    verdict = judge_records(items, judge(now=LATER + timedelta(days=1)))
    assert codes(verdict.verdicts[1], "not_checked") == {"record.key_compromised"}
    assert codes(verdict.verdicts[2], "not_checked") == {"record.key_bound_after_compromise"}
    assert verdict.verdicts[3].status == "verified"


def test_a_revocation_that_the_thief_makes_up_touches_nobody() -> None:
    honest = whole_project()
    forged = Project(records=list(honest.records), new_salt=salts("thief"))
    forged.revoke(CREATOR, "2020-01-01T00:00:00Z", by=THIEF)
    verdict = judge_records(proven(honest.records), judge(), others=proven(forged.records))
    assert verdict.status == "verified"
    assert not verdict.report.compromised


def _hidden_revocation(kind: str) -> RecordsVerdict:
    project = Project()
    project.genesis()
    project.bind(Key("tool"), "tool")
    project.note()
    project.revoke(CREATOR, "2020-01-01T00:00:00Z")
    project.note(key=Key("tool"), role="tool")
    items = [*proven(project.records)]
    items[3] = stub(project.records[3], kind=kind)
    return judge_records(items, judge())


@pytest.mark.parametrize("kind", ["key_revoke", "idea"])
def test_a_revocation_that_is_withheld_shows(kind: str) -> None:
    """The number of key records is signed by every record, so that a stub can not hide one."""
    verdict = _hidden_revocation(kind)
    assert {v.status for v in verdict.verdicts} == {"not_checked"}
    assert "record.key_record_withheld" in codes(verdict.verdicts[2], "not_checked")
    assert "not shown" in verdict.statement


# -- fabricated later, re-creation -----------------------------------------------------------------


def test_fabricated_process_generated_afterwards() -> None:
    """Drafts derived from the final are recorded after it: their order and bounds say so."""
    project = Project()
    project.genesis()
    project.add("final", files=[file_entry("final")])
    early = START - timedelta(days=100)
    for number in range(3):
        project.add("sketch", files=[file_entry(f"draft {number}")], claimed_time=early)
    items = [*proven(project.records[:2], START), *proven(project.records[2:], LATER)]
    verdict = judge_records(items, judge(now=LATER + timedelta(days=1)))
    final, *drafts = verdict.verdicts[1:]
    assert final.headline is not None
    for draft in drafts:
        assert draft.headline is not None
        assert draft.headline.existed_before > final.headline.existed_before
        assert "does not say late" in draft.warnings[0]
        assert draft.record is not None
        assert draft.record.lag_s == 110 * 86400 + 1
    with pytest.raises(VerificationError, match="later record"):
        Project().add("final", {"derivation": ["2"]})


def test_post_hoc_recreation_labelled_as_original_is_refused() -> None:
    project = Project()
    project.genesis()
    project.add("reproduction_test", {"of": "0"}, files=[file_entry("again")])
    project.add("selection", {"chosen": ["1.0"]})
    verdict = judge_records(proven(project.records), judge())
    assert verdict.status == "failed"
    assert codes(verdict.verdicts[2], "failed") == {"record.reproduction_as_original"}
    report = verdict_to_json(verdict.verdicts[1])["record"]
    assert (report["kind"], report["original"]) == ("reproduction_test", False)
    assert "never an original" in verdict.verdicts[1].warnings[0]


def test_old_work_brought_in_says_that_it_is_late() -> None:
    project = Project()
    project.genesis()
    with pytest.raises(VerificationError):
        project.add("import", {"made_at": "2019"})
    project.add("import", {"made_at": "2019"}, late=True)
    verdict = judge_records(proven(project.records), judge()).verdicts[1]
    assert verdict_to_json(verdict)["record"]["original"] is False


# -- commitment not binding, records moved ---------------------------------------------------------


def test_one_commitment_opens_in_one_way() -> None:
    """No second field, value or name under a digest that was signed."""
    record = whole_project().records[2]
    jwt = record.sd_jwt.jwt
    for disclosure in record.sd_jwt.disclosures:
        for name, value in (("positive", "a dog"), ("negative", disclosure.value), ("note", "x")):
            if (name, value) == (disclosure.name, disclosure.value):
                continue
            other = make_disclosure(disclosure.salt, name, value)
            with pytest.raises(VerificationError):
                parse_record(f"{jwt}~{other.text}~")


def test_a_disclosure_of_another_record_opens_nothing_here() -> None:
    records = whole_project().records
    foreign = records[4].sd_jwt.disclosures[0].text
    with pytest.raises(VerificationError):
        parse_record(f"{records[2].sd_jwt.jwt}~{foreign}~")


def test_first_to_stamp_thief_signs_an_empty_history() -> None:
    """A stolen image can be stamped by anybody; the way to it can not be signed back in time."""
    thief = Project("ee" * 16, THIEF)
    thief.genesis()
    thief.add("final", files=[file_entry("four")])
    verdict = judge_records(proven(thief.records, LATER), judge(now=LATER + timedelta(days=1)))
    honest = judge_records(proven(whole_project().records), judge())
    assert len(verdict.verdicts) < len(honest.verdicts)
    first, second = honest.verdicts[8].headline, verdict.verdicts[1].headline
    assert first is not None
    assert second is not None
    assert first.existed_before < second.existed_before


def test_a_record_moved_into_another_project() -> None:
    other = Project("ee" * 16)
    other.genesis()
    moved = whole_project().records[1]
    items = [*proven(other.records), ProvenRecord(moved, proof(moved, START))]
    verdict = judge_records(items, judge())
    assert codes(verdict.verdicts[1], "failed") == {"record.project"}
    assert replace(moved) == moved
