"""``LIMITS.md`` and ``LIMITS.zh.md``: what an exhibit does not show.

They are about the format and, in a few numbers, about the exhibit; nothing in them is a promise.
"""

from __future__ import annotations

from collections.abc import Mapping

from anchor.exhibit.listing import Listing
from anchor.exhibit.texts import load_text
from anchor.verify.records import RecordsVerdict


def limits_texts(listing: Listing, verdict: RecordsVerdict) -> dict[str, str]:
    """Return both texts by path."""
    values = _values(listing, verdict)
    return {
        "data/LIMITS.md": load_text("limits.en.md").format_map(values),
        "data/LIMITS.zh.md": load_text("limits.zh.md").format_map(
            {**values, "statement": _statement_zh(verdict)}
        ),
    }


def _values(listing: Listing, verdict: RecordsVerdict) -> Mapping[str, object]:
    shown = sum(record.shown for record in listing.records)
    return {
        "name": listing.name,
        "total": len(listing.records),
        "shown": shown,
        "withheld": len(listing.records) - shown,
        "fields": verdict.withheld_fields,
        "files": sum(file.path is None for file in listing.files),
        "statement": verdict.statement[:1].upper() + verdict.statement[1:],
    }


def _statement_zh(verdict: RecordsVerdict) -> str:
    """Return what the verdict's statement says, in Chinese."""
    report = verdict.report
    meet = any(found.code == "record.histories_meet" for found in verdict.forks)
    if report.complete_up_to is None or meet:
        if report.missing:
            gap = f"有 {report.missing} 条记录未列出"
        else:
            gap = "最后一条记录的位置未经验证，或者存在两套历史"
        return f"项目 {report.project} 的完整性未得到证明：{gap}"
    later = "项目已结束。" if report.closed else "不涉及其后的记录，也"
    return (
        f"项目 {report.project} 至记录 {report.complete_up_to} 为止是完整的，"
        f"其中 {verdict.withheld_records} 条未出示；{later}不涉及其他项目和其他密钥"
    )
