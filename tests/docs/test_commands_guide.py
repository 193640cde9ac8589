"""docs/guides/commands.md is what the parsers say."""

from __future__ import annotations

import argparse
from pathlib import Path

from anchor.cli._ladder import _BOUND_COLUMNS, _LABEL_COLUMNS
from anchor.cli.completion import verb_parsers
from anchor.cli.guide import commands_guide


def test_guide_is_written_from_the_parsers(project_root: Path):
    committed = (project_root / "docs/guides/commands.md").read_text()
    assert committed == commands_guide(), "python -m anchor.cli.guide > docs/guides/commands.md"


def test_every_verb_and_every_option_that_is_shown_stands_in_the_guide(project_root: Path):
    text = (project_root / "docs/guides/commands.md").read_text()
    parsers = verb_parsers()
    assert {"demo", "serve", "stamp", "upgrade", "verify", "inspect", "policy", "admin"} <= set(
        parsers
    )
    for verb, parser in parsers.items():
        assert f"## vestige {verb}\n" in text
        section = text.split(f"## vestige {verb}\n")[1].split("\n## ")[0]
        for action in parser._actions:
            shown = action.help not in (None, argparse.SUPPRESS)
            if shown and action.dest not in ("help", "json", "quiet"):
                for option in action.option_strings:
                    assert f"`{option}" in section, (verb, option)


def test_sample_of_the_guide_has_the_columns_of_the_program(project_root: Path):
    text = (project_root / "docs/guides/commands.md").read_text()
    sample = text.split("```\n")[1].splitlines()
    for line in sample[1:]:
        assert line[2 + _LABEL_COLUMNS - 2 : 2 + _LABEL_COLUMNS] == "  "
        assert line[2 + _LABEL_COLUMNS + _BOUND_COLUMNS] in "✓…"
