"""The record: one step of a creative process, signed by who took it.

The open part is never withheld; every field that could be private, and every file entry, is a
disclosure of its own. The record's digest, which goes into the log, is SHA-256 of the signed JWT
without disclosures, so that disclosing more or less later changes nothing.

``parse_record`` believes nothing: the signature and the place in the project are for
:mod:`anchor.records.chain`, the times for ``anchor/verify/records.py``.

Specification: ``docs/spec/record.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from anchor.errors import FormatError, UnsupportedVersionError, VerificationError
from anchor.formats.encoding import parse_utc, utc_text
from anchor.records.fields import Field, check_fields
from anchor.records.kinds import ENVELOPE, KEY_KINDS, KINDS, Kind
from anchor.records.sdjwt import Disclosure, SdJwt, make_disclosure, parse_sd_jwt, sign_sd_jwt

SCHEMA: Final = "vestige-record/1"
MEDIA_TYPE: Final = "vestige-record+sd-jwt"

_FILE: Final = re.compile(r"file\.(0|[1-9][0-9]{0,3})", re.ASCII)
_DRAND_PARTS: Final = ("chain_hash", "signature", "previous_signature")
_BEACON_NUMBER: Final = {"bitcoin": "height", "evm": "number", "drand": "round"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands in its project.

    Attributes:
        project: 16 bytes in hex.
        seq: from 0.
        prev: digest of the record before, None at 0.
        head: RFC 6962 root hash over the digests of records 0 … seq - 1.
        key_records: how many of those are genesis or ``key_…`` records.
    """

    project: str
    seq: int
    prev: bytes | None
    head: bytes
    key_records: int


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted: the thumbprint of the key that signs (32 bytes), and the role."""

    key: bytes
    role: str


@dataclass(frozen=True, slots=True)
class Capture:
    """How the record came about; ``lag_s`` is what the client says, None if it can not know."""

    mode: str
    client: str
    lag_s: int | None = None


@dataclass(frozen=True, slots=True)
class Beacon:
    """A value that nobody could know before a time.

    Attributes:
        source: ``bitcoin``, ``evm`` or ``drand``.
        number: block height, or round.
        value: block hash or randomness, 32 bytes, in the order in which it is shown to people.
        chain_id: of an EVM chain, else None.
        chain_hash: of a drand network; None is quicknet.
        signature: of a drand round, whose SHA-256 is the value, if it is there.
        previous_signature: of the round before, where the network chains them.
    """

    source: str
    number: int
    value: bytes
    chain_id: int | None = None
    chain_hash: bytes | None = None
    signature: bytes | None = None
    previous_signature: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that a record carries."""
        chain = {} if self.chain_id is None else {"chain_id": self.chain_id}
        name = "randomness" if self.source == "drand" else "hash"
        return {
            "source": self.source, **chain,
            _BEACON_NUMBER[self.source]: self.number, name: self.value.hex(),
            **{part: value.hex() for part in _DRAND_PARTS if (value := getattr(self, part))},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read: well-formed, its disclosures genuine, its signature not verified.

    Attributes:
        sd_jwt: the signed text with what is disclosed.
        kind: its row in the table of kinds.
        place, actor, claimed_time, capture, not_before: of the open part.
    """

    sd_jwt: SdJwt
    kind: Kind
    place: Place
    actor: Actor
    claimed_time: datetime
    capture: Capture
    not_before: tuple[Beacon, ...]

    @property
    def digest(self) -> bytes:
        """Return what goes into the log, 32 bytes."""
        return self.sd_jwt.digest

    @property
    def seq(self) -> int:
        """Return the place in the project, from 0."""
        return self.place.seq

    @property
    def fields(self) -> dict[str, Any]:
        """Return its own fields that are open or disclosed, file entries left out."""
        shown = {**self.sd_jwt.open_fields, **self.sd_jwt.disclosed_fields}
        return {name: value for name, value in shown.items() if name in self.kind.types}

    @property
    def files(self) -> dict[int, Mapping[str, Any]]:
        """Return the file entries that are disclosed, by number."""
        shown = self.sd_jwt.disclosed_fields.items()
        return {int(match[1]): value for name, value in shown if (match := _FILE.fullmatch(name))}

    @property
    def withheld(self) -> int:
        """Return how many hidden fields are not disclosed."""
        return len(self.sd_jwt.hidden_digests) - len(self.sd_jwt.disclosures)

    @property
    def is_key_record(self) -> bool:
        """Return whether it says which keys may sign."""
        return self.kind.name in KEY_KINDS

    def references(self) -> Iterator[int]:
        """Yield the ``seq`` of each earlier record that a field shown here names."""
        for name, value in self.fields.items():
            kind = self.kind.types[name]
            texts = value if kind == "refs" else [value] if kind == "ref" else ()
            yield from (int(text.partition(".")[0]) for text in texts)


def parse_record(data: str | bytes) -> Record:
    """Read a record with what of it is disclosed.

    Raises:
        FormatError: it is not a record of this version.
        VerificationError: a disclosure is false, a number that it states (records before it, hidden
            fields, files) is, an import says that it is not late, or a field refers to the record
            itself or to a later one.
    """
    return _record_of(parse_sd_jwt(data))


def _record_of(sd_jwt: SdJwt) -> Record:
    if sd_jwt.media_type != MEDIA_TYPE or sd_jwt.payload.get("schema") != SCHEMA:
        raise UnsupportedVersionError(f"this is not a {SCHEMA} record")
    fields, name = sd_jwt.open_fields, sd_jwt.payload.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise FormatError("the kind of the record is not known", code="record.kind")
    check_fields((*ENVELOPE, *kind.open_fields), fields, want=True)
    check_fields(_hidden_rows(kind, sd_jwt), sd_jwt.disclosed_fields, want=False)
    record = Record(
        sd_jwt,
        kind,
        _place(fields),
        Actor(bytes.fromhex(fields["actor"]["key"]), fields["actor"]["role"]),
        parse_utc(fields["claimed_time"]),
        Capture(**fields["capture"]),
        tuple(_beacon(item) for item in fields["not_before"]),
    )
    _check_statements(record, fields)
    return record


def _place(fields: Mapping[str, Any]) -> Place:
    prev = fields["prev"]
    return Place(
        fields["project"],
        fields["seq"],
        None if prev is None else bytes.fromhex(prev),
        bytes.fromhex(fields["head"]),
        fields["key_records"],
    )


def _beacon(item: Mapping[str, Any]) -> Beacon:
    value = bytes.fromhex(item.get("hash") or item["randomness"])
    number = item[_BEACON_NUMBER[item["source"]]]
    parts = {part: bytes.fromhex(item[part]) for part in _DRAND_PARTS if part in item}
    return Beacon(item["source"], number, value, item.get("chain_id"), **parts)


def _hidden_rows(kind: Kind, sd_jwt: SdJwt) -> Iterator[Field]:
    yield from kind.hidden_fields
    for disclosure in sd_jwt.disclosures:
        if _FILE.fullmatch(disclosure.name):
            yield Field(disclosure.name, "file", "a file entry")


def _check_statements(record: Record, fields: Mapping[str, Any]) -> None:
    """Check what the record says about itself (step 13.2)."""
    entries = record.files
    faults = {
        "record.count": fields["count"] != record.seq or fields["key_records"] > record.seq,
        "record.hidden_count": fields["hidden"] != len(record.sd_jwt.hidden_digests),
        "record.file_count": any(number >= fields["files"] for number in entries)
        or len(entries) + record.withheld < fields["files"],
        "record.import_not_late": record.kind.name == "import" and not fields["late"],
        "record.forward_reference": any(seq >= record.seq for seq in record.references()),
    }
    for code, false in faults.items():
        if false:
            raise VerificationError(f"record {record.seq}: {_FALSE[code]}", code=code)


_FALSE: Final = {
    "record.count": "the number of records before it is not its place",
    "record.hidden_count": "the number of hidden fields is not the one that it states",
    "record.file_count": "the number of files is not the one that it states",
    "record.import_not_late": "an import is always late",
    "record.forward_reference": "it refers to itself or to a later record",
}


def build_record(
    place: Place,
    kind: str,
    *,
    actor: Actor,
    claimed_time: datetime,
    capture: Capture,
    fields: Mapping[str, Any],
    new_salt: Callable[[], bytes],
    sign: Callable[[bytes], bytes],
    files: Sequence[Mapping[str, Any]] = (),
    tier: str = "T0",
    late: bool = False,
    not_before: Sequence[Beacon] = (),
    clock_source: str = "system",
    utc_offset_minutes: int = 0,
) -> Record:
    """Make and sign a record.

    Args:
        place: the end of the project's chain (:class:`anchor.records.chain.ChainTip`).
        kind: a name of the table.
        actor: who acted; ``sign`` must be of this key.
        claimed_time: what the clock says, aware.
        capture: how the record came about.
        fields: the kind's own fields and the common ones; those that are None are left out.
        new_salt: 16 fresh random bytes at each call.
        sign: Ed25519 over the bytes given.
        files: entries of ``role``, ``media_type``, ``size``, ``sha256``, perhaps ``name`` and
            ``sha3_256``.
        tier: provenance, ``T0`` to ``T4``.
        late: made long after what it tells of.
        not_before: beacons, at most eight.
        clock_source: ``system``, ``ntp``, ``stepped_back``, …
        utc_offset_minutes: of the place's clock.

    Raises:
        FormatError: a field is unknown, missing or of another type; a salt came twice.
        VerificationError: as :func:`parse_record`.
    """
    row = KINDS.get(kind)
    if row is None:
        raise FormatError(f"there is no kind {kind!r} of record", code="record.kind")
    given = {name: value for name, value in fields.items() if value is not None}
    check_fields((*row.open_fields, *row.hidden_fields), given, want=True)
    names = {field.name for field in row.open_fields}
    hidden = {name: value for name, value in given.items() if name not in names}
    hidden.update((f"file.{number}", dict(entry)) for number, entry in enumerate(files))
    disclosures = [make_disclosure(new_salt(), name, value) for name, value in hidden.items()]
    _refuse_repeated_salts(disclosures)
    payload = {
        "schema": SCHEMA,
        "project": place.project,
        "seq": place.seq,
        "prev": None if place.prev is None else place.prev.hex(),
        "head": place.head.hex(),
        "count": place.seq,
        "key_records": place.key_records,
        "kind": kind,
        "actor": {"key": actor.key.hex(), "role": actor.role},
        "claimed_time": utc_text(claimed_time),
        "clock_source": clock_source,
        "utc_offset_minutes": utc_offset_minutes,
        "capture": {"mode": capture.mode, "client": capture.client, "lag_s": capture.lag_s},
        "tier": tier,
        "late": late,
        "not_before": [beacon.to_json() for beacon in not_before],
        "files": len(files),
        "hidden": len(disclosures),
        **{name: value for name, value in given.items() if name in names},
    }
    return _record_of(sign_sd_jwt(payload, disclosures, sign, media_type=MEDIA_TYPE))


def _refuse_repeated_salts(disclosures: Sequence[Disclosure]) -> None:
    if len({disclosure.salt for disclosure in disclosures}) != len(disclosures):
        raise FormatError(
            "a salt came twice: whoever learns one field could guess the other", code="record.salt"
        )
