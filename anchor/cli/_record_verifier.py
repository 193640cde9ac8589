"""Judges records for ``vestige verify``: those named, those of a folder, those that name a file.

A record is judged with the list that it belongs to: what lies in its folder is read with it, and
only what was named is printed. Several records, and a folder of them, are printed in one line each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from anchor.cli import _exit_status
from anchor.cli._ladder import print_below, print_sentence, sentence_of
from anchor.cli._progress import Progress
from anchor.cli._records import file_number, print_list, print_record, records_naming
from anchor.cli._verifier import Result, Verifier, print_steps, status_of
from anchor.client.local_file import file_digest
from anchor.client.record_evidence import (
    LoadedRecords,
    RecordFile,
    load_records,
    record_paths,
    vault_records_above,
)
from anchor.errors import UsageError, VestigeError
from anchor.verify.records import RecordsVerdict, judge_records
from anchor.verify.report import records_to_json, verdict_to_json
from anchor.verify.verdict import Status, Verdict


class RecordVerifier:
    """Judges records under the policy, time and facts of one :class:`Verifier`."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._args = verifier.args
        self._out = verifier.out

    def given(self, paths: Sequence[Path]) -> list[Result]:
        """Judge the records that were named, each with what else lies in its folder."""
        if self._args.file is not None and len(paths) > 1:
            raise UsageError("--file names a file of one record", hint="name one PATH with it")
        named = self._load(paths, proof=self._args.proof)
        results = [self._verifier.failed(str(path), error) for path, error in named.failures]
        around = self._load(_siblings(paths)) if named.files else LoadedRecords((), ())
        for _, error in around.failures:
            self._out.warn(f"not read with it: {error.message}", error.hint)
        others = _by_project(around.files)
        for project, files in _by_project(named.files).items():
            beside = others.get(project, [])
            results += self._judge_given(files, beside, brief=len(paths) > 1)
        return results

    def folder(self, folder: Path) -> list[Result]:
        """Judge the records of a folder as one list for each project; none if there are none."""
        loaded = self._load(record_paths(folder))
        results = [self._verifier.failed(str(path), error) for path, error in loaded.failures]
        for files in _by_project(loaded.files).values():
            whole, silent = self._judge(files)
            paths = {file.item.record.digest: file.path for file in files}
            print_list(self._out, whole, len({path.parent for path in paths.values()}))
            if self._args.steps:
                for verdict in whole.verdicts:
                    print_steps(self._out, verdict)
            value = records_to_json(whole, steps=self._args.steps)
            for each, verdict in zip(value["records"], whole.verdicts, strict=True):
                each["path"] = str(paths[digest_of(verdict)])
            status = status_of(whole.exit_status, silent)
            results.append({"path": str(folder), **value, "exit_status": status})
        return results

    def naming(self, path: Path) -> Result | None:
        """Judge what the records of the vault around a file say of it; None if they do not name it.

        Of several records that name it, the one that is verified to be the oldest counts.
        """
        paths = vault_records_above(path)
        if not paths:
            return None
        sha256 = file_digest(path)
        loaded = self._load(paths)
        for _, error in loaded.failures:
            self._out.warn(error.message, error.hint)
        found: list[tuple[Verdict, int, RecordsVerdict, list[VestigeError]]] = []
        for files in _by_project(loaded.files).values():
            if any(file_number(file.item.record, sha256) is not None for file in files):
                whole, silent = self._judge(files)
                named = records_naming(whole.verdicts, sha256)
                found += [(verdict, number, whole, silent) for verdict, number in named]
        if not found:
            return None
        verdict, number, whole, silent = min(found, key=lambda item: _age(item[0]))
        print_record(self._out, verdict, whole, str(path), file=(str(path), number))
        if self._args.steps:
            print_steps(self._out, verdict)
        result = self._result(path, verdict, whole, silent)
        result["named_by"] = [
            {"seq": each.record.record.seq, "file": entry}
            for each, entry, *_ in found
            if each.record
        ]
        return result

    def _load(self, paths: Sequence[Path], proof: Path | None = None) -> LoadedRecords:
        with Progress(self._out, "reading", len(paths)) as progress:
            return load_records(
                paths, reader=self._verifier.reader, proof=proof, step=progress.step
            )

    def _judge(self, files: Sequence[RecordFile]) -> tuple[RecordsVerdict, list[VestigeError]]:
        """Judge a list; the first record for a place is the list's, others are compared with it."""
        items = [file.item for file in files]
        judge, silent = self._verifier.judge(
            lambda online, facts: online.about_records(items, facts),
            drand=any(beacon.source == "drand" for i in items for beacon in i.record.not_before),
        )
        before, steps = self._verifier.before, self._args.steps
        return judge_records(items, judge, before=before, steps=steps), silent

    def _judge_given(
        self, files: Sequence[RecordFile], around: Sequence[RecordFile], *, brief: bool
    ) -> list[Result]:
        results: list[Result] = []
        whole, silent = self._judge([*files, *around])
        for file in files:
            verdict = _verdict_of(file, whole)
            if verdict is None:
                # Another record has its place: it is judged in that place, and so as a fork.
                whole, silent = self._judge([file, *files, *around])
                verdict = _verdict_of(file, whole) or whole.verdicts[0]
            number, verdict = self._compare_file(file, verdict)
            self._print(file, verdict, whole, number, brief=brief)
            results.append(self._result(file.path, verdict, whole, silent))
        if brief:
            print_below(self._out, whole.statement)
        return results

    def _print(
        self,
        file: RecordFile,
        verdict: Verdict,
        whole: RecordsVerdict,
        number: int | None,
        *,
        brief: bool,
    ) -> None:
        named = None if number is None else (str(self._args.file), number)
        if brief:
            print_sentence(self._out, sentence_of(verdict, str(file.path)), verdict.status)
        else:
            print_record(self._out, verdict, whole, str(file.path), file=named)
        if self._args.steps:
            print_steps(self._out, verdict)

    def _compare_file(self, file: RecordFile, verdict: Verdict) -> tuple[int | None, Verdict]:
        """Look for the file that was named; a record that does not name it is not about it."""
        path = self._args.file
        if path is None:
            return None, verdict
        record = file.item.record
        number = file_number(record, file_digest(path))
        if number is not None or verdict.status is Status.FAILED:
            return number, verdict
        hidden = record.sd_jwt.open_fields["files"] - len(record.files)
        status, exit_status = Status.FAILED, _exit_status.FAILED
        reason = f"{path} is none of the files of the record"
        if hidden:
            status, exit_status = Status.NOT_CHECKED, _exit_status.NOT_CHECKED
            reason = f"{path} is none of the files shown, and {hidden} of the record are withheld"
        return None, replace(
            verdict,
            status=status,
            reason=reason,
            file_status=status,
            headline=None,
            answer=None,
            exit_status=exit_status,
        )

    def _result(
        self, path: Path, verdict: Verdict, whole: RecordsVerdict, silent: list[VestigeError]
    ) -> Result:
        value = verdict_to_json(verdict, steps=self._args.steps)
        summary = records_to_json(whole)
        for name in ("records", "stubs", "exit_status"):
            del summary[name]
        status = status_of(verdict.exit_status, silent)
        return {"path": str(path), **value, "list": summary, "exit_status": status}


