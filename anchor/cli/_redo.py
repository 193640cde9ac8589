"""For a step of a proof, the command of a stock tool that does it again.

The tools are those that every machine of a court's expert has: ``sha256sum`` (coreutils), ``xxd``
and ``openssl``. A line that no stock tool redoes gets none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_SHA256: Final = re.compile(r"SHA-256\(([0-9a-f]+(?: ‖ [0-9a-f]+)*)\) = [0-9a-f]{64}")
_OPERATION: Final = re.compile(r"(\w+)(?: [0-9a-f]+)? = ([0-9a-f]+)")
_TOOLS: Final = {
    "sha256": "sha256sum",
    "sha1": "sha1sum",
    "ripemd160": "openssl dgst -ripemd160 -provider legacy -provider default",
}


def with_commands(lines: Iterable[str], start: bytes | None) -> Iterator[tuple[str, str | None]]:
    """Yield each line of a step with the command that redoes it, or None.

    Args:
        lines: of one step, in order.
        start: the message that operations of an OpenTimestamps path begin with, or None.
    """
    message = None if start is None else start.hex()
    for line in lines:
        hashed = _SHA256.match(line)
        operation = _OPERATION.fullmatch(line)
        if hashed is not None:
            yield line, _pipe(hashed[1].replace(" ‖ ", ""), "sha256sum")
        elif operation is not None and message is not None:
            tool = _TOOLS.get(operation[1])
            yield line, None if tool is None else _pipe(message, tool)
            message = operation[2]
        else:
            yield line, None


def _pipe(message: str, tool: str) -> str:
    return f"printf {message} | xxd -r -p | {tool}"
