"""The keys that a project's own records name, so that the vault knows which one signs next.

Only what is needed to choose a key: whether a record is really signed by it is verified by
:mod:`anchor.records.chain`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from anchor.records.keys import key_thumbprint
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
    """The keys, by thumbprint."""

    def __init__(self, keys: Iterable[ProjectKey] = ()) -> None:
        self._keys = {key.thumbprint: key for key in keys}
        self.changed: dict[bytes, ProjectKey] = {}

    def learn(self, record: Record) -> None:
        """Take up what a record says of keys."""
        if not record.is_key_record:
            return
        fields, kind = record.fields, record.kind.name
        ended = {"key_rotate": "replaced_key", "key_revoke": "revoked_key"}.get(kind)
        if ended is not None:
            known = self._keys.get(bytes.fromhex(fields[ended]))
            if known is not None:
                self._set(replace(known, ended_by=record.seq))
        if kind != "key_revoke":
            public_key = bytes.fromhex(fields["public_key"])
            thumbprint = key_thumbprint(public_key)
            role = fields.get("key_role", "author")
            if thumbprint not in self._keys:
                self._set(ProjectKey(thumbprint, public_key, role, record.seq))

    def in_force(self, role: str = "author") -> list[ProjectKey]:
        """Return the keys that may sign in a role, the newest first."""
        found = [
            key
            for key in self._keys.values()
            if key.ended_by is None and key.role in ("author", role)
        ]
        return sorted(found, key=lambda key: (key.role == role, key.named_by), reverse=True)

    def _set(self, key: ProjectKey) -> None:
        self._keys[key.thumbprint] = key
        self.changed[key.thumbprint] = key
