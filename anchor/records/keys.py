"""Which key may sign at which place of a project, and since when it is not to be believed.

Genesis names the creator's key and commits to a recovery key, which is kept offline. ``key_bind``,
signed by an author's key, adds a key with a role. ``key_rotate`` and ``key_revoke`` are signed by
the recovery key itself, so that whoever steals the creator's key can neither replace nor keep it.

Rules:

* a key signs from the record after the one that names it up to the one that ends it;
* a key bound as author signs in any role, another one only in its own; only authors bind;
* a key that ended does not come back, and the recovery key signs nothing else;
* a revocation may state from when the key was compromised; what that means for the records it
  signed depends on when they existed, which is not known here (``anchor/verify/records.py``).

Specification: ``docs/spec/record.md``, "Keys"; RFC 7638 and RFC 8037 (thumbprint).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from anchor.errors import SignatureError
from anchor.formats.encoding import base64url, parse_utc
from anchor.records.kinds import RECOVERY_KINDS
from anchor.records.record import Record
from anchor.records.sdjwt import verify_sd_jwt


def key_thumbprint(public_key: bytes) -> bytes:
    """Return the RFC 7638 thumbprint (SHA-256, 32 bytes) of a raw Ed25519 public key."""
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{base64url(public_key)}"}}'
    return hashlib.sha256(jwk.encode()).digest()


@dataclass(frozen=True, slots=True)
class BoundKey:
    """A key that may sign.

    Attributes:
        public_key: 32 bytes.
        role: what it may sign as; an author's key may sign as anything.
        bound_by: ``seq`` of the ``key_bind`` that its standing depends on; None where it depends on
            genesis or on the recovery key.
        ended_at: ``seq`` of the record that ended it, or None.
    """

    public_key: bytes
    role: str
    bound_by: int | None = None
    ended_at: int | None = None


class KeyRing:
    """The keys of one project, as the records up to some place name them."""

    def __init__(self) -> None:
        self.keys: dict[bytes, BoundKey] = {}
        self.compromised: dict[bytes, datetime] = {}
        self._recovery: bytes | None = None
        self._recoveries: set[bytes] = set()

    def verify_record(self, record: Record, *, learn: bool) -> bool:
        """Verify the next record's signature under the key that is in force there.

        Args:
            record: of this project, the next in order.
            learn: take up what a key record says; not where the record is out of place.

        Returns:
            Whether it could be verified: False if no record shown names its key.

        Raises:
            SignatureError: it is not signed by that key, or that key may not sign it.
        """
        bound = self._signer(record)
        if bound is None:
            return False
        _want(
            key_thumbprint(bound.public_key) == record.actor.key,
            "record.key_mismatch",
            "the record names another key than the one that it must be signed by",
        )
        _want(
            bound.ended_at is None,
            "record.key_ended",
            f"its key was ended by record {bound.ended_at}",
        )
        _want(
            bound.role in ("author", record.actor.role),
            "record.role",
            f"a key bound as {bound.role} signs as {record.actor.role}",
        )
        verify_sd_jwt(record.sd_jwt, bound.public_key)
        if record.is_key_record and learn:
            self._learn(record, bound)
        return True

    def compare(self, record: Record) -> bool:
        """Return whether a record seen elsewhere is signed by a key that this history names.

        A revocation among such records counts here too, as far as it states a compromise.
        """
        bound = self.keys.get(record.actor.key)
        revokes = record.kind.name in RECOVERY_KINDS and record.actor.key in self._recoveries
        if revokes:
            bound = BoundKey(bytes.fromhex(record.fields["recovery_key"]), "author")
        if bound is None or key_thumbprint(bound.public_key) != record.actor.key:
            return False
        try:
            verify_sd_jwt(record.sd_jwt, bound.public_key)
        except SignatureError:
            return False
        if revokes:  # by the recovery key alone: a thief of the signing key can revoke nothing
            self._end(record, at=None)
        return True

    def _signer(self, record: Record) -> BoundKey | None:
        fields = record.fields
        if record.kind.name == "genesis":
            _want(
                record.seq == 0 and not self.keys,
                "record.genesis",
                "only the first record of a project is a genesis",
            )
            return BoundKey(bytes.fromhex(fields["public_key"]), "author")
        if record.kind.name in RECOVERY_KINDS:
            public_key = bytes.fromhex(fields["recovery_key"])
            _want(
                key_thumbprint(public_key) == self._recovery,
                "record.recovery",
                "the recovery key is not the one that the project committed to",
            )
            return BoundKey(public_key, "author")
        return self.keys.get(record.actor.key)

    def _learn(self, record: Record, signer: BoundKey) -> None:
        fields, kind = record.fields, record.kind.name
        if kind == "key_revoke":
            self._end(record, at=record.seq)
            return
        public_key = bytes.fromhex(fields["public_key"])
        thumbprint = key_thumbprint(public_key)
        role = fields.get("key_role", "author")
        known = self.keys.get(thumbprint)
        _want(
            kind != "key_bind" or signer.role == "author",
            "record.role",
            "only an author's key binds another",
        )
        if known is not None and (kind, role, None) == ("key_bind", known.role, known.ended_at):
            return  # it says whose a key is that may sign already
        recovery = bytes.fromhex(fields["recovery"]) if "recovery" in fields else self._recovery
        _want(
            known is None
            and recovery not in (*self.keys, thumbprint)
            and thumbprint not in (*self.compromised, self._recovery),
            "record.key_reused",
            "a key that it names is known already, ended, or for something else",
        )
        if kind == "key_bind":
            self.keys[thumbprint] = BoundKey(public_key, role, bound_by=record.seq)
            return
        if kind == "key_rotate":
            self._end(record, at=record.seq)
        self.keys[thumbprint] = BoundKey(public_key, "author")
        self._recovery = bytes.fromhex(fields["recovery"])
        self._recoveries.add(self._recovery)

    def _end(self, record: Record, *, at: int | None) -> None:
        fields = record.fields
        name = bytes.fromhex(fields.get("revoked_key") or fields["replaced_key"])
        if name in self.keys and at is not None:
            self.keys[name] = replace(self.keys[name], ended_at=at)
        if "compromised_at" in fields:
            since = parse_utc(fields["compromised_at"])
            self.compromised[name] = min(since, self.compromised.get(name, since))


def _want(holds: bool, code: str, why: str) -> None:
    if not holds:
        raise SignatureError(why, code=code)
