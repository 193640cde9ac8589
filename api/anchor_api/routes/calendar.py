"""The OpenTimestamps calendar protocol: ``POST /digest`` and ``GET /timestamp/{hex}``.

Source: opentimestamps-server ``rpc.py``: bodies are bytes, errors plain text, media types ignored,
an answer may be cached once it is complete. Served only where the settings switch it on.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from anchor.config.service import Service
from anchor.errors import (
    FormatError,
    IncompleteProofError,
    NotFoundError,
    VestigeError,
)
from anchor.formats.encoding import parse_hex
from anchor.limits import DIGEST_BYTES, MAX_CALENDAR_DIGEST_BYTES
from anchor.service.calendar_protocol import CalendarProtocol
from anchor_api.asgi import DisconnectedError
from anchor_api.body import BodyReader, discard_body
from anchor_api.problems import BodyTooLargeError, refusal
from anchor_api.quota import ClientNames, Quotas

_BYTES: Final = "application/octet-stream"
_COMPLETE: Final = "public, max-age=31536000"
_GROWING: Final = "public, max-age=60"
_BINARY: Final[dict[str, Any]] = {_BYTES: {"schema": {"type": "string", "format": "binary"}}}
_TREE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": _BINARY}}


def calendar_router(
    service: Service,
    calendar: CalendarProtocol,
    *,
    reader: BodyReader,
    quotas: Quotas,
    clients: ClientNames,
) -> APIRouter:
    """Return the routes of the calendar protocol."""
    router = APIRouter(tags=["calendar"])
    routes = _Calendar(service, calendar, reader, quotas, clients)
    router.add_api_route(
        "/digest",
        routes.digest,
        methods=["POST"],
        response_class=Response,
        responses=_TREE,
        openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
        operation_id="calendarDigest",
    )
    router.add_api_route(
        "/timestamp/{commitment}",
        routes.timestamp,
        response_class=Response,
        responses=_TREE,
        operation_id="calendarTimestamp",
    )
    return router


class _Calendar:
    """The two routes."""

    def __init__(
        self,
        service: Service,
        calendar: CalendarProtocol,
        reader: BodyReader,
        quotas: Quotas,
        clients: ClientNames,
    ) -> None:
        self._service = service
        self._calendar = calendar
        self._reader = reader
        self._quotas = quotas
        self._clients = clients

    async def digest(self, request: Request) -> Response:
        """Take up to 64 bytes; answer with our promise once they are in the log."""
        client = self._clients.client_of(request.scope)
        try:
            self._quotas.take_request(client)
            submitted = await self._reader.read(
                request.scope, request.receive, max_bytes=MAX_CALENDAR_DIGEST_BYTES
            )
            entry = self._calendar.entry(submitted)
            self._quotas.take_digests(client, 1)
        except DisconnectedError:
            return _plain(400, "incomplete")
        except BodyTooLargeError:
            await discard_body(request.scope, request.receive)
            return _plain(400, "digest too long")
        except VestigeError as exc:
            return _refused(exc)
        try:
            await self._service.submit(entry)
        except VestigeError as exc:
            return _refused(exc)
        headers = {"Content-Type": _BYTES, "Cache-Control": "no-store"}
        return Response(self._calendar.promise(submitted), headers=headers)

    async def timestamp(self, commitment: str) -> Response:
        """Return the tree from an entry to what the public calendars gave for it."""
        try:
            entry = parse_hex(commitment.lower(), max_bytes=MAX_CALENDAR_DIGEST_BYTES)
        except FormatError:
            return _plain(400, "commitment must be hex-encoded bytes", _COMPLETE)
        if len(entry) != DIGEST_BYTES:
            return _plain(404, "Not found", _GROWING)
        try:
            answer = await run_in_threadpool(self._calendar.lookup, entry)
        except NotFoundError:
            return _plain(404, "Not found", _GROWING)
        except IncompleteProofError:
            return _plain(404, "Pending confirmation in Bitcoin blockchain", _GROWING)
        cached = _COMPLETE if answer.complete else _GROWING
        return Response(answer.tree, headers={"Content-Type": _BYTES, "Cache-Control": cached})


def _plain(status: int, text: str, cached: str = "no-store") -> Response:
    return Response(
        text.encode(),
        status,
        headers={"Content-Type": "text/plain; charset=utf-8", "Cache-Control": cached},
    )


def _refused(error: VestigeError) -> Response:
    """Return a refusal in plain text, with the table's status and the time to wait."""
    answer = refusal(error)
    response = _plain(answer.status, error.message)
    for name, value in answer.headers:
        if name == b"retry-after":
            response.headers["Retry-After"] = value.decode()
    return response
