"""Everything that can be done to an exhibit, once each, and what a verifier must find.

A case is a bag with one change: one byte, one field, one swap, one omission, one addition. It is
judged three times:

1. as changed: the manifests name the file;
2. with manifests recomputed by an adversary who has no key: the signature is of another list, and
   what the records and proofs bind is found besides (``deep``);
3. without the signature, too: what is bound is still found, the rest is *not checked*.

``python -m tests.exhibit_tampering FOLDER`` writes all of them as zip files, with ``index.json``
that says what this verifier finds, so that another one can be held against it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from anchor.exhibit.contents import Contents
from anchor.exhibit.judge import judge_exhibit
from anchor.exhibit.layout import (
    BAG_INFO,
    BAGIT,
    DATA,
    LISTING,
    MANIFEST_SHA256,
    MANIFEST_SHA512,
    SIGNATURE,
    TAG_FILES,
    TAG_MANIFEST_SHA256,
    TAG_MANIFEST_SHA512,
)
from anchor.exhibit.manifest import bag_info_text, manifest_text
from anchor.exhibit.verdict import ExhibitVerdict
from anchor.exhibit.zip_writer import ZipWriter
from anchor.formats.encoding import base64url, parse_base64url
from anchor.verify.judge import Judge
from tests import exhibits

Files = dict[str, bytes]
RECOMPUTED = (MANIFEST_SHA256, MANIFEST_SHA512, TAG_MANIFEST_SHA256, TAG_MANIFEST_SHA512)
TAGS = (*TAG_FILES, TAG_MANIFEST_SHA256, TAG_MANIFEST_SHA512)


@dataclass(frozen=True)
class Tampering:
    """A bag with one change.

    Attributes:
        name: says what was done, and to which file.
        path: of the file that it was done to.
        files: the bag.
        named: paths of which a finding must name one.
        deep: the change is found even where manifests and signature are recomputed or gone.
    """

    name: str
    path: str
    files: Files
    named: tuple[str, ...]
    deep: bool


def files_of(path: Path) -> Files:
    import zipfile

    with zipfile.ZipFile(path) as file:
        return {each.partition("/")[2]: file.read(each) for each in file.namelist()}


def contents_of(files: Mapping[str, bytes], folder: str | None = None) -> Contents:
    """Return what reading a bag gives, without writing it."""
    ordered = dict(sorted(files.items(), key=lambda item: item[0].encode()))
    return Contents(
        folder,
        {path: len(data) for path, data in ordered.items()},
        {path: hashlib.sha256(data).digest() for path, data in ordered.items()},
        {path: hashlib.sha512(data).digest() for path, data in ordered.items()},
        ordered,
    )


def recomputed(case: Tampering, *, signed: bool = True) -> Files | None:
    """Return the bag with manifests and tags that fit, as an adversary without the key makes it.

    None where that undoes the change: it was made to what is recomputed, or the signature is what
    was changed and is gone.
    """
    files = case.files
    if case.path in RECOMPUTED or (
        case.name.startswith("without ") and case.path in (BAG_INFO, BAGIT)
    ):
        return None
    if case.path == SIGNATURE and not signed:
        return None
    payload = {path: data for path, data in files.items() if path.startswith(DATA)}
    found = {path: data for path, data in files.items() if path not in TAGS}
    found[BAGIT] = files.get(BAGIT, b"")
    changed_tag = case.path == BAG_INFO
    found[BAG_INFO] = files[BAG_INFO] if changed_tag else _bag_info(files, payload)
    found[MANIFEST_SHA256] = _manifest(payload, "sha256")
    found[MANIFEST_SHA512] = _manifest(payload, "sha512")
    if signed and SIGNATURE in files:
        found[SIGNATURE] = files[SIGNATURE]
    tags = {path: data for path, data in found.items() if path in TAG_FILES}
    found[TAG_MANIFEST_SHA256] = _manifest(tags, "sha256")
    found[TAG_MANIFEST_SHA512] = _manifest(tags, "sha512")
    return found


def _manifest(files: Files, algorithm: str) -> bytes:
    digests = {path: hashlib.new(algorithm, data).digest() for path, data in files.items()}
    return manifest_text(digests).encode()


def _bag_info(files: Files, payload: Files) -> bytes:
    try:
        value = json.loads(files[LISTING])
        return bag_info_text(
            generator=value["generator"],
            date=value["date"],
            project=value["project"],
            payload_bytes=sum(map(len, payload.values())),
            payload_files=len(payload),
        ).encode()
    except (KeyError, ValueError, TypeError):
        return files[BAG_INFO]


# -- one byte, one omission, one swap, one addition ------------------------------------------------


def tamperings(files: Files) -> Iterator[Tampering]:
    """Yield every case of a whole exhibit."""
    for path in sorted(files):
        yield _byte(files, path)
        yield _omission(files, path)
    yield from _swaps(files)
    yield from _additions(files)
    yield from _fields(files)


def _is_bound(path: str) -> bool:
    """Return whether records and list say what a file must be."""
    bound = ("data/records/", "data/proofs/", "data/files/", LISTING, BAGIT, BAG_INFO)
    return path.startswith(bound)


def _place(path: str, data: bytes) -> int:
    """Return where a byte is changed that means something."""
    if path.endswith(".proof"):
        return data.index(b'"digest": "') + len(b'"digest": "')
    if path == LISTING:
        return data.index(b'"digest": "') + len(b'"digest": "')
    if path.endswith(".ots"):
        return 40  # of the file's digest
    return len(data) // 2


def _byte(files: Files, path: str) -> Tampering:
    data = bytearray(files[path])
    data[_place(path, bytes(data))] ^= 1
    changed = {**files, path: bytes(data)}
    named = (path,)
    if path == LISTING:
        named = (path, "data/records/00000000.sdjwt")
    if path in (TAG_MANIFEST_SHA256, TAG_MANIFEST_SHA512):
        named = (path, *TAG_FILES)  # it is one against the other: the reason names both
    return Tampering(f"byte of {path}", path, changed, named, deep=_is_bound(path))


def _omission(files: Files, path: str) -> Tampering:
    changed = {name: data for name, data in files.items() if name != path}
    deep = _is_bound(path) and not path.endswith(".ots")
    return Tampering(f"without {path}", path, changed, (path,), deep=deep)


def _swaps(files: Files) -> Iterator[Tampering]:
    """Yield bags in which two files of one kind changed places, each file once."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for path in sorted(files):
        folder, _, name = path.rpartition("/")
        kinds.setdefault((folder, name[name.rfind(".") :]), []).append(path)
    for paths in kinds.values():
        for first, second in pairwise(paths):
            if files[first] == files[second]:
                continue
            changed = {**files, first: files[second], second: files[first]}
            deep = _is_bound(first)
            yield Tampering(f"{first} for {second}", first, changed, (first, second), deep=deep)


