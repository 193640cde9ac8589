"""Step E3: does the list say what is there?

What comes out besides findings is what step E5 judges: for each place of the project the record as
found, or a stub of the digest that the list gives.

Specification: ``docs/spec/exhibit.md``, step E3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from anchor.errors import FormatError, VestigeError
from anchor.exhibit.contents import Contents
from anchor.exhibit.layout import (
    DATA,
    FILES,
    FOLDER_SUFFIX,
    LISTING,
    PROOFS,
    RECORDS,
    ots_path,
    proof_path,
    record_path,
)
from anchor.exhibit.listing import ListedFile, ListedRecord, Listing
from anchor.exhibit.verdict import ExhibitFinding
from anchor.formats.encoding import utc_text
from anchor.proof.codec import ProofReader
from anchor.proof.proof import Proof
from anchor.records.chain import Stub
from anchor.records.record import Record, parse_record
from anchor.verify.records import ProvenRecord


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the list and the bag say together.

    Attributes:
        items: one for each place, in order.
        proofs: by the number of the record.
        findings: where they differ.
    """

    items: tuple[ProvenRecord | Stub, ...]
    proofs: Mapping[int, Proof]
    findings: tuple[ExhibitFinding, ...]

    @property
    def records(self) -> list[Record]:
        """Return the records that could be read, in order."""
        return [item.record for item in self.items if isinstance(item, ProvenRecord)]

    @property
    def shows_a_record(self) -> bool:
        """Return whether one could be read."""
        return any(isinstance(item, ProvenRecord) for item in self.items)


def compare_listing(contents: Contents, listing: Listing) -> Agreement:
    """Compare the list with what is there."""
    comparison = _Comparison(contents, listing)
    items = tuple(comparison.item(listed) for listed in listing.records)
    comparison.compare_files()
    comparison.compare_claims()
    comparison.find_strays()
    return Agreement(items, comparison.proofs, tuple(comparison.findings))


def opened(digest: bytes, opening: bytes | None) -> bytes:
    """Return what the log's entry for a digest is, with the opening of its proof."""
    return digest if opening is None else hashlib.sha256(digest + opening).digest()


class _Comparison:
    def __init__(self, contents: Contents, listing: Listing) -> None:
        self._contents = contents
        self._listing = listing
        self._reader = ProofReader()
        self._used: set[str] = set()
        self._records: dict[int, Record] = {}
        self.proofs: dict[int, Proof] = {}
        self.findings: list[ExhibitFinding] = []

    def _fail(self, code: str, path: str, reason: str) -> None:
        self.findings.append(ExhibitFinding("E3", "failed", f"exhibit.{code}", path, reason))

    # -- records and proofs ------------------------------------------------------------------------

    def item(self, listed: ListedRecord) -> ProvenRecord | Stub:
        """Return what stands at a place."""
        stub = Stub(listed.seq, listed.kind, listed.digest)
        if not listed.shown:
            return stub
        record = self._record(listed)
        if record is None:
            return stub
        self._records[listed.seq] = record
        return ProvenRecord(record, self._proof(listed, record))

    def _record(self, listed: ListedRecord) -> Record | None:
        path = record_path(listed.seq)
        self._used.add(path)
        data = self._contents.texts.get(path)
        if data is None:
            self._fail("record", path, "it is listed as shown, and is not there")
            return None
        try:
            record = parse_record(data)
        except VestigeError as error:
            self._fail("record", path, error.message)
            return None
        if record.digest != listed.digest:
            self._fail("record", path, "its digest is not the one that is listed")
        if (record.seq, record.kind.name) != (listed.seq, listed.kind):
            said = f"record {record.seq} of kind {record.kind.name}"
            self._fail("record", path, f"it is {said}, not {listed.seq} of kind {listed.kind}")
            return None
        if record.place.project != self._listing.project:
            self._fail("record", path, "it is of another project")
        return record

    def _proof(self, listed: ListedRecord, record: Record) -> Proof | None:
        path = proof_path(listed.seq)
        data = self._contents.texts.get(path)
        if not listed.proof:
            return None  # one that is there all the same is a stray
        self._used.add(path)
        self._used.add(ots_path(listed.seq))
        if data is None:
            self._fail("proof", path, "it is listed, and is not there")
            return None
        try:
            proof = self._reader.parse(data)
        except FormatError as error:
            self._fail("proof", path, error.message)
            return None
        if proof.digest != opened(record.digest, proof.opening):
            self._fail("proof", path, "it is of another digest than the record's")
            return None
        self.proofs[listed.seq] = proof
        return proof

    # -- files -------------------------------------------------------------------------------------

    def compare_files(self) -> None:
        """Compare the files with what the records disclose."""
        listed = {(file.record, file.number): file for file in self._listing.files}
        disclosed = {
            (seq, number): entry
            for seq, record in self._records.items()
            for number, entry in record.files.items()
        }
        for key in sorted(set(disclosed) - set(listed)):
            self._fail("list", LISTING, f"record {key[0]} names file.{key[1]}, which is not listed")
        for key, file in listed.items():
            where = LISTING if file.path is None else DATA + file.path
            entry = disclosed.get(key)
            if entry is None:
                why = f"record {file.record} does not show that it names a file.{file.number}"
                self._fail("file", where, why)
            elif (bytes.fromhex(entry["sha256"]), entry["size"]) != (file.sha256, file.size):
                why = f"record {file.record} names another file.{file.number}"
                self._fail("file", where, why)
            self._compare_bytes(file)

    def _compare_bytes(self, file: ListedFile) -> None:
        if file.path is None:
            return
        path = DATA + file.path
        self._used.add(path)
        if path not in self._contents.sizes:
            self._fail("file", path, "it is listed, and is not there")
        elif self._contents.sha256[path] != file.sha256:
            self._fail("file", path, "it is not the file that the record names")
        elif self._contents.sizes[path] != file.size:
            self._fail("file", path, "it has another size than the record says")

    # -- the rest ----------------------------------------------------------------------------------

    def compare_claims(self) -> None:
        """Compare the name with the folder, and the date with the newest record shown."""
        folder, listing = self._contents.folder, self._listing
        if folder is not None and folder != listing.name + FOLDER_SUFFIX:
            self._fail("list", LISTING, f"its name is not that of the folder {folder}")
        newest = max(self._records, default=None)
        if newest is not None:
            claimed = utc_text(self._records[newest].claimed_time)
            shown = max(record.seq for record in listing.records if record.shown)
            if newest == shown and claimed != listing.date:
                self._fail("list", LISTING, f"its date is not the claimed time of record {newest}")

    def find_strays(self) -> None:
        """Find what stands among records, proofs and files, and is not listed."""
        for path in self._strays():
            code = {RECORDS: "record", PROOFS: "proof", FILES: "file"}
            kind = next(word for folder, word in code.items() if path.startswith(folder))
            self._fail(kind, path, "exhibit.json does not list it")

    def _strays(self) -> Iterator[str]:
        for path in self._contents.sizes:
            if path.startswith((RECORDS, PROOFS, FILES)) and path not in self._used:
                yield path
