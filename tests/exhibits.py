"""Makes vaults with real proofs, and exhibits of them.

The records are those of ``tests/recorder.py``, the evidence that of ``tests/evidence.py``: tokens
of an authority, a Bitcoin block with its successors, a block of an EVM chain, checkpoints of a log.
A vault is written as the recorder writes one; everything from reading it on is the real thing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from anchor.exhibit.choice import Choice
from anchor.exhibit.contents import Contents, read_contents
from anchor.exhibit.export import Exported, RenderPdf, seal, staging_folder
from anchor.exhibit.judge import judge_exhibit
from anchor.exhibit.staging import Party, Staged, stage
from anchor.exhibit.verdict import ExhibitVerdict
from anchor.exhibit.zip_container import ZipContainer
from anchor.proof.codec import serialize_proof
from anchor.proof.policy import parse_policy
from anchor.proof.proof import Inclusion, Proof
from anchor.vault.layout import Layout
from anchor.vault.signer import Signer
from anchor.vault.vault import Vault
from anchor.verify.judge import Judge
from tests import evidence, recorder

PNG = b"\x89PNG\r\n\x1a\n"
NOW = recorder.START + timedelta(days=2)
SECOND = recorder.Key("creator's second key")


@dataclass
class VaultCase:
    """A vault in a folder, the policy under which all of it is verified, and who signs."""

    work: Path
    state: Path
    policy_bytes: bytes
    key: recorder.Key
    records: int

    @property
    def signer(self) -> Signer:
        return Signer(self.key.private)

    def judge(self, policy_bytes: bytes | None = None) -> Judge:
        return Judge(parse_policy(policy_bytes or self.policy_bytes), now=NOW)

    def open(self) -> Vault:
        return Vault.open(self.work, state=self.state)


def picture(text: str) -> bytes:
    """Return bytes that pass for an image: what stands in a file is nobody's business here."""
    return PNG + hashlib.sha512(text.encode()).digest() * 8


def entry_of(data: bytes, name: str) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    entry = {"role": "output", "media_type": "image/png", "size": len(data)}
    return {**entry, "sha256": digest, "name": name}


def make_project(iterations: int) -> tuple[recorder.Project, dict[bytes, bytes]]:
    """Return a project of prompts, runs and choices, with a key that is replaced on the way."""
    project, files = recorder.Project(), {}
    project.genesis(title="a cat pendant")
    project.add("idea", {"text": "a cat that looks at the sea", "note": "in the train"})
    for number in range(iterations):
        if number == iterations // 2:
            project.rotate(recorder.CREATOR, SECOND)
            project.key = SECOND
        prompt = project.add("prompt", {"positive": f"a cat, take {number}", "negative": "dog"})
        outputs = [picture(f"{number}.{k}") for k in range(2)]
        files.update({hashlib.sha256(data).digest(): data for data in outputs})
        run = project.add(
            "generation",
            {"tool": "a local one", "seed": str(2**63 + number), "parents": [str(prompt.seq)]},
            files=[entry_of(data, f"out-{number}-{k}.png") for k, data in enumerate(outputs)],
        )
        project.add(
            "selection",
            {"chosen": [f"{run.seq}.0"], "rejected": [f"{run.seq}.1"], "why": "the light"},
        )
    last = picture("the last one")
    files[hashlib.sha256(last).digest()] = last
    project.add(
        "final",
        {"human": "choice and retouching", "derivation": [str(len(project.records) - 2)]},
        files=[{**entry_of(last, "final.png"), "role": "after"}],
    )
    return project, files