def _additions(files: Files) -> Iterator[Tampering]:
    extra = hashlib.sha256(b"extra").hexdigest()
    for path, deep in (
        ("data/records/00009999.sdjwt", True),
        ("data/proofs/00009999.proof", True),
        ("data/proofs/00009999.ots", True),
        (f"data/files/{extra}.png", True),
        ("data/files/run.sh", True),
        ("data/more.txt", False),
        ("more.txt", True),
        ("fetch.txt", True),
    ):
        yield Tampering(f"with {path}", path, {**files, path: b"extra"}, (path,), deep=deep)
    upper = "data/LIMITS.MD.txt"
    yield Tampering(f"with {upper}", upper, {**files, upper: b""}, (upper,), deep=False)
    for path in (BAGIT, BAG_INFO, LISTING):
        marked = {**files, path: b"\xef\xbb\xbf" + files[path]}
        yield Tampering(f"a byte order mark in {path}", path, marked, (path,), deep=True)


# -- one field -------------------------------------------------------------------------------------


def _fields(files: Files) -> Iterator[Tampering]:
    yield from _listing_fields(files)
    yield from _signature_fields(files)
    for path in sorted(files):
        if path.endswith(".sdjwt"):
            yield from _record_fields(files, path)
        if path.endswith(".proof"):
            yield from _proof_fields(files, path)


def _json_case(
    files: Files,
    path: str,
    what: str,
    change: Callable[[Any], None],
    named: tuple[str, ...] = (),
    *,
    deep: bool = True,
) -> Tampering:
    value = json.loads(files[path])
    change(value)
    data = json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"
    return Tampering(f"{what} of {path}", path, {**files, path: data}, (path, *named), deep=deep)


def _put(*keys: Any) -> Callable[[Any], Callable[[Any], None]]:
    """Return what makes a change that puts a value at a place."""

    def with_value(new: Any) -> Callable[[Any], None]:
        def change(value: Any) -> None:
            for key in keys[:-1]:
                value = value[key]
            value[keys[-1]] = new

        return change

    return with_value


