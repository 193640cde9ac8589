"""Make the exhibit of a vault: payload, manifests, signature, zip file.

The payload is laid out in a folder for the moment, originals linked and not copied, so that the
printed exhibit can be made from it; then everything is read once for its digests and once more into
the zip file, which gets its name when it is whole. The same vault, choice and policy give the same
bytes: no time and no path of this machine is written. The report is judged on the day, so the bytes
change when a verdict does, such as after a certificate has ended.

Specification: ``docs/spec/exhibit.md``.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor.errors import DigestMismatchError, LimitExceededError
from anchor.exhibit.container import BLOCK_BYTES
from anchor.exhibit.contents import check_sizes
from anchor.exhibit.layout import (
    BAG_INFO,
    BAGIT,
    DATA,
    FILES,
    FOLDER_SUFFIX,
    MANIFEST_SHA256,
    MANIFEST_SHA512,
    PDF,
    SIGNATURE,
    TAG_MANIFEST_SHA256,
    TAG_MANIFEST_SHA512,
    ZIP_SUFFIX,
    sha256_of_file_path,
)
from anchor.exhibit.listing import Listing
from anchor.exhibit.manifest import BAGIT_TEXT, bag_info_text, bundle_digest, manifest_text
from anchor.exhibit.signature import sign_manifest
from anchor.exhibit.zip_writer import ZipWriter
from anchor.formats.encoding import parse_utc
from anchor.vault.durable import flush, flush_folder, translated
from anchor.vault.signer import Signer

RenderPdf = Callable[[Path, Path, bytes], None]
"""Makes the printed exhibit from the payload folder, the path to write, and the bundle digest."""

Reached = Callable[[str, int, int], None]
"""Told what is done (``reading``, ``writing``), bytes so far, and bytes in all."""

_STAGING: Final = ".vestige-exhibit-"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was made: where, the bundle digest (32 bytes), and the size of the zip file."""

    path: Path
    bundle: bytes
    size: int
    files: int


@dataclass(frozen=True, slots=True)
class _Digests:
    """Of one file."""

    path: Path
    size: int
    crc32: int
    sha256: bytes
    sha512: bytes


@contextlib.contextmanager
def staging_folder(out: Path) -> Iterator[Path]:
    """Make a folder where the exhibit goes, for the moment; ``out`` too if it is not there."""
    folder = out / f"{_STAGING}{secrets.token_hex(8)}"
    with translated(folder):
        out.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def seal(
    payload: Path,
    listing: Listing,
    out: Path,
    *,
    signer: Signer | None,
    render_pdf: RenderPdf | None = None,
    reached: Reached = lambda _what, _count, _total: None,
) -> Exported:
    """Make the zip file of a payload folder that is laid out.

    Args:
        payload: the folder that becomes ``data/``.
        listing: what its ``exhibit.json`` says.
        out: the folder that the zip file goes into.
        signer: signs the manifest; None leaves it unsigned.
        render_pdf: makes the printed exhibit.
        reached: told how far it is.

    Raises:
        DigestMismatchError: an original is not the one that it is named after.
        LimitExceededError: there are more entries, or more records and proofs, than are read.
        StoreError: something can not be read or written; there is no half of a zip file.
    """
    digests = _read_payload(payload, reached)
    _check_limits(digests)
    if render_pdf is not None:
        target = payload.parent / PDF
        render_pdf(payload, target, bundle_digest(_manifest(digests)))
        digests[PDF] = _digests(target, lambda _count: None)
    manifest = _manifest(digests)
    tags = _tags(digests, manifest, listing, signer)
    path = out / f"{listing.name}{ZIP_SUFFIX}"
    size = _write_zip(path, listing, digests, tags, reached)
    return Exported(path, bundle_digest(manifest), size, len(digests) + len(tags))


# -- digests ---------------------------------------------------------------------------------------


