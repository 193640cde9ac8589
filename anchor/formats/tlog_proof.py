"""Read and write receipts: an inclusion proof with its checkpoint, as text.

Source: C2SP tlog-proof v1 (c2sp.org/tlog-proof). File extension ``.tlog-proof``.

The lines are the version, perhaps ``extra`` with opaque base64, ``index`` with the leaf index, the
hashes of the inclusion proof from the leaf's sibling up, an empty line, and the signed checkpoint.

Rules of this module:

* The text has one spelling and is written back byte for byte; the checkpoint is kept verbatim.
* What parses is well-formed, the checkpoint included. Nothing is verified: neither the signatures
  nor that the hashes lead to the checkpoint's root. ``extra`` is signed by nobody, ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    TruncatedError,
    UnsupportedVersionError,
    quote_peer,
)
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.encoding import base64_text, parse_base64, parse_decimal, parse_utf8
from anchor.formats.merkle import HASH_BYTES
from anchor.formats.note import parse_note

_VERSION: Final = "c2sp.org/tlog-proof@v1"
_FAMILY: Final = "c2sp.org/tlog-proof@"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A receipt; see the module for what parsing it does not show.

    Attributes:
        leaf_index: zero-based.
        hashes: 32 bytes each, leaf's sibling first, root's child last.
        checkpoint: the signed note, verbatim.
        extra: opaque and unauthenticated, or None where the line is absent.
    """

    leaf_index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def serialize(self) -> str:
        """Write the receipt."""
        lines = [_VERSION]
        if self.extra is not None:
            lines.append(f"extra {base64_text(self.extra)}")
        lines.append(f"index {self.leaf_index}")
        lines += map(base64_text, self.hashes)
        return "\n".join([*lines, "", self.checkpoint])


def parse_tlog_proof(data: str | bytes) -> TlogProof:
    """Read a receipt.

    Raises:
        UnsupportedVersionError: another version of the format.
        LimitExceededError: longer than ``limits.MAX_TLOG_PROOF_BYTES``, too many hashes, or an
            index over ``limits.MAX_TREE_SIZE``.
        FormatError: anything else that is wrong, in the checkpoint too.
    """
    text = parse_utf8(data, max_bytes=limits.MAX_TLOG_PROOF_BYTES, what="the tlog-proof")
    head, empty_line, checkpoint = text.partition("\n\n")
    version, *lines = head.split("\n")
    _require_version(version)
    if not empty_line:
        raise TruncatedError("the tlog-proof ends before its checkpoint")
    extra = None
    if lines and lines[0].startswith("extra "):
        encoded = lines.pop(0).removeprefix("extra ")
        extra = parse_base64(encoded, max_bytes=limits.MAX_TLOG_PROOF_BYTES, what="extra data")
    if not lines or not lines[0].startswith("index "):
        raise FormatError("the tlog-proof has no index line", code="format.tlog_proof.index")
    leaf_index = parse_decimal(
        lines[0].removeprefix("index "), maximum=limits.MAX_TREE_SIZE - 1, what="leaf index"
    )
    hashes = _parse_hashes(lines[1:])
    parse_checkpoint(parse_note(checkpoint).text)
    return TlogProof(leaf_index, hashes, checkpoint, extra)


def _require_version(line: str) -> None:
    if line == _VERSION:
        return
    if line.startswith(_FAMILY):
        raise UnsupportedVersionError(f"{quote_peer(line)!r}, wanted {_VERSION!r}")
    raise FormatError(f"the first line is not {_VERSION!r}", code="format.tlog_proof.header")


def _parse_hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > limits.MAX_PATH_HASHES:
        raise LimitExceededError(
            f"the tlog-proof has {len(lines)} hashes, wanted at most {limits.MAX_PATH_HASHES}"
        )
    hashes = tuple(parse_base64(line, max_bytes=HASH_BYTES, what="proof hash") for line in lines)
    if any(len(item) != HASH_BYTES for item in hashes):
        raise FormatError(
            f"the tlog-proof holds a hash that is not {HASH_BYTES} bytes",
            code="format.tlog_proof.hash",
        )
    return hashes