def _listing_fields(files: Files) -> Iterator[Tampering]:
    value = json.loads(files[LISTING])
    digest = value["records"][2]["digest"]
    free = {"title", "languages", "generator"}
    for name, new in (
        ("version", 2), ("name", "another"), ("project", "00" * 16), ("title", "another"),
        ("languages", ["en"]), ("date", "2026-11-23T00:00:00Z"), ("generator", "another 1"),
    ):  # fmt: skip
        named = ("data/records/00000000.sdjwt",) if name == "project" else ()
        changed = _json_case(files, LISTING, name, _put(name)(new), named, deep=name not in free)
        # The name is compared with the folder, which an adversary renames too.
        yield replace(changed, deep=changed.deep and name != "name")
    for name, new in (
        ("generator", "vestige 0.1.0\nBagging-Date: 1999-01-01"), ("generator", "\x1b[31m"),
        ("generator", "gén"), ("generator", ""), ("title", "\u202etxet"), ("title", "a\nb"),
        ("title", "\x9b31m"), ("name", "猫"), ("name", "a/b"), ("name", "a\n"),
    ):  # fmt: skip
        yield _json_case(files, LISTING, f"{name} {new!a}", _put(name)(new))
    record = "data/records/00000001.sdjwt"
    proof = "data/proofs/00000001.proof"
    for name, new, named in (
        ("seq", 2, ()), ("kind", "note", (record,)), ("digest", digest, (record,)),
        ("shown", False, (record,)), ("proof", False, (proof,)), ("colour", "red", ()),
    ):  # fmt: skip
        change = _put("records", 1, name)(new)
        yield _json_case(files, LISTING, f"records.1.{name}", change, named)
    row = value["files"][0]
    path = DATA + row["path"]
    other = value["files"][1]
    for name, new, named in (
        ("record", 0, ()), ("field", "file.9", (path,)), ("sha256", other["sha256"], (path,)),
        ("size", row["size"] + 1, (path,)), ("path", None, (path,)), ("path", other["path"], ()),
        ("path", "files/../exhibit.json", ()),
    ):  # fmt: skip
        change = _put("files", 0, name)(new)
        yield _json_case(files, LISTING, f"files.0.{name} {new}", change, named)

    def last_record(value: Any) -> None:
        value["records"].pop()

    def first_file(value: Any) -> None:
        value["files"].pop(0)

    def order(value: Any) -> None:
        value["files"].reverse()

    last = f"data/records/{value['records'][-1]['seq']:08}.sdjwt"
    yield _json_case(files, LISTING, "without the last record", last_record, (last,))
    yield _json_case(files, LISTING, "without the first file", first_file, (path,))
    yield _json_case(files, LISTING, "files in another order", order)


def _signature_fields(files: Files) -> Iterator[Tampering]:
    value = json.loads(files[SIGNATURE])
    for name, old in value.items():
        new = 2 if name == "version" else f"{'0' if old[0] != '0' else '1'}{old[1:]}"
        yield _json_case(files, SIGNATURE, name, _put(name)(new), deep=False)


def _record_fields(files: Files, path: str) -> Iterator[Tampering]:
    text = files[path].decode()
    jwt, *disclosures = text.split("~")[:-1]
    header, payload, signature = jwt.split(".")
    value = json.loads(parse_base64url(payload, max_bytes=1 << 20, what="payload"))
    for name, new in (("claimed_time", "2020-01-01T00:00:00Z"), ("late", True), ("tier", "T4")):
        body = base64url(json.dumps({**value, name: new}, separators=(",", ":")).encode())
        yield _record(files, path, name, f"{header}.{body}.{signature}", disclosures)
    if disclosures:
        salt, name, _ = json.loads(parse_base64url(disclosures[0], max_bytes=1 << 24, what="d"))
        other = base64url(json.dumps([salt, name, "another"], separators=(",", ":")).encode())
        yield _record(files, path, f"disclosed {name}", jwt, [other, *disclosures[1:]])
        yield _record(files, path, "a disclosure twice", jwt, [disclosures[0], *disclosures])
    yield _record(files, path, "no end", jwt, disclosures, end="")


def _record(
    files: Files, path: str, what: str, jwt: str, disclosures: list[str], *, end: str = "~"
) -> Tampering:
    data = ("~".join((jwt, *disclosures)) + end).encode()
    return Tampering(f"{what} of {path}", path, {**files, path: data}, (path,), deep=True)