def _read_payload(payload: Path, reached: Reached) -> dict[str, _Digests]:
    paths = sorted(path for path in payload.rglob("*") if path.is_file())
    total, done = sum(path.stat().st_size for path in paths), 0
    found = {}
    for path in paths:
        name = DATA + path.relative_to(payload).as_posix()
        start = done
        item = _digests(path, lambda count, start=start: reached("reading", start + count, total))  # type: ignore[misc]
        done += item.size
        if name.startswith(FILES) and sha256_of_file_path(name.removeprefix(DATA)) != item.sha256:
            raise DigestMismatchError(
                f"the original {path.name} no longer holds the bytes that were recorded",
                code="vault.object_changed",
                hint="restore it from a copy of the vault, or leave it out: --no-files SEQ",
            )
        found[name] = item
    return found


def _digests(path: Path, reached: Callable[[int], None]) -> _Digests:
    sha256, sha512, crc32, size = hashlib.sha256(), hashlib.sha512(), 0, 0
    with translated(path), path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            sha256.update(block)
            sha512.update(block)
            crc32 = zlib.crc32(block, crc32)
            size += len(block)
            reached(size)
    return _Digests(path, size, crc32, sha256.digest(), sha512.digest())


def _manifest(digests: Mapping[str, _Digests]) -> bytes:
    return manifest_text({path: item.sha256 for path, item in digests.items()}).encode()


def _check_limits(digests: Mapping[str, _Digests]) -> None:
    try:
        # Besides, the printed exhibit and the bag's own files.
        check_sizes({path: item.size for path, item in digests.items()}, more=8)
    except LimitExceededError as error:
        raise LimitExceededError(
            f"the exhibit would be larger than verifiers read: {error.message}",
            code=error.code,
            hint="show fewer records: --records",
        ) from error


def _tags(
    digests: Mapping[str, _Digests], manifest: bytes, listing: Listing, signer: Signer | None
) -> dict[str, bytes]:
    """Return the bag's own files, in the order of their names."""
    tags = {
        BAGIT: BAGIT_TEXT.encode(),
        BAG_INFO: bag_info_text(
            generator=listing.generator,
            date=listing.date,
            project=listing.project,
            payload_bytes=sum(item.size for item in digests.values()),
            payload_files=len(digests),
        ).encode(),
        MANIFEST_SHA256: manifest,
        MANIFEST_SHA512: manifest_text({p: d.sha512 for p, d in digests.items()}).encode(),
    }
    if signer is not None:
        signature = sign_manifest(manifest, listing.project, signer.public_key, signer.sign)
        tags[SIGNATURE] = signature.to_bytes()
    first = {path: hashlib.sha256(data).digest() for path, data in tags.items()}
    second = {path: hashlib.sha512(data).digest() for path, data in tags.items()}
    tags[TAG_MANIFEST_SHA256] = manifest_text(first).encode()
    tags[TAG_MANIFEST_SHA512] = manifest_text(second).encode()
    return tags


# -- the zip file ----------------------------------------------------------------------------------


def _write_zip(
    path: Path,
    listing: Listing,
    digests: Mapping[str, _Digests],
    tags: Mapping[str, bytes],
    reached: Reached,
) -> int:
    """Write the file elsewhere, make it durable, give it its name; return its size."""
    top = f"{listing.name}{FOLDER_SUFFIX}/"
    draft = path.with_name(f"{_STAGING}{secrets.token_hex(8)}.tmp")
    total, done = sum(item.size for item in digests.values()), 0
    try:
        with translated(path), draft.open("xb") as file:
            writer = ZipWriter(file, parse_utc(listing.date))
            for name in sorted((*digests, *tags), key=str.encode):
                if name in tags:
                    data = tags[name]
                    writer.add(top + name, len(data), zlib.crc32(data), [data])
                    continue
                item = digests[name]
                writer.add(top + name, item.size, item.crc32, _blocks(item.path))
                done += item.size
                reached("writing", done, total)
            writer.close()
            file.flush()
            flush(file.fileno())
            size = file.tell()
        with translated(path):
            draft.replace(path)
            flush_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    return size


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            yield block
