"""Makes the payload folder of an exhibit, as the PDF reads it: records, files, proofs, the report.

A process of any number of iterations by a creator with real keys, with pictures that Pillow draws,
texts in two languages and texts that try to be markup, some of it withheld. Proofs are tokens of an
authority that the policy trusts. The same arguments give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from anchor.formats.encoding import utc_text
from anchor.proof.codec import serialize_proof
from anchor.proof.proof import Proof
from anchor.records.chain import Stub
from anchor.records.difference import prompt_difference
from anchor.records.record import Record, parse_record
from anchor.verify import Judge, ProvenRecord
from anchor.verify.records import judge_records
from anchor.verify.report import records_to_json
from tests import evidence, recorder

HOSTILE = '#panic("no") ] $x$ @ref <b>*bold*</b> `code` \\ // \u202etac\u202c \x07 \U0001f600 //*'
SUBJECTS = ("a cat of cut glass", "a pendant in the shape of a cat", "水晶猫吊坠，柔和的光")


@dataclass
class Payload:
    """A payload folder and what was put into it."""

    folder: Path
    project: recorder.Project
    files: dict[bytes, bytes]
    withheld: frozenset[int]


def picture(seed: int, width: int = 640, height: int = 480) -> bytes:
    """Return a PNG of coloured discs that differs with its seed."""
    colours = hashlib.sha256(f"picture {seed}".encode()).digest()
    image = Image.new("RGB", (width, height), tuple(colours[:3]))
    draw = ImageDraw.Draw(image)
    for n in range(8):
        x, y, radius = (colours[3 + n * 3 + k] for k in range(3))
        box = (x * width // 255 - radius, y * height // 255 - radius)
        draw.ellipse(
            (*box, box[0] + 2 * radius, box[1] + 2 * radius),
            fill=tuple(colours[(n * 3 + k) % 32] for k in range(3)),
        )
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def file_entry(data: bytes, name: str, **changes: Any) -> dict[str, Any]:
    """Return the entry of a PNG."""
    digest = hashlib.sha256(data).hexdigest()
    entry = {"role": "output", "media_type": "image/png", "size": len(data), "name": name}
    return {**entry, "sha256": digest, **changes}


def make_payload(folder: Path, iterations: int = 40, *, hostile: bool = True) -> Payload:
    """Write a payload folder of a process with that many iterations of prompt, run and choice.

    A note in every fifth iteration is withheld whole; the fields of some runs in part.
    """
    files: dict[bytes, bytes] = {}
    project = recorder.Project()
    project.genesis(title="Cat pendant 水晶猫", author="the claimant", tools=["a local generator"])
    project.add("idea", {"text": "A cat that looks at the sea; glass, morning light.\nNo people."})
    previous = None
    for n in range(iterations):
        _iterate(project, files, n, previous, hostile=hostile)
        previous = project.records[-3]
    _finish(project, files)
    withheld = frozenset(record.seq for record in project.records if record.kind.name == "note")
    _write(folder, project, files, withheld)
    return Payload(folder, project, files, withheld)


def _iterate(
    project: Any, files: dict[bytes, bytes], n: int, previous: Any, *, hostile: bool
) -> None:
    if n % 5 == 3:
        project.note(f"the client, number {n + 1:08}, wants it larger")
    text = f"{SUBJECTS[n % 3]}, {'facing the sea' if n % 2 else 'on a silver chain'}, take {n + 1}"
    if hostile and n == 3:
        text += f", {HOSTILE}"
    fields: dict[str, Any] = {"positive": text, "negative": "text, watermark"}
    if previous is not None:
        fields["previous"] = str(previous.seq)
        fields["difference"] = prompt_difference(previous.fields["positive"], text)
        fields["purpose"] = "the light was too hard" if n % 4 else "more of the sea"
    prompt = project.add("prompt", fields)
    outputs = [picture(4 * n + k) for k in range(4)]
    entries = [file_entry(data, f"out-{n + 1:02}-{k + 1}.png") for k, data in enumerate(outputs)]
    files.update({bytes.fromhex(e["sha256"]): d for e, d in zip(entries, outputs, strict=True)})
    run = project.add(
        "generation",
        {
            "tool": "ComfyUI", "tool_version": "0.3", "positive": text, "sampler": "euler",
            "steps": 30, "guidance": "7.5", "seed": str(18446744073709551615 - n), "outputs": 4,
            "parents": [str(prompt.seq)],
            "models": [{"role": "checkpoint", "name": "sd_xl_base_1.0", "sha256": "31" * 32}],
        },
        files=entries,
        tier="T4",
    )  # fmt: skip
    chosen = f"{run.seq}.{n % 4}"
    rejected = [f"{run.seq}.{k}" for k in range(4) if k != n % 4]
    why = (
        "the ears read as ears, and the light falls from the left"
        if n
        else HOSTILE * hostile or "x"
    )
    project.add("selection", {"chosen": [chosen], "rejected": rejected, "why": why})


def _finish(project: Any, files: dict[bytes, bytes]) -> None:
    last = project.records[-1].fields["chosen"][0]
    for number, (kind, fields) in enumerate(
        (
            ("region_edit", {"before": last, "element": "the left ear", "positive": "a glass ear"}),
            ("manual_edit", {"before": last, "app": "Krita 5.2", "operations": ["dodge", "crop"]}),
            ("final", {"human": "composition, choice, retouching", "generated": "the rendering"}),
        )
    ):
        data = picture(1000 + number)
        entry = file_entry(data, f"{kind}.png", role="after")
        files[bytes.fromhex(entry["sha256"])] = data
        project.add(kind, fields, files=[entry])
    project.add("correction", {"target": "1", "reason": "the sea is a lake"})


def _write(folder: Path, project: Any, files: dict[bytes, bytes], withheld: frozenset[int]) -> None:
    for name in ("records", "proofs", "files", "report"):
        (folder / name).mkdir(parents=True)
    shown = [_shown(record) for record in project.records if record.seq not in withheld]
    proofs, judge = _prove(project)
    for record in shown:
        (folder / f"records/{record.seq:08}.sdjwt").write_text(record.sd_jwt.serialize())
        (folder / f"proofs/{record.seq:08}.proof").write_bytes(serialize_proof(proofs[record.seq]))
    items: list[ProvenRecord | Stub] = [ProvenRecord(r, proofs[r.seq]) for r in shown]
    items += [recorder.stub(project.records[seq]) for seq in withheld]
    verdict = records_to_json(judge_records(items, judge))
    held = {record.seq: record for record in shown}
    listing = {
        "version": 1,
        "name": "cat-pendant",
        "project": project.project,
        "title": "Cat pendant 水晶猫",
        "languages": ["en", "zh"],
        "date": utc_text(shown[-1].claimed_time),
        "generator": "vestige 0.1.0",
        "records": [_row(record, shown=record.seq in held) for record in project.records],
        "files": [row for record in shown for row in _file_rows(record, files, folder)],
    }
    (folder / "exhibit.json").write_text(json.dumps(listing, ensure_ascii=False))
    (folder / "report/verification.json").write_text(json.dumps(_report(verdict, judge)))


def _shown(record: Record) -> Record:
    """Return what is shown of a record: of some runs, not the seed and the first output."""
    if record.kind.name != "generation" or record.seq % 8:
        return record
    hidden = record.sd_jwt.showing(lambda name: name not in ("seed", "file.0"))
    return parse_record(hidden.serialize())


def _row(record: Record, *, shown: bool) -> dict[str, Any]:
    row = {"seq": record.seq, "kind": record.kind.name, "digest": record.digest.hex()}
    if shown:
        return {**row, "shown": True, "proof": True}
    return {**row, "shown": False, "reason": "names a client"}


def _file_rows(record: Record, files: dict[bytes, bytes], folder: Path) -> Iterator[dict[str, Any]]:
    for number, entry in sorted(record.files.items()):
        path = None
        if number != 3:  # the last output of each run is named, and its bytes are kept back
            path = f"files/{entry['sha256']}.png"
            (folder / path).write_bytes(files[bytes.fromhex(entry["sha256"])])
        row = {"record": record.seq, "field": f"file.{number}"}
        yield {**row, "sha256": entry["sha256"], "size": entry["size"], "path": path}


def _prove(project: recorder.Project) -> tuple[dict[int, Proof], Judge]:
    """Return a proof of each record: a token a minute later, and a block, pending at the end."""
    log, bitcoin = (
        evidence.Log(),
        evidence.Bitcoin(start_time=int(recorder.START.timestamp()) + 40_000),
    )
    log.add(*(record.digest for record in project.records))
    anchored = len(project.records) - 5
    mined = bitcoin.attestation(log.root(anchored))
    proofs = {}
    for n, record in enumerate(project.records):
        stamped = f"{record.claimed_time + timedelta(minutes=1):%Y%m%d%H%M%SZ}"
        token = recorder.AUTHORITY.attestation(log.root(n + 1), gen_time=stamped)
        whole = log.root(len(project.records))
        later = mined if n < anchored else evidence.pending_attestation(whole)
        size = anchored if n < anchored else len(project.records)
        inclusions = {s: log.inclusion(n, s) for s in (n + 1, size)}
        proofs[record.seq] = Proof(record.digest, None, tuple(inclusions.values()), (token, later))
    signer = log.signer
    entries: dict[str, Any] = {
        "logs": [{"origin": signer.name, "key": signer.key.text}],
        "bitcoin": bitcoin.policy(6),
    }
    return proofs, recorder.judge(**entries)


def _report(verdict: dict[str, Any], judge: Judge) -> dict[str, Any]:
    return {
        "status": verdict["status"],
        "reason": verdict["reason"],
        "name": "cat-pendant",
        "project": verdict["project"],
        "findings": [],
        "records": verdict,
        "exit_status": verdict["exit_status"],
    }
