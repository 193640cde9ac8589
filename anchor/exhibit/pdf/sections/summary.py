"""The page that stands alone: what is proven to which date, asserted, not checked, not proven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anchor.exhibit.pdf.blocks import (
    Block,
    Cell,
    Line,
    bullets,
    columns,
    heading,
    paragraph,
    party,
    sentence,
    sheet,
    table,
)
from anchor.exhibit.pdf.contents import Contents
from anchor.exhibit.pdf.pictures import Pictures
from anchor.exhibit.pdf.sections.phrases import bound_of, family_of, reason_of, time_of, told
from anchor.exhibit.pdf.text import plain
from anchor.exhibit.pdf.words import Words

_REASONS = 4


def summary(contents: Contents, words: Words, pictures: Pictures) -> Iterator[Block]:
    """Yield the page of summary."""
    yield heading(1, words("summary.title", name=contents.name))
    yield sentence(_lead(contents, words), words.word(contents.status))
    yield from _doubts(contents, words)
    picture = pictures.of_record(contents.main)
    about = [
        paragraph(_range(contents, words)),
        paragraph([("soft", words("summary.work"))]),
        party(told(contents.listing["title"], 0, words, 200)),
        paragraph([("soft", words(_what(contents)))]),
    ]
    if picture is None:
        yield from about
    else:
        alt = words("summary.work")
        yield columns((7, 3), about, [sheet([Cell(picture, alt, "", "")], n_columns=1)])
    yield columns(
        (1, 1),
        [
            *_list(words("summary.proven"), _proven(contents, words)),
            *_list(words("summary.not_checked"), _not_checked(contents, words)),
        ],
        [
            *_list(words("summary.asserted"), words.lines("summary.asserted_items")),
            *_list(words("summary.not_proven"), words.lines("summary.not_proven_items")),
        ],
    )
    yield from _ladder(contents, words)


def _doubts(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield what takes something from the sentence, right below it."""
    if contents.is_test:
        yield paragraph([("doubt", words("summary.test_policy"))])
    if not contents.signed:
        yield paragraph([("doubt", words("summary.unsigned"))])


def _what(contents: Contents) -> str:
    return "summary.what_text" if contents.bounds() else "summary.what_undated"


def _lead(contents: Contents, words: Words) -> str:
    if contents.report["status"] == "failed":
        return words("summary.lead_failed")
    time = contents.existed_before(contents.main)
    if time is not None:
        name = "summary.lead_final" if _has_final(contents) else "summary.lead_record"
        return words(name, seq=contents.main, time=words("common.utc", time=time_of(time)))
    return words("summary.lead_none")


def _has_final(contents: Contents) -> bool:
    return contents.records[contents.main].kind.name == "final"


def _range(contents: Contents, words: Words) -> str:
    bounds = contents.bounds()
    counts = {"shown": len(contents.records), "withheld": len(contents.stubs)}
    if len(bounds) == len(contents.records):
        first, last = (words("common.utc", time=time_of(each)) for each in (bounds[0], bounds[-1]))
        return words("summary.range", first=first, last=last, **counts)
    return words("summary.range_none", undated=len(contents.records) - len(bounds), **counts)


def _list(title: str, items: list[str]) -> Iterator[Block]:
    yield heading(2, title, small=True)
    yield bullets(items)


def _proven(contents: Contents, words: Words) -> list[str]:
    """Return what is proven, each only where it is."""
    listed = contents.listed
    dated = bool(contents.bounds())
    items = [words("summary.proven_exist")] if dated else []
    if listed["complete_up_to"] is not None:
        items.append(words("summary.proven_order" if dated else "summary.proven_undated"))
        counts = {"seq": listed["complete_up_to"], "withheld": listed["withheld_records"]}
        items.append(words("summary.proven_complete", **counts))
    key = _first_key(contents)
    if key is not None and _all_signed(contents):
        items.append(words("summary.proven_signed", key=f"{key[:8]}…"))
    return items or [words("summary.proven_nothing")]


def _first_key(contents: Contents) -> str | None:
    first = contents.verdicts.get(0)
    return None if first is None else str(first["record"]["actor"]["key"])


def _all_signed(contents: Contents) -> bool:
    return all(
        finding["status"] == "verified"
        for verdict in contents.verdicts.values()
        for finding in verdict["record"]["findings"]
        if finding["step"] == "13.3"
    )


def _not_checked(contents: Contents, words: Words) -> list[str]:
    left = [
        reason_of(row["reason"])
        for row in (*contents.attestations(), *_findings(contents))
        if row["status"] == "not_checked"
    ]
    promised = sum(row["status"] == "pending" for row in contents.attestations())
    items = [] if contents.signed else [words("summary.unsigned")]
    if left:
        reasons = list(dict.fromkeys(left))
        told_of = "; ".join(reasons[:_REASONS]) + ("; …" if len(reasons) > _REASONS else "")
        items.append(words("summary.not_checked_rows", count=len(left), reasons=told_of))
    if promised:
        items.append(words("summary.pending_rows", count=promised))
    return items or [words("summary.not_checked_none")]


def _findings(contents: Contents) -> Iterator[Mapping[str, Any]]:
    yield from contents.report["findings"]
    for verdict in contents.verdicts.values():
        yield from verdict["record"]["findings"]


def _ladder(contents: Contents, words: Words) -> Iterator[Block]:
    verdict = contents.verdicts.get(contents.main)
    if verdict is None:
        return
    yield heading(2, words("summary.ladder", seq=contents.main), small=True)
    head = words.lines("summary.head")
    rows: list[list[Line]] = [
        [family_of(row, words), bound_of(row, words), words.verdict(row["status"]), _trust(row)]
        for row in verdict["attestations"]
    ]
    rows.append(_not_before(verdict, words))
    yield table((3, 4, 2, 6), head, rows)
    policy = verdict["policy"]
    text = words("summary.policy", name=plain(policy["name"]), sha256=policy["sha256"])
    yield paragraph([("small", text)])


def _trust(row: Mapping[str, Any]) -> str:
    return reason_of(row["trust"] if row["status"] == "verified" else row["reason"])


def _not_before(verdict: Mapping[str, Any], words: Words) -> list[Line]:
    name = words("summary.not_before")
    beacons = verdict["record"]["beacons"]
    if not beacons:
        return [name, "–", "", words("summary.no_beacon")]
    best = max(beacons, key=lambda each: each["not_before"] or "")
    bound = time_of(best["not_before"])
    shown = "–" if best["not_before"] is None else words("common.utc", time=bound)
    return [name, shown, words.verdict(best["status"]), reason_of(best["trust"] or best["reason"])]
