"""The tree of an OpenTimestamps file: a message, what attests to it, and what follows from it.

Specification: python-opentimestamps, ``core/timestamp.py``. Rules: a node holds each attestation
and each operation once, and the message of a child is what its operation gives, so that a tree
cannot be built that contradicts itself; :meth:`Timestamp.merge` joins two trees operation by
operation and loses no attestation. Nothing here recurses: depth is a matter of the codec's limits,
not of the interpreter's stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from anchor.errors import AttestationError
from anchor.formats.ots.attestation import Attestation, sort_key
from anchor.formats.ots.op import Op, Sha1


@dataclass(frozen=True, slots=True)
class Path:
    """The way from a tree's root to one attestation.

    Attributes:
        ops: the operations in order, the root's first; as many as are nested.
        message: the bytes after the last of them, which the attestation is about.
        attestation: what stands at the end.
    """

    ops: tuple[Op, ...]
    message: bytes
    attestation: Attestation

    @property
    def depth(self) -> int:
        """Return the number of nested operations."""
        return len(self.ops)

    @property
    def uses_sha1(self) -> bool:
        """Return whether SHA-1 stands on the way, so that it proves nothing about the root.

        The operation that made a ``.ots`` file's own digest is not part of the way: look at
        ``DetachedTimestamp.file_op`` too.
        """
        return any(isinstance(op, Sha1) for op in self.ops)


class Timestamp:
    """A node and everything below it.

    Args:
        message: what the operations and attestations of this node are about.
    """

    __slots__ = ("_attestations", "_branches", "message")

    def __init__(self, message: bytes) -> None:
        self.message = message
        self._attestations: set[Attestation] = set()
        self._branches: dict[Op, Timestamp] = {}

    def __repr__(self) -> str:
        return (
            f"<Timestamp of {self.message.hex()}: {len(self._attestations)} attestations, "
            f"{len(self._branches)} operations>"
        )

    @property
    def attestations(self) -> tuple[Attestation, ...]:
        """Return the attestations of this node in the writer's order."""
        return tuple(sorted(self._attestations, key=sort_key))

    @property
    def branches(self) -> tuple[tuple[Op, Timestamp], ...]:
        """Return each operation with the node it leads to, in the writer's order."""
        return tuple(sorted(self._branches.items(), key=lambda branch: branch[0].sort_key))

    def attest(self, attestation: Attestation) -> None:
        """Add an attestation to this node; adding it again changes nothing."""
        self._attestations.add(attestation)

    def add(self, op: Op) -> Timestamp:
        """Return the node that ``op`` leads to, made if it is not there.

        Raises:
            FormatError: the operation cannot be applied to this message.
        """
        child = self._branches.get(op)
        if child is None:
            child = self._branches[op] = Timestamp(op.apply(self.message))
        return child

    def merge(self, other: Timestamp) -> None:
        """Add everything that ``other`` holds, equal operations joined; ``other`` stays as it is.

        Raises:
            AttestationError: the two trees are about different messages.
        """
        if self.message != other.message:
            raise AttestationError(
                f"a tree over {other.message.hex()[:64]} does not continue "
                f"{self.message.hex()[:64]}",
                code="ots.merge",
            )
        todo = [(self, other)]
        while todo:
            ours, theirs = todo.pop()
            ours._attestations |= theirs._attestations
            for op, child in theirs._branches.items():
                todo.append((ours._branches.setdefault(op, Timestamp(child.message)), child))

    def walk(self) -> Iterator[tuple[int, Timestamp]]:
        """Yield every node with the number of operations that lead to it, this one first."""
        todo = [(0, self)]
        while todo:
            depth, node = todo.pop()
            yield depth, node
            todo.extend((depth + 1, child) for _, child in reversed(node.branches))

    @property
    def depth(self) -> int:
        """Return the greatest number of nested operations."""
        return max(depth for depth, _ in self.walk())

    def paths(self) -> Iterator[Path]:
        """Yield the way to each attestation, in the order in which they are written."""
        todo: list[tuple[int, Op | None, Timestamp]] = [(0, None, self)]
        ops: list[Op] = []
        while todo:
            depth, op, node = todo.pop()
            if op is not None:
                ops[depth - 1 :] = [op]
            here = tuple(ops) if node._attestations else ()
            for attestation in node.attestations:
                yield Path(here, node.message, attestation)
            todo.extend((depth + 1, op, child) for op, child in reversed(node.branches))
