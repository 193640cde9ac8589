"""docs/guides/capture.md names the tools and the limits that the code has."""

from __future__ import annotations

import re

import pytest

from anchor import limits
from anchor.capture import PARSER


@pytest.fixture(scope="module")
def guide(project_root):
    return (project_root / "docs/guides/capture.md").read_text()


def test_names_every_tool(project_root, guide):
    folder = project_root / "anchor/capture/generators"
    sources = "".join(path.read_text() for path in folder.glob("*.py"))
    tools = re.findall(r'Reading\(\s*"([^"]+)"', sources)
    tools += re.findall(r'return "([A-Z][^"]+)"$', sources, flags=re.MULTILINE)
    assert len(set(tools)) >= 12
    assert [tool for tool in tools if tool not in guide] == []
    assert PARSER in guide


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (limits.MAX_CAPTURE_TEXT_BYTES, "| one text, as it stands and inflated | {mib} MiB |"),
        (limits.MAX_CAPTURE_RAW_BYTES, "| everything kept of one file | {mib} MiB, 1,024 pieces |"),
        (limits.MAX_CAPTURE_READ_BYTES, "| read of one file | {mib} MiB |"),
        (limits.MAX_CAPTURE_PARTS, "| chunks, segments or boxes | {number} |"),
        (limits.MAX_EXIF_ENTRIES, "| Exif | {number} entries a directory, 4 directories"),
        (limits.MAX_XMP_ELEMENTS, "| XMP | {number} elements, 512 properties, 64 deep"),
        (limits.MAX_GRAPH_STEPS, "| ComfyUI graph | 8,192 nodes, {number} steps |"),
        (limits.MAX_HIDDEN_TEXT_BYTES, "| text in pixels | {kib} KiB |"),
        (limits.MAX_C2PA_BYTES, "| C2PA manifest | {mib} MiB; checked in files of up to 64 MiB |"),
        (limits.MAX_GENERATION_FIELD_BYTES, "| fields of one record | {mib} MiB as JSON;"),
        (limits.CAPTURE_MEMORY_BYTES, "- {mib} MiB of address space"),
        (limits.CAPTURE_TIME_S, "and {number} seconds, by the processor's clock"),
    ],
)
def test_says_the_limits_as_they_are(guide, value, written):
    assert written.format(mib=value >> 20, kib=value >> 10, number=f"{value:,}") in guide
