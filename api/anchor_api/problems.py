"""Errors as HTTP problems (RFC 9457): one table from error class to status.

A problem has ``type`` (a URN made of the code), ``title`` (of the class), ``status``, ``detail``
(the message), ``code`` (for programs) and perhaps ``hint``. What nobody meant to raise becomes a
500 that says nothing of the inside; the log has the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from anchor import errors
from anchor.errors import VestigeError
from anchor_api.asgi import Answer

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:vestige:problem:"


class RequestError(errors.UsageError):
    """The HTTP request itself cannot be served: method, media type, length, host."""

    default_code = "http"


class MethodNotAllowedError(RequestError):
    """The path is there and does not take this method."""

    default_code = "http.method"


class NotAcceptableError(RequestError):
    """None of the media types that the client accepts can be given."""

    default_code = "http.not_acceptable"


class RequestTimeoutError(RequestError):
    """The body did not come in time."""

    default_code = "http.body.timeout"


class BodyTooLargeError(RequestError):
    """The body is longer than anything that is read here."""

    default_code = "http.body.too_large"


class UnsupportedMediaTypeError(RequestError):
    """The body is of a media type that is not read here."""

    default_code = "http.media_type"


class IdempotencyKeyReusedError(RequestError):
    """The key stands for another request already."""

    default_code = "http.idempotency_key.reused"


class ForbiddenOriginError(RequestError):
    """A web page of another origin makes its reader's browser ask."""

    default_code = "http.origin"


class MisdirectedError(RequestError):
    """The name in ``Host`` is none of this service."""

    default_code = "http.host"


@dataclass(frozen=True, slots=True)
class Row:
    """How one class of errors is shown."""

    status: int
    title: str
    retry_after_s: int | None = None


# The first class in an error's ancestry that stands here decides.
PROBLEM_TABLE: Final[dict[type[VestigeError], Row]] = {
    VestigeError: Row(500, "the service failed"),
    errors.FormatError: Row(400, "the bytes are not what they claim to be"),
    errors.LimitExceededError: Row(413, "over a limit"),
    errors.UnsupportedVersionError: Row(415, "a version that is not read here"),
    errors.VerificationError: Row(422, "well-formed and false"),
    errors.IncompleteProofError: Row(409, "not finished yet", retry_after_s=60),
    errors.BackendError: Row(502, "an outside system failed"),
    errors.BackendUnavailableError: Row(503, "an outside system does not answer", 60),
    errors.ReorgError: Row(503, "the chain is being reorganised", 60),
    errors.StoreError: Row(500, "the store failed"),
    errors.StoreConflictError: Row(409, "changed by somebody else"),
    errors.StoreUnavailableError: Row(503, "no writes now", retry_after_s=30),
    errors.LogIntegrityError: Row(500, "the log contradicts itself and takes no writes"),
    errors.ConfigError: Row(500, "the service is set up wrongly"),
    errors.UsageError: Row(400, "a request that cannot be served"),
    errors.NotFoundError: Row(404, "not here"),
    errors.OverloadedError: Row(503, "too much at once", retry_after_s=5),
    errors.QuotaExceededError: Row(429, "your share is used up", retry_after_s=60),
    RequestError: Row(400, "a request that cannot be served"),
    MethodNotAllowedError: Row(405, "method not allowed"),
    NotAcceptableError: Row(406, "no such representation"),
    RequestTimeoutError: Row(408, "the body did not come in time"),
    BodyTooLargeError: Row(413, "the body is too large"),
    UnsupportedMediaTypeError: Row(415, "a media type that is not read here"),
    IdempotencyKeyReusedError: Row(422, "one key stands for one request"),
    ForbiddenOriginError: Row(403, "a web page may not do this"),
    MisdirectedError: Row(421, "not the name of this service"),
}

# Messages of these name paths, keys or settings of the machine.
_INTERNAL: Final = (errors.ConfigError, errors.SchemaVersionError)


def row_of(kind: type[VestigeError]) -> Row:
    """Return how errors of a class are shown: its own row, or that of the nearest ancestor."""
    return next(PROBLEM_TABLE[base] for base in kind.__mro__ if base in PROBLEM_TABLE)


def refusal(error: BaseException, *, close: bool = False) -> Answer:
    """Return the problem for an error; one without internals for what nobody meant to raise.

    Args:
        error: any exception.
        close: part of the request was not read.
    """
    if not isinstance(error, VestigeError):
        return _problem(
            Row(500, "the service failed"), "unexpected", "an unexpected error", None, close=close
        )
    row = row_of(type(error))
    if isinstance(error, errors.QuotaExceededError) and error.retry_after_s is not None:
        row = Row(row.status, row.title, max(1, round(error.retry_after_s)))
    hidden = isinstance(error, _INTERNAL)
    detail = row.title if hidden else _detail(error)
    return _problem(row, error.code, detail, None if hidden else error.hint, close=close)


def _detail(error: VestigeError) -> str:
    # The paths of a store are the operator's business; its log has them.
    if isinstance(error, errors.StoreError) and "/" in error.message:
        return "the store cannot do this now; the operator's log says why"
    return error.message


def _problem(row: Row, code: str, detail: str, hint: str | None, *, close: bool) -> Answer:
    value: dict[str, Any] = {
        "type": _TYPE_PREFIX + code,
        "title": row.title,
        "status": row.status,
        "detail": detail,
        "code": code,
    }
    if hint is not None:
        value["hint"] = hint
    headers = [(b"content-type", PROBLEM_MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
    if row.retry_after_s is not None:
        headers.append((b"retry-after", str(row.retry_after_s).encode()))
    return Answer(row.status, msgspec.json.encode(value), tuple(headers), close)
