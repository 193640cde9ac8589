"""Turn a service's refusal (RFC 9457) into an error of ours, and say whether to try again.

The service's word decides only which kind of error it is; its text is cut and cleaned before it is
shown.
"""

from __future__ import annotations

from typing import Final

from anchor.client.call import Reply
from anchor.errors import (
    BackendRejectedError,
    BackendUnavailableError,
    FormatError,
    IncompleteProofError,
    LimitExceededError,
    NotFoundError,
    OverloadedError,
    StoreConflictError,
    UsageError,
    VestigeError,
    quote_peer,
)
from anchor.formats.encoding import parse_json

_MAX_PROBLEM_BYTES: Final = 64 << 10
_MAX_WAIT_S: Final = 60.0
_BY_STATUS: Final[dict[int, type[VestigeError]]] = {
    400: UsageError,
    404: NotFoundError,
    409: StoreConflictError,
    413: LimitExceededError,
    422: BackendRejectedError,
    429: OverloadedError,
    502: BackendUnavailableError,
    503: BackendUnavailableError,
    504: BackendUnavailableError,
}
RETRIED_STATUSES: Final = frozenset({429, 502, 503, 504})


def error_of(reply: Reply, where: str) -> VestigeError:
    """Return the error that a reply other than 200 stands for.

    Args:
        reply: what came back.
        where: the service, as messages call it.
    """
    detail, code, hint = _problem(reply)
    kind = _BY_STATUS.get(reply.status)
    if kind is None:
        unavailable = reply.status >= 500
        kind = BackendUnavailableError if unavailable else BackendRejectedError
    if reply.status == 400 and (code or "").startswith("format"):
        kind = FormatError
    if reply.status == 409 and (code or "").startswith("incomplete"):
        kind = IncompleteProofError
    said = detail or f"status {reply.status}"
    return kind(f"{where}: {said}", code=code, hint=hint)


def retry_after_s(reply: Reply) -> float | None:
    """Return how long the service asks to wait, at most a minute; None if it does not say."""
    text = reply.headers.get("retry-after", "")
    return min(float(text), _MAX_WAIT_S) if text.isascii() and text.isdigit() else None


def _problem(reply: Reply) -> tuple[str, str | None, str | None]:
    try:
        value = parse_json(reply.body, max_bytes=_MAX_PROBLEM_BYTES, what="problem")
    except FormatError:
        return "", None, None
    if not isinstance(value, dict):
        return "", None, None
    detail, code, hint = (value.get(name) for name in ("detail", "code", "hint"))
    return (
        quote_peer(detail) if isinstance(detail, str) else "",
        quote_peer(code) if isinstance(code, str) and code else None,
        quote_peer(hint) if isinstance(hint, str) and hint else None,
    )
