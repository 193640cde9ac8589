"""The OpenAPI description: FastAPI's own for its routes, and by hand for the one below it.

``api/openapi.json`` is this document, compared in a test. To write it anew::

    python -m anchor_api.openapi > api/openapi.json
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from anchor import limits
from anchor_api.submission import (
    JSON_MEDIA_TYPE,
    RAW_MEDIA_TYPE,
    SubmissionAnswer,
    SubmissionRequest,
)

API_VERSION: Final = "1"
_DESCRIPTION: Final = """\
A transparency log of 32-byte digests, anchored by outside parties. Errors are problems (RFC 9457,
`application/problem+json`) with a `code` for programs. A success of a submission means: flushed,
sequenced, under a signed checkpoint."""
_REF: Final = "#/components/schemas/{name}"
_PROBLEM: Final = {
    "content": {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}
    }
}

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_HEADERS: Final = {
    "Vestige-Tree-Size": {
        "description": "raw bodies only: size of the tree that the checkpoint is of",
        "schema": {"type": "integer"},
    },
    "Vestige-Checkpoint": {
        "description": "raw bodies only: the signed checkpoint, base64",
        "schema": {"type": "string", "format": "byte"},
    },
    "Idempotency-Replayed": {
        "description": "true where the answer is the one given before under the key",
        "schema": {"type": "string"},
    },
}
_REFUSALS: Final = {
    "400": "not JSON, no digests, or one that is malformed",
    "408": "the body did not come in time",
    "413": "the body is too large",
    "415": "another media type",
    "429": "this client's share is used up; see Retry-After",
    "503": "too much at once, or no writes now; see Retry-After",
}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the description of an application's routes and of ``POST /v1/digests``."""
    document = get_openapi(
        title="Vestige", version=API_VERSION, description=_DESCRIPTION, routes=app.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _use_problems(document)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    (answer, _), components = msgspec.json.schema_components(
        [SubmissionAnswer, SubmissionRequest], ref_template=_REF
    )
    schemas.update(components)
    _bound(schemas)
    path = document["paths"].setdefault("/v1/digests", {})
    path["post"] = _submission(answer)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def _bound(schemas: dict[str, Any]) -> None:
    """Say of the structs what the route checks by hand."""
    digest = {"type": "string", "pattern": f"^[0-9a-f]{{{2 * limits.DIGEST_BYTES}}}$"}
    schemas["SubmissionRequest"]["properties"]["digests"].update(
        minItems=1, maxItems=limits.MAX_JSON_DIGESTS, items=digest
    )
    schemas["SubmittedDigest"]["properties"]["digest"].update(digest)
    schemas["SubmittedDigest"]["properties"]["leaf_index"].update(minimum=0)
    schemas["SubmissionAnswer"]["properties"]["tree_size"].update(minimum=1)
    schemas["SubmissionAnswer"]["properties"]["root_hash"].update(digest)
    schemas["SubmissionAnswer"]["properties"]["checkpoint"]["description"] = (
        "signed note that covers every leaf of this answer"
    )


def _submission(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "tags": ["digests"],
        "summary": "Submit",
        "description": (
            "Put digests into the log. JSON: 1 to 1,000 digests. Raw: 1 to 1,000,000 digests of 32 "
            "bytes, answered with as many unsigned 64-bit big-endian numbers: the leaf index, top "
            "bit set where this request created the leaf. A digest that the log has keeps its "
            "first index. A large raw body is several commits, not atomic, and safe to repeat."
        ),
        "operationId": "submit",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "the same key and body get the same answer, `created` included",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": limits.MAX_IDEMPOTENCY_KEY_CHARACTERS,
                },
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/SubmissionRequest"}},
                RAW_MEDIA_TYPE: _BINARY,
            },
        },
        "responses": {
            "200": {
                "description": "durable, sequenced, under the checkpoint",
                "headers": _HEADERS,
                "content": {JSON_MEDIA_TYPE: {"schema": answer}, RAW_MEDIA_TYPE: _BINARY},
            },
            **{code: {"description": text, **_PROBLEM} for code, text in _REFUSALS.items()},
        },
    }


def _use_problems(document: dict[str, Any]) -> None:
    """Show problems where the framework would show its own errors."""
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            if "422" in responses:
                responses.pop("422")
                responses.setdefault("400", {"description": "a parameter that is not taken"})
                responses["400"].update(_PROBLEM)
            for status, response in responses.items():
                content = response.get("content", {})
                shown = content.get("application/json", {}).get("schema", {}).get("$ref", "")
                if status >= "400" and shown.endswith("/ProblemAnswer"):
                    response.update(_PROBLEM)


def committed_document() -> str:
    """Return the description of a service with every route switched on, as it is committed."""
    from anchor.config.settings import CalendarEndpointSettings, Settings
    from anchor.config.wiring import build_service
    from anchor.proof.policy import Policy
    from anchor_api.app import create_app

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data=Path(folder), calendar_endpoint=CalendarEndpointSettings(enabled=True)
        )
        service = build_service(
            settings,
            backends=(),
            policy=Policy("none", bytes(32), "test"),
            public_url="http://127.0.0.1",
        )
        try:
            document = create_app(service).openapi()
        finally:
            service.stop()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(committed_document())
