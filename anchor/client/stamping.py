"""Stamp files: digest, submit, verify the receipt, write the proof.

Rules:

* A file's entry in the log is ``SHA-256(SHA-256(file) ‖ nonce)`` with 16 fresh random bytes, so
  that the log does not tell who holds a known file; *bare* submits the file's own digest.
* A receipt is verified before it is written: the checkpoint is signed by the log's known key and
  consistent with the newest one seen, and the inclusion proof, made here from the log's tiles,
  leads from the digest to its root hash.
* A proof that is there already is kept if it is of the same content, and never overwritten if not,
  unless forced. So the same command can be given again after an interruption. Of two commands that
  stamp one file at once, one writes the proof and the other says so.
* One file's failure does not stop the others.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.client.evidence import PROOF_SUFFIX
from anchor.client.known_logs import KnownLogs
from anchor.client.local_file import (
    beside,
    file_digest,
    load_bytes,
    sync_folder,
    write_atomically,
    write_new,
)
from anchor.client.service_client import ServiceClient
from anchor.client.tile_hashes import TileHashes
from anchor.errors import (
    FormatError,
    NotFoundError,
    StoreConflictError,
    VestigeError,
)
from anchor.formats.merkle import inclusion_path, leaf_hash, verify_inclusion
from anchor.proof.codec import parse_proof, serialize_proof
from anchor.proof.proof import ExpectedAttestation, Inclusion, Proof

OPENING_BYTES: Final = 16
# One request: small ones as JSON, large ones as raw bytes.
CHUNK_FILES: Final = 10_000
_WRITERS: Final = 16


@dataclass(frozen=True, slots=True)
class Stamped:
    """What became of one file.

    Attributes:
        path: the file, or None for a digest given as such.
        proof_path: where its proof is.
        proof: what stands there, or None after an error.
        kept: the proof was there already.
        created: this submission put the digest into the log.
        error: why there is no proof.
    """

    path: Path | None
    proof_path: Path
    proof: Proof | None = None
    kept: bool = False
    created: bool = False
    error: VestigeError | None = None


@dataclass(frozen=True, slots=True)
class Stampable:
    """A digest that is to be submitted, with where its proof will be."""

    path: Path | None
    proof_path: Path
    digest: bytes
    opening: bytes | None


class Stamper:
    """Stamps files at one service.

    Args:
        service: where digests are submitted.
        logs: what is remembered of logs.
        bare: submit files' own digests.
        force: replace proofs of other contents.
        draw: returns so many random bytes.
    """

    def __init__(
        self,
        service: ServiceClient,
        logs: KnownLogs,
        *,
        bare: bool = False,
        force: bool = False,
        draw: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._service = service
        self._logs = logs
        self._bare = bare
        self._force = force
        self._draw = draw

    def stamp_files(
        self, files: Iterable[tuple[Path, VestigeError | None]], *, done: Callable[[], None]
    ) -> Iterator[Stamped]:
        """Stamp files, in requests of up to 10,000; yield what became of each.

        Args:
            files: from :func:`anchor.client.file_selection.select_files`.
            done: called after each file that was read.
        """
        waiting: list[Stampable] = []
        for path, error in files:
            prepared = self._prepare(path, error)
            done()
            if isinstance(prepared, Stamped):
                yield prepared
                continue
            waiting.append(prepared)
            if len(waiting) == CHUNK_FILES:
                yield from self.submit(waiting)
                waiting = []
        if waiting:
            yield from self.submit(waiting)

    def submit(self, items: list[Stampable]) -> Iterator[Stamped]:
        """Submit digests in one request, verify the receipts, write the proofs."""
        digests = [item.digest for item in items]
        small = len(digests) <= limits.MAX_JSON_DIGESTS
        submitted = (self._service.submit if small else self._service.submit_many)(digests)
        checkpoint = self._logs.observe(
            submitted.checkpoint,
            offered_key=self._service.fetch_log_key,
            fetch_tile=self._service.fetch_tile,
        )
        hashes = TileHashes(self._service.fetch_tile, checkpoint.tree_size)
        expected = self._expected_rows(items[-1].digest)
        proofs = []
        for item, leaf in zip(items, submitted.leaves, strict=True):
            path = inclusion_path(leaf.leaf_index, checkpoint.tree_size, hashes.read_hash)
            verify_inclusion(
                leaf_hash(item.digest),
                leaf.leaf_index,
                checkpoint.tree_size,
                path,
                checkpoint.root_hash,
            )
            inclusion = Inclusion(
                leaf.leaf_index, checkpoint.tree_size, tuple(path), submitted.checkpoint
            )
            proofs.append(Proof(item.digest, item.opening, (inclusion,), expected))
        created = [leaf.created for leaf in submitted.leaves]
        yield from _write(items, proofs, created, replace=self._force)

    def _expected_rows(self, digest: bytes) -> tuple[ExpectedAttestation, ...]:
        """Return what the service expects of its backends; the same for all of one request.

        They are no evidence, so that a service which does not say is no failure.
        """
        with contextlib.suppress(VestigeError):
            rows = self._service.fetch_proof(digest).attestations
            return tuple(row for row in rows if isinstance(row, ExpectedAttestation))
        return ()

    def _prepare(self, path: Path, error: VestigeError | None) -> Stampable | Stamped:
        proof_path = beside(path, PROOF_SUFFIX)
        if error is not None:
            return Stamped(path, proof_path, error=error)
        try:
            digest = file_digest(path)
            present = load_present(proof_path, digest, force=self._force)
        except VestigeError as failure:
            return Stamped(path, proof_path, error=failure)
        if present is not None:
            return Stamped(path, proof_path, present, kept=True)
        if self._bare:
            return Stampable(path, proof_path, digest, None)
        opening = self._draw(OPENING_BYTES)
        entry = hashlib.sha256(digest + opening).digest()
        return Stampable(path, proof_path, entry, opening)


def _write(
    items: Sequence[Stampable], proofs: Sequence[Proof], created: Sequence[bool], *, replace: bool
) -> Iterator[Stamped]:
    """Write the proofs, several at a time: each waits for the disk, and they can wait together."""

    def write(item: Stampable, proof: Proof, new: bool) -> Stamped:
        try:
            data = serialize_proof(proof)
            if replace:
                write_atomically(item.proof_path, data, durable_name=False)
            else:
                _write_first(item.proof_path, data)
        except VestigeError as error:
            return Stamped(item.path, item.proof_path, error=error)
        return Stamped(item.path, item.proof_path, proof, created=new)

    with ThreadPoolExecutor(min(_WRITERS, len(items))) as pool:
        written = list(pool.map(write, items, proofs, created))
    for folder in {item.proof_path.parent for item in items}:
        sync_folder(folder)
    yield from written


def _write_first(proof_path: Path, data: bytes) -> None:
    """Write a proof where there was none a moment ago; keep one that has come since."""
    try:
        write_new(proof_path, data, durable_name=False)
    except StoreConflictError as error:
        raise StoreConflictError(
            f"{proof_path} was written by another command in the meantime and is kept",
            code="proof.occupied",
            hint="stamp the file again: a proof of the same content is kept as it is",
        ) from error


def load_present(proof_path: Path, digest: bytes, *, force: bool) -> Proof | None:
    """Return the proof that is there already if it is of this content.

    Args:
        proof_path: where a proof may be.
        digest: of the file; or the log's entry itself.
        force: a proof of something else is as good as none.

    Raises:
        StoreConflictError: something else is there.
    """
    try:
        proof = parse_proof(load_bytes(proof_path, max_bytes=limits.MAX_PROOF_BYTES, what="proof"))
    except NotFoundError:
        return None
    except FormatError as error:
        if force:
            return None
        raise StoreConflictError(
            f"{proof_path} is there and is no proof: {error.message}",
            code="proof.occupied",
            hint="move it away, or replace it with --force",
        ) from error
    opened = digest if proof.opening is None else hashlib.sha256(digest + proof.opening).digest()
    if proof.digest == opened:
        return proof
    if force:
        return None
    raise StoreConflictError(
        f"{proof_path} is the proof of another content",
        code="proof.occupied",
        hint="the file was changed since: move the old proof away, or replace it with --force",
    )
