"""``GET /v1/events``: server-sent events; see :mod:`anchor_api.event_hub`."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from anchor.errors import UsageError
from anchor_api.answers import ProblemAnswer
from anchor_api.event_hub import MAX_NAMED_DIGESTS, EventHub
from anchor_api.routes.digests import parse_digest

_MEDIA_TYPE: Final = "text/event-stream"


def event_router(hub: EventHub) -> APIRouter:
    """Return the route of the event stream."""
    router = APIRouter(tags=["state"])

    @router.get(
        "/v1/events",
        response_class=StreamingResponse,
        responses={
            200: {"content": {_MEDIA_TYPE: {"schema": {"type": "string"}}}},
            503: {"model": ProblemAnswer, "description": "too many streams are open"},
        },
        operation_id="events",
    )
    async def events(
        digest: Annotated[list[str] | None, Query(description="whose standing is told")] = None,
    ) -> StreamingResponse:
        """Stream rounds, phases and alarms as they change, and the standing of digests named.

        Events: `round`, `attempt`, `published`, `alarm`, `alarm_over`, `fatal`, `standing`,
        `lagging`.
        """
        named = [parse_digest(text) for text in digest or ()]
        if len(named) > MAX_NAMED_DIGESTS:
            raise UsageError(
                f"{len(named)} digests, wanted at most {MAX_NAMED_DIGESTS}", code="usage.digests"
            )
        hub.admit()
        return StreamingResponse(
            hub.stream(named),
            media_type=_MEDIA_TYPE,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router
