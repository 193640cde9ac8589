"""``/v1/digests/{hex}``: where a digest stands, and its proof in three forms."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from anchor.config.service import Service
from anchor.errors import IncompleteProofError
from anchor.formats.encoding import parse_hex, parse_utc
from anchor.formats.tlog_proof import TlogProof
from anchor.limits import DIGEST_BYTES
from anchor.proof.codec import PROOF_MEDIA_TYPE, serialize_proof
from anchor.proof.proof import Proof
from anchor.service.calendar_protocol import ots_file
from anchor.verify.report import verdict_to_json
from anchor_api.answers import ProblemAnswer, StandingAnswer, without_fractions
from anchor_api.media_type import choose_media_type
from anchor_api.verification import Verification

TLOG_PROOF_MEDIA_TYPE: Final = "text/x-tlog-proof"
OTS_MEDIA_TYPE: Final = "application/vnd.opentimestamps.ots"
_OFFERED: Final = (PROOF_MEDIA_TYPE, TLOG_PROOF_MEDIA_TYPE, OTS_MEDIA_TYPE, "application/json")
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ProblemAnswer, "description": "no digest"},
    404: {"model": ProblemAnswer, "description": "the log does not have it"},
}
# Whoever looks a digest up is nobody else's business, nor is that it can be looked up.
PRIVATE_HEADERS: Final = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


def digest_router(service: Service, verification: Verification) -> APIRouter:
    """Return the routes of one digest."""
    router = APIRouter(tags=["digests"])

    @router.get(
        "/v1/digests/{digest}",
        response_model=StandingAnswer,
        response_model_exclude_unset=True,
        responses=_PROBLEMS,
        operation_id="standing",
    )
    async def standing(digest: str, response: Response, before: str | None = None) -> Any:
        """Say where a digest stands; with `before` (UTC) also give the verdict."""
        entry = parse_digest(digest)
        response.headers.update(PRIVATE_HEADERS)
        found = await run_in_threadpool(service.standing, entry)
        if before is not None:
            asked = parse_utc(before, what="before")
            verdict = await verification.judge_proof(lambda: service.proof(entry), before=asked)
            found = {**found, "verdict": verdict_to_json(verdict)}
        return without_fractions(found)

    @router.get(
        "/v1/digests/{digest}/proof",
        responses={
            **_PROBLEMS,
            200: {
                "description": "the proof file, the receipt or the .ots file, as accepted",
                "content": {
                    PROOF_MEDIA_TYPE: {},
                    TLOG_PROOF_MEDIA_TYPE: {"schema": {"type": "string"}},
                    OTS_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
                },
            },
            406: {"model": ProblemAnswer, "description": "none of these is accepted"},
            409: {"model": ProblemAnswer, "description": "nothing to write an .ots file from yet"},
        },
        response_class=Response,
        operation_id="proof",
    )
    def proof(digest: str, request: Request) -> Response:
        """Return the proof of a digest as it is now.

        An `.ots` file given here starts at the digest itself; the service knows no files. Whoever
        stamped with an opening makes the file's own `.ots` from the proof file.
        """
        entry = parse_digest(digest)
        media_type = choose_media_type(request.headers.get("accept"), _OFFERED)
        response = proof_file(service.proof(entry), media_type)
        response.headers["Vary"] = "Accept"
        return response

    return router


def parse_digest(text: str) -> bytes:
    """Read a digest out of an address; FormatError if it is none."""
    return parse_hex(text, n_bytes=DIGEST_BYTES, what="digest")


def proof_file(proof: Proof, media_type: str) -> Response:
    """Return a proof as a file of that media type; any but the two others is the proof itself.

    Raises:
        IncompleteProofError: there is nothing yet to write it from.
    """
    if media_type == TLOG_PROOF_MEDIA_TYPE:
        data, ending = _receipt(proof), "tlog-proof"
    elif media_type == OTS_MEDIA_TYPE:
        data, ending = ots_file(proof), "ots"
    else:
        data, ending, media_type = serialize_proof(proof), "proof", PROOF_MEDIA_TYPE
    name = f"{proof.digest.hex()[:16]}.{ending}"
    # The type is given as a header: FastAPI would add a charset to text.
    headers = {
        **PRIVATE_HEADERS,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Type": media_type,
    }
    return Response(data, headers=headers)


def _receipt(proof: Proof) -> bytes:
    """Return the receipt: the inclusion in the newest tree, with its checkpoint."""
    newest = max(
        (i for i in proof.inclusions if i.checkpoint is not None),
        key=lambda inclusion: inclusion.tree_size,
        default=None,
    )
    if newest is None or newest.checkpoint is None:
        raise IncompleteProofError("there is no signed checkpoint yet")
    receipt = TlogProof(newest.leaf_index, newest.hashes, newest.checkpoint)
    return receipt.serialize().encode()
