"""Makes an exhibit that stays in the tests: ``python -m tests.vectors.generate_exhibit NAME``.

Run once for each release that changes the format; what is there is never made again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from anchor.exhibit.choice import Choice, FieldRule
from anchor.exhibit.verdict import ExhibitVerdict
from tests import exhibit_tampering, exhibits

FOLDER = Path(__file__).parent / "exhibits"


def expected(verdict: ExhibitVerdict) -> dict[str, Any]:
    """Return what every later verifier must find too; words may change, these may not."""
    records = verdict.records
    return {
        **exhibit_tampering.summary(verdict),
        "name": verdict.name,
        "project": verdict.project,
        "files": {"shown": verdict.files_shown, "withheld": verdict.files_withheld},
        "complete_up_to": records.report.complete_up_to,
        "withheld_records": records.withheld_records,
        "withheld_fields": records.withheld_fields,
        "existed_before": [
            each.headline.existed_before.isoformat() if each.headline else None
            for each in records.verdicts
        ],
    }


def make(name: str) -> Path:
    """Write ``NAME.exhibit.zip``, ``NAME.policy.json`` and ``NAME.json``."""
    path = FOLDER / f"{name}.exhibit.zip"
    if path.exists():
        raise SystemExit(f"{path} is there, and stays as it is")
    with tempfile.TemporaryDirectory() as folder:
        case = exhibits.make_vault(Path(folder))
        choice = Choice(
            records=frozenset(range(case.records)) - {1},
            hide=(FieldRule(None, "why"),),
            withheld_files=frozenset({3}),
            reasons={1: "names a client"},
        )
        exhibits.export(case, FOLDER, choice, name=name, title="a cat pendant 水晶猫")
        (FOLDER / f"{name}.policy.json").write_bytes(case.policy_bytes)
        value = {"now": exhibits.NOW.isoformat(), **expected(exhibits.verify(path, case))}
    (FOLDER / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")
    return path


if __name__ == "__main__":
    print(make(sys.argv[1]))
