"""The log as static files: ``/checkpoint`` and ``/tile/…`` (C2SP tlog-tiles)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from anchor.config.service import Service
from anchor.errors import FormatError, NotFoundError
from anchor.formats.tiles import parse_tile_path
from anchor.limits import TILE_WIDTH
from anchor_api.answers import ProblemAnswer

_FULL: Final = "public, max-age=31536000, immutable"
# What is there of a partial tile never changes either, but nobody needs it for long.
_PARTIAL: Final = "public, max-age=3600"
_NEWEST: Final = "public, max-age=2"
_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_NOT_THERE: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": ProblemAnswer, "description": "not in the log (yet)"}
}


def log_router(service: Service) -> APIRouter:
    """Return the routes of the log's files."""
    router = APIRouter(tags=["log"])

    @router.get(
        "/checkpoint",
        response_class=Response,
        responses={**_NOT_THERE, 200: {"content": {_TEXT: {"schema": {"type": "string"}}}}},
        operation_id="checkpoint",
    )
    def checkpoint() -> Response:
        """Return the newest checkpoint, cosignatures appended."""
        data = service.checkpoint().encode()
        return Response(data, headers={"Content-Type": _TEXT, "Cache-Control": _NEWEST})

    @router.get(
        "/tile/{path:path}",
        response_class=Response,
        responses={
            **_NOT_THERE,
            200: {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}},
        },
        operation_id="tile",
    )
    def tile(path: str) -> Response:
        """Return a tile (`L/N[.p/W]`) or an entry bundle (`entries/N[.p/W]`)."""
        try:
            found = parse_tile_path(f"tile/{path}")
        except FormatError as exc:
            # An address that no tile has is not there; a client's cache may hold that.
            raise NotFoundError(exc.message, code="not_found.tile") from exc
        if found.level is None:
            data = service.store.read_entries(found.index, found.width)
        else:
            data = service.store.read_tile(found.level, found.index, found.width)
        cached = _FULL if found.width == TILE_WIDTH else _PARTIAL
        return Response(data, headers={"Content-Type": _BYTES, "Cache-Control": cached})

    return router
