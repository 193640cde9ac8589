"""The state of the service: status, liveness, readiness, metrics, beacons."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from anchor.config.beacons import DRAND
from anchor.config.service import Service
from anchor.service.metrics import CONTENT_TYPE, Sample, render_metrics
from anchor_api.answers import (
    BeaconAnswer,
    HealthAnswer,
    StatusAnswer,
    without_fractions,
)
from anchor_api.http_figures import HttpFigures


def state_router(service: Service, figures: HttpFigures) -> APIRouter:
    """Return the routes of the service's state."""
    router = APIRouter(tags=["state"])
    asking = asyncio.Lock()

    @router.get("/v1/status", response_model=StatusAnswer, operation_id="status")
    def status(response: Response) -> Any:
        """Return the state of the log, of every backend, and what is wrong now."""
        response.headers["Cache-Control"] = "no-store"
        return without_fractions({**service.status(), "http": figures.as_json()})

    @router.get("/healthz", response_model=HealthAnswer, operation_id="healthz")
    async def healthz() -> Any:
        """Say that the process answers."""
        return {"status": "ok"}

    @router.get(
        "/readyz",
        response_model=HealthAnswer,
        responses={503: {"model": HealthAnswer, "description": "no digests are taken"}},
        operation_id="readyz",
    )
    async def readyz(response: Response) -> Any:
        """Say whether digests are taken; reads are answered either way."""
        response.headers["Cache-Control"] = "no-store"
        reason = service.sequencer.read_only_reason
        if reason is None and service.anchorer.fatal is not None:
            reason = service.anchorer.fatal.message
        if reason is None:
            return {"status": "ready"}
        response.status_code = 503
        return {"status": "not_ready", "reason": reason}

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {CONTENT_TYPE: {"schema": {"type": "string"}}}}},
        operation_id="metrics",
    )
    def metrics() -> Response:
        """Return the samples for monitoring (Prometheus text format)."""
        samples: list[Sample] = [*service.metrics(), *figures.samples()]
        return Response(
            render_metrics(samples).encode(),
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"},
        )

    @router.get("/v1/beacon", response_model=BeaconAnswer, operation_id="beacon")
    async def beacon(response: Response) -> Any:
        """Return recent block hashes and a drand round, to be put into records."""
        response.headers["Cache-Control"] = "no-store"
        note = None
        if not service.beacons.names:
            note = "no source of Bitcoin headers or drand rounds and no EVM node is set up"
        # Sources may be slow: however many ask, one thread does.
        async with asking:
            found = await run_in_threadpool(service.beacons.recent)
        drand = without_fractions(found.pop(DRAND, None))
        return {"beacons": without_fractions(found), "drand": drand, "note": note}

    return router
