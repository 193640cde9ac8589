"""Reads a vector of records and runs the judgement on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anchor.backends.drand_signature import DrandSignatures
from anchor.formats.drand import DrandRound
from anchor.formats.encoding import parse_utc
from anchor.proof.codec import proof_from_json
from anchor.proof.policy import parse_policy
from anchor.proof.proof import HeaderRun
from anchor.records.chain import Stub
from anchor.records.record import parse_record
from anchor.verify import (
    ConfirmedBlock,
    Judge,
    KnownFacts,
    ProvenRecord,
    RecordsVerdict,
    judge_records,
)

FOLDER = Path(__file__).parent / "records"


def known_facts(value: dict[str, Any]) -> KnownFacts:
    """Return the facts of a vector: confirmed values, and headers that are only supplied."""

    def confirmed(item: dict[str, Any], *, name: str = "hash", turned: bool = False) -> Any:
        raw = bytes.fromhex(item[name])
        return ConfirmedBlock(raw[::-1] if turned else raw, item["confirmed_by"])

    evm, headers = value.get("evm", []), value.get("headers", [])
    return KnownFacts(
        bitcoin={i["height"]: confirmed(i, turned=True) for i in value.get("bitcoin", [])},
        evm={(i["chain_id"], i["number"]): confirmed(i) for i in evm},
        drand={
            (bytes.fromhex(i["chain_hash"]), i["round"]): confirmed(i, name="randomness")
            for i in value.get("drand", [])
        },
        drand_rounds={
            (bytes.fromhex(i["chain_hash"]), i["round"]): DrandRound(
                i["round"], bytes.fromhex(i["signature"]), None
            )
            for i in value.get("drand_rounds", [])
        },
        drand_verifier=DrandSignatures(),
        headers={
            i["height"]: HeaderRun(i["height"], tuple(map(bytes.fromhex, i["headers"])))
            for i in headers
        },
        evm_headers={
            (i["chain_id"], i["number"]): bytes.fromhex(i["header"])
            for i in value.get("evm_headers", [])
        },
    )


def item_of(value: dict[str, Any]) -> ProvenRecord | Stub:
    """Return a record with its proof, or a stub."""
    if "record" not in value:
        return Stub(value["seq"], value["kind"], bytes.fromhex(value["digest"]))
    proof = None if value["proof"] is None else proof_from_json(value["proof"])
    return ProvenRecord(parse_record(value["record"]), proof)


def judge_vector(vector: dict[str, Any]) -> RecordsVerdict:
    """Judge a vector.

    Raises:
        FormatError, VerificationError: where a record can not be read, which a vector may demand.
    """
    judge = Judge(
        parse_policy(json.dumps(vector["policy"]).encode()),
        now=parse_utc(vector["now"]),
        known=known_facts(vector["known"]),
    )
    others = [item_of(item) for item in vector["others"]]
    return judge_records(
        [item_of(item) for item in vector["items"]],
        judge,
        others=[item for item in others if isinstance(item, ProvenRecord)],
        before=parse_utc(vector["before"]) if vector["before"] else None,
    )