def _proof_fields(files: Files, path: str) -> Iterator[Tampering]:
    value = json.loads(files[path])
    flip = {"0": "1"}
    first = value["inclusions"][0]["hashes"][0]
    new = flip.get(first[0], "0") + first[1:]
    yield _json_case(files, path, "a hash", _put("inclusions", 0, "hashes", 0)(new))
    index = value["inclusions"][0]["leaf_index"]
    size = value["inclusions"][0]["tree_size"]
    moved = _put("inclusions", 0, "leaf_index")(index ^ 1 if index ^ 1 < size else index - 1)
    yield _json_case(files, path, "leaf_index", moved)
    for number, row in enumerate(value["attestations"]):
        root = row["root_hash"]
        other = flip.get(root[0], "0") + root[1:]
        change = _put("attestations", number, "root_hash")(other)
        yield _json_case(files, path, f"root_hash of {number}", change)
        if row["kind"] == "rfc3161":
            token = row["token"]
            end = len(token) - 12  # of the signature
            letter = "A" if token[end] != "A" else "B"
            spoiled = token[:end] + letter + token[end + 1 :]
            change = _put("attestations", number, "token")(spoiled)
            yield _json_case(files, path, "a token's signature", change)


# -- judging ---------------------------------------------------------------------------------------


def judged(files: Files, judge: Judge, folder: str | None = None) -> ExhibitVerdict:
    return judge_exhibit(contents_of(files, folder), lambda _items: judge)


def names(verdict: ExhibitVerdict, paths: tuple[str, ...]) -> bool:
    """Return whether a finding names one of the files, or a record's verdict is failed for it."""
    if any(finding.path in paths and finding.word == "failed" for finding in verdict.findings):
        return True
    records = verdict.records.verdicts if verdict.records is not None else ()
    failed = {f"{each.record.record.seq:08}" for each in records if each.status == "failed"}
    return any(Path(path).stem in failed for path in paths)


# -- as files --------------------------------------------------------------------------------------


def write_zip(path: Path, files: Files, folder: str) -> None:
    with path.open("wb") as file:
        writer = ZipWriter(file, datetime(2026, 11, 23, tzinfo=UTC))
        for name in sorted(files, key=str.encode):
            data = files[name]
            writer.add(f"{folder}/{name}", len(data), zlib.crc32(data), [data])
        writer.close()


def rounds(whole: Files) -> Iterator[tuple[str, Files]]:
    """Yield the whole exhibit, and each case as it is judged in each of the three rounds."""
    yield "nothing", whole
    for each in tamperings(whole):
        yield each.name, each.files
        for what, signed in (("manifests recomputed", True), ("unsigned", False)):
            files = recomputed(each, signed=signed)
            if files is not None:
                yield f"{each.name}, {what}", files


def write_all(out: Path) -> int:
    """Write every case as a zip file, with the policy and what is found; return how many."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        case = exhibits.make_vault(Path(name))
        made, _ = exhibits.export(case, Path(name) / "out")
        whole = files_of(made.path)
    judge = case.judge()
    (out / "policy.json").write_bytes(case.policy_bytes)
    rows: list[dict[str, Any]] = []
    folder = "cat-pendant.exhibit"

    for what, files in rounds(whole):
        verdict = judged(files, judge, folder)
        path = out / f"{len(rows):04}.exhibit.zip"
        write_zip(path, files, folder)
        rows.append({"file": path.name, "what": what, **summary(verdict)})
    value = {"policy": "policy.json", "now": exhibits.NOW.isoformat(), "cases": rows}
    (out / "index.json").write_text(json.dumps(value, indent=1, ensure_ascii=False))
    return len(rows)


def summary(verdict: ExhibitVerdict) -> dict[str, Any]:
    """Return what two verifiers must agree on."""
    records = verdict.records.verdicts if verdict.records is not None else ()
    return {
        "status": verdict.status.value,
        "exit_status": verdict.exit_status,
        "bundle": None if verdict.bundle is None else verdict.bundle.hex(),
        "signed_by": None if verdict.signed_by is None else verdict.signed_by.hex(),
        "findings": [
            {"step": f.step, "status": f.word, "code": f.code, "path": f.path}
            for f in verdict.findings
        ],
        "records": [
            {"seq": each.record.record.seq, "status": each.status.value} for each in records
        ],
    }


if __name__ == "__main__":
    print(write_all(Path(sys.argv[1])), "exhibits")
