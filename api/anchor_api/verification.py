"""Judgement on demand: in threads, so many at a time, the same code as ``vestige verify``.

Judging is work for the processor, and anybody may ask for it: past the number that run, some wait,
and past those the answer is that there is too much at once. Offline, under the service's policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from starlette.concurrency import run_in_threadpool

from anchor.client.evidence import parse_evidence
from anchor.errors import OverloadedError, UsageError
from anchor.limits import DIGEST_BYTES
from anchor.proof.policy import Policy
from anchor.proof.proof import Proof
from anchor.verify import Judge, Verdict
from anchor_api.problems import UnsupportedMediaTypeError

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
    ) -> Verdict:
        """Judge a proof or an ``.ots`` file.

        Raises:
            OverloadedError: too many wait.
            FormatError: the bytes are no evidence that is read here.
            UsageError: ``file_digest`` is of another length than the evidence's algorithm gives.
        """

        def judge() -> Verdict:
            """Read and judge, in a thread."""
            if data.startswith(_ZIP_MAGIC):
                raise UnsupportedMediaTypeError(
                    "an exhibit or another zip file",
                    code="http.media_type.exhibit",
                    hint="send the proof itself, or use vestige verify",
                )
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


def _require_length(file_digest: bytes | None, n_bytes: int) -> None:
    if file_digest is not None and len(file_digest) != n_bytes:
        raise UsageError(
            f"file_digest has {len(file_digest)} bytes, the evidence's algorithm gives {n_bytes}",
            code="usage.file_digest",
        )
