"""Writes the tables of docs/spec/record.md from the table of kinds.

python -m tests.docs.record_page            rewrite what stands between the marks
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from anchor.records.fields import Field
from anchor.records.kinds import COMMON, ENVELOPE, KINDS, Kind

PAGE = Path(__file__).parents[2] / "docs/spec/record.md"


def presence(field: Field) -> str:
    """Return in a word or two when a field is there."""
    needed = "required" if field.required else "optional"
    return f"open, {needed}" if field.open else needed


def rows(fields: Iterable[Field], *, when: bool = True) -> Iterator[str]:
    """Yield a table of fields."""
    yield "| field | type | there | meaning |" if when else "| field | type | meaning |"
    yield "|---|---|---|---|" if when else "|---|---|---|"
    for field in fields:
        there = f"{presence(field)} | " if when else ""
        yield f"| `{field.name}` | {field.type} | {there}{field.meaning} |"


def kind_lines(kind: Kind) -> Iterator[str]:
    """Yield what the page says of one kind."""
    yield f"### {kind.name}"
    yield f"{kind.meaning[0].upper()}{kind.meaning[1:]}. {_ORIGIN[kind.original]}"
    if kind.fields:
        yield ""
        yield from rows(kind.fields)
    yield ""


_ORIGIN = {True: "Shows how the work came to be.", False: "Said of it, or made again: no original."}


def sections() -> dict[str, str]:
    """Return by the name of its mark what stands there."""
    kinds = [line for kind in KINDS.values() for line in kind_lines(kind)]
    return {
        "envelope": "\n".join(rows(ENVELOPE, when=False)),
        "common": "\n".join(rows(COMMON)),
        "kinds": "\n".join(kinds).rstrip(),
    }


def between(text: str, name: str) -> tuple[int, int]:
    """Return where the section's text starts and ends."""
    start, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    return text.index(start) + len(start), text.index(end)


def main() -> None:
    text = PAGE.read_text()
    for name, section in sections().items():
        start, end = between(text, name)
        text = text[:start] + section + text[end:]
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
