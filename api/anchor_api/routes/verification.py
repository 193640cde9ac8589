"""``POST /v1/verify``: a proof or an ``.ots`` file in, the verdict out.

The same reading and the same judgement as ``vestige verify``, offline, under the service's policy.
Judging runs in threads, so many at a time; nothing of what is sent is kept.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from anchor.client.evidence import parse_evidence
from anchor.config.service import Service
from anchor.errors import OverloadedError, VestigeError
from anchor.formats.encoding import parse_hex, parse_utc
from anchor.limits import MAX_VERIFY_BYTES
from anchor.proof.policy import Policy
from anchor.proof.proof import Proof
from anchor.verify import Judge
from anchor.verify.report import verdict_to_json
from anchor_api.answers import ProblemAnswer, without_fractions
from anchor_api.asgi import DisconnectedError
from anchor_api.body import BodyReader, ByteBudget, discard_body
from anchor_api.problems import UnsupportedMediaTypeError
from anchor_api.quota import ClientNames, Quotas

_WAITING_EACH: Final = 8
_ZIP_MAGIC: Final = b"PK\x03\x04"
_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}


class Verification:
    """Judges evidence, so many pieces at a time.

    Args:
        policy: under which verdicts are given.
        at_once: how many are judged at one time; some more wait.
    """

    def __init__(self, policy: Policy, at_once: int) -> None:
        self._policy = policy
        self._slots = asyncio.Semaphore(at_once)
        self._most = at_once * (1 + _WAITING_EACH)
        self._present = 0

    async def judge(
        self,
        data: bytes,
        *,
        file_digest: bytes | None,
        before: datetime | None,
        steps: bool,
    ) -> dict[str, Any]:
        """Return the verdict as JSON.

        Raises:
            OverloadedError: too many wait.
            FormatError: the bytes are no evidence that is read here.
        """
        if self._present >= self._most:
            raise OverloadedError(f"{self._present} verifications are under way or waiting")
        self._present += 1
        try:
            async with self._slots:
                return await run_in_threadpool(self._judge, data, file_digest, before, steps)
        finally:
            self._present -= 1

    def _judge(
        self, data: bytes, file_digest: bytes | None, before: datetime | None, steps: bool
    ) -> dict[str, Any]:
        if data.startswith(_ZIP_MAGIC):
            raise UnsupportedMediaTypeError(
                "an exhibit or another zip file",
                code="http.media_type.exhibit",
                hint="send the proof itself, or use vestige verify",
            )
        content = parse_evidence(data)
        judge = Judge(self._policy, now=datetime.now(UTC))
        if isinstance(content, Proof):
            verdict = judge.verify_proof(
                content, file_digest=file_digest, before=before, steps=steps
            )
        else:
            verdict = judge.verify_ots(content, file_digest=file_digest, before=before)
        return verdict_to_json(verdict, steps=steps)


def verification_router(
    service: Service,
    *,
    reader: BodyReader,
    budget: ByteBudget,
    quotas: Quotas,
    clients: ClientNames,
) -> APIRouter:
    """Return the route that gives verdicts."""
    router = APIRouter(tags=["verify"])
    verification = Verification(service.policy, service.settings.http.verifications_at_once)

    @router.post(
        "/v1/verify",
        responses={
            200: {"description": "the verdict (docs/spec/verification.md)"},
            400: {"model": ProblemAnswer, "description": "no evidence that can be read"},
            413: {"model": ProblemAnswer, "description": "over a limit"},
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/vnd.vestige.proof+json": {"schema": {"type": "object"}},
                    "application/vnd.opentimestamps.ots": _BINARY,
                    "application/octet-stream": _BINARY,
                },
            }
        },
        operation_id="verify",
    )
    async def verify(
        request: Request,
        before: str | None = Query(None, description="the time asked about, UTC"),
        file_digest: str | None = Query(
            None, description="digest of the file, by the evidence's own algorithm"
        ),
        *,
        steps: bool = Query(default=False, description="every hash step too"),
    ) -> Any:
        """Judge a proof or an `.ots` file; what is sent is not kept."""
        asked = None if before is None else parse_utc(before, what="before")
        digest = None
        if file_digest is not None:
            digest = parse_hex(file_digest, max_bytes=64, what="file_digest")
        with budget.hold() as hold:
            try:
                quotas.take_request(clients.client_of(request.scope))
                data = await reader.read(
                    request.scope, request.receive, max_bytes=MAX_VERIFY_BYTES, hold=hold
                )
            except DisconnectedError:
                return Response(status_code=400)
            except VestigeError:
                await discard_body(request.receive)
                raise
            verdict = await verification.judge(data, file_digest=digest, before=asked, steps=steps)
            return without_fractions(verdict)

    return router
