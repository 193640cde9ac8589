"""``vestige verify``: what does a proof, a file beside one, a record or a folder of them show?

A path's name and kind say what it is, never what stands in it: a document that is itself a proof of
something else is still a document (:mod:`anchor.client.evidence`).

Offline unless ``--online`` is given; then the sources of the policy are asked, and nobody else.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy
from anchor.cli._ladder import print_sentence, print_verdict, sentence_of
from anchor.cli._output import Output
from anchor.cli._progress import Progress
from anchor.cli._verifier import Result, Verifier, print_steps, status_of
from anchor.client.evidence import (
    RECORD_SUFFIX,
    ZIP_SUFFIX,
    Evidence,
    files_with_evidence,
    load_evidence,
)
from anchor.errors import NotFoundError, UsageError, VestigeError
from anchor.proof.proof import Proof
from anchor.verify.judge import Judge
from anchor.verify.report import verdict_to_json
from anchor.verify.verdict import Status, Verdict

if TYPE_CHECKING:
    from anchor.cli._record_verifier import RecordVerifier
    from anchor.exhibit.verdict import ExhibitVerdict
    from anchor.verify.records import ProvenRecord

_EXHIBIT_SUFFIX: Final = ".exhibit.zip"
_HEAD_BYTES: Final = 300
_ZIP_MAGIC: Final = b"PK\x03\x04"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``verify``."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="a proof, an .ots file, a file that has one beside it, a record (.sdjwt), an exhibit, "
        "or a folder of any of them; - is a proof on standard input",
    )
    parser.add_argument(
        "--before", metavar="TIME", help="ask whether it existed before this time (UTC or zoned)"
    )
    add_policy(parser)
    parser.add_argument(
        "--file",
        metavar="FILE",
        type=Path,
        help="the file that the proof is of, if not beside it; with a record, one that it names",
    )
    parser.add_argument(
        "--proof",
        metavar="PROOF",
        type=Path,
        help="the proof or .ots file of PATH, whatever its name and wherever it lies",
    )
    parser.add_argument(
        "--online", action="store_true", help="ask the policy's sources about blocks and rounds"
    )
    parser.add_argument(
        "--headers", metavar="FILE", type=Path, help="Bitcoin headers, 80 bytes each, consecutive"
    )
    parser.add_argument(
        "--headers-from",
        metavar="HEIGHT",
        type=int,
        default=None,
        help="height of the first header in --headers (default: as the file says, else 0)",
    )
    parser.add_argument("--steps", action="store_true", help="print every step that was taken")


def run(args: argparse.Namespace, out: Output) -> int:
    """Judge each path; return the worst status by precedence."""
    paths: list[str] = args.paths
    if not paths and args.proof is None:
        raise UsageError(
            "the following arguments are required: PATH", hint="see vestige verify --help"
        )
    for name, value in (("--file", args.file), ("--proof", args.proof)):
        if value is not None and (len(paths) > 1 or any(Path(path).is_dir() for path in paths)):
            raise UsageError(f"{name} belongs to one proof", hint="name one PATH with it")
    verifier = Verifier(args, out)
    by_path = _PathVerifier(verifier)
    records = [path for path in paths if path.endswith(RECORD_SUFFIX) and not _is_folder(path)]
    others = [path for path in paths if path not in records]
    results: list[Result] = []
    folders = [path for path in others if _is_folder(path) and not _is_exhibit(path)]
    with Progress(out, "verifying", len(others) - len(folders)) as progress:
        for path in others if paths else [None]:
            if path not in folders:
                results.append(by_path.result(path))
                progress.step()
    for path in folders:
        results += by_path.folder(Path(path))
    if records:
        results += _records(verifier).given([Path(path) for path in records])
    status = _exit_status.worst_status(result["exit_status"] for result in results)
    if len(results) == 1 and not folders:
        out.object(results[0])
    else:
        out.object({"verdicts": results, "exit_status": status})
    return status


def _is_folder(path: str) -> bool:
    return Path(path).is_dir()


def _is_exhibit(path: str) -> bool:
    """Return whether a path is an exhibit: by its name, or an unpacked one by what it holds.

    Courts give files names of their own: another zip file is one if its first entry lies in a
    folder that is called as an exhibit's is.
    """
    if _is_folder(path):
        return (Path(path) / "bagit.txt").is_file()
    if path.endswith(_EXHIBIT_SUFFIX):
        return True
    return path.lower().endswith(ZIP_SUFFIX) and _holds_exhibit(Path(path))


def _holds_exhibit(path: Path) -> bool:
    """Return whether a zip file begins as an exhibit does."""
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
            return head.startswith(_ZIP_MAGIC) and b".exhibit/" in head
    return False


class _PathVerifier:
    """Judges proofs, files, exhibits and folders, and prints what was found."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._args = verifier.args
        self._out = verifier.out

    def result(self, path: str | None) -> Result:
        """Judge one path, or what ``--proof`` names alone; print what was found."""
        try:
            if path is not None and _is_exhibit(path):
                return self._exhibit(Path(path))
            return self._evidence(path)
        except NotFoundError as error:
            if path is not None and error.code == "proof.not_found" and _holds_exhibit(Path(path)):
                error.hint = "it looks like an exhibit: give it a name that ends in .zip"
            return self._verifier.failed(path, error)
        except VestigeError as error:
            return self._verifier.failed(path, error)

    def folder(self, folder: Path) -> list[Result]:
        """Judge every file of a folder that has evidence beside it, and its records."""
        try:
            return self._folder(folder)
        except VestigeError as error:
            return [self._verifier.failed(str(folder), error)]

    def _exhibit(self, path: Path, *, brief: bool = False) -> Result:
        from anchor.cli._exhibit import verify_exhibit

        silent: list[VestigeError] = []

        def judge_for(items: Sequence[ProvenRecord]) -> Judge:
            judge, failures = self._verifier.judge(
                lambda online, facts: online.about_records(items, facts),
                drand=any(b.source == "drand" for i in items for b in i.record.not_before),
            )
            silent.extend(failures)
            return judge

        steps = self._args.steps
        silent_out = Output(stdout=io.StringIO(), stderr=io.StringIO(), as_json=True, quiet=True)
        verdict, value = verify_exhibit(
            path,
            silent_out if brief else self._out,
            judge_for,
            before=self._verifier.before,
            steps=steps,
        )
        if brief:
            print_sentence(self._out, _exhibit_sentence(path, verdict), verdict.status)
        if steps and verdict.records is not None:
            for each in verdict.records.verdicts:
                print_steps(self._out, each)
        status = status_of(verdict.exit_status, silent)
        return {"path": str(path), **value, "exit_status": status}

    def _folder(self, folder: Path) -> list[Result]:
        found = files_with_evidence(folder)
        results = [self._verifier.failed(str(folder), error) for error in found.failures]
        with Progress(self._out, "verifying", len(found.files)) as progress:
            for path in found.files:
                try:
                    results.append(self._evidence(str(path), brief=True))
                except VestigeError as error:
                    results.append(self._verifier.failed(str(path), error))
                progress.step()
        exhibits = [path for path in found.zips if _is_exhibit(str(path))]
        results += [self._one_exhibit(path) for path in exhibits]
        records = _records(self._verifier).folder(folder)
        alone = [path for path in found.alone if path.stem not in found.records]
        if alone:
            what = f"proof{'s' if len(alone) > 1 else ''} of files that are not there"
            self._out.note(f"{folder}: {len(alone)} {what}, passed over (first: {alone[0].name})")
        if not results and not records:
            raise NotFoundError(
                f"{folder}: no file in it has a proof beside it, and there is no record",
                code="proof.not_found",
                hint=f"vestige stamp {folder} makes proofs",
            )
        return [*results, *records]

    def _one_exhibit(self, path: Path) -> Result:
        try:
            return self._exhibit(path, brief=True)
        except VestigeError as error:
            return self._verifier.failed(str(path), error)

    def _evidence(self, path: str | None, *, brief: bool = False) -> Result:
        try:
            evidence = load_evidence(
                path, file=self._args.file, proof=self._args.proof, reader=self._verifier.reader
            )
        except NotFoundError as error:
            if error.code != "proof.not_found" or path is None:
                raise
            named = _records(self._verifier).naming(Path(path))
            if named is None:
                raise
            return named
        verdict, silent = self._verdict(evidence)
        name, alone = evidence.name, evidence.file_path is None
        if brief:
            print_sentence(self._out, sentence_of(verdict, name, digest_only=alone), verdict.status)
        else:
            print_verdict(self._out, verdict, name, digest_only=alone)
        if self._args.steps:
            print_steps(self._out, verdict)
        value = verdict_to_json(verdict, steps=self._args.steps)
        status = status_of(verdict.exit_status, silent)
        return {"path": path or str(self._args.proof), **value, "exit_status": status}

    def _verdict(self, evidence: Evidence) -> tuple[Verdict, list[VestigeError]]:
        content, digest = evidence.content, evidence.file_digest
        judge, silent = self._verifier.judge(lambda online, facts: online.about(content, facts))
        if isinstance(content, Proof):
            verdict = judge.verify_proof(
                content, file_digest=digest, before=self._verifier.before, steps=self._args.steps
            )
        else:
            verdict = judge.verify_ots(content, file_digest=digest, before=self._verifier.before)
        return verdict, silent


def _exhibit_sentence(path: Path, verdict: ExhibitVerdict) -> str:
    """Return the one sentence that an exhibit gets in a folder."""
    if verdict.records is None or verdict.status is not Status.VERIFIED:
        return f"{path.name}: {verdict.reason}"
    count = len(verdict.records.verdicts)
    records = "1 record" if count == 1 else f"{count:,} records"
    return f"{path.name}: exhibit of {records}; by itself it is told in full"


def _records(verifier: Verifier) -> RecordVerifier:
    """Return what judges records, which are loaded where there are any."""
    from anchor.cli._record_verifier import RecordVerifier

    return RecordVerifier(verifier)
