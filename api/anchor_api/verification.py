"""Judgement on demand: in threads, so many at a time, the same code as ``vestige verify``.

Judging is work for the processor, and anybody may ask for it: past the number that run, some wait,
and past those the answer is that there is too much at once. Offline, under the service's policy.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from starlette.concurrency import run_in_threadpool

from anchor.client.evidence import parse_evidence
from anchor.errors import OverloadedError, UsageError
from anchor.exhibit.contents import read_contents
from anchor.exhibit.cost import check_work
from anchor.exhibit.judge import judge_exhibit
from anchor.exhibit.verdict import ExhibitVerdict
from anchor.exhibit.zip_container import ZipContainer
from anchor.limits import DIGEST_BYTES, MAX_EXHIBIT_SERVICE_UNITS
from anchor.proof.policy import Policy
from anchor.proof.proof import Proof
from anchor.verify import Judge, ProvenRecord, Verdict

_WAITING_EACH: Final = 8
_ZIP_MAGIC: Final = b"PK\x03\x04"

T = TypeVar("T")


class Verification:
    """Judges evidence. One event loop only.

    Args:
        policy: under which verdicts are given.
        at_once: how many are judged at one time; eight times as many wait.
    """

    def __init__(self, policy: Policy, at_once: int) -> None:
        self._policy = policy
        self._slots = asyncio.Semaphore(at_once)
        self._most = at_once * (1 + _WAITING_EACH)
        self._present = 0

    async def judge_bytes(
        self, data: bytes, *, file_digest: bytes | None, before: datetime | None, steps: bool
    ) -> Verdict | ExhibitVerdict:
        """Judge a proof, an ``.ots`` file or an exhibit.

        Raises:
            OverloadedError: too many wait.
            FormatError: the bytes are no evidence that is read here.
            UsageError: ``file_digest`` is of another length than the evidence's algorithm gives, or
                given with an exhibit, which holds its files.
        """

        def judge() -> Verdict | ExhibitVerdict:
            """Read and judge, in a thread."""
            if data.startswith(_ZIP_MAGIC):
                _refuse_digest(file_digest)
                container = ZipContainer(io.BytesIO(data))
                contents = read_contents(container)
                return judge_exhibit(contents, self._judge_of, before=before, steps=steps)
            content = parse_evidence(data)
            if isinstance(content, Proof):
                _require_length(file_digest, DIGEST_BYTES)
                return self._judge().verify_proof(
                    content, file_digest=file_digest, before=before, steps=steps
                )
            _require_length(file_digest, len(content.file_digest))
            return self._judge().verify_ots(content, file_digest=file_digest, before=before)

        return await self._in_turn(judge)

    async def judge_proof(
        self, make: Callable[[], Proof], *, before: datetime | None = None
    ) -> Verdict:
        """Judge a proof that ``make`` puts together, in the same thread; errors as above."""
        return await self._in_turn(lambda: self._judge().verify_proof(make(), before=before))

    def _judge_of(self, items: Sequence[ProvenRecord]) -> Judge:
        check_work(items, MAX_EXHIBIT_SERVICE_UNITS)
        return self._judge()

    def _judge(self) -> Judge:
        return Judge(self._policy, now=datetime.now(UTC))

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._present >= self._most:
            raise OverloadedError(f"{self._present} verifications are under way or waiting")
        self._present += 1
        try:
            async with self._slots:
                return await run_in_threadpool(work)
        finally:
            self._present -= 1


def _refuse_digest(file_digest: bytes | None) -> None:
    if file_digest is not None:
        raise UsageError(
            "file_digest belongs to a proof; an exhibit holds its files",
            code="usage.file_digest",
        )


def _require_length(file_digest: bytes | None, n_bytes: int) -> None:
    if file_digest is not None and len(file_digest) != n_bytes:
        raise UsageError(
            f"file_digest has {len(file_digest)} bytes, the evidence's algorithm gives {n_bytes}",
            code="usage.file_digest",
        )
