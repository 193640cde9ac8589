"""``ro-crate-metadata.json``: a description that archives and catalogues read.

The folder, every file in it, and one action for each record that is shown, with what it came from
and what came out. It repeats what the records say: the party's own words, nothing of it is checked.

Source: RO-Crate Metadata Specification 1.1, sections "Root Data Entity", "Data Entities" and
"Provenance".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from anchor.exhibit.layout import DATA, record_path
from anchor.exhibit.listing import Listing
from anchor.formats.encoding import utc_text
from anchor.records.record import Record

_CONTEXT: Final = "https://w3id.org/ro/crate/1.1/context"
_PROFILE: Final = "https://w3id.org/ro/crate/1.1"
_NAME: Final = "ro-crate-metadata.json"
_LICENCE: Final = "#licence"
_MEDIA_TYPES: Final = {
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".ots": "application/vnd.opentimestamps.ots",
    ".pdf": "application/pdf",
    ".pem": "application/x-pem-file",
    ".proof": "application/vnd.vestige.proof+json",
    ".sdjwt": "application/sd-jwt",
    ".tsr": "application/timestamp-reply",
    ".txt": "text/plain",
}


def crate_metadata(
    listing: Listing, records: Mapping[int, Record], sizes: Mapping[str, int]
) -> dict[str, Any]:
    """Return the JSON-LD document.

    Args:
        listing: of the exhibit.
        records: those shown, by number.
        sizes: of the files laid out, by path within ``data/``; without the printed exhibit.
    """
    results: dict[int, list[str]] = {}
    for file in listing.files:
        if file.path is not None:
            results.setdefault(file.record, []).append(file.path)
    actions = [
        _action(record, records.keys(), results.get(seq, ())) for seq, record in records.items()
    ]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": listing.title,
        "description": "Records of a creative process, with the files that they name and the "
        "evidence of when they existed. The description repeats what the records say.",
        "identifier": f"vestige:{listing.project}",
        "datePublished": listing.date[:10],
        "license": {"@id": _LICENCE},
        "hasPart": [{"@id": path} for path in sizes],
        "mentions": [{"@id": action["@id"]} for action in actions],
    }
    descriptor = {
        "@id": _NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": _PROFILE},
        "about": {"@id": "./"},
    }
    licence = {
        "@id": _LICENCE,
        "@type": "CreativeWork",
        "name": "Handed over as evidence",
        "description": "No licence is granted by handing this over.",
    }
    files = list(_files(listing, records, sizes))
    agents = list(_agents(records))
    graph = [descriptor, root, licence, *files, *agents, *actions]
    return {"@context": _CONTEXT, "@graph": graph}


def _files(
    listing: Listing, records: Mapping[int, Record], sizes: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    media = {
        file.path: records[file.record].files[file.number]
        for file in listing.files
        if file.path is not None
    }
    digests = {file.path: file.sha256.hex() for file in listing.files}
    for path, size in sizes.items():
        entry = media.get(path)
        known = _MEDIA_TYPES.get(path[path.rfind(".") :], "application/octet-stream")
        value = {
            "@id": path,
            "@type": "File",
            "contentSize": str(size),
            "encodingFormat": known if entry is None else entry["media_type"],
        }
        if entry is not None:
            value["sha256"] = digests[path]
        if entry is not None and entry.get("name"):
            value["name"] = entry["name"]
        yield value


def _agents(records: Mapping[int, Record]) -> Iterator[dict[str, Any]]:
    """Yield one agent for each key; who holds it is not known here."""
    for key in dict.fromkeys(record.actor.key for record in records.values()):
        yield {
            "@id": f"#key-{key.hex()}",
            "@type": "Person",
            "name": f"holder of the key {key.hex()[:8]}…",
        }


def _action(record: Record, shown: Collection[int], paths: Sequence[str]) -> dict[str, Any]:
    inputs = sorted(set(record.references()))
    action: dict[str, Any] = {
        "@id": _action_id(record.seq),
        "@type": "CreateAction",
        "name": f"record {record.seq}: {record.kind.name}",
        "agent": {"@id": f"#key-{record.actor.key.hex()}"},
        "endTime": utc_text(record.claimed_time),
        "subjectOf": {"@id": record_path(record.seq).removeprefix(DATA)},
    }
    related = [{"@id": _action_id(seq)} for seq in inputs if seq in shown]
    if related:
        action["object"] = related
    if paths:
        action["result"] = [{"@id": path} for path in dict.fromkeys(paths)]
    return action


def _action_id(seq: int) -> str:
    return f"#record-{seq:08}"
