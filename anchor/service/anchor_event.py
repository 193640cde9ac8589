"""What the anchorer tells the rest of the service when something changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from anchor.formats.encoding import utc_text
from anchor.ports import Json, Phase

EventKind = Literal["round", "attempt", "alarm", "alarm_over", "published", "fatal"]


@dataclass(frozen=True, slots=True)
class AnchorEvent:
    """One change. It names rounds and backends and never a digest.

    Attributes:
        kind: ``round`` (a backend took a new round), ``attempt`` (its phase changed), ``alarm`` and
            ``alarm_over`` (``name`` says which), ``published``, ``fatal`` (everything stopped).
        at: wall clock, aware UTC.
        backend: name, or "" where no single backend is meant.
        tree_size: the round, or None.
        phase: of the attempt, or None.
        name: of the alarm, or "".
        note: one line for people.
    """

    kind: EventKind
    at: datetime
    backend: str = ""
    tree_size: int | None = None
    phase: Phase | None = None
    name: str = ""
    note: str = ""

    def as_json(self) -> Json:
        """Return the event as it is shown, without what it does not have."""
        shown: Json = {"kind": self.kind, "at": utc_text(self.at)}
        if self.backend:
            shown["backend"] = self.backend
        if self.tree_size is not None:
            shown["tree_size"] = self.tree_size
        if self.phase is not None:
            shown["phase"] = self.phase.value
        if self.name:
            shown["name"] = self.name
        if self.note:
            shown["note"] = self.note
        return shown
