"""The pages: the state of the service, how to verify, one digest. No scripts."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from anchor.config.service import Service
from anchor.errors import FormatError, IncompleteProofError, NotFoundError
from anchor.proof.codec import PROOF_MEDIA_TYPE
from anchor.proof.proof import Proof
from anchor.service.growth import DayCount, leaves_by_day
from anchor_api.asgi import CONTENT_SECURITY_POLICY
from anchor_api.pages.digest import digest_parts
from anchor_api.pages.home import ShownRound, home_parts
from anchor_api.pages.html import STYLE_SHEET, digest, page, tag
from anchor_api.routes.digests import (
    OTS_MEDIA_TYPE,
    PRIVATE_HEADERS,
    TLOG_PROOF_MEDIA_TYPE,
    parse_digest,
    proof_file,
)
from anchor_api.verification import Verification

_HTML: Final = "text/html; charset=utf-8"
_STYLE_HEADERS: Final = {
    "Content-Type": "text/css; charset=utf-8",
    "Cache-Control": "public, max-age=31536000, immutable",
}
_ROUNDS_SHOWN: Final = 8
_DAYS_SHOWN: Final = 30
_COUNTED_FOR_S: Final = 60.0
_PATH_SHOWN: Final = 100
_FILES: Final = {
    "proof": PROOF_MEDIA_TYPE,
    "ots": OTS_MEDIA_TYPE,
    "receipt": TLOG_PROOF_MEDIA_TYPE,
}

_NO_DIGEST: Final = "This is no digest"
_UNKNOWN: Final = "This log does not have this digest"
_NO_PAGE: Final = "There is no such page"
_NOT_YET: Final = "There is nothing yet to write this file from"
_HINTS: Final = {
    _NO_DIGEST: "A digest is 64 hexadecimal digits in lower case: “digest” in the proof.",
    _UNKNOWN: "It may have been sent to another log, or not yet. Where the proof names an opening, "
    "the log does not hold the file's own SHA-256.",
    _NO_PAGE: "The pages are this service's own, one for each digest (/d/ and 64 hexadecimal "
    "digits), and the verifier.",
    _NOT_YET: "Once a calendar has answered it can be made; the proof is there already.",
}


def page_router(service: Service, verification: Verification) -> APIRouter:
    """Return the routes of the pages."""
    router = APIRouter(include_in_schema=False)
    growth = _Growth(service)

    _add_static(router)

    @router.get("/")
    def home() -> Response:
        """Return the page of the service's state."""
        rounds = [
            ShownRound(round_, service.rounds.attempts(round_.tree_size))
            for round_ in service.rounds.rounds(limit=_ROUNDS_SHOWN)
        ]
        now = service.now()
        parts = home_parts(service.status(), rounds, growth.days(now), now)
        return _html(page("Vestige", *parts))

    @router.get("/d/{digest_hex}")
    async def one_digest(digest_hex: str) -> Response:
        """Return the page of one digest."""
        found: list[Proof] = []

        def assemble() -> Proof:
            """Put the proof together, in the thread that judges it."""
            found.append(service.proof(entry))
            return found[0]

        try:
            entry = parse_digest(digest_hex)
            standing = await run_in_threadpool(service.standing, entry)
            verdict = await verification.judge_proof(assemble)
        except FormatError:
            return _missing(_NO_DIGEST, digest_hex[:100], 400)
        except NotFoundError:
            return _missing(_UNKNOWN, digest_hex, 404)
        parts = digest_parts(standing, found[0], verdict)
        title = f"Digest {digest_hex[:8]}…"
        return _html(page(title, *parts, noindex=True), private=True)

    @router.get("/d/{digest_hex}/{form}")
    def digest_file(digest_hex: str, form: str) -> Response:
        """Return what the page of a digest offers to take along."""
        if form not in _FILES:
            return _missing(_NO_PAGE, form[:_PATH_SHOWN], 404)
        try:
            return proof_file(service.proof(parse_digest(digest_hex)), _FILES[form])
        except FormatError:
            return _missing(_NO_DIGEST, digest_hex[:100], 400)
        except NotFoundError:
            return _missing(_UNKNOWN, digest_hex, 404)
        except IncompleteProofError:
            return _missing(_NOT_YET, digest_hex, 409)

    return router


def _add_static(router: APIRouter) -> None:
    @router.get("/page.css")
    async def style_sheet() -> Response:
        """Return the one style sheet."""
        return Response(STYLE_SHEET, headers=_STYLE_HEADERS)

    @router.get("/favicon.ico")
    async def icon() -> Response:
        """Return nothing: browsers ask for it, and there is no sign to show."""
        return Response(status_code=204, headers={"Cache-Control": "public, max-age=86400"})


class _Growth:
    """Counts the digests of the last days, at most once a minute; safe for threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._counted: list[DayCount] = []
        self._until = 0.0

    def days(self, now: datetime) -> list[DayCount]:
        """Return the counts, today last."""
        today = now.astimezone(UTC).date()
        with self._lock:
            is_old = time.monotonic() > self._until or self._counted[-1].day != today
            if is_old:
                committed = self._service.committed
                self._counted = leaves_by_day(
                    self._service.rounds.accepted_by,
                    committed.tree_size if committed else 0,
                    today=today,
                    n_days=_DAYS_SHOWN,
                )
                self._until = time.monotonic() + _COUNTED_FOR_S
            return self._counted


def _html(data: bytes, *, status: int = 200, private: bool = False) -> Response:
    headers = {"Content-Type": _HTML, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
    headers |= PRIVATE_HEADERS if private or status != 200 else {"Cache-Control": "no-cache"}
    return Response(data, status, headers=headers)


def no_such_page(path: str) -> Response:
    """Return the page for an address that there is not."""
    answer = _missing(_NO_PAGE, path[:_PATH_SHOWN], 404)
    answer.headers["Vary"] = "Accept"
    return answer


def _missing(sentence: str, text: str, status: int) -> Response:
    parts = [tag("h1", sentence), tag("p", digest(text))]
    if sentence in _HINTS:
        parts.append(tag("p", _HINTS[sentence], class_="note"))
    return _html(page(sentence, *parts, noindex=True), status=status)
