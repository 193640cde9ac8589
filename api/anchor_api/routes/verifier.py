"""``/verify``: the second verifier, one file that works everything out in the reader's browser.

It is the same file as ``static/verify.html``, which works from disk too. Its own content policy
names the one script and the one style sheet in it by their digests, and the only addresses that it
may ask, when its reader presses a button; the header repeats it, and forbids frames.
"""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from anchor.errors import VestigeError

_POLICY: Final = re.compile(rb'<meta http-equiv="Content-Security-Policy" content="([^"]+)">')


def verifier_router() -> APIRouter:
    """Return the route of the second verifier."""
    router = APIRouter(include_in_schema=False)
    body = files("anchor_api").joinpath("static", "verify.html").read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": page_policy(body),
        "Cache-Control": "no-cache",
        "ETag": tag,
    }

    @router.get("/verify")
    async def verify(request: Request) -> Response:
        """Return the page."""
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers)

    return router


def page_policy(body: bytes) -> str:
    """Return the page's own content policy, for the header."""
    found = _POLICY.search(body)
    if found is None:
        raise VestigeError("verify.html states no content policy")
    return f"{found[1].decode('ascii')}; frame-ancestors 'none'"
