"""Read, write, sign and verify signed notes.

Source: C2SP signed-note v1.0.0 (c2sp.org/signed-note).

A note is text ending in a newline, an empty line, and one line for each signature: em dash, space,
key name, space, base64 of key id (4 bytes) and signature.

Rules of this module:

* A note that parses is written back byte for byte; base64 that has a second spelling is refused.
* Signatures of unknown keys are ignored in verification and kept. A signature by the key asked for
  that does not verify spoils the note, even beside one that does.
* Two signature types are read: Ed25519 (0x01) and cosignature/v1 (0x04, whose message is in
  :mod:`anchor.formats.checkpoint`). Lines of other types are kept as they are.

It deliberately gives the text no meaning; :mod:`anchor.formats.checkpoint` reads the one we use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    SignatureError,
    TruncatedError,
    UnsupportedVersionError,
    quote_peer,
)
from anchor.formats.ed25519 import PUBLIC_KEY_BYTES, verify_ed25519
from anchor.formats.encoding import base64_text, parse_base64, parse_hex, parse_utf8

ED25519: Final = 0x01
COSIGNATURE_V1: Final = 0x04
KEY_ID_BYTES: Final = 4

_SIGNATURE_PREFIX: Final = "\u2014 "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")

Sign = Callable[[bytes], bytes]
"""Takes the message and returns the signature; the private key stays with whoever made it."""


# -- keys ------------------------------------------------------------------------------------------


def note_key_id(name: str, algorithm: int, public_key: bytes) -> bytes:
    """Return the first 4 bytes of SHA-256(name ‖ 0x0A ‖ algorithm ‖ public key)."""
    message = name.encode() + b"\n" + bytes([algorithm]) + public_key
    return sha256(message).digest()[:KEY_ID_BYTES]


def _require_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() for c in name) or _CONTROL.search(name):
        raise FormatError(
            f"key name {quote_peer(name)!r} is empty or holds a space, plus or control character",
            code="format.note.key_name",
        )


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key that signs notes; name and key id together pick out its signatures.

    Attributes:
        name: without spaces or plus; for a log its origin, by custom.
        key_id: 4 bytes, :func:`note_key_id` of the rest.
        algorithm: ``ED25519`` or ``COSIGNATURE_V1``.
        public_key: 32 bytes.
    """

    name: str
    key_id: bytes
    algorithm: int
    public_key: bytes

    @classmethod
    def of(cls, name: str, algorithm: int, public_key: bytes) -> NoteKey:
        """Make the key with the id that belongs to it.

        Raises:
            UnsupportedVersionError: the algorithm is neither of the two.
            FormatError: the name is not allowed, or the key is not 32 bytes.
        """
        _require_name(name)
        if algorithm not in (ED25519, COSIGNATURE_V1):
            raise UnsupportedVersionError(
                f"note key of signature type {algorithm}, wanted {ED25519} or {COSIGNATURE_V1}",
                code="format.note.algorithm",
            )
        if len(public_key) != PUBLIC_KEY_BYTES:
            raise FormatError(
                f"note key of {len(public_key)} bytes, wanted {PUBLIC_KEY_BYTES}",
                code="format.note.key_length",
            )
        return cls(name, note_key_id(name, algorithm, public_key), algorithm, public_key)

    @property
    def text(self) -> str:
        """The verifier key as one line: ``name+key id+base64(type ‖ key)``."""
        key = base64_text(bytes([self.algorithm]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{key}"


def parse_note_key(vkey: str) -> NoteKey:
    """Read a verifier key (``name+key id+base64(type ‖ key)``).

    Raises:
        UnsupportedVersionError: a signature type other than 0x01 and 0x04.
        FormatError: anything else that is wrong, a key id that is not the key's among it.
    """
    parts = parse_utf8(vkey, max_bytes=limits.MAX_NOTE_KEY_BYTES, what="verifier key").split("+", 2)
    if len(parts) != 3:
        raise FormatError(
            f"{quote_peer(vkey)!r} is no verifier key, wanted name+key id+base64",
            code="format.note.key",
        )
    key_id = parse_hex(parts[1], n_bytes=KEY_ID_BYTES, what="key id")
    data = parse_base64(parts[2], max_bytes=limits.MAX_NOTE_KEY_BYTES, what="verifier key")
    if not data:
        raise TruncatedError("the verifier key has no signature type")
    key = NoteKey.of(parts[0], data[0], data[1:])
    if key.key_id != key_id:
        raise FormatError(
            f"key id {key_id.hex()} is not the key's, wanted {key.key_id.hex()}",
            code="format.note.key_id",
        )
    return key


# -- notes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who says to have signed, and what stands there.

    ``signature`` is what follows the 4-byte key id: 64 bytes for Ed25519, 72 for cosignature/v1,
    anything for a type that is not known here.
    """

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, newline included."""
        return f"{_SIGNATURE_PREFIX}{self.name} {base64_text(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text and the signature lines under it; nothing about it is verified yet.

    Attributes:
        text: what is signed, its last newline included.
        signatures: in the order of the lines, known and unknown.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def serialize(self) -> str:
        """Write the note; what was parsed comes back byte for byte."""
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)

    def signatures_by(self, key: NoteKey) -> list[NoteSignature]:
        """Return the signatures that carry the key's name and id, not yet verified."""
        return [s for s in self.signatures if (s.name, s.key_id) == (key.name, key.key_id)]

    def adding(self, *signatures: NoteSignature) -> SignedNote:
        """Return the note with more lines at its end; a line that is there is not repeated."""
        fresh = [s for s in dict.fromkeys(signatures) if s not in self.signatures]
        return replace(self, signatures=(*self.signatures, *fresh))


def parse_note(text: str | bytes) -> SignedNote:
    """Read a signed note.

    Raises:
        LimitExceededError: longer than ``limits.MAX_NOTE_BYTES``, or more than
            ``limits.MAX_NOTE_SIGNATURES`` signatures.
        TruncatedError: no signature, or the last line does not end.
        NonCanonicalError: a signature's base64 is not the one that encoding gives.
        FormatError: not UTF-8, a control character, or a line that is no signature line.
    """
    note = _note_text(text)
    # The text may hold empty lines: the last one separates it from the signatures.
    end = note.rfind("\n\n")
    if end < 0:
        raise FormatError(
            "the note has no empty line before its signatures", code="format.note.no_signatures"
        )
    body, block = note[: end + 1], note[end + 2 :]
    if not block.endswith("\n"):
        raise TruncatedError("the note does not end with a signature line and its newline")
    lines = block[:-1].split("\n", limits.MAX_NOTE_SIGNATURES)
    if len(lines) > limits.MAX_NOTE_SIGNATURES:
        raise LimitExceededError(f"the note has more than {limits.MAX_NOTE_SIGNATURES} signatures")
    return SignedNote(body, tuple(_parse_signature(line) for line in lines))


def _note_text(text: str | bytes) -> str:
    """Return the note as text, within the limit, without control characters."""
    note = parse_utf8(text, max_bytes=limits.MAX_NOTE_BYTES, what="the note")
    if found := _CONTROL.search(note):
        raise FormatError(
            f"the note holds the control character {ord(found[0]):#04x}",
            code="format.note.control_character",
        )
    return note


def _parse_signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    if not line.startswith(_SIGNATURE_PREFIX) or not space:
        raise FormatError(
            f"{quote_peer(line)!r} is no signature line", code="format.note.signature_line"
        )
    _require_name(name)
    data = parse_base64(encoded, max_bytes=limits.MAX_NOTE_BYTES, what="note signature")
    if len(data) <= KEY_ID_BYTES:
        raise TruncatedError(f"note signature of {len(data)} bytes, wanted key id and signature")
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


# -- signing and verifying -------------------------------------------------------------------------


def verify_note(note: SignedNote, key: NoteKey) -> NoteSignature:
    """Verify that an Ed25519 key signed the note's text, and return its first signature.

    Raises:
        SignatureError: no line carries the key's name and id; one does and is not valid; or the key
            is of another type (``verify.signature.missing``, ``.algorithm``).
    """
    require_algorithm(key, ED25519)
    for signature in (signatures := require_signatures(note, key)):
        verify_ed25519(key.public_key, note.text.encode(), signature.signature)
    return signatures[0]


def require_algorithm(key: NoteKey, algorithm: int) -> None:
    """Refuse a key of another signature type with SignatureError."""
    if key.algorithm != algorithm:
        raise SignatureError(
            f"note key {quote_peer(key.name)} has signature type {key.algorithm}, "
            f"wanted {algorithm}",
            code="verify.signature.algorithm",
        )


def require_signatures(note: SignedNote, key: NoteKey) -> list[NoteSignature]:
    """Return the lines that carry the key's name and id; SignatureError if there is none."""
    if signatures := note.signatures_by(key):
        return signatures
    raise SignatureError(
        f"the note has no signature by {quote_peer(key.name)} (key id {key.key_id.hex()})",
        code="verify.signature.missing",
    )


def sign_note(text: str, key: NoteKey, sign: Sign) -> SignedNote:
    """Sign a text with an Ed25519 key, and verify the signature before it is handed out.

    Args:
        text: ends in a newline, no other control character.
        key: the public half of what ``sign`` signs with.
        sign: gets the UTF-8 text, returns 64 bytes.

    Raises:
        FormatError: the text cannot be a note.
        SignatureError: what ``sign`` returned is no signature of this key.
    """
    if not text.endswith("\n"):
        raise FormatError("a note's text ends with a newline", code="format.note.no_newline")
    _note_text(text)
    note = SignedNote(text, (NoteSignature(key.name, key.key_id, sign(text.encode())),))
    verify_note(note, key)
    return note
