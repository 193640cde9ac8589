"""Records as ``verify`` prints them: one whole, or a project in a line each with its sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from anchor.cli._ladder import (
    Row,
    print_below,
    print_rows,
    print_sentence,
    print_verdict,
    shortened,
)
from anchor.cli._output import Output, dim, short, shown_time, word
from anchor.cli._peer_words import without_signs
from anchor.records.record import Record
from anchor.verify.records import RecordsVerdict
from anchor.verify.verdict import RecordJudgement, Status, Verdict

_SHORT_PROJECT: Final = 8


def print_record(
    out: Output,
    verdict: Verdict,
    whole: RecordsVerdict,
    name: str,
    *,
    file: tuple[str, int] | None = None,
) -> None:
    """Print one record's ladder, and below it what its project shows together.

    Args:
        out: where to.
        verdict: of the record.
        whole: of the list that it is judged with.
        name: what people know it by.
        file: a file that it names, and its number among the record's files.
    """
    print_verdict(out, verdict, name)
    if verdict.record is not None:
        record = verdict.record.record
        line = f"record {record.seq} ({record.kind.name}) of project {record.place.project}"
        if file is not None:
            line = f"{file[0]} is file {file[1]} of {line}"
        print_below(out, line)
    print_below(out, whole.statement)


def print_list(out: Output, whole: RecordsVerdict, folders: int) -> None:
    """Print a project: the sentence, a row for each record, what is withheld, what is claimed.

    Args:
        out: where to.
        whole: the list's verdict.
        folders: how many the records were read from.
    """
    print_sentence(out, _list_sentence(whole), whole.status)
    rows = [_record_row(verdict) for verdict in whole.verdicts]
    rows += [
        ("fork", "–", word(found.word), shortened(without_signs(found.reason)))
        for found in whole.forks
    ]
    rows += _count_rows(whole)
    first = whole.verdicts[0]
    test = ", class test: shows nothing to anybody else" if first.policy_class == "test" else ""
    digest = short(first.policy_sha256)
    rows.append(("policy", "", "", dim(f"{first.policy_name} (SHA-256 {digest}){test}")))
    print_rows(out, rows)
    print_below(out, whole.statement)
    if folders > 1:
        print_below(out, f"note: the records were read from {folders} folders")


def records_naming(verdicts: Sequence[Verdict], sha256: bytes) -> Iterator[tuple[Verdict, int]]:
    """Yield the records that a file stands in, as far as they disclose it, with its number."""
    for verdict in verdicts:
        judgement = verdict.record
        if judgement is not None:
            number = file_number(judgement.record, sha256)
            if number is not None:
                yield verdict, number


def file_number(record: Record, sha256: bytes) -> int | None:
    """Return the number of the file entry with that SHA-256, or None where none is disclosed."""
    wanted = sha256.hex()
    found = (number for number, entry in record.files.items() if entry["sha256"] == wanted)
    return min(found, default=None)


def _list_sentence(whole: RecordsVerdict) -> str:
    shown, project = len(whole.verdicts), whole.report.project[:_SHORT_PROJECT]
    records = f"{shown} record{'' if shown == 1 else 's'} of project {project}…"
    if whole.status is Status.VERIFIED:
        last = max(
            (verdict.headline.existed_before for verdict in whole.verdicts if verdict.headline),
            default=None,
        )
        return records if last is None else f"{records} existed before {shown_time(last)} UTC"
    if whole.status is Status.PENDING:
        return f"{records}: nothing is false, not all is verified yet"
    missing = whole.report.missing
    if missing and whole.reason == whole.statement:
        return f"{records}: {missing} more {'is' if missing == 1 else 'are'} not listed"
    return f"{records}: {shortened(whole.reason)}"


def _record_row(verdict: Verdict) -> Row:
    judgement, head = verdict.record, verdict.headline
    label = "" if judgement is None else f"{judgement.record.seq:>3}  {judgement.record.kind.name}"
    bound = "–" if head is None else f"before {shown_time(head.existed_before)}"
    return label, bound, word(verdict.status), without_signs(_remark(verdict, judgement))


def _remark(verdict: Verdict, judgement: RecordJudgement | None) -> str:
    if verdict.status is not Status.VERIFIED:
        return shortened(verdict.reason)
    if judgement is not None and judgement.not_before is not None:
        return f"not before {shown_time(judgement.not_before)}"
    return ""


def _count_rows(whole: RecordsVerdict) -> Iterator[Row]:
    report = whole.report
    if whole.withheld_fields:
        shown = len(whole.verdicts)
        text = f"in {shown} record{'' if shown == 1 else 's'} shown"
        yield "withheld", f"{whole.withheld_fields} fields", "", dim(text)
    if whole.withheld_records:
        yield "withheld", f"{whole.withheld_records} records", "", dim("their digests are listed")
    if report.missing:
        yield "not listed", f"{report.missing} records", "", dim("nothing is known of them here")
