"""The operations of an OpenTimestamps tree: each turns one message into the next.

Specification: python-opentimestamps, ``core/op.py``. A message, and the result of an operation, is
at most 4,096 bytes; hexlify takes at most 2,048; the argument of append and prepend is 1 to 4,096
bytes. A tag that is not in the table makes the file unreadable, for everybody.

SHA-1 is read, since files with it exist, but two different files with one SHA-1 can be made at
will, so that a path through it binds the attestation to neither; ``Path.uses_sha1`` says so and no
verdict rests on it. RIPEMD-160 is not treated that way: no collision of it is known. Keccak-256 is
read and never handed out, since two of the four public readers abort on a file that holds it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar, Final

from anchor.errors import FormatError, LimitExceededError
from anchor.formats.keccak import keccak256
from anchor.formats.ots.ripemd160 import ripemd160
from anchor.formats.ots.wire import varbytes
from anchor.limits import MAX_OTS_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class Op:
    """One operation; two are equal if their tag and argument are.

    Attributes:
        argument: what append and prepend add, else empty.
        tag: the byte that stands for the operation in a file.
        name: as stock tools print it.
        digest_bytes: the length of what it gives, for a digest operation, else None.
    """

    argument: bytes = b""

    tag: ClassVar[int]
    name: ClassVar[str]
    digest_bytes: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        if self.argument:
            raise FormatError(f"{self.name} takes no argument", code="ots.argument")

    @property
    def sort_key(self) -> tuple[int, bytes]:
        """Return what the writer orders operations by."""
        return self.tag, self.argument

    def apply(self, message: bytes) -> bytes:
        """Return the next message; LimitExceededError past 4,096 bytes on either side."""
        if not 0 < len(message) <= MAX_OTS_MESSAGE_BYTES:
            raise _bad_length(f"the message of {self.name}", message)
        result = self._result(message)
        if len(result) > MAX_OTS_MESSAGE_BYTES:
            raise _bad_length(f"the result of {self.name}", result)
        return result

    def _result(self, message: bytes) -> bytes:
        raise NotImplementedError

    def serialize(self) -> bytes:
        """Return the tag."""
        return bytes([self.tag])

    def __str__(self) -> str:
        return self.name


class _WithArgument(Op):
    __slots__ = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.argument) <= MAX_OTS_MESSAGE_BYTES:
            raise LimitExceededError(
                f"{self.name} takes 1 to {MAX_OTS_MESSAGE_BYTES} bytes, got {len(self.argument)}",
                code="ots.argument",
            )

    def serialize(self) -> bytes:
        """Return the tag and the argument as varbytes."""
        return bytes([self.tag]) + varbytes(self.argument)

    def __str__(self) -> str:
        return f"{self.name} {self.argument.hex()}"


class Append(_WithArgument):
    """Put the argument behind the message."""

    __slots__ = ()
    tag = 0xF0
    name = "append"

    def _result(self, message: bytes) -> bytes:
        return message + self.argument


class Prepend(_WithArgument):
    """Put the argument before the message."""

    __slots__ = ()
    tag = 0xF1
    name = "prepend"

    def _result(self, message: bytes) -> bytes:
        return self.argument + message


class Reverse(Op):
    """Turn the message round, byte by byte. Deprecated by the format, read for old files."""

    __slots__ = ()
    tag = 0xF2
    name = "reverse"

    def _result(self, message: bytes) -> bytes:
        return message[::-1]


class Hexlify(Op):
    """Write the message as lower-case hexadecimal text."""

    __slots__ = ()
    tag = 0xF3
    name = "hexlify"

    def _result(self, message: bytes) -> bytes:
        return message.hex().encode("ascii")


class Sha1(Op):
    """Replace the message by its SHA-1, which is broken."""

    __slots__ = ()
    tag = 0x02
    name = "sha1"
    digest_bytes = 20

    def _result(self, message: bytes) -> bytes:
        return hashlib.sha1(message, usedforsecurity=False).digest()


class Ripemd160(Op):
    """Replace the message by its RIPEMD-160."""

    __slots__ = ()
    tag = 0x03
    name = "ripemd160"
    digest_bytes = 20

    def _result(self, message: bytes) -> bytes:
        return ripemd160(message)


class Sha256(Op):
    """Replace the message by its SHA-256."""

    __slots__ = ()
    tag = 0x08
    name = "sha256"
    digest_bytes = 32

    def _result(self, message: bytes) -> bytes:
        return hashlib.sha256(message).digest()


class Keccak256(Op):
    """Replace the message by its Keccak-256; read, never handed out."""

    __slots__ = ()
    tag = 0x67
    name = "keccak256"
    digest_bytes = 32

    def _result(self, message: bytes) -> bytes:
        return keccak256(message)


OPS_BY_TAG: Final[dict[int, type[Op]]] = {
    op.tag: op for op in (Append, Prepend, Reverse, Hexlify, Sha1, Ripemd160, Sha256, Keccak256)
}
# A file's own digest is made by one of these (the format leaves Keccak out here).
FILE_OPS: Final[frozenset[type[Op]]] = frozenset({Sha1, Ripemd160, Sha256})


def _bad_length(what: str, message: bytes) -> FormatError:
    """Describe an empty message, which would let a tree loop, or one past the limit."""
    if not message:
        return FormatError(f"{what} is empty", code="ots.empty_message")
    return LimitExceededError(
        f"{what} has {len(message)} bytes, at most {MAX_OTS_MESSAGE_BYTES} are allowed",
        code="ots.message_too_long",
    )
