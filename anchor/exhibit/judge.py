"""Steps E2 to E7: what a bag from a stranger shows, under a policy.

Every difference between what is there and what should be is a finding that names the file. Records,
chain and proofs are judged as everywhere (:mod:`anchor.verify.records`).

Specification: ``docs/spec/exhibit.md``, "How it is judged".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from anchor.errors import FormatError, SignatureError
from anchor.exhibit.agreement import Agreement, compare_listing
from anchor.exhibit.contents import Contents
from anchor.exhibit.cost import unpaid_records
from anchor.exhibit.layout import (
    BAG_INFO,
    BAGIT,
    DATA,
    LISTING,
    MANIFEST_SHA256,
    MANIFEST_SHA512,
    SIGNATURE,
    TAG_FILES,
    TAG_MANIFESTS,
    ots_path,
)
from anchor.exhibit.listing import Listing, parse_listing
from anchor.exhibit.manifest import BAGIT_TEXT, bag_info_text, bundle_digest, parse_manifest
from anchor.exhibit.ots_check import check_ots
from anchor.exhibit.sentences import Sentences, sentences_of
from anchor.exhibit.signature import parse_signature
from anchor.exhibit.verdict import ExhibitFinding, ExhibitVerdict
from anchor.records.keys import KeyRing, key_thumbprint
from anchor.verify import summary
from anchor.verify.judge import Judge
from anchor.verify.records import ProvenRecord, RecordsVerdict, judge_records
from anchor.verify.verdict import Status

JudgeFor = Callable[[Sequence[ProvenRecord]], Judge]
"""Returns who judges the records given: it may first ask about what they and their proofs name."""


def judge_exhibit(
    contents: Contents,
    judge_for: JudgeFor,
    *,
    before: datetime | None = None,
    steps: bool = False,
    judged: Callable[[int], None] = lambda _count: None,
) -> ExhibitVerdict:
    """Judge a bag that was read.

    Args:
        contents: of the bag.
        judge_for: returns the judge, who holds the policy, the time and the known facts.
        before: the time asked about, of every record.
        steps: write down the steps of the records.
        judged: told how many records are judged.
    """
    findings = list(_judge_bag(contents))
    listing = _read_listing(contents, findings)
    agreement: Agreement | None = None
    records: RecordsVerdict | None = None
    if listing is not None:
        findings += _judge_bag_info(contents, listing)
        agreement = compare_listing(contents, listing)
        findings += agreement.findings
    signed_by, signature = _judge_signature(contents, listing, agreement)
    findings += signature
    if agreement is not None and agreement.shows_a_record:
        shown = [item for item in agreement.items if isinstance(item, ProvenRecord)]
        judge = judge_for(shown)
        unpaid = unpaid_records(shown, _ots_files(contents, shown))
        records = judge_records(
            agreement.items, judge, before=before, steps=steps, unpaid=unpaid, judged=judged
        )
        findings += check_ots(contents, agreement, unpaid)
    return _sum_up(contents, listing, tuple(findings), records, signed_by)


def _sum_up(
    contents: Contents,
    listing: Listing | None,
    findings: tuple[ExhibitFinding, ...],
    records: RecordsVerdict | None,
    signed_by: bytes | None,
) -> ExhibitVerdict:
    """Return the verdict, with what is said of it to people."""
    manifest = contents.texts.get(MANIFEST_SHA256)
    bundle = None if manifest is None else bundle_digest(manifest)
    status, reason, exit_status = _sum(findings, records)
    files = () if listing is None else listing.files
    said = Sentences((), (), ())
    if listing is not None and records is not None:
        said = sentences_of(
            listing,
            records,
            findings,
            entries=len(contents.sizes),
            bundle=bundle,
            signed_by=signed_by,
        )
    return ExhibitVerdict(
        status=status,
        reason=reason,
        exit_status=exit_status,
        name=None if listing is None else listing.name,
        title=None if listing is None else listing.title,
        project=None if listing is None else listing.project,
        bundle=bundle,
        signed_by=signed_by,
        findings=findings,
        records=records,
        files_shown=sum(file.path is not None for file in files),
        files_withheld=sum(file.path is None for file in files),
        proved=said.proved if status is not Status.FAILED else (),
        asserted=said.asserted,
        not_checked=said.not_checked,
    )


def _ots_files(contents: Contents, items: Sequence[ProvenRecord]) -> dict[int, bytes]:
    """Return by record the ``.ots`` files that are looked at: those beside a proof."""
    seqs = (item.record.seq for item in items if item.proof is not None)
    return {seq: contents.texts.get(ots_path(seq), b"") for seq in seqs}


def _failed(step: str, code: str, path: str | None, reason: str) -> ExhibitFinding:
    return ExhibitFinding(step, "failed", f"exhibit.{code}", path, reason)


# -- E2: the bag -----------------------------------------------------------------------------------


def _judge_bag(contents: Contents) -> Iterator[ExhibitFinding]:
    texts, there = contents.texts, contents.sizes
    if BAGIT in there and texts[BAGIT] != BAGIT_TEXT.encode():
        yield _failed("E2", "manifest", BAGIT, "it is not that of a BagIt 1.0 bag in UTF-8")
    payload = {path for path in there if path.startswith(DATA)}
    tags = {path for path in there if path in TAG_FILES}
    for path in sorted(set(there) - payload - tags - set(TAG_MANIFESTS)):
        yield _failed("E2", "unlisted", path, "a bag of this kind has no such file")
    for path in (BAGIT, BAG_INFO):
        if path not in there:
            yield _failed("E2", "missing", path, "it is not there")
    payload_names = (MANIFEST_SHA256, MANIFEST_SHA512)
    yield from _compare(contents, payload_names, payload)
    yield from _compare(contents, TAG_MANIFESTS, tags)


def _compare(
    contents: Contents, manifests: tuple[str, str], there: set[str]
) -> Iterator[ExhibitFinding]:
    """Compare what is there with a manifest by SHA-256 and one by SHA-512."""
    found = contents.sha256, contents.sha512
    changed: dict[str, list[str]] = {}
    missing: set[str] = set()
    unlisted: set[str] = set()
    for name, digests, n_bytes in zip(manifests, found, (32, 64), strict=True):
        if name not in contents.texts:
            yield _failed("E2", "missing", name, "it is not there")
            continue
        try:
            listed = parse_manifest(contents.texts[name], n_bytes)
        except FormatError as error:
            yield _failed("E2", "manifest", name, error.message)
            continue
        missing |= set(listed) - there
        unlisted |= there - set(listed)
        for path in there & set(listed):
            if digests[path] != listed[path]:
                changed.setdefault(path, []).append(name)
    for path in sorted(missing | unlisted | set(changed)):
        if path in missing:
            yield _failed("E2", "missing", path, "a manifest names it, and it is not there")
        elif path in unlisted:
            yield _failed("E2", "unlisted", path, "a manifest does not name it")
        else:
            names = " and ".join(changed[path])
            yield _failed("E2", "changed", path, f"its digest is not the one in {names}")


def _judge_bag_info(contents: Contents, listing: Listing) -> Iterator[ExhibitFinding]:
    sizes = [size for path, size in contents.sizes.items() if path.startswith(DATA)]
    expected = bag_info_text(
        generator=listing.generator,
        date=listing.date,
        project=listing.project,
        payload_bytes=sum(sizes),
        payload_files=len(sizes),
    )
    if BAG_INFO in contents.texts and contents.texts[BAG_INFO] != expected.encode():
        why = "it does not say what follows from exhibit.json and the files"
        yield _failed("E2", "manifest", BAG_INFO, why)


# -- E3: the list ----------------------------------------------------------------------------------


def _read_listing(contents: Contents, findings: list[ExhibitFinding]) -> Listing | None:
    data = contents.texts.get(LISTING)
    if data is None:
        findings.append(_failed("E3", "list", LISTING, "it is not there"))
        return None
    try:
        return parse_listing(data)
    except FormatError as error:
        findings.append(_failed("E3", "list", LISTING, error.message))
        return None


# -- E4: the signature -----------------------------------------------------------------------------


def _judge_signature(
    contents: Contents, listing: Listing | None, agreement: Agreement | None
) -> tuple[bytes | None, list[ExhibitFinding]]:
    data, manifest = contents.texts.get(SIGNATURE), contents.texts.get(MANIFEST_SHA256)
    if data is None:
        why = "nobody signed the list of files: they may have been exchanged by anybody"
        return None, [ExhibitFinding("E4", "not_checked", "exhibit.unsigned", None, why)]
    if manifest is None or listing is None or agreement is None:
        return None, []  # what is wrong with those was said
    try:
        signature = parse_signature(data)
        signature.verify(listing.project, manifest)
        _want_key_in_force(signature.key, agreement)
    except (FormatError, SignatureError) as error:
        return None, [_failed("E4", "signature", SIGNATURE, error.message)]
    return signature.key, []


def _want_key_in_force(key: bytes, agreement: Agreement) -> None:
    ring = KeyRing()
    for record in agreement.records:
        if record.is_key_record:
            try:
                ring.verify_record(record, learn=True)
            except SignatureError:
                continue  # step E5 says so
    bound = ring.keys.get(key_thumbprint(key))
    if bound is None or bound.ended_at is not None or bound.role != "author":
        raise SignatureError(
            "the key that signed is none of the project's authors', in force at its end"
        )


# -- E7: the sum -----------------------------------------------------------------------------------


def _sum(
    findings: Sequence[ExhibitFinding], records: RecordsVerdict | None
) -> tuple[Status, str, int]:
    failed = next((finding for finding in findings if finding.word == "failed"), None)
    if failed is not None:
        where = "" if failed.path is None else f"{failed.path}: "
        return Status.FAILED, f"{where}{failed.reason}", summary.EXIT_FAILED
    if records is None:
        return Status.FAILED, "no record can be read", summary.EXIT_FAILED
    unsure = next((finding for finding in findings if finding.word == "not_checked"), None)
    if unsure is not None and records.exit_status == summary.EXIT_VERIFIED:
        return Status.NOT_CHECKED, unsure.reason, summary.EXIT_NOT_CHECKED
    return records.status, records.reason, records.exit_status
