"""What one tool's reader makes of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reading:
    """The tool, and what it says of the run.

    Attributes:
        tool: its name, as in ``docs/guides/capture.md``.
        fields: as in :class:`~anchor.capture.metadata.Metadata`; members that are None or empty
            are dropped, and numbers brought into form, when the reading is taken.
        notes: what was doubtful.
    """

    tool: str
    fields: Mapping[str, Any]
    notes: tuple[str, ...] = ()
