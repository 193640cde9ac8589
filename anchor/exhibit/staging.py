"""Lay out the payload of an exhibit: records, proofs, files, the list, the report, the texts.

Specification: ``docs/spec/exhibit.md``, "The file".
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anchor import limits
from anchor.client.local_file import load_bytes
from anchor.client.ots_file import ots_of_proof
from anchor.errors import (
    FormatError,
    IncompleteProofError,
    NotFoundError,
    VerificationError,
)
from anchor.exhibit.anchors import AnchorFile, anchor_files
from anchor.exhibit.check_text import check_texts
from anchor.exhibit.choice import Choice
from anchor.exhibit.crate import crate_metadata
from anchor.exhibit.layout import (
    CRATE,
    DATA,
    FILES,
    LISTING,
    PAGE,
    POLICY,
    PROOFS,
    RECORDS,
    REPORT,
    file_path,
    ots_path,
    proof_path,
    record_path,
)
from anchor.exhibit.limits_text import limits_texts
from anchor.exhibit.listing import ListedFile, ListedRecord, Listing
from anchor.exhibit.policy_copy import policy_copy
from anchor.exhibit.readme_text import readme_text
from anchor.exhibit.sentences import sentences_of
from anchor.formats.encoding import utc_text
from anchor.proof.codec import ProofReader
from anchor.proof.policy import Policy
from anchor.proof.proof import ExpectedAttestation, OpenTimestampsAttestation, Proof
from anchor.records.chain import Stub
from anchor.records.record import Record, parse_record
from anchor.vault.durable import translated
from anchor.vault.vault import Vault
from anchor.verify.judge import Judge
from anchor.verify.records import ProvenRecord, RecordsVerdict, judge_records
from anchor.verify.report import records_to_json
from anchor.verify.verdict import Status

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Party:
    """What the party says of the exhibit as a whole.

    Attributes:
        name: of the exhibit's file and folder.
        title: None takes that of the genesis record, if it is disclosed, else the name.
        languages: of the printed exhibit, the first one first.
        generator: program and version.
    """

    name: str
    title: str | None
    languages: tuple[str, ...]
    generator: str


@dataclass(frozen=True, slots=True)
class Staged:
    """A payload folder that is laid out, and what it holds.

    Attributes:
        listing: the list.
        records: those shown, as shown, by number.
        verdict: what they show under the policy.
        pending: numbers of shown records without a proof, or with one that is not finished.
    """

    listing: Listing
    records: Mapping[int, Record]
    verdict: RecordsVerdict
    pending: tuple[int, ...]


def stage(
    vault: Vault,
    choice: Choice,
    party: Party,
    payload: Path,
    *,
    judge: Judge,
    policy_bytes: bytes,
    signed_by: bytes | None,
    page: bytes | None = None,
    step: Step = lambda: None,
) -> Staged:
    """Lay out everything but the printed exhibit.

    Args:
        vault: whose records.
        choice: what is shown.
        party: what is said of the whole.
        payload: the folder, which is made.
        judge: for the report; holds the policy.
        policy_bytes: of that policy.
        signed_by: public key (32 bytes) that will sign the manifest, or None.
        page: the second verifier.
        step: called after each record.

    Raises:
        NotFoundError: a record or an original is not in the vault.
        FormatError, VerificationError: a record or proof in the vault is damaged.
        StoreError: something can not be written.
    """
    stager = _Stager(vault, choice, party, payload, judge.policy)
    return stager.stage(judge, policy_bytes, signed_by, page, step)


class _Stager:
    def __init__(
        self, vault: Vault, choice: Choice, party: Party, payload: Path, policy: Policy
    ) -> None:
        self._vault = vault
        self._choice = choice
        self._party = party
        self._payload = payload
        self._policy = policy
        self._reader = ProofReader()
        self._paths: dict[bytes, str] = {}
        self._listed: list[ListedRecord] = []
        self._files: list[ListedFile] = []
        self._items: list[ProvenRecord | Stub] = []
        self._records: dict[int, Record] = {}
        self._proofs: dict[int, Proof] = {}

    def stage(
        self,
        judge: Judge,
        policy_bytes: bytes,
        signed_by: bytes | None,
        page: bytes | None,
        step: Step,
    ) -> Staged:
        for path in (RECORDS, PROOFS, FILES):
            with translated(self._payload):
                (self._payload / path.removeprefix(DATA)).mkdir(parents=True)
        for seq in range(self._vault.size):
            self._place(self._vault.read(seq))
            step()
        listing = self._listing()
        verdict = judge_records(self._items, judge)
        self._write(LISTING, listing.to_bytes())
        self._write(REPORT, _json(_report(listing, verdict, judge.policy)))
        self._write(POLICY, policy_copy(policy_bytes))
        anchors = anchor_files(self._records, self._proofs, self._policy)
        for anchor in anchors:
            self._write(anchor.path, anchor.data)
        self._write_texts(listing, verdict, anchors, signed_by)
        if page is not None:
            self._write(PAGE, page)
        crate = crate_metadata(listing, self._records, self._sizes())
        self._write(CRATE, _json(crate))
        return Staged(listing, self._records, verdict, tuple(self._pending()))

    def _place(self, whole: Record) -> None:
        seq, kind, digest = whole.seq, whole.kind.name, whole.digest
        if not self._choice.shows(seq, kind):
            reason = self._choice.reasons.get(seq)
            self._listed.append(ListedRecord(seq, kind, digest, shown=False, reason=reason))
            self._items.append(Stub(seq, kind, digest))
            return
        shown = whole.sd_jwt.showing(lambda name: self._choice.discloses(seq, name))
        text = shown.serialize()
        record = parse_record(text)
        self._records[seq] = record
        self._write(record_path(seq), text.encode("ascii"))
        proof = self._proof(record)
        self._listed.append(ListedRecord(seq, kind, digest, shown=True, proof=proof is not None))
        self._items.append(ProvenRecord(record, proof))
        for number, entry in sorted(record.files.items()):
            self._file(seq, number, entry)

    def _proof(self, record: Record) -> Proof | None:
        path = self._vault.layout.proof(record.seq)
        try:
            data = load_bytes(path, max_bytes=limits.MAX_PROOF_BYTES, what="proof")
        except NotFoundError:
            return None
        proof = self._reader.parse(data)
        self._proofs[record.seq] = proof
        self._write(proof_path(record.seq), data)
        # Where no calendar attests yet, or stock clients could not read it, the proof is there.
        with suppress(IncompleteProofError, FormatError, VerificationError):
            self._write(ots_path(record.seq), ots_of_proof(proof, record.digest))
        return proof

    def _file(self, seq: int, number: int, entry: Mapping[str, Any]) -> None:
        sha256, path = bytes.fromhex(entry["sha256"]), None
        if seq not in self._choice.withheld_files:
            path = self._paths.get(sha256)
            if path is None:
                path = self._paths[sha256] = file_path(sha256, entry["media_type"])
                self._link(seq, sha256, path)
        self._files.append(ListedFile(seq, number, sha256, entry["size"], path))

    def _link(self, seq: int, sha256: bytes, path: str) -> None:
        """Give an original a name in the payload; copied where the system has no links."""
        source, target = self._vault.objects.path(sha256), self._payload / path
        if not source.is_file():
            raise NotFoundError(
                f"an original of record {seq} is not in the vault: {source}",
                code="vault.object_missing",
                hint=f"restore it from a copy of the vault, or leave it out: --no-files {seq}",
            )
        with translated(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)

    def _listing(self) -> Listing:
        newest = max(self._records)
        genesis = self._records[0].fields.get("title")
        return Listing(
            self._party.name,
            self._vault.project.id,
            self._party.title or genesis or self._party.name,
            self._party.languages,
            utc_text(self._records[newest].claimed_time),
            self._party.generator,
            tuple(self._listed),
            tuple(self._files),
        )

    def _write_texts(
        self,
        listing: Listing,
        verdict: RecordsVerdict,
        anchors: Sequence[AnchorFile],
        signed_by: bytes | None,
    ) -> None:
        texts = {
            "data/README.txt": readme_text(listing),
            **limits_texts(listing, verdict),
            **check_texts(listing, self._records, self._proofs, anchors, signed_by),
        }
        for path, text in texts.items():
            self._write(path, text.encode())

    def _sizes(self) -> dict[str, int]:
        """Return the size of every file laid out so far, by path within ``data/``."""
        return {
            path.relative_to(self._payload).as_posix(): path.stat().st_size
            for path in sorted(self._payload.rglob("*"))
            if path.is_file()
        }

    def _pending(self) -> list[int]:
        found = []
        for seq in self._records:
            proof = self._proofs.get(seq)
            if proof is None or any(_is_open(item) for item in proof.attestations):
                found.append(seq)
        return found

    def _write(self, path: str, data: bytes) -> None:
        target = self._payload / path.removeprefix(DATA)
        with translated(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


def _is_open(attestation: object) -> bool:
    """Return whether something more may be fetched for it."""
    if isinstance(attestation, OpenTimestampsAttestation):
        return not attestation.headers
    return isinstance(attestation, ExpectedAttestation)


def _report(listing: Listing, verdict: RecordsVerdict, policy: Policy) -> dict[str, Any]:
    """Return the report: the verdict on the records, as the exporting machine found it."""
    said = sentences_of(listing, verdict)
    return {
        "version": 1,
        "generator": listing.generator,
        "policy": {
            "name": policy.name,
            "sha256": policy.sha256.hex(),
            "class": policy.policy_class,
        },
        "status": verdict.status.value,
        "reason": verdict.reason,
        "name": listing.name,
        "project": listing.project,
        "findings": [],
        "records": records_to_json(verdict),
        "files": {
            "shown": sum(file.path is not None for file in listing.files),
            "withheld": sum(file.path is None for file in listing.files),
        },
        "proved": list(said.proved if verdict.status is not Status.FAILED else ()),
        "asserted": list(said.asserted),
        "not_checked": list(said.not_checked),
        "exit_status": verdict.exit_status,
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"
