"""``POST /v1/verify``: a proof, an ``.ots`` file or an exhibit in, the verdict out.

The same reading and the same judgement as ``vestige verify``, offline, under the service's policy;
nothing of what is sent is kept.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from anchor.errors import VestigeError
from anchor.exhibit.verdict import ExhibitVerdict, exhibit_to_json
from anchor.formats.encoding import parse_hex, parse_utc
from anchor.limits import MAX_VERIFY_BYTES
from anchor.verify.report import verdict_to_json
from anchor.verify.verdict import Verdict
from anchor_api.answers import ProblemAnswer, without_fractions
from anchor_api.asgi import DisconnectedError
from anchor_api.body import BodyReader, ByteBudget, discard_body
from anchor_api.quota import ClientNames, Quotas
from anchor_api.verification import Verification

_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: Final[dict[str, Any]] = {
    "application/vnd.vestige.proof+json": {"schema": {"type": "object"}},
    "application/vnd.opentimestamps.ots": _BINARY,
    "application/zip": _BINARY,
    "application/octet-stream": _BINARY,
}


def verification_router(
    verification: Verification,
    *,
    reader: BodyReader,
    budget: ByteBudget,
    quotas: Quotas,
    clients: ClientNames,
) -> APIRouter:
    """Return the route that gives verdicts."""
    router = APIRouter(tags=["verify"])

    @router.post(
        "/v1/verify",
        responses={
            200: {"description": "the verdict (docs/spec/verification.md)"},
            400: {"model": ProblemAnswer, "description": "no evidence that can be read"},
            413: {"model": ProblemAnswer, "description": "over a limit"},
        },
        openapi_extra={"requestBody": {"required": True, "content": _CONTENT}},
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
        """Judge a proof, an `.ots` file or an exhibit; what is sent is not kept."""
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
                await discard_body(request.scope, request.receive)
                raise
            verdict = await verification.judge_bytes(
                data, file_digest=digest, before=asked, steps=steps
            )
            return without_fractions(_to_json(verdict, steps=steps))

    return router


def _to_json(verdict: Verdict | ExhibitVerdict, *, steps: bool) -> dict[str, Any]:
    if isinstance(verdict, ExhibitVerdict):
        return exhibit_to_json(verdict, steps=steps)
    return verdict_to_json(verdict, steps=steps)
