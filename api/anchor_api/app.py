"""Put the application together: one service in, one ASGI application out; no state in modules."""

from __future__ import annotations

import functools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from anchor.config.service import Service
from anchor.errors import NotFoundError, UsageError, VestigeError, quote_peer
from anchor_api.asgi import Answer, AsgiApp
from anchor_api.body import BodyReader, ByteBudget
from anchor_api.connection import limits_of
from anchor_api.dispatcher import Dispatcher
from anchor_api.event_hub import EventHub
from anchor_api.guard import Guard
from anchor_api.http_figures import HttpFigures
from anchor_api.idempotency import IdempotencyKeys
from anchor_api.media_type import choose_media_type
from anchor_api.openapi import openapi_document
from anchor_api.problems import (
    PROBLEM_MEDIA_TYPE,
    MethodNotAllowedError,
    NotAcceptableError,
    refusal,
)
from anchor_api.quota import ClientNames, Quotas
from anchor_api.routes.calendar import calendar_router
from anchor_api.routes.digests import digest_router
from anchor_api.routes.events import event_router
from anchor_api.routes.log import log_router
from anchor_api.routes.pages import no_such_page, page_router
from anchor_api.routes.rounds import round_router
from anchor_api.routes.state import state_router
from anchor_api.routes.verification import verification_router
from anchor_api.routes.verifier import verifier_router
from anchor_api.submission import SubmissionRoute
from anchor_api.verification import Verification

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


_HTML: Final = "text/html"


def create_app(service: Service) -> Dispatcher:
    """Return the application of a service.

    The service is started and stopped by whoever made it; reads are answered before it is started.

    Raises:
        ConfigError: a setting of the HTTP side cannot be used.
    """
    http = service.settings.http
    budget = ByteBudget(http.inflight_mb << 20)
    figures = HttpFigures(budget)
    reader = BodyReader(idle_s=http.body_idle_s, total_s=http.body_total_s)
    clients = ClientNames(http.trusted_proxies)
    quotas = Quotas(
        requests_per_s=http.requests_per_s,
        digests_per_client_per_day=http.digests_per_client_per_day,
        digests_per_day=http.digests_per_day,
    )
    hub = EventHub(service, figures, http.event_streams, http.event_stream_s)
    app = _framework(hub)
    verification = Verification(service.policy, http.verifications_at_once)
    app.include_router(digest_router(service, verification))
    app.include_router(
        verification_router(
            verification, reader=reader, budget=budget, quotas=quotas, clients=clients
        )
    )
    app.include_router(round_router(service))
    app.include_router(state_router(service, figures))
    app.include_router(event_router(hub))
    app.include_router(log_router(service))
    app.include_router(verifier_router())
    app.include_router(page_router(service, verification))
    if service.calendar is not None:
        own = quotas.with_requests_per_s(service.settings.calendar_endpoint.requests_per_s)
        app.include_router(
            calendar_router(service, service.calendar, reader=reader, quotas=own, clients=clients)
        )
    submission = SubmissionRoute(
        service.sequencer,
        reader=reader,
        budget=budget,
        quotas=quotas,
        clients=clients,
        keys=IdempotencyKeys(),
        figures=figures,
    )
    quick: dict[str, dict[str, AsgiApp]] = {"/v1/digests": {"POST": submission}}
    guard = Guard(service.settings.host, http.allowed_hosts, http.allowed_origins)

    @functools.cache
    def openapi() -> dict[str, Any]:
        return openapi_document(app)

    # FastAPI serves what this returns at /openapi.json.
    app.openapi = openapi  # type: ignore[method-assign]
    return Dispatcher(
        guard,
        quick,
        app,
        limits=limits_of(http, clients.counted),
        end_streams=hub.close,
        openapi=openapi,
    )


def _framework(hub: EventHub) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        hub.close()

    return FastAPI(
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        exception_handlers={
            VestigeError: _problem,
            Exception: _problem,
            RequestValidationError: _validation_error,
            HTTPException: _http_error,
        },
    )


async def _problem(_request: Request, exc: Exception) -> Response:
    return _response(refusal(exc))


async def _validation_error(_request: Request, exc: Exception) -> Response:
    errors = exc.errors() if isinstance(exc, RequestValidationError) else []
    first = errors[0] if errors else {}
    where = ".".join(str(part) for part in first.get("loc", ())[1:])
    text = quote_peer(f"{where}: {first.get('msg', 'not taken')}")
    return _response(refusal(UsageError(text, code="usage.parameter")))


async def _http_error(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    if status == 405:
        response = _response(refusal(MethodNotAllowedError(f"{request.method} is not taken here")))
        allow = (getattr(exc, "headers", None) or {}).get("Allow")
        if allow:
            response.headers["Allow"] = allow
        return response
    if status == 404:
        if _is_browser(request):
            return no_such_page(request.url.path)
        return _response(refusal(NotFoundError("there is no such address", code="not_found.path")))
    return _response(refusal(UsageError("the request is not taken", code=f"http.{status}")))


def _is_browser(request: Request) -> bool:
    """Return whether HTML is liked better than a problem; programs that name nothing get that."""
    try:
        chosen = choose_media_type(request.headers.get("accept"), (PROBLEM_MEDIA_TYPE, _HTML))
    except NotAcceptableError:
        return False
    return chosen == _HTML


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    for name, value in answer.headers:
        response.headers[name.decode()] = value.decode()
    return response
