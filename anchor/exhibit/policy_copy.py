"""The policy that an exhibit encloses: what was believed, without addresses and comments.

The addresses of a policy are whom its owner asks; they may hold names, keys and passwords, and
nobody who reads an exhibit needs them. The report states the digest of the policy that was used,
which the copy has only where there was nothing to leave out.

Specification: ``docs/spec/exhibit.md``, "The file".
"""

from __future__ import annotations

import json
from typing import Any, Final

from anchor import limits
from anchor.formats.encoding import parse_json

_LEFT_OUT: Final = frozenset(("sources", "comment"))


def policy_copy(data: bytes) -> bytes:
    """Return a policy without its ``sources`` and ``comment`` fields; as it is if it has none.

    Raises:
        FormatError: the bytes are no JSON.
    """
    value = parse_json(data, max_bytes=limits.MAX_POLICY_BYTES, what="policy")
    copy = _without(value)
    if copy == value:
        return data
    return json.dumps(copy, indent=1, ensure_ascii=False).encode() + b"\n"


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(item) for name, item in value.items() if name not in _LEFT_OUT}
    if isinstance(value, list):
        return [_without(item) for item in value]
    return value
