"""Makes projects of records: a creator with real keys, and proofs of when each record existed.

Keys and salts come from a counter, so that a failing test can be run again; nothing else differs
from a real recorder. A record is anchored by a token of an authority that the policy trusts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from anchor.proof.policy import Policy
from anchor.proof.proof import Proof
from anchor.records.chain import ChainTip, Stub
from anchor.records.keys import key_thumbprint
from anchor.records.record import Actor, Beacon, Capture, Record, build_record
from anchor.verify import Judge, KnownFacts, ProvenRecord
from tests import evidence
from tests.parts.drand import QUICKNET_ENTRY

START = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
PROJECT = "000102030405060708090a0b0c0d0e0f"
CAPTURE = Capture("manual", "tests 1", 0)
AUTHORITY = evidence.Authority()
ENTRIES = {"authorities": [AUTHORITY.policy()], "drand": [QUICKNET_ENTRY]}


@dataclass(frozen=True)
class Key:
    """An Ed25519 key made from a name."""

    name: str

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(self.name.encode()).digest())

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def thumbprint(self) -> bytes:
        return key_thumbprint(self.public)


CREATOR, RECOVERY, THIEF = Key("creator"), Key("recovery"), Key("thief")


def salts(name: str = "salt") -> Callable[[], bytes]:
    """Return a source of salts that nobody outside the tests would take for random."""
    numbers = count()
    return lambda: hashlib.sha256(f"{name} {next(numbers)}".encode()).digest()[:16]


def file_entry(text: str, **changes: Any) -> dict[str, Any]:
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    entry = {"role": "output", "media_type": "image/png", "size": len(data), "sha256": digest}
    return {**entry, **changes}


@dataclass
class Project:
    """A project that grows record by record."""

    project: str = PROJECT
    key: Key = CREATOR
    records: list[Record] = field(default_factory=list)
    new_salt: Callable[[], bytes] = field(default_factory=salts)

    def __post_init__(self) -> None:
        self.tip = ChainTip(self.project)
        for record in self.records:
            self.tip.append(record.digest, record.kind.name)

    def genesis(self, **fields: Any) -> Record:
        own = {
            "public_key": self.key.public.hex(),
            "recovery": RECOVERY.thumbprint.hex(),
            "title": "a cat",
        }
        return self.add("genesis", {**own, **fields})

    def add(
        self,
        kind: str,
        fields: Mapping[str, Any] | None = None,
        *,
        key: Key | None = None,
        role: str = "author",
        files: Sequence[Mapping[str, Any]] = (),
        claimed_time: datetime | None = None,
        not_before: Sequence[Beacon] = (),
        late: bool = False,
        tier: str = "T0",
    ) -> Record:
        key = key or self.key
        record = build_record(
            self.tip.place,
            kind,
            actor=Actor(key.thumbprint, role),
            claimed_time=claimed_time or START + timedelta(minutes=len(self.records)),
            capture=CAPTURE,
            fields=fields or {},
            files=files,
            not_before=not_before,
            late=late,
            tier=tier,
            new_salt=self.new_salt,
            sign=key.private.sign,
        )
        self.records.append(record)
        self.tip.append(record.digest, kind)
        return record

    def note(self, text: str = "a remark", **options: Any) -> Record:
        return self.add("note", {"text": text}, **options)

    def bind(self, bound: Key, key_role: str, **options: Any) -> Record:
        fields = {"public_key": bound.public.hex(), "key_role": key_role}
        return self.add("key_bind", fields, **options)

    def revoke(
        self, key: Key, compromised_at: str | None = None, *, by: Key = RECOVERY, **options: Any
    ) -> Record:
        fields = {
            "recovery_key": by.public.hex(),
            "revoked_key": key.thumbprint.hex(),
            "compromised_at": compromised_at,
        }
        return self.add("key_revoke", fields, key=by, **options)

    def rotate(
        self,
        old: Key,
        new: Key,
        compromised_at: str | None = None,
        *,
        by: Key = RECOVERY,
        recovery: Key = RECOVERY,
        **options: Any,
    ) -> Record:
        fields = {
            "recovery_key": by.public.hex(),
            "public_key": new.public.hex(),
            "replaced_key": old.thumbprint.hex(),
            "recovery": recovery.thumbprint.hex(),
            "compromised_at": compromised_at,
        }
        return self.add("key_rotate", fields, key=by, **options)

    def copy(self) -> Project:
        return Project(self.project, self.key, list(self.records), salts("copy"))


def whole_project() -> Project:
    """Return genesis, idea, two prompts, two generations, a selection, an edit and the final."""
    project = Project()
    project.genesis()
    project.add("idea", {"text": "a cat that looks at the sea"})
    project.add("prompt", {"positive": "a cute cat", "negative": "dog"})
    project.add("generation", {"seed": "18446744073709551615"}, files=[file_entry("one")])
    project.add("prompt", {"positive": "a cute cat, sea", "previous": "2"})
    project.add(
        "generation",
        {"parents": ["4"], "outputs": 2},
        files=[file_entry("two", name="cat.png"), file_entry("three")],
    )
    project.add("selection", {"chosen": ["5.1"], "rejected": ["3.0", "5.0"], "why": "the light"})
    project.add("manual_edit", {"before": "5.1", "app": "Krita 5"}, files=[file_entry("four")])
    project.add("final", {"derivation": ["5", "6", "7"]}, files=[file_entry("four")])
    return project


def stub(record: Record, kind: str | None = None) -> Stub:
    return Stub(record.seq, kind or record.kind.name, record.digest)


# -- proofs ----------------------------------------------------------------------------------------


def proof(record: Record, at: datetime) -> Proof:
    """Return a proof by a token of that time; its bound is one second later."""
    log = evidence.Log()
    log.add(record.digest)
    token = AUTHORITY.attestation(log.root(1), gen_time=f"{at:%Y%m%d%H%M%SZ}")
    return Proof(record.digest, None, (log.inclusion(0, 1, signed=False),), (token,))


def proven(records: Sequence[Record], at: datetime | None = None) -> list[ProvenRecord]:
    """Return the records with proofs, each an hour after the record's claimed time unless told."""
    return [
        ProvenRecord(record, proof(record, at or record.claimed_time + timedelta(hours=1)))
        for record in records
    ]


def policy(**entries: Any) -> Policy:
    return evidence.policy(**{**ENTRIES, **entries})


def judge(
    *, now: datetime = START + timedelta(days=2), known: KnownFacts | None = None, **entries: Any
) -> Judge:
    return Judge(policy(**entries), now=now, known=known)


def disclosures(text: str) -> Iterator[str]:
    """Yield the disclosures of a serialized record as they stand."""
    yield from text.split("~")[1:-1]
