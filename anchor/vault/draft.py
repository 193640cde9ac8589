"""What a record is to say, before it has a place, a time and a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anchor.vault.objects import KeptObject


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a record: a path, bytes that are no file, or an original that is kept already.

    Attributes:
        role: what it is in the record: ``output``, ``sketch``, ``before``, ``mask``, …
        path: to be read and kept; its name below the working folder goes into the record.
        data: bytes to be kept, with a ``name``.
        kept: what :class:`anchor.vault.objects.ObjectStore` gave, with a ``name``.
        name: instead of the path's.
        allow_empty: keep it although it holds no bytes.
    """

    role: str
    path: Path | None = None
    data: bytes | None = None
    kept: KeptObject | None = None
    name: str | None = None
    allow_empty: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """One record to be made.

    Attributes:
        kind: a name of the table of kinds.
        fields: the kind's own fields and the common ones; those that are None are left out.
        files: in order; the n-th is ``SEQ.n`` in references.
        role: who acted: ``author``, ``co-author``, ``assistant``, ``tool``, ``importer``.
        mode: how it was captured: ``manual``, ``watch_folder``, ``live_plugin``, ``import``.
        client: the program that captured it, with its version; None for this one.
        lag_s: seconds from the step to the record, None where they can not be known.
        tier: provenance, ``T0`` to ``T4``.
        late: made long after what it tells of; an import always is.
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Attachment, ...] = ()
    role: str = "author"
    mode: str = "manual"
    client: str | None = None
    lag_s: int | None = None
    tier: str = "T0"
    late: bool = False
