"""Bytes to tree and back: detached ``.ots`` files and the bare trees that calendars answer with.

Specification: python-opentimestamps, ``core/timestamp.py`` and ``core/serialize.py``. A file is a
31-byte magic, version 1, the operation that made the file's digest, the digest and a tree. A tree's
node is a run of items, each but the last behind 0xff; an item is 0x00 and an attestation, or an
operation and the node it leads to.

Rules: the reader is iterative and bounded (255 nested operations, 20,000 in all, 4 MiB of messages,
64 KiB into the digests that are computed in plain Python). It takes whatever order stock readers
take, and where one node holds the same operation twice it joins the two, where the reference drops
the first with its attestations. The writer knows one form: attestations before operations, both
sorted, numbers at their shortest. ``DetachedTimestamp.canonical`` says whether the bytes read were
in that form; an id is never made of a file's bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anchor.errors import FormatError, LimitExceededError, UnsupportedVersionError
from anchor.formats.ots.attestation import read_attestation, serialize_attestation
from anchor.formats.ots.op import FILE_OPS, OPS_BY_TAG, Append, Keccak256, Op, Prepend, Ripemd160
from anchor.formats.ots.timestamp import Timestamp
from anchor.formats.ots.wire import Reader
from anchor.limits import (
    MAX_OTS_BYTES,
    MAX_OTS_MESSAGE_BYTES,
    MAX_OTS_NESTED_OPERATIONS,
    MAX_OTS_OPERATIONS,
    MAX_OTS_SLOW_DIGEST_BYTES,
    MAX_OTS_TREE_MESSAGE_BYTES,
)

MAGIC: Final = bytes.fromhex("004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294")
_VERSION: Final = 1
MORE: Final = 0xFF
ATTESTATION: Final = 0x00
_PLAIN_OPS: Final = {
    tag: kind() for tag, kind in OPS_BY_TAG.items() if kind not in (Append, Prepend)
}
# Computed in plain Python, a thousand times slower than the rest.
_SLOW_OPS: Final = (Keccak256, Ripemd160)


@dataclass(frozen=True, slots=True)
class DetachedTimestamp:
    """A ``.ots`` file.

    Attributes:
        file_op: the digest operation that was applied to the file.
        file_digest: what it gave, the message of ``tree``.
        tree: the operations and attestations.
        canonical: the bytes this was read from are those that :func:`serialize_detached` writes.
    """

    file_op: Op
    file_digest: bytes
    tree: Timestamp
    canonical: bool = True


class _Budget:
    """What one tree may still cost its reader."""

    __slots__ = ("message_bytes", "operations", "slow_bytes")

    def __init__(self) -> None:
        self.operations = MAX_OTS_OPERATIONS
        self.message_bytes = MAX_OTS_TREE_MESSAGE_BYTES
        self.slow_bytes = MAX_OTS_SLOW_DIGEST_BYTES

    def charge(self, op: Op, message: bytes) -> None:
        """Take one operation off, before it is applied."""
        self.operations -= 1
        self.message_bytes -= len(message) + len(op.argument)
        self.slow_bytes -= len(message) if isinstance(op, _SLOW_OPS) else 0
        if self.operations < 0:
            raise LimitExceededError(
                f"more than {MAX_OTS_OPERATIONS} operations", code="ots.operations"
            )
        if self.message_bytes < 0 or self.slow_bytes < 0:
            raise LimitExceededError(
                "the operations work on more bytes than any real file does", code="ots.work"
            )


def parse_tree(data: bytes, message: bytes) -> Timestamp:
    """Read a bare tree over ``message``, the form of a calendar's answer.

    Raises:
        FormatError: the bytes are no tree, or an operation cannot be applied.
        LimitExceededError: too deep, too many operations, or too much work.
    """
    _check_size(data)
    reader = Reader(data)
    tree = _read_tree(reader, message)
    reader.finish("tree")
    return tree


def serialize_tree(tree: Timestamp) -> bytes:
    """Write a tree in its one canonical form.

    Raises:
        FormatError: a node has neither attestations nor operations.
        LimitExceededError: more than 255 nested operations (``ots.too_deep``).
    """
    _check_depth(tree.depth)
    out = bytearray()
    todo: list[bytes | Timestamp] = [tree]
    while todo:
        part = todo.pop()
        if isinstance(part, bytes):
            out += part
        else:
            todo.extend(reversed(_node_parts(part)))
    return bytes(out)


def parse_detached(data: bytes) -> DetachedTimestamp:
    """Read a ``.ots`` file.

    Raises:
        UnsupportedVersionError: the file says another version than 1.
        FormatError: as :func:`parse_tree`; also where the magic or file operation is not known.
    """
    _check_size(data)
    reader = Reader(data)
    if not data.startswith(MAGIC):
        raise FormatError("this is no OpenTimestamps file: its magic is missing", code="ots.magic")
    reader.take(len(MAGIC), "magic")
    version = reader.varuint("version")
    if version != _VERSION:
        raise UnsupportedVersionError(
            f"OpenTimestamps file of version {version}, only {_VERSION} is known"
        )
    kind = _op_class(reader.byte("file operation"))
    if kind not in FILE_OPS or kind.digest_bytes is None:
        raise FormatError(f"{kind.name} is no operation for a file's digest", code="ots.file_op")
    digest = reader.take(kind.digest_bytes, "file digest")
    tree = _read_tree(reader, digest)
    reader.finish("OpenTimestamps file")
    detached = DetachedTimestamp(kind(), digest, tree)
    if serialize_detached(detached) == data:
        return detached
    return DetachedTimestamp(kind(), digest, tree, canonical=False)


def serialize_detached(detached: DetachedTimestamp) -> bytes:
    """Write a ``.ots`` file in canonical form; errors as :func:`serialize_tree`."""
    digest = detached.file_digest
    if type(detached.file_op) not in FILE_OPS or len(digest) != detached.file_op.digest_bytes:
        raise FormatError(
            f"a digest of {len(digest)} bytes is not what {detached.file_op.name} makes of a file",
            code="ots.file_op",
        )
    if detached.tree.message != digest:
        raise FormatError("the tree is not about the file's digest", code="ots.file_digest")
    head = MAGIC + bytes([_VERSION]) + detached.file_op.serialize() + digest
    return head + serialize_tree(detached.tree)


def _read_tree(reader: Reader, message: bytes) -> Timestamp:
    """Read one tree; ``open_nodes`` holds the nodes whose last item has not come yet."""
    if not 1 <= len(message) <= MAX_OTS_MESSAGE_BYTES:
        raise LimitExceededError(
            f"a message of {len(message)} bytes, 1 to {MAX_OTS_MESSAGE_BYTES} allowed"
        )
    budget = _Budget()
    tree = Timestamp(message)
    open_nodes = [(0, tree)]
    while open_nodes:
        depth, node = open_nodes[-1]
        tag = reader.byte("item")
        if tag == MORE:
            tag = reader.byte("item")
        else:
            open_nodes.pop()
        if tag == ATTESTATION:
            node.attest(read_attestation(reader))
            continue
        _check_depth(depth + 1)
        op = read_op(reader, tag)
        budget.charge(op, node.message)
        open_nodes.append((depth + 1, node.add(op)))
    return tree


def read_op(reader: Reader, tag: int) -> Op:
    """Read the argument of the operation whose tag was read; FormatError for an unknown tag."""
    plain = _PLAIN_OPS.get(tag)
    if plain is not None:
        return plain
    kind = _op_class(tag)
    return kind(reader.varbytes("argument", max_bytes=MAX_OTS_MESSAGE_BYTES, min_bytes=1))


def _op_class(tag: int) -> type[Op]:
    kind = OPS_BY_TAG.get(tag)
    if kind is None:
        raise FormatError(f"unknown operation tag 0x{tag:02x}", code="ots.unknown_op")
    return kind


def _node_parts(node: Timestamp) -> list[bytes | Timestamp]:
    """Return the items of one node: bytes to write, and children to go into."""
    items: list[tuple[bytes, Timestamp | None]] = [
        (bytes([ATTESTATION]) + serialize_attestation(attestation), None)
        for attestation in node.attestations
    ]
    items += [(op.serialize(), child) for op, child in node.branches]
    if not items:
        raise FormatError("a node that leads to no attestation cannot be written", code="ots.empty")
    parts: list[bytes | Timestamp] = []
    for position, (head, child) in enumerate(items, start=1):
        parts.append(head if position == len(items) else bytes([MORE]) + head)
        if child is not None:
            parts.append(child)
    return parts


def _check_size(data: bytes) -> None:
    if len(data) > MAX_OTS_BYTES:
        raise LimitExceededError(f"{len(data)} bytes of OpenTimestamps, at most {MAX_OTS_BYTES}")


def _check_depth(depth: int) -> None:
    if depth > MAX_OTS_NESTED_OPERATIONS:
        raise LimitExceededError(
            f"{depth} nested operations; readers stop at {MAX_OTS_NESTED_OPERATIONS}",
            code="ots.too_deep",
        )
