"""Read and write checkpoints, and the cosignatures of witnesses on them.

Sources: C2SP tlog-checkpoint v1.0.0 and tlog-cosignature (the Ed25519 type, cosignature/v1).

A checkpoint is the text of a signed note: origin, tree size, root hash, and perhaps extension
lines. A witness's cosignature is a note signature over ``cosignature/v1``, a time, and that text.

Rules of this module:

* The text has one spelling: no leading zero, canonical base64; it is written back byte for byte.
* Extension lines are kept and covered by every signature; nothing here gives them a meaning.
* A cosignature's time is returned as it was signed. Time 0 and times in the future parse: what they
  are worth is judged higher up.
* That the signing key's name is the origin is custom, no rule: which key may sign which origin is
  the policy's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anchor import limits
from anchor.errors import FormatError, SignatureError, TruncatedError
from anchor.formats.ed25519 import SIGNATURE_BYTES, verify_ed25519
from anchor.formats.encoding import base64_text, parse_base64, parse_decimal
from anchor.formats.merkle import HASH_BYTES
from anchor.formats.note import (
    COSIGNATURE_V1,
    NoteKey,
    NoteSignature,
    Sign,
    SignedNote,
    require_algorithm,
    require_signatures,
    verify_note,
)

_TIME_BYTES: Final = 8
_MAX_TIME: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one size.

    Attributes:
        origin: the log's name for good, not empty.
        tree_size: number of leaves.
        root_hash: 32 bytes, RFC 6962.
        extensions: further lines without their newlines, not empty ones.
    """

    origin: str
    tree_size: int
    root_hash: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note text, last newline included."""
        lines = (self.origin, str(self.tree_size), base64_text(self.root_hash), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text_of_note: str) -> Checkpoint:
    """Read the text of a signed note as a checkpoint.

    Args:
        text_of_note: ``SignedNote.text``, not the whole note.

    Raises:
        LimitExceededError: the tree size is over ``limits.MAX_TREE_SIZE``.
        FormatError: fewer than three lines, an empty one, or a size or root hash that is not
            written canonically.
    """
    if not text_of_note.endswith("\n"):
        raise TruncatedError("the checkpoint does not end with a newline")
    origin, *lines = text_of_note[:-1].split("\n")
    if len(lines) < 2 or not origin or not all(lines):
        raise FormatError(
            "a checkpoint has at least three lines (origin, tree size, root hash), none empty",
            code="format.checkpoint.lines",
        )
    tree_size = parse_decimal(lines[0], maximum=limits.MAX_TREE_SIZE, what="tree size")
    root_hash = parse_base64(lines[1], max_bytes=HASH_BYTES, what="root hash")
    if len(root_hash) != HASH_BYTES:
        raise FormatError(
            f"root hash of {len(root_hash)} bytes, wanted {HASH_BYTES}",
            code="format.checkpoint.root_hash",
        )
    return Checkpoint(origin, tree_size, root_hash, tuple(lines[2:]))


def log_signed_only(note: SignedNote, log_key: NoteKey) -> SignedNote:
    """Return the verified note with the log's own first signature line and no other.

    These bytes are what is time-stamped: they do not change when witnesses add their lines.

    Raises:
        SignatureError: the log's signature is missing or not valid.
    """
    return SignedNote(note.text, (verify_note(note, log_key),))


# -- cosignatures ----------------------------------------------------------------------------------


def cosignature_message(unix_time: int, note_text: str) -> bytes:
    """Return what a witness signs: two lines of header, then the note's text."""
    return f"cosignature/v1\ntime {unix_time}\n{note_text}".encode()


def verify_cosignature(note: SignedNote, witness_key: NoteKey) -> int:
    """Verify a witness's cosignature/v1 and return its time, in seconds since 1970.

    Where a witness cosigned more than once, all must verify and the earliest time other than 0 is
    returned; 0 if there is no other.

    Raises:
        SignatureError: missing, not valid, not 72 bytes, a time over 2**63 - 1, or a key of another
            signature type.
    """
    require_algorithm(witness_key, COSIGNATURE_V1)
    times = [
        _verified_time(note.text, signature.signature, witness_key)
        for signature in require_signatures(note, witness_key)
    ]
    return min((time for time in times if time), default=0)


def _verified_time(note_text: str, signature: bytes, witness_key: NoteKey) -> int:
    if len(signature) != _TIME_BYTES + SIGNATURE_BYTES:
        raise SignatureError(
            f"cosignature of {len(signature)} bytes, wanted {_TIME_BYTES + SIGNATURE_BYTES}",
            code="verify.signature.length",
        )
    unix_time = int.from_bytes(signature[:_TIME_BYTES], "big")
    if unix_time > _MAX_TIME:
        raise SignatureError(
            f"cosignature time {unix_time} is over 2**63 - 1", code="verify.signature.time"
        )
    message = cosignature_message(unix_time, note_text)
    verify_ed25519(witness_key.public_key, message, signature[_TIME_BYTES:])
    return unix_time


def sign_cosignature(
    note: SignedNote, witness_key: NoteKey, unix_time: int, sign: Sign
) -> NoteSignature:
    """Cosign a checkpoint as a witness, and verify the line before it is handed out.

    Args:
        note: a signed note whose text is a checkpoint.
        witness_key: the public half of what ``sign`` signs with, of type ``COSIGNATURE_V1``.
        unix_time: seconds since 1970, 0 to 2**63 - 1.
        sign: gets the message, returns 64 bytes.

    Raises:
        FormatError: the text is no checkpoint, or the time is out of range.
        SignatureError: what ``sign`` returned is no signature of this key.
    """
    parse_checkpoint(note.text)
    if not 0 <= unix_time <= _MAX_TIME:
        raise FormatError(f"cosignature time {unix_time}, wanted 0 to 2**63 - 1")
    require_algorithm(witness_key, COSIGNATURE_V1)
    signed = sign(cosignature_message(unix_time, note.text))
    data = unix_time.to_bytes(_TIME_BYTES, "big") + signed
    _verified_time(note.text, data, witness_key)
    return NoteSignature(witness_key.name, witness_key.key_id, data)
