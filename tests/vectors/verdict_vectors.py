"""Reads a verdict vector and runs the judgement on it."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from anchor.formats.encoding import parse_utc
from anchor.formats.ots.codec import parse_detached
from anchor.proof.codec import proof_from_json
from anchor.proof.policy import parse_policy
from anchor.proof.proof import HeaderRun
from anchor.verify import ConfirmedBlock, HeaderArchive, Judge, KnownFacts, Verdict

FOLDER = Path(__file__).parent / "verdicts"


def known_facts(value: dict[str, Any]) -> KnownFacts:
    evm = {
        (item["chain_id"], item["number"]): ConfirmedBlock(
            bytes.fromhex(item["hash"]), item["confirmed_by"]
        )
        for item in value.get("evm", [])
    }
    bitcoin = {
        item["height"]: ConfirmedBlock(bytes.fromhex(item["hash"])[::-1], item["confirmed_by"])
        for item in value.get("bitcoin", [])
    }
    headers = {
        item["height"]: HeaderRun(item["height"], tuple(map(bytes.fromhex, item["headers"])))
        for item in value.get("headers", [])
    }
    archive = value.get("archive")
    return KnownFacts(
        evm=evm,
        bitcoin=bitcoin,
        headers=headers,
        archive=archive
        and HeaderArchive(archive["first_height"], bytes.fromhex("".join(archive["headers"]))),
    )


def judge_vector(vector: dict[str, Any]) -> Verdict:
    policy = parse_policy(json.dumps(vector["policy"]).encode())
    before: datetime | None = parse_utc(vector["before"]) if vector["before"] else None
    judge = Judge(policy, now=parse_utc(vector["now"]), known=known_facts(vector["known"]))
    file_digest = bytes.fromhex(vector["file_digest"])
    if "ots" in vector:
        detached = parse_detached(base64.b64decode(vector["ots"]))
        return judge.verify_ots(detached, file_digest=file_digest, before=before)
    proof = proof_from_json(vector["proof"])
    return judge.verify_proof(proof, file_digest=file_digest, before=before)
