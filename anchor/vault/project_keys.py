"""The keys that a project's own records name: which one signs next, and which records count.

A record is taken up only if :class:`anchor.records.keys.KeyRing`, which verifiers use, says that
the key in force at its place signed it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from anchor.errors import SignatureError
from anchor.records.keys import KeyRing, key_thumbprint
from anchor.records.record import Record


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """A key that the records name.

    Attributes:
        thumbprint, public_key: 32 bytes each.
        role: what it signs as; an author's key signs as anything.
        named_by, ended_by: numbers of the records that named and ended it; None for the latter
            while it is in force.
    """

    thumbprint: bytes
    public_key: bytes
    role: str
    named_by: int
    ended_by: int | None = None


class ProjectKeys:
    """The keys, by thumbprint.

    Attributes:
        records: how many key records were taken up.
    """

    def __init__(self) -> None:
        self.records = 0
        self._keys: dict[bytes, ProjectKey] = {}
        self._ring = KeyRing()

    def accept(self, record: Record) -> None:
        """Take up the next record; those that say nothing of keys may be left out.

        Raises:
            SignatureError: no key that may sign there signed it, or it says of keys what can not
                be; nothing was taken up.
        """
        if not self._ring.verify_record(record, learn=True):
            raise SignatureError("no record names its key", code="record.key_unknown")
        if record.is_key_record:
            self.records += 1
            self._learn(record)

    def verify(self, record: Record) -> None:
        """Verify the last record taken up, or one after it that says nothing of keys.

        Raises:
            SignatureError: as :meth:`accept`.
        """
        if not record.is_key_record:
            self.accept(record)

    def all(self) -> list[ProjectKey]:
        """Return every key, in the order in which they were named."""
        return sorted(self._keys.values(), key=lambda key: (key.named_by, key.thumbprint))

    def _learn(self, record: Record) -> None:
        fields, kind = record.fields, record.kind.name
        ended = {"key_rotate": "replaced_key", "key_revoke": "revoked_key"}.get(kind)
        if ended is not None:
            known = self._keys.get(bytes.fromhex(fields[ended]))
            if known is not None:
                self._keys[known.thumbprint] = replace(known, ended_by=record.seq)
        if kind != "key_revoke":
            public_key = bytes.fromhex(fields["public_key"])
            thumbprint = key_thumbprint(public_key)
            role = fields.get("key_role", "author")
            if thumbprint not in self._keys:
                self._keys[thumbprint] = ProjectKey(thumbprint, public_key, role, record.seq)

    def in_force(self, role: str = "author") -> list[ProjectKey]:
        """Return the keys that may sign in a role, the newest first."""
        found = [
            key
            for key in self._keys.values()
            if key.ended_by is None and key.role in ("author", role)
        ]
        return sorted(found, key=lambda key: (key.role == role, key.named_by), reverse=True)