def _siblings(paths: Sequence[Path]) -> list[Path]:
    """Return the other records of the folders that the records lie in."""
    named = {path.resolve() for path in paths}
    folders = dict.fromkeys(path.absolute().parent for path in paths)
    return [
        path for folder in folders for path in record_paths(folder) if path.resolve() not in named
    ]


def digest_of(verdict: Verdict) -> bytes:
    """Return the digest of the record that a verdict is about, whatever its proof is of."""
    return verdict.record.record.digest if verdict.record else verdict.digest


def _verdict_of(file: RecordFile, whole: RecordsVerdict) -> Verdict | None:
    digest = file.item.record.digest
    return next((each for each in whole.verdicts if digest_of(each) == digest), None)


def _by_project(files: Iterable[RecordFile]) -> dict[str, list[RecordFile]]:
    projects: dict[str, list[RecordFile]] = {}
    for file in files:
        projects.setdefault(file.item.record.place.project, []).append(file)
    return projects


def _age(verdict: Verdict) -> tuple[bool, float, int]:
    """Order verdicts: those that are verified first, the earliest bound first."""
    seq = verdict.record.record.seq if verdict.record else 0
    if verdict.status is not Status.VERIFIED or verdict.headline is None:
        return True, 0, seq
    return False, verdict.headline.existed_before.timestamp(), seq