def prove(project: recorder.Project) -> tuple[dict[int, Proof], dict[str, Any]]:
    """Return a proof of each record and the entries of a policy that verifies them.

    Two rounds: one half way, one at the end. Each root has a token, a block of the EVM chain and a
    block of Bitcoin; the last root also a calendar's promise.
    """
    start = int(project.records[-1].claimed_time.timestamp())
    log, bitcoin = evidence.Log(), evidence.Bitcoin(start_time=start)
    log.add(*(record.digest for record in project.records))
    total = len(project.records)
    rounds = []
    for size in (max(total // 2, 1), total):
        root = log.root(size)
        at = project.records[size - 1].claimed_time + timedelta(minutes=1)
        token = recorder.AUTHORITY.attestation(root, gen_time=f"{at:%Y%m%d%H%M%SZ}")
        rounds.append((size, [token, evidence.evm_attestation(root), bitcoin.attestation(root)]))
    rounds[-1][1].append(evidence.pending_attestation(log.root(total)))
    proofs = {}
    for number, record in enumerate(project.records):
        covering = [(size, rows) for size, rows in rounds if number < size][:1]
        inclusions: list[Inclusion] = [log.inclusion(number, size) for size, _ in covering]
        rows = tuple(row for _, found in covering for row in found)
        proofs[record.seq] = Proof(record.digest, None, tuple(inclusions), rows)
    chains = [row for _, rows in rounds for row in rows if row.kind == "evm"]
    pinned = evidence.evm_policy(*chains)
    # One pinned block a number: the two rounds' blocks have the same numbers.
    pinned["pinned"] = list({item["number"]: item for item in pinned["pinned"]}.values())
    entries = {
        **recorder.ENTRIES,
        "logs": [{"origin": log.signer.name, "key": log.signer.key.text}],
        "chains": [{**pinned, "pinned": []}],
        "bitcoin": bitcoin.policy(6, 13),
    }
    return proofs, entries


def make_vault(
    folder: Path, iterations: int = 2, *, unproven: frozenset[int] = frozenset()
) -> VaultCase:
    """Write a vault; records in ``unproven`` wait for their proofs."""
    project, files = make_project(iterations)
    proofs, entries = prove(project)
    work = folder / "cat-pendant"
    layout = Layout(work)
    for part in (layout.records, layout.proofs, layout.objects, layout.scratch):
        part.mkdir(parents=True)
    for record in project.records:
        layout.record(record.seq).write_text(record.sd_jwt.serialize())
        if record.seq not in unproven:
            layout.proof(record.seq).write_bytes(serialize_proof(proofs[record.seq]))
    for sha256, data in files.items():
        path = layout.object(sha256)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    value = {"version": 1, "project": project.project, "made": "2026-11-23T09:00:00Z"}
    layout.project_file.write_text(json.dumps({**value, "server": None}))
    policy = {"version": 1, "name": "tests", "class": "test", **entries}
    return VaultCase(
        work, folder / "state", json.dumps(policy).encode(), project.key, len(project.records)
    )


def export(
    case: VaultCase,
    out: Path,
    choice: Choice | None = None,
    *,
    name: str = "cat-pendant",
    title: str | None = None,
    signer: Signer | bool | None = True,
    render_pdf: RenderPdf | None = None,
    now: datetime = NOW,
) -> tuple[Exported, Staged]:
    """Make an exhibit with the real parts, as ``vestige export`` does."""
    who = case.signer if signer is True else signer or None
    party = Party(name, title, ("en", "zh"), "vestige 0.1.0")
    judge = Judge(parse_policy(case.policy_bytes), now=now)
    out.mkdir(parents=True, exist_ok=True)
    with case.open() as vault, staging_folder(out) as folder:
        staged = stage(
            vault,
            choice or Choice(),
            party,
            folder / "data",
            judge=judge,
            policy_bytes=case.policy_bytes,
            signed_by=None if who is None else who.public_key,
        )
        made = seal(folder / "data", staged.listing, out, signer=who, render_pdf=render_pdf)
    return made, staged


def contents_of(path: Path) -> Contents:
    with path.open("rb") as file:
        return read_contents(ZipContainer(file))


def verify(path: Path, case: VaultCase, **options: Any) -> ExhibitVerdict:
    return judge_exhibit(contents_of(path), lambda _items: case.judge(), **options)
