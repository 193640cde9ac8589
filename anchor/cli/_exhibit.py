"""An exhibit on the command line: read, judged, and shown to people.

The sentence and its word, then what was found, then proved, asserted and not checked, then a table
of the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anchor.cli._ladder import ANSWERS
from anchor.cli._output import Cell, Output, dim, padded, shown_time, word
from anchor.cli._progress import Progress
from anchor.errors import StoreError, StoreUnavailableError
from anchor.exhibit.contents import read_contents
from anchor.exhibit.folder_container import FolderContainer
from anchor.exhibit.judge import JudgeFor, judge_exhibit
from anchor.exhibit.layout import RECORDS
from anchor.exhibit.sentences import numbers
from anchor.exhibit.verdict import ExhibitVerdict, exhibit_to_json
from anchor.exhibit.zip_container import ZipContainer
from anchor.verify.verdict import Answer, Verdict

if TYPE_CHECKING:
    from anchor.exhibit.container import Container

_SENTENCE_COLUMNS: Final = 72
_TIME_COLUMNS: Final = 21
_KIND_COLUMNS: Final = 18
_WORD_COLUMNS: Final = 15
_MAX_FINDINGS: Final = 100


def verify_exhibit(
    path: Path,
    out: Output,
    judge_for: JudgeFor,
    *,
    before: datetime | None,
    steps: bool,
) -> tuple[ExhibitVerdict, dict[str, Any]]:
    """Judge an exhibit, print what was found, return the verdict and its JSON object.

    Args:
        path: of the zip file, or of the unpacked folder.
        out: where to.
        judge_for: returns the judge of the records given.
        before: the time asked about, or None.
        steps: every hash step goes into the JSON object.

    Raises:
        FormatError: step E1 refuses it.
        StoreError: it can not be read.
    """
    with _opened(path) as container:
        total = sum(container.sizes.values())
        with Progress(out, "reading", total) as progress:
            contents = read_contents(container, progress.reached)
    n_records = sum(path.startswith(RECORDS) for path in contents.sizes)
    with Progress(out, "judging", n_records) as progress:
        verdict = judge_exhibit(
            contents, judge_for, before=before, steps=steps, judged=progress.reached
        )
    print_exhibit(out, verdict, path.name)
    return verdict, exhibit_to_json(verdict, steps=steps)


@contextmanager
def _opened(path: Path) -> Iterator[Container]:
    if path.is_dir():
        yield FolderContainer(path)
        return
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is no regular file", code="file.kind")
    try:
        with path.open("rb") as file:
            yield ZipContainer(file)
    except OSError as error:
        raise StoreUnavailableError(
            f"{path}: {(error.strerror or str(error)).lower()}", code="file.unavailable"
        ) from error


# -- words -----------------------------------------------------------------------------------------


def print_exhibit(out: Output, verdict: ExhibitVerdict, name: str) -> None:
    """Print a verdict on an exhibit."""
    out.line(padded(f"{name}: {_sentence(verdict)}", _SENTENCE_COLUMNS), word(verdict.status))
    for line in _answers(verdict):
        out.line("  ", line)
    for finding in verdict.findings[:_MAX_FINDINGS]:
        where = finding.path or "the exhibit"
        out.line("  ", padded(word(finding.word), _WORD_COLUMNS), f"{where}: {finding.reason}")
    if len(verdict.findings) > _MAX_FINDINGS:
        out.line(f"  and {len(verdict.findings) - _MAX_FINDINGS:,} more; --json has them all")
    for title, sentences in (
        ("proved", verdict.proved),
        ("asserted", verdict.asserted),
        ("not checked", verdict.not_checked),
    ):
        if sentences:
            out.line("")
            out.line(title)
            for sentence in sentences:
                out.line(f"  {sentence}")
    _print_records(out, verdict)


def _sentence(verdict: ExhibitVerdict) -> str:
    records = verdict.records
    if records is None or verdict.status.value == "failed":
        return verdict.reason
    shown = len(records.verdicts)
    newest = records.verdicts[-1]
    if newest.headline is None:
        return verdict.reason
    when = shown_time(newest.headline.existed_before)
    return f"{shown:,} records, the last of which existed before {when} UTC"


def _answers(verdict: ExhibitVerdict) -> Iterator[str]:
    """Yield what is said to "did they exist before T?", one line an answer."""
    found: dict[tuple[datetime, Answer], list[int]] = {}
    for each in () if verdict.records is None else verdict.records.verdicts:
        if each.record is not None and each.before is not None and each.answer is not None:
            found.setdefault((each.before, each.answer), []).append(each.record.record.seq)
    for (before, answer), seqs in found.items():
        records = "record" if len(seqs) == 1 else "records"
        asked = f"before {shown_time(before)} UTC?"
        yield f"{asked} {records} {numbers(seqs)}: {ANSWERS[answer]}"


def _print_records(out: Output, verdict: ExhibitVerdict) -> None:
    records = verdict.records
    if records is None:
        return
    out.line("")
    head = ("claimed time", "not before", "existed before")
    out.line(
        "  ", padded("record", 8), padded("kind", _KIND_COLUMNS),
        *(padded(text, _TIME_COLUMNS) for text in head),
    )  # fmt: skip
    rows: dict[int, list[Cell]] = {
        stub.seq: [padded(stub.kind, _KIND_COLUMNS), dim("withheld")]
        for stub in records.report.stubs
    }
    for each in records.verdicts:
        if each.record is not None:
            rows[each.record.record.seq] = _row(each)
    for seq, cells in sorted(rows.items()):
        out.line("  ", padded(str(seq), 8), *cells)


def _row(verdict: Verdict) -> list[Cell]:
    judgement = verdict.record
    if judgement is None:
        return []
    record = judgement.record
    head = verdict.headline
    withheld = f"{record.withheld} withheld" if record.withheld else ""
    return [
        padded(record.kind.name, _KIND_COLUMNS),
        padded(shown_time(record.claimed_time), _TIME_COLUMNS),
        padded(_time(judgement.not_before), _TIME_COLUMNS),
        padded(_time(None if head is None else head.existed_before), _TIME_COLUMNS),
        padded(word(verdict.status), _WORD_COLUMNS),
        dim(withheld),
    ]


def _time(time: datetime | None) -> str:
    return "–" if time is None else shown_time(time)
