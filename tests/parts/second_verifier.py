"""The second verifier (``api/anchor_api/web``), run by node: JSON lines in, verdicts out.

A question has the fields of a verdict vector; policy and proof may be given as bytes, so that what
is no JSON can be asked, too. :func:`summary` says what of a verdict both verifiers must agree on.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anchor.errors import VestigeError
from anchor.formats.encoding import parse_utc
from anchor.formats.ots.codec import parse_detached
from anchor.proof.codec import parse_proof
from anchor.proof.policy import parse_policy
from anchor.verify import Judge
from anchor.verify.report import verdict_to_json
from tests.vectors.verdict_vectors import known_facts

WEB = Path(__file__).parents[2] / "api" / "anchor_api" / "web"
VITE = WEB / "node_modules" / "vite" / "bin" / "vite.js"

# A piece that cannot be read may be wrong in several ways at once; which of them is named first is
# no matter of the specification.
UNREADABLE = "(unreadable)"
_UNREADABLE_CODES = frozenset(
    {
        "bitcoin.bits",
        "ots.argument",
        "ots.empty_message",
        "ots.message_too_long",
        "ots.operations",
        "ots.too_deep",
        "ots.unknown_op",
        "ots.uri",
        "ots.work",
        "tsp.algorithm",
        "tsp.certificate",
        "tsp.content",
        "tsp.crl.format",
        "tsp.key.unknown",
        "tsp.ocsp.format",
        "tsp.ocsp.refusal",
        "tsp.signed_attributes",
        "tsp.signed_data",
        "tsp.type",
    }
)
_ROW = ("kind", "family", "root_hash", "status", "attested_time", "tolerance_s", "precision", "by")


def as_bytes(value: Any) -> bytes:
    """Return a document as the bytes that are read."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def line_of(question: Mapping[str, Any]) -> str:
    """Return the line that asks the second verifier."""
    line = {
        "policy": base64.b64encode(as_bytes(question["policy"])).decode(),
        "now": question["now"],
        "before": question.get("before"),
        "file_digest": question.get("file_digest"),
        "known": question.get("known") or {},
    }
    if "ots" in question:
        line["ots"] = question["ots"]
    else:
        line["proof"] = base64.b64encode(as_bytes(question["proof"])).decode()
    return json.dumps(line)


class SecondVerifier:
    """A node process that judges.

    Args:
        folder: where the program is built.
    """

    def __init__(self, folder: Path) -> None:
        node = shutil.which("node")
        assert node is not None
        build = [node, str(VITE), "build", "--config", "vite.runner.config.ts", "--outDir"]
        subprocess.run(
            [*build, str(folder), "--emptyOutDir", "--logLevel", "error"], cwd=WEB, check=True
        )
        self._process = subprocess.Popen(
            [node, str(folder / "runner.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return its verdict, or ``unreadable`` with a code."""
        return self.ask_timed(question)[0]

    def ask_timed(self, question: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
        """Return its verdict and the milliseconds that it took."""
        return self._said(line_of(question))

    def reads(self, kind: str, data: bytes) -> bool:
        """Tell whether it can read a piece of that kind at all."""
        line = {"read": kind, "data": base64.b64encode(data).decode()}
        answer = self._said(json.dumps(line))[0]
        assert "crashed" not in answer, answer
        return "unreadable" not in answer

    def ask_records(self, vector: Mapping[str, Any]) -> dict[str, Any]:
        """Return its verdict on a vector of records."""
        return self._said(json.dumps({"records": vector}))[0]

    def ask_exhibit(self, path: Path, policy: bytes, now: str) -> dict[str, Any]:
        """Return its verdict on an exhibit on disk."""
        line = {"exhibit": str(path), "policy": base64.b64encode(policy).decode(), "now": now}
        return self._said(json.dumps(line))[0]

    def _said(self, line: str) -> tuple[dict[str, Any], float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        return said["answer"], said["ms"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def ask_first(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first verifier's verdict, or ``unreadable`` with a code."""
    try:
        policy = parse_policy(as_bytes(question["policy"]))
        known = known_facts(question.get("known") or {})
        judge = Judge(policy, now=parse_utc(question["now"]), known=known)
        before = question.get("before")
        asked = parse_utc(before) if before else None
        digest = question.get("file_digest")
        file_digest = bytes.fromhex(digest) if digest else None
        if "ots" in question:
            detached = parse_detached(base64.b64decode(question["ots"]))
            verdict = judge.verify_ots(detached, file_digest=file_digest, before=asked)
        else:
            proof = parse_proof(as_bytes(question["proof"]))
            verdict = judge.verify_proof(proof, file_digest=file_digest, before=asked, steps=True)
    except VestigeError as error:
        return {"unreadable": error.code, "reason": error.message}
    return verdict_to_json(verdict, steps=True)


def summary(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both must agree on; words are free where a code says the same."""
    if "unreadable" in verdict:
        return {"unreadable": True}
    if "crashed" in verdict:
        return {"crashed": verdict["crashed"]}
    same = ("status", "digest", "file", "policy", "existed_before", "not_before", "warnings")
    rows = [_row(row) for row in verdict["attestations"]]
    head = verdict["headline"]
    return {
        **{name: verdict[name] for name in same},
        "log": {**verdict["log"], "code": _code(verdict["log"]["code"]), "reason": None},
        "exit_status": verdict["exit_status"],
        "before": verdict.get("before"),
        "answer": verdict.get("answer"),
        "headline": None if head is None else _row(head),
        "rows": rows,
        "steps": [(step["number"], step["title"]) for step in verdict["steps"]],
    }


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    code = _code(row["code"])
    words = {"trust": row["trust"]} if row["status"] != "failed" else {}
    return {**{name: row[name] for name in _ROW}, "code": code, **words}


def _code(code: str) -> str:
    unreadable = code.split(".")[0] in ("format", "der") or code in _UNREADABLE_CODES
    return UNREADABLE if unreadable else code
