"""``project.json``: which project a vault is of, and the service that it names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from anchor.client.local_file import load_bytes, write_atomically
from anchor.formats.encoding import parse_hex, parse_json, utc_text
from anchor.proof.fields import Fields
from anchor.vault.layout import Layout

_MAX_PROJECT_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Project:
    """What ``project.json`` says: the id (16 bytes in hex), and the service named, if any."""

    id: str
    server: str | None = None


def load_project(layout: Layout) -> Project:
    """Read it.

    Raises:
        NotFoundError: it is not there.
        FormatError: it is not what was written.
    """
    data = load_bytes(layout.project_file, max_bytes=_MAX_PROJECT_BYTES, what="project")
    where = str(layout.project_file)
    fields = Fields(parse_json(data, max_bytes=_MAX_PROJECT_BYTES, what=where), where)
    fields.integer("version", minimum=1, maximum=1)
    project = fields.text("project")
    parse_hex(project, n_bytes=16, what=f"project in {where}")
    fields.text("made")
    server = fields.optional("server", fields.text)
    fields.done()
    return Project(project, server)


def store_project(layout: Layout, project: Project) -> None:
    """Write it; durable on return.

    Raises:
        StoreUnavailableError: the disk is full or failing.
    """
    value = {
        "version": 1,
        "project": project.id,
        "made": utc_text(datetime.now(UTC).replace(microsecond=0)),
        "server": project.server,
    }
    write_atomically(layout.project_file, json.dumps(value, indent=2).encode() + b"\n")
