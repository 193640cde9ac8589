"""What the printed exhibit is made from: the payload folder of the bag, read once.

Everything comes from files that the bag holds (``docs/spec/exhibit.md``): the list, the records
that are shown, and the report of the exporting machine. Nothing is judged here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anchor.exhibit.pdf.text import plain
from anchor.records.record import Record, parse_record

_MAIN_KINDS = ("final", "publication")


@dataclass(frozen=True, slots=True)
class Contents:
    """A payload, by what the pages ask of it.

    Attributes:
        folder: of the payload (``data/``).
        bundle: digest of the bundle, hex.
        signed: whether a key of the project signs the list of files.
        listing: ``exhibit.json``.
        report: ``report/verification.json``.
        records: those shown, by number.
        verdicts: of the records shown, by number, as the report has them.
        enclosed: the path within the payload of each file entry whose bytes are there, by record
            and number.
        compared: every reference that a choice shown here names, chosen or not.
    """

    folder: Path
    bundle: str
    signed: bool
    listing: Mapping[str, Any]
    report: Mapping[str, Any]
    records: Mapping[int, Record]
    verdicts: Mapping[int, Mapping[str, Any]]
    enclosed: Mapping[tuple[int, int], str]
    compared: frozenset[str]

    @property
    def name(self) -> str:
        """Return the name of the exhibit."""
        return plain(self.listing["name"], lines=False)

    @property
    def date(self) -> datetime:
        """Return the claimed time of the newest record shown, UTC."""
        return datetime.fromisoformat(self.listing["date"]).astimezone(UTC)

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """Return a row for each record listed, shown or not, in order."""
        return list(self.listing["records"])

    @property
    def stubs(self) -> list[Mapping[str, Any]]:
        """Return the rows of the records withheld."""
        return [row for row in self.rows if not row["shown"]]

    @property
    def status(self) -> str:
        """Return the word for the exhibit as a whole: what nobody signed is not checked."""
        found = str(self.report["status"])
        return "not_checked" if found == "verified" and not self.signed else found

    @property
    def is_test(self) -> bool:
        """Return whether the policy is one that shows nothing to anybody else."""
        policy = self.policy()
        return policy is not None and policy["class"] == "test"

    @property
    def listed(self) -> Mapping[str, Any]:
        """Return what the report says of the records as a list."""
        whole: Mapping[str, Any] = self.report["records"]
        return whole

    @property
    def main(self) -> int:
        """Return the record that the summary speaks of: the last finished work, or the last."""
        found = [seq for seq, record in self.records.items() if record.kind.name in _MAIN_KINDS[:1]]
        return max(found or self.records)

    def of_kind(self, *kinds: str) -> list[Record]:
        """Return the records shown that are of these kinds, in order."""
        return [record for record in self.records.values() if record.kind.name in kinds]

    def existed_before(self, seq: int) -> str | None:
        """Return the headline of a record as ISO text, or None."""
        verdict = self.verdicts.get(seq)
        headline: str | None = verdict["existed_before"]["headline"] if verdict else None
        return headline

    def withheld_of(self, *kinds: str) -> int:
        """Return how many records of these kinds are withheld."""
        return sum(row["kind"] in kinds for row in self.stubs)

    def bounds(self) -> list[str]:
        """Return the headlines of the records shown that have one, ascending."""
        return sorted(bound for seq in self.records if (bound := self.existed_before(seq)))

    def attestations(self) -> Iterator[Mapping[str, Any]]:
        """Yield every row of every proof."""
        for verdict in self.verdicts.values():
            yield from verdict["attestations"]

    def policy(self) -> Mapping[str, Any] | None:
        """Return the policy that the report was made under, if any record was judged."""
        return next((verdict["policy"] for verdict in self.verdicts.values()), None)

    def file_of(self, seq: int, number: int) -> Path | None:
        """Return the file whose bytes are enclosed for an entry of a record."""
        path = self.enclosed.get((seq, number))
        return None if path is None else self.folder / path


def read_contents(folder: Path, bundle: bytes, *, signed: bool) -> Contents:
    """Read a payload folder that the exporter has just written."""
    listing = json.loads((folder / "exhibit.json").read_bytes())
    report = json.loads((folder / "report" / "verification.json").read_bytes())
    shown = (row["seq"] for row in listing["records"] if row["shown"])
    records = {
        seq: parse_record((folder / "records" / f"{seq:08}.sdjwt").read_bytes()) for seq in shown
    }
    verdicts = {each["record"]["seq"]: each for each in report["records"]["records"]}
    enclosed = {
        (row["record"], int(row["field"].removeprefix("file."))): row["path"]
        for row in listing["files"]
        if row["path"]
    }
    choices = [record.fields for record in records.values() if record.kind.name == "selection"]
    compared = frozenset(
        reference
        for choice in choices
        for reference in (*choice.get("chosen", ()), *choice.get("rejected", ()))
    )
    return Contents(
        folder, bundle.hex(), signed, listing, report, records, verdicts, enclosed, compared
    )
