"""Makes the vectors of records: a list of records each, with the verdict that it must be given.

    python -m tests.vectors.generate_records            rewrite tests/vectors/records/
    python -m tests.vectors.generate_records NAME…      only these

A vector is JSON: the policy, the time, what is known from outside, ``items`` (the project's records
as text with their proofs, or stubs), ``others`` (records seen elsewhere), and the verdict that the
rules demand. ``rule`` names the step of docs/spec/verification.md. ``refused`` says that a record
is not even judged: ``format`` (it can not be read) or ``false`` (what it states of itself is).
The expectations are written here by hand. Tokens are fresh at each run; the expectations are not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from anchor.formats.bitcoin import display_hex
from anchor.formats.drand import QUICKNET, DrandRound
from anchor.formats.encoding import base64url, utc_text
from anchor.formats.evm import parse_evm_header
from anchor.proof.codec import proof_to_json
from anchor.records.chain import Stub
from anchor.records.record import Beacon, Record, parse_record
from anchor.records.sdjwt import make_disclosure
from anchor.verify import ProvenRecord
from tests.attacks import forged_evm
from tests.evidence import Bitcoin
from tests.parts.drand import (
    DEFAULT_72785,
    DEFAULT_ENTRY,
    DEFAULT_HASH,
    QUICKNET_1000,
    Network,
    beacon_of,
)
from tests.recorder import (
    CREATOR,
    ENTRIES,
    RECOVERY,
    START,
    THIEF,
    Key,
    Project,
    file_entry,
    proof,
    proven,
    salts,
    stub,
    whole_project,
)
from tests.unit.records.test_record import resigned
from tests.vectors.record_vectors import FOLDER

Vector = dict[str, Any]
Item = ProvenRecord | Stub | dict[str, Any]
MAKERS: dict[str, Callable[[], Vector]] = {}
COMPROMISED_AT = "2026-11-24T09:00:00Z"
COMPROMISE = START + timedelta(days=1)
LATER = START + timedelta(days=10)


def vector(make: Callable[[], Vector]) -> Callable[[], Vector]:
    MAKERS[make.__name__] = make
    return make


def item_json(item: Item) -> dict[str, Any]:
    if isinstance(item, dict):
        return item
    if isinstance(item, Stub):
        return {"seq": item.seq, "kind": item.kind, "digest": item.digest.hex()}
    text = item.record.sd_jwt.serialize()
    return {"record": text, "proof": proof_to_json(item.proof) if item.proof else None}


def case(
    rule: str,
    items: Iterable[Item],
    expect: dict[str, Any],
    *,
    others: Sequence[ProvenRecord] = (),
    entries: dict[str, Any] | None = None,
    known: dict[str, Any] | None = None,
    before: datetime | None = None,
) -> Vector:
    return {
        "rule": rule,
        "policy": {"version": 1, "name": "vector", "class": "test", **ENTRIES, **(entries or {})},
        "now": utc_text(LATER + timedelta(days=1)),
        "before": utc_text(before) if before else None,
        "known": known or {},
        "items": [item_json(item) for item in items],
        "others": [item_json(item) for item in others],
        "expect": expect,
    }


def changed(seq: int, text: str) -> list[Item]:
    """Return the whole project with the text of one record replaced; its proof stays."""
    items: list[Item] = [*proven(whole_project().records)]
    items[seq] = {**item_json(items[seq]), "record": text}
    return items


def started(*records: Callable[[Project], object]) -> Project:
    project = Project()
    project.genesis()
    for add in records:
        add(project)
    return project


def since(project: Project, count: int, at: datetime = LATER) -> list[ProvenRecord]:
    """Return the first records as of the start, the others as of another time."""
    return [*proven(project.records[:count], START), *proven(project.records[count:], at)]


# -- 13.1, 13.2: the text and what it states of itself ---------------------------------------------


@vector
def record_whole_project() -> Vector:
    expect = {
        "status": "verified", "exit_status": 0, "complete_up_to": 8, "closed": False,
        "withheld_records": 0, "withheld_fields": 0, "not_listed": 0,
        "records": {
            "0": {"status": "verified", "headline": "2026-11-23T10:00:01Z", "not_before": None},
            "8": {"findings": {"record.signed": "verified", "record.in_place": "verified"}},
        },
    }  # fmt: skip
    return case("13.10", proven(whole_project().records), expect)


@vector
def record_proof_is_of_another() -> Vector:
    records = whole_project().records
    items = proven(records)
    items[4] = ProvenRecord(records[4], items[5].proof)
    expect = {"status": "failed", "exit_status": 1, "records": {"4": {"file": "failed"}}}
    return case("13.1", items, expect)


@vector
def record_without_proof() -> Vector:
    records = whole_project().records
    items = [*proven(records[:8]), ProvenRecord(records[8])]
    expect = {"status": "not_checked", "exit_status": 4, "complete_up_to": 8}
    return case("13.1", items, expect)


def _text(seq: int = 2) -> str:
    return whole_project().records[seq].sd_jwt.serialize()


@vector
def record_fields_withheld() -> Vector:
    hidden = whole_project().records[2].sd_jwt.showing(lambda name: name == "negative").serialize()
    expect = {"status": "verified", "withheld_fields": 1, "records": {"2": {"withheld_fields": 1}}}
    return case("13.2", changed(2, hidden), expect)


@vector
def record_disclosure_unreferenced() -> Vector:
    stranger = make_disclosure(bytes(16), "note", "never signed").text
    return case("13.2", changed(2, f"{_text()}{stranger}~"), {"refused": "false"})


@vector
def record_disclosure_repeated() -> Vector:
    first = _text().split("~")[1]
    return case("13.2", changed(2, f"{_text()}{first}~"), {"refused": "false"})


def _altered(part: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) ^ 1]


@vector
def record_signature_with_an_altered_ending() -> Vector:
    jwt, rest = _text().split("~", 1)
    return case("13.2", changed(2, f"{_altered(jwt)}~{rest}"), {"refused": "format"})


@vector
def record_disclosure_with_an_altered_ending() -> Vector:
    jwt, *texts, _ = _text().split("~")
    text = next(each for each in texts if len(each) % 4)
    return case("13.2", changed(2, f"{jwt}~{_altered(text)}~"), {"refused": "format"})


@vector
def record_without_its_last_tilde() -> Vector:
    return case("13.2", changed(2, _text().split("~")[0]), {"refused": "format"})


@vector
def record_with_a_key_binding() -> Vector:
    return case("13.2", changed(2, f"{_text()}e30.e30.AA"), {"refused": "format"})


def _forged(header: dict[str, Any], payload: str | None = None) -> str:
    record = whole_project().records[2]
    body = payload or json.dumps(dict(record.sd_jwt.payload), separators=(",", ":"))
    parts = [json.dumps(header, separators=(",", ":")), body]
    signing_input = ".".join(base64url(part.encode()) for part in parts)
    return f"{signing_input}.{base64url(CREATOR.private.sign(signing_input.encode()))}~"


@vector
def record_algorithm_none() -> Vector:
    text = _forged({"alg": "none", "typ": "vestige-record+sd-jwt"})
    return case("13.2", changed(2, text), {"refused": "format"})


@vector
def record_algorithm_of_a_shared_secret() -> Vector:
    text = _forged({"alg": "HS256", "typ": "vestige-record+sd-jwt"})
    return case("13.2", changed(2, text), {"refused": "format"})


@vector
def record_key_in_the_header() -> Vector:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64url(THIEF.public)}
    text = _forged({"alg": "EdDSA", "typ": "vestige-record+sd-jwt", "jwk": jwk})
    return case("13.2", changed(2, text), {"refused": "format"})


@vector
def record_name_twice_in_the_payload() -> Vector:
    payload = json.dumps(dict(whole_project().records[2].sd_jwt.payload), separators=(",", ":"))
    text = _forged(
        {"alg": "EdDSA", "typ": "vestige-record+sd-jwt"}, f'{payload[:-1]},"late":true}}'
    )
    return case("13.2", changed(2, text), {"refused": "format"})


@vector
def record_digests_not_sorted() -> Vector:
    payload = dict(whole_project().records[2].sd_jwt.payload)
    payload["_sd"] = payload["_sd"][::-1]
    text = _forged({"alg": "EdDSA", "typ": "vestige-record+sd-jwt"}, json.dumps(payload))
    return case("13.2", changed(2, text), {"refused": "format"})


@vector
def record_open_field_hidden() -> Vector:
    record = whole_project().records[2]
    hidden = make_disclosure(bytes(16), "late", value=False)
    text = resigned(record, hidden, drop=("late",), hidden=1)
    return case("13.2", changed(2, text), {"refused": "format"})


@vector
def record_states_fewer_hidden_fields() -> Vector:
    text = resigned(whole_project().records[2], hidden=1)
    return case("13.2", changed(2, text), {"refused": "false"})


@vector
def record_states_another_count() -> Vector:
    text = resigned(whole_project().records[2], count=1)
    return case("13.2", changed(2, text), {"refused": "false"})


@vector
def record_refers_to_a_later_one() -> Vector:
    hidden = make_disclosure(bytes(16), "parents", ["2"])
    text = resigned(whole_project().records[2], hidden, hidden=1)
    return case("13.2", changed(2, text), {"refused": "false"})


@vector
def record_import_that_is_not_late() -> Vector:
    project = started(lambda p: p.add("import", {"made_at": "2019"}, late=True))
    text = resigned(project.records[1], late=False)
    items: list[Item] = [*proven(project.records)]
    items[1] = {**item_json(items[1]), "record": text}
    return case("13.2", items, {"refused": "false"})


# -- 13.3: the signature and the key ---------------------------------------------------------------


@vector
def record_signature_of_another_record() -> Vector:
    records = whole_project().records
    jwt, rest = records[4].sd_jwt.serialize().split("~", 1)
    signature = records[5].sd_jwt.jwt.rpartition(".")[2]
    wrong = parse_record(f"{jwt.rpartition('.')[0]}.{signature}~{rest}")
    items = proven(records)
    items[4] = ProvenRecord(wrong, proof(wrong, START))
    row = {"status": "failed", "headline": None, "findings": {"record.signature": "failed"}}
    return case("13.3", items, {"status": "failed", "exit_status": 1, "records": {"4": row}})


def _last(
    project: Project, word: str, code: str, *, seq: int | None = None, **expect: Any
) -> Vector:
    row = {"findings": {code: word}}
    seq = len(project.records) - 1 if seq is None else seq
    return case("13.3", proven(project.records), {**expect, "records": {str(seq): row}})


@vector
def record_key_that_nobody_bound() -> Vector:
    project = started(lambda p: p.note(key=THIEF))
    return _last(project, "failed", "record.key_unknown", exit_status=1)


@vector
def record_key_bound_as_tool_signs_as_tool() -> Vector:
    tool = Key("tool")
    project = started(lambda p: p.bind(tool, "tool"), lambda p: p.note(key=tool, role="tool"))
    return _last(project, "verified", "record.signed", exit_status=0)


@vector
def record_key_bound_as_tool_signs_as_author() -> Vector:
    tool = Key("tool")
    project = started(lambda p: p.bind(tool, "tool"), lambda p: p.note(key=tool))
    return _last(project, "failed", "record.role", exit_status=1)


@vector
def record_rotation_by_the_recovery_key() -> Vector:
    after = Key("next")
    project = started(lambda p: p.rotate(CREATOR, after), lambda p: p.note(key=after))
    return _last(project, "verified", "record.signed", exit_status=0)


@vector
def record_rotation_by_another_key() -> Vector:
    project = started(lambda p: p.rotate(CREATOR, THIEF, by=THIEF))
    return _last(project, "failed", "record.recovery", exit_status=1)


@vector
def record_key_signs_after_its_end() -> Vector:
    project = started(lambda p: p.rotate(CREATOR, Key("next")), lambda p: p.note())
    return _last(project, "failed", "record.key_ended", exit_status=1)


@vector
def record_recovery_key_signs_a_note() -> Vector:
    project = started(lambda p: p.note(key=RECOVERY))
    return _last(project, "failed", "record.key_unknown", exit_status=1)


@vector
def record_recovery_key_is_the_signing_key() -> Vector:
    project = Project()
    project.genesis(recovery=CREATOR.thumbprint.hex())
    return _last(project, "failed", "record.key_reused", exit_status=1)


@vector
def record_genesis_withheld() -> Vector:
    records = whole_project().records
    items = [stub(records[0]), *proven(records[1:])]
    rows = {"3": {"status": "not_checked", "findings": {"record.key_unknown": "not_checked"}}}
    expect = {"status": "not_checked", "exit_status": 4, "complete_up_to": None, "records": rows}
    return case("13.3", items, expect)


@vector
def record_revocation_withheld_as_an_idea() -> Vector:
    tool = Key("tool")
    project = started(
        lambda p: p.bind(tool, "tool"),
        lambda p: p.note(),
        lambda p: p.revoke(CREATOR, "2020-01-01T00:00:00Z"),
        lambda p: p.note(key=tool, role="tool"),
    )
    items: list[Item] = [*proven(project.records)]
    items[3] = stub(project.records[3], "idea")
    rows = {"2": {"findings": {"record.key_record_withheld": "not_checked"}}}
    return case("13.3", items, {"status": "not_checked", "complete_up_to": None, "records": rows})


# -- 13.4: compromise ------------------------------------------------------------------------------


def _compromised(at: datetime, status: str, word: str, code: str) -> Vector:
    project = started(lambda p: p.note(), lambda p: p.revoke(CREATOR, COMPROMISED_AT))
    items = [*proven(project.records[:1], START), *proven(project.records[1:], at)]
    return case("13.4", items, {"records": {"1": {"status": status, "findings": {code: word}}}})


@vector
def record_existed_before_its_key_was_compromised() -> Vector:
    at = COMPROMISE - timedelta(seconds=2)
    return _compromised(at, "verified", "verified", "record.before_compromise")


@vector
def record_existed_before_the_very_second_of_the_compromise() -> Vector:
    at = COMPROMISE - timedelta(seconds=1)
    return _compromised(at, "not_checked", "not_checked", "record.key_compromised")


@vector
def record_claims_a_time_before_the_compromise() -> Vector:
    project = started(
        lambda p: p.note(claimed_time=START - timedelta(days=99)),
        lambda p: p.revoke(CREATOR, COMPROMISED_AT),
    )
    rows = {"1": {"status": "not_checked", "answer": "unknown", "exit_status": 4}}
    expect = {"exit_status": 4, "records": rows}
    return case("13.4", since(project, 1), expect, before=LATER + timedelta(hours=1))


@vector
def record_key_bound_by_a_thief() -> Vector:
    project = started(
        lambda p: p.bind(THIEF, "author"),
        lambda p: p.note(key=THIEF),
        lambda p: p.revoke(CREATOR, COMPROMISED_AT),
    )
    rows = {"2": {"findings": {"record.key_bound_after_compromise": "not_checked"}}}
    return case("13.4", since(project, 1), {"status": "not_checked", "records": rows})


def _thief() -> tuple[Project, Project]:
    honest = started(lambda p: p.note("mine"))
    thief = Project(records=list(honest.records), new_salt=salts("thief"))
    thief.add("final", files=[file_entry("stolen")])
    honest.rotate(CREATOR, Key("next"), COMPROMISED_AT)
    return honest, thief


@vector
def record_revocation_seen_elsewhere() -> Vector:
    honest, thief = _thief()
    rows = {
        "1": {"status": "verified"},
        "2": {"status": "not_checked", "findings": {"record.key_compromised": "not_checked"}},
    }
    others = since(honest, 2)
    return case("13.4", since(thief, 2), {"status": "not_checked", "records": rows}, others=others)


@vector
def record_revocation_seen_elsewhere_by_nobody() -> Vector:
    honest, thief = _thief()
    honest.records.pop()
    forged = Project(records=list(honest.records))
    forged.rotate(CREATOR, Key("next"), "2020-01-01T00:00:00Z", by=THIEF)
    others = proven(forged.records)
    return case("13.4", since(thief, 2), {"status": "verified"}, others=others)


@vector
def record_revocation_seen_elsewhere_by_the_key_itself() -> Vector:
    """Whoever holds the signing key alone can revoke nothing, here or elsewhere."""
    honest, thief = _thief()
    honest.records.pop()
    forged = Project(records=list(honest.records))
    forged.rotate(CREATOR, Key("next"), "2020-01-01T00:00:00Z", by=CREATOR)
    others = proven(forged.records[-1:])
    return case("13.4", since(thief, 2), {"records": {"1": {"status": "verified"}}}, others=others)


# -- 13.5: the place -------------------------------------------------------------------------------


def _misplaced(code: str, **changes: Any) -> Vector:
    records = whole_project().records[:5]
    wrong = parse_record(resigned(records[4], **changes))
    items = [*proven(records[:4]), ProvenRecord(wrong, proof(wrong, START))]
    rows = {"4": {"status": "failed", "findings": {code: "failed"}}}
    expect = {"status": "failed", "exit_status": 1, "complete_up_to": None, "records": rows}
    return case("13.5", items, expect)


@vector
def record_does_not_follow() -> Vector:
    return _misplaced("record.prev", prev="00" * 32)


@vector
def record_head_is_another() -> Vector:
    return _misplaced("record.head", head="00" * 32)


@vector
def record_of_another_project() -> Vector:
    return _misplaced("record.project", project="ff" * 16)


@vector
def record_states_more_key_records_than_there_are() -> Vector:
    return _misplaced("record.key_records", key_records=2)


@vector
def record_after_close() -> Vector:
    project = started(lambda p: p.add("close"), lambda p: p.note())
    rows = {"2": {"findings": {"record.after_close": "failed"}}}
    return case("13.5", proven(project.records), {"status": "failed", "records": rows})


@vector
def record_revocation_after_close() -> Vector:
    project = started(lambda p: p.add("close"), lambda p: p.revoke(CREATOR))
    expect = {"status": "verified", "closed": True, "complete_up_to": 2}
    return case("13.5", proven(project.records), expect)


@vector
def record_stub_of_another_digest() -> Vector:
    records = whole_project().records
    items: list[Item] = [*proven(records)]
    items[3] = Stub(3, "generation", records[4].digest)
    rows = {"4": {"findings": {"record.prev": "failed"}}, "5": {
        "findings": {"record.head": "failed"}}}  # fmt: skip
    return case("13.5", items, {"status": "failed", "exit_status": 1, "records": rows})


@vector
def record_reproduction_taken_for_an_original() -> Vector:
    project = started(
        lambda p: p.add("generation", files=[file_entry("one")]),
        lambda p: p.add("reproduction_test", {"of": "1"}, files=[file_entry("two")]),
        lambda p: p.add("selection", {"chosen": ["2.0"]}),
    )
    rows = {
        "2": {"status": "verified", "original": False},
        "3": {"status": "failed", "findings": {"record.reproduction_as_original": "failed"}},
    }
    return case("13.5", proven(project.records), {"status": "failed", "records": rows})


@vector
def record_alone() -> Vector:
    record = whole_project().records[4]
    findings = {"record.key_unknown": "not_checked", "record.place_unknown": "not_checked"}
    rows = {"4": {"status": "not_checked", "exit_status": 4, "findings": findings}}
    expect = {"status": "not_checked", "not_listed": 4, "complete_up_to": None, "records": rows}
    return case("13.5", proven([record]), expect)


@vector
def record_with_its_genesis_alone() -> Vector:
    records = whole_project().records
    findings = {"record.signed": "verified", "record.place_unknown": "not_checked"}
    rows = {"8": {"status": "verified", "exit_status": 0, "findings": findings}}
    expect = {"status": "not_checked", "exit_status": 4, "not_listed": 7, "records": rows}
    return case("13.5", proven([records[0], records[8]]), expect)


# -- 13.6: forks -----------------------------------------------------------------------------------


def _second(at: int = 5) -> Project:
    second = Project(records=whole_project().records[:at], new_salt=salts("second"))
    second.note("another end")
    return second


@vector
def record_forked() -> Vector:
    expect = {
        "status": "failed", "exit_status": 1, "forks": [["failed", "record.forked"]],
        "records": {"4": {"status": "verified"}, "5": {"status": "failed"}},
    }  # fmt: skip
    items = proven(whole_project().records)
    return case("13.6", items, expect, others=proven(_second().records))


@vector
def record_fork_behind_a_stub() -> Vector:
    items: list[Item] = [*proven(whole_project().records)]
    items[5] = stub(whole_project().records[5])
    forks = [["not_checked", "record.histories_meet"]]
    expect = {"status": "not_checked", "exit_status": 4, "forks": forks}
    return case("13.6", items, expect, others=proven(_second().records))


@vector
def record_disclosed_in_two_ways() -> Vector:
    hidden = [parse_record(r.sd_jwt.showing(lambda _: False).serialize())
              for r in whole_project().records]  # fmt: skip
    items = proven(whole_project().records)
    return case("13.6", items, {"status": "verified", "forks": []}, others=proven(hidden))


@vector
def record_fork_that_no_key_of_the_project_signed() -> Vector:
    other = Project(key=THIEF, records=whole_project().records[:5])
    other.note("not mine")
    items = proven(whole_project().records)
    return case("13.6", items, {"status": "verified", "forks": []}, others=proven(other.records))


@vector
def record_fork_by_a_key_that_was_stolen() -> Vector:
    honest = started(lambda p: p.note("mine"))
    thief = Project(records=honest.records[:1], new_salt=salts("thief"))
    thief.note("stolen")
    honest.rotate(CREATOR, Key("next"), COMPROMISED_AT)
    forks = [["not_checked", "record.fork_by_compromised_key"]]
    expect = {"status": "verified", "exit_status": 0, "forks": forks}
    return case("13.6", since(honest, 2), expect, others=proven(thief.records, LATER))


# -- 13.7: not before ------------------------------------------------------------------------------

ROUND = (int(START.timestamp()) - 1_692_803_367) // 3 + 1
DRAND = Beacon("drand", ROUND, b"\x0d" * 32)
ROUND_KNOWN = {
    "drand": [
        {
            "chain_hash": QUICKNET.hex(), "round": ROUND, "randomness": DRAND.value.hex(),
            "confirmed_by": "two relays",
        }
    ]
}  # fmt: skip


def _beacon(
    beacon: Beacon,
    expect: dict[str, Any],
    *,
    at: datetime = LATER,
    entries: dict[str, Any] | None = None,
    known: dict[str, Any] | None = None,
) -> Vector:
    project = started(lambda p: p.note(not_before=[beacon], claimed_time=at))
    return case(
        "13.7", proven(project.records, at), {"records": {"1": expect}},
        entries=entries, known=known,
    )  # fmt: skip


@vector
def beacon_drand() -> Vector:
    expect = {"status": "verified", "not_before": "2026-11-23T09:00:00Z"}
    return _beacon(DRAND, expect, known=ROUND_KNOWN)


@vector
def beacon_drand_that_nobody_confirmed() -> Vector:
    row = ["not_checked", "beacon.unconfirmed", None]
    return _beacon(DRAND, {"status": "verified", "not_before": None, "beacons": [row]})


@vector
def beacon_drand_of_another_value() -> Vector:
    row = ["failed", "beacon.not_on_chain", None]
    expect = {"status": "failed", "exit_status": 1, "beacons": [row]}
    return _beacon(Beacon("drand", ROUND, bytes(32)), expect, known=ROUND_KNOWN)


@vector
def beacon_drand_of_a_network_that_the_policy_does_not_know() -> Vector:
    row = ["not_checked", "beacon.chain_unknown", None]
    expect = {"status": "verified", "beacons": [row]}
    return _beacon(DRAND, expect, known=ROUND_KNOWN, entries={"drand": []})


def _round(found: DrandRound, expect: dict[str, Any], **changes: Any) -> Vector:
    """Return a case whose beacon carries the signature of a round, with parts of it changed."""
    return _beacon(replace(beacon_of(found, **changes.pop("of", {})), **changes), expect)


QUICKNET_1000_EXPECT = {"status": "verified", "not_before": "2023-08-23T15:59:24Z"}
FALSE_SIGNATURE = {
    "status": "failed", "exit_status": 1, "not_before": None,
    "beacons": [["failed", "beacon.signature", None]],
}  # fmt: skip


@vector
def beacon_drand_signed() -> Vector:
    return _round(QUICKNET_1000, QUICKNET_1000_EXPECT)


@vector
def beacon_drand_signed_and_no_network_named() -> Vector:
    return _round(QUICKNET_1000, QUICKNET_1000_EXPECT, of={"named": False})


@vector
def beacon_drand_signed_by_a_chained_network() -> Vector:
    beacon = beacon_of(DEFAULT_72785, DEFAULT_HASH)
    expect = {"status": "verified", "not_before": "2020-08-16T21:49:30Z"}
    return _beacon(beacon, expect, entries={"drand": [DEFAULT_ENTRY]})


@vector
def beacon_drand_chained_without_the_signature_before() -> Vector:
    beacon = replace(beacon_of(DEFAULT_72785, DEFAULT_HASH), previous_signature=None)
    row = ["not_checked", "beacon.signature_unchecked", None]
    expect = {"status": "verified", "not_before": None, "beacons": [row]}
    return _beacon(beacon, expect, entries={"drand": [DEFAULT_ENTRY]})


@vector
def beacon_drand_chained_after_another_signature() -> Vector:
    beacon = beacon_of(DEFAULT_72785, DEFAULT_HASH)
    beacon = replace(beacon, previous_signature=beacon.signature)
    return _beacon(beacon, FALSE_SIGNATURE, entries={"drand": [DEFAULT_ENTRY]})


@vector
def beacon_drand_signature_of_another_round() -> Vector:
    return _round(QUICKNET_1000, FALSE_SIGNATURE, number=1001)


@vector
def beacon_drand_signed_by_another_network() -> Vector:
    return _round(Network("theirs").sign(1000), FALSE_SIGNATURE)


@vector
def beacon_drand_signature_that_is_no_point() -> Vector:
    signature = b"\xff" * 48
    return _beacon(beacon_of(DrandRound(1000, signature)), FALSE_SIGNATURE)


@vector
def beacon_drand_signature_at_infinity() -> Vector:
    signature = b"\xc0" + bytes(47)
    return _beacon(beacon_of(DrandRound(1000, signature)), FALSE_SIGNATURE)


@vector
def beacon_drand_value_is_not_the_hash_of_its_signature() -> Vector:
    row = ["failed", "beacon.randomness", None]
    expect = {"status": "failed", "exit_status": 1, "beacons": [row]}
    return _round(QUICKNET_1000, expect, value=bytes(32))


@vector
def beacon_drand_signature_supplied() -> Vector:
    beacon = beacon_of(QUICKNET_1000, signature=False)
    known = {"drand_rounds": [_supplied(QUICKNET_1000)]}
    return _beacon(beacon, QUICKNET_1000_EXPECT, known=known)


@vector
def beacon_drand_forged_signature_supplied() -> Vector:
    forged = Network("theirs").sign(1000)
    row = ["not_checked", "beacon.unconfirmed", None]
    expect = {"status": "verified", "not_before": None, "beacons": [row]}
    known = {"drand_rounds": [_supplied(forged)]}
    return _beacon(beacon_of(forged, signature=False), expect, known=known)


def _supplied(found: DrandRound) -> dict[str, Any]:
    return {
        "chain_hash": QUICKNET.hex(), "round": found.number, "signature": found.signature.hex(),
    }  # fmt: skip


@vector
def beacon_at_the_very_second() -> Vector:
    at = START - timedelta(seconds=1)
    return _beacon(DRAND, {"status": "verified"}, at=at, known=ROUND_KNOWN)


@vector
def beacon_later_than_existed_before() -> Vector:
    findings = {"record.not_before_after_existed_before": "failed"}
    expect = {"status": "failed", "exit_status": 1, "headline": None, "findings": findings}
    return _beacon(DRAND, expect, at=START - timedelta(seconds=2), known=ROUND_KNOWN)


def _bitcoin() -> tuple[Beacon, Bitcoin, dict[str, Any]]:
    chain = Bitcoin(start_time=int(datetime(2026, 11, 23, 5, tzinfo=UTC).timestamp()))
    for _ in range(8):
        chain.mine()
    raw = [header.raw.hex() for header in chain.headers[1:8]]
    value = bytes.fromhex(display_hex(chain.headers[1].block_hash))
    return Beacon("bitcoin", 1, value), chain, {"headers": [{"height": 1, "headers": raw}]}


@vector
def beacon_bitcoin() -> Vector:
    beacon, chain, known = _bitcoin()
    row = ["verified", "beacon.verified", "2026-11-23T03:10:00Z"]
    expect = {"status": "verified", "not_before": "2026-11-23T03:10:00Z", "beacons": [row]}
    return _beacon(beacon, expect, entries={"bitcoin": chain.policy(1)}, known=known)


@vector
def beacon_bitcoin_header_that_is_only_supplied() -> Vector:
    beacon, _, known = _bitcoin()
    row = ["not_checked", "beacon.unconfirmed", None]
    return _beacon(beacon, {"status": "verified", "beacons": [row]}, known=known)


@vector
def beacon_bitcoin_without_its_header() -> Vector:
    beacon, chain, _ = _bitcoin()
    row = ["not_checked", "beacon.header_missing", None]
    entries = {"bitcoin": chain.policy(1)}
    return _beacon(beacon, {"status": "verified", "beacons": [row]}, entries=entries)


@vector
def beacon_bitcoin_of_another_block() -> Vector:
    beacon, chain, known = _bitcoin()
    wrong = Beacon("bitcoin", 1, beacon.value[::-1])
    row = ["failed", "beacon.not_on_chain", None]
    entries = {"bitcoin": chain.policy(1)}
    return _beacon(wrong, {"status": "failed", "beacons": [row]}, entries=entries, known=known)


def _evm(chain_class: str, expect: dict[str, Any], **changes: Any) -> Vector:
    time = int(datetime(2026, 11, 23, 8, tzinfo=UTC).timestamp())
    raw = forged_evm.header_rlp(number=77, time=time)
    value = parse_evm_header(raw).block_hash
    pinned = [{"number": 77, "hash": value.hex()}]
    chain = {
        "chain_id": 1, "name": "Example", "class": chain_class, "pinned": pinned, **changes,
    }  # fmt: skip
    known = {"evm_headers": [{"chain_id": 1, "number": 77, "header": raw.hex()}]}
    beacon = Beacon("evm", 77, value, chain_id=1)
    return _beacon(beacon, expect, entries={"chains": [chain]}, known=known)


@vector
def beacon_evm_l1() -> Vector:
    return _evm("l1", {"status": "verified", "not_before": "2026-11-23T07:59:48Z"})


@vector
def beacon_evm_l2_is_none() -> Vector:
    row = ["not_checked", "beacon.sequencer", None]
    return _evm("l2", {"status": "verified", "beacons": [row]}, sequencer="Example Labs")


@vector
def beacon_evm_header_that_is_only_supplied() -> Vector:
    row = ["not_checked", "beacon.unconfirmed", None]
    return _evm("l1", {"status": "verified", "beacons": [row]}, pinned=[])


@vector
def beacon_evm_of_another_block() -> Vector:
    pinned = [{"number": 77, "hash": bytes(32).hex()}]
    return _evm("l1", {"status": "failed", "exit_status": 1}, pinned=pinned)


# -- 13.8 to 13.10: claims, sums, completeness -----------------------------------------------------


@vector
def record_backdated() -> Vector:
    early = datetime(2024, 1, 1, tzinfo=UTC)
    project = started(lambda p: p.add("idea", {"text": "mine since 2024"}, claimed_time=early))
    rows = {"1": {"answer": "no", "exit_status": 6, "lag_s": 91357201}}
    items = proven(project.records, START)
    return case("13.8", items, {"records": rows}, before=datetime(2025, 1, 1, tzinfo=UTC))


@vector
def record_clock_ahead() -> Vector:
    ahead = datetime(2037, 1, 1, tzinfo=UTC)
    project = started(lambda p: p.note(claimed_time=ahead))
    return case("13.8", proven(project.records, START), {"status": "verified"})


@vector
def record_before_yes() -> Vector:
    expect = {"exit_status": 0, "records": {"3": {"answer": "yes", "exit_status": 0}}}
    before = START + timedelta(days=1)
    return case("13.9", proven(whole_project().records), expect, before=before)


@vector
def record_list_with_stubs() -> Vector:
    records = whole_project().records
    items: list[Item] = [
        each if each.record.seq in (0, 7, 8) else stub(each.record) for each in proven(records)
    ]
    expect = {
        "status": "verified", "exit_status": 0, "complete_up_to": 8, "withheld_records": 6,
        "statement": "complete up to record 8 of project 000102030405060708090a0b0c0d0e0f, 6 of "
        "them withheld; nothing is shown about later records, about other projects or other keys",
    }  # fmt: skip
    return case("13.10", items, expect)


@vector
def record_list_with_a_place_missing() -> Vector:
    records: list[Record] = whole_project().records
    items = proven([*records[:3], *records[4:]])
    expect = {
        "status": "not_checked", "exit_status": 4, "complete_up_to": None, "not_listed": 1,
        "records": {"8": {"status": "verified"}},
    }  # fmt: skip
    return case("13.10", items, expect)


@vector
def record_list_with_stubs_after_the_last_record() -> Vector:
    records = whole_project().records
    items = [*proven(records[:4]), stub(records[4]), Stub(5, "close", bytes(32))]
    expect = {"status": "verified", "complete_up_to": 3, "withheld_records": 0, "closed": False}
    return case("13.10", items, expect)


@vector
def record_list_closed() -> Vector:
    project = whole_project()
    project.add("close")
    expect = {
        "status": "verified", "closed": True, "complete_up_to": 9,
        "statement": "complete up to record 9 of project 000102030405060708090a0b0c0d0e0f, which "
        "is closed, 0 of them withheld; nothing is shown about other projects or other keys",
    }  # fmt: skip
    return case("13.10", proven(project.records), expect)


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in names or MAKERS:
        (FOLDER / f"{name}.json").write_text(json.dumps(MAKERS[name](), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
