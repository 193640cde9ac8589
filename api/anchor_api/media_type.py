"""Choose a representation by ``Accept`` (RFC 9110 section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from anchor.errors import quote_peer
from anchor_api.problems import NotAcceptableError

_MAX_ACCEPT_CHARACTERS = 2000


def choose_media_type(accept: str | None, offered: Sequence[str]) -> str:
    """Return the media type that the client likes best; of equals the first offered.

    Raises:
        NotAcceptableError: none of them.
    """
    if not accept or not accept.strip():
        return offered[0]
    ranges = [_range(part) for part in accept[:_MAX_ACCEPT_CHARACTERS].split(",") if part.strip()]
    best, liking = "", 0.0
    for media_type in offered:
        quality = _quality(media_type, ranges)
        if quality > liking:
            best, liking = media_type, quality
    if not best:
        raise NotAcceptableError(
            f"Accept: {quote_peer(accept)}", hint=f"one of {', '.join(offered)} can be given"
        )
    return best


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip() for piece in part.lower().split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return name, quality


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the quality that the most specific matching range gives."""
    group = media_type.partition("/")[0] + "/*"
    for wanted in (media_type, group, "*/*"):
        for name, quality in ranges:
            if name == wanted:
                return quality
    return 0.0
