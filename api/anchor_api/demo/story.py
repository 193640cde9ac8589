"""The demo as it is told: what happens, in order, one line an item."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from anchor.cli import _exit_status
from anchor.cli._called import called_as
from anchor.cli._output import Output, bold, dim, padded
from anchor.client.evidence import OTS_SUFFIX
from anchor.client.extract import extract_parts
from anchor.client.file_selection import select_files
from anchor.client.known_logs import KnownLogs
from anchor.client.local_file import beside, file_digest, write_atomically
from anchor.client.service_client import ServiceClient
from anchor.client.stamping import Stamped, Stamper
from anchor.client.upgrading import Upgrader
from anchor.errors import IncompleteProofError, UsageError
from anchor.formats.ots.attestation import PendingAttestation
from anchor.formats.ots.codec import DetachedTimestamp, serialize_detached
from anchor.formats.ots.op import Append, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.policy import Policy, parse_policy
from anchor.proof.proof import Proof
from anchor_api.demo.aftermath import (
    make_tampered,
    tell_exhibit,
    tell_tampered,
    tell_verified,
    verdicts_of,
)
from anchor_api.demo.demo_policy import demo_policy
from anchor_api.demo.project import NAME, DemoProject, make_tampered_exhibit
from anchor_api.demo.samples import sample_images
from anchor_api.demo.stage import Stage

_LABEL_COLUMNS: Final = 12
_TEXT_COLUMNS: Final = 68
_FINAL_S: Final = 60.0
_POLL_S: Final = 0.05
_FAMILIES: Final = {"rfc3161": "RFC 3161"}


@dataclass
class _Told:
    """What has been done so far, for the report at the end."""

    folder: Path
    out: Output
    start: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)

    def step(self, label: str, text: str) -> None:
        """Print one line, with how long it took since the last."""
        now = time.monotonic()
        took, self.last = now - self.last, now
        self.seconds[label] = round(took, 2)
        self.out.line(
            "  ", padded(label, _LABEL_COLUMNS), padded(text, _TEXT_COLUMNS), dim(f"{took:.1f} s")
        )

    def part(self, title: str) -> None:
        """Print the title of a part."""
        self.out.line("")
        self.out.line(bold(title))


def tell(folder: Path, files: Sequence[Path], out: Output) -> int:
    """Do the whole job in a folder; return the exit status.

    Args:
        folder: new or empty.
        files: copies of them are stamped; none takes the sample images.
        out: where the story goes.

    Raises:
        UsageError: a file cannot be taken.
        VestigeError: a part failed.
    """
    told = _Told(folder, out)
    out.line(bold("vestige demo: the whole job on this machine, no network, nothing to configure"))
    out.line("")
    paths = _lay_out(files, folder / "files")
    with Stage(folder) as stage:
        told.step("started", "the service, a chain in this process, a time-stamping authority")
        project = DemoProject(folder, paths)
        told.step(
            "recorded", f"{project.records} records of how they came to be, signed, in a vault"
        )
        proofs, policy = _record(told, stage, paths, project)
    told.step("stopped", "all of it; what follows needs nothing but the files")
    exhibit = project.export(folder / "policy.json")
    told.step(
        "exhibit", f"{exhibit.path.name}: {exhibit.files} files, {exhibit.size:,} bytes, signed"
    )

    told.part("Verified again, by a process that can open no socket")
    policy_path = folder / "policy.json"
    whole = tell_verified(paths, policy_path, out)
    handed = tell_exhibit(exhibit.path, policy_path, out)
    told.seconds["verified"] = round(time.monotonic() - told.last, 2)

    told.part("And with one byte changed")
    tampered = make_tampered(paths[0], folder / "tampered")
    tampered.append(make_tampered_exhibit(exhibit.path, folder / "tampered"))
    failed = [tell_tampered(path, what, policy_path, out) for path, what in tampered]

    commands = _next_commands(folder, paths, proofs, policy, exhibit.path)
    _map(told, paths, commands)
    good = whole.status == handed.status == _exit_status.OK
    good = good and all(run.status == _exit_status.FAILED for run in failed)
    status = _exit_status.OK if good else _exit_status.FAILED
    out.object(
        {
            "folder": str(folder),
            "policy": str(policy_path),
            "files": [str(path) for path in paths],
            "verdicts": verdicts_of(whole),
            "exhibit": {"path": str(exhibit.path), "verdicts": verdicts_of(handed)},
            "tampered": [verdict for run in failed for verdict in verdicts_of(run)],
            "seconds": told.seconds,
            "next": commands,
            "exit_status": status,
        }
    )
    return status


# -- recording -------------------------------------------------------------------------------------


def _lay_out(files: Sequence[Path], folder: Path) -> list[Path]:
    """Copy the files, or paint the samples, into a folder of the demo's own."""
    folder.mkdir()
    if not files:
        for name, data in sample_images().items():
            (folder / name).write_bytes(data)
        return sorted(folder.iterdir())
    paths = []
    for path, error in select_files(str(file) for file in files):
        if error is not None:
            raise error
        copy = folder / path.name
        if copy.exists():
            raise UsageError(f"two files are called {path.name}", code="usage.name")
        shutil.copyfile(path, copy)
        paths.append(copy)
    return paths


def _record(
    told: _Told, stage: Stage, paths: Sequence[Path], project: DemoProject
) -> tuple[list[Proof], Policy]:
    """Stamp, wait, upgrade, and write the policy and the ``.ots`` files."""
    trusted = parse_policy(demo_policy(stage, ()))
    logs = KnownLogs(told.folder / "state", trusted)
    with ServiceClient(stage.url) as client:
        stamped = _stamp(client, logs, paths)
        names = ", ".join(path.name for path in paths[:3]) + (", …" if len(paths) > 3 else "")
        project.send(client, trusted, logs)
        told.step("stamped", f"{len(paths)} file{'s' * (len(paths) > 1)}: {names}")
        stage.service.anchorer.force()
        _watch(told, client, stamped[-1])
        upgrader = Upgrader(trusted, now=datetime.now(UTC), service=client, logs=logs)
        proofs = [upgrader.upgrade(item.proof_path).proof for item in stamped]
        policy = demo_policy(stage, [*proofs, *project.upgrade(client, trusted, logs)])
        write_atomically(told.folder / "policy.json", policy)
        for path, proof in zip(paths, proofs, strict=True):
            write_atomically(beside(path, OTS_SUFFIX), _ots(path, proof, stage.url))
    told.step("upgraded", "every proof now carries all of its evidence")
    return proofs, parse_policy(policy)


def _stamp(client: ServiceClient, logs: KnownLogs, paths: Sequence[Path]) -> list[Stamped]:
    stamper = Stamper(client, logs)
    stamped = list(stamper.stamp_files([(path, None) for path in paths], done=lambda: None))
    for item in stamped:
        if item.error is not None:
            raise item.error
    return stamped


def _watch(told: _Told, client: ServiceClient, last: Stamped) -> None:
    """Tell how far each backend is until all of them are final.

    Raises:
        IncompleteProofError: one of them did not get there.
    """
    digest = last.proof.digest if last.proof is not None else b""
    told_of: set[str] = set()
    end = time.monotonic() + _FINAL_S
    while True:
        standing = client.fetch_standing(digest)
        for anchor in standing["anchors"]:
            name = str(anchor["backend"])
            if anchor["phase"] == "final" and name not in told_of:
                told_of.add(name)
                told.step(*_anchor_line(name, anchor))
        if standing["state"] == "final":
            return
        if time.monotonic() > end:
            raise IncompleteProofError(
                f"after {_FINAL_S:g} s the proofs are {standing['state']}, not final",
                code="incomplete.demo",
            )
        time.sleep(_POLL_S)


def _anchor_line(name: str, anchor: dict[str, Any]) -> tuple[str, str]:
    """Return label and text for a backend that is final."""
    family = name.partition(":")[0]
    if family == "evm":
        transaction = str(anchor.get("transaction_hash", ""))[:8]
        return "EVM", f"anchored on the chain by transaction 0x{transaction}…; final"
    note = str(anchor["note"] or "done").partition(";")[0]
    return _FAMILIES.get(family, name), f"{note}; final"


def _ots(path: Path, proof: Proof, url: str) -> bytes:
    """Return the ``.ots`` file: the way to the log's entry, and the service's own promise there."""
    tree = Timestamp(file_digest(path))
    node = tree
    if proof.opening is not None:
        node = node.add(Append(proof.opening)).add(Sha256())
    node.attest(PendingAttestation(url))
    return serialize_detached(DetachedTimestamp(Sha256(), tree.message, tree))


# -- the map ---------------------------------------------------------------------------------------


def _next_commands(
    folder: Path, paths: Sequence[Path], proofs: Sequence[Proof], policy: Policy, exhibit: Path
) -> list[str]:
    """Take one proof apart, and return commands that a person may try next."""
    parts = extract_parts(proofs[0], policy, folder / "parts")
    first = _shown(paths[0])
    policy_path = _shown(folder / "policy.json")
    program = called_as()
    token = next(part for part in parts if part.command.startswith("openssl ts"))
    vault = _shown(folder / "project")
    return [
        f"{program} verify {first} --policy {policy_path} --steps",
        f"{program} inspect {first} --policy {policy_path}",
        f"{program} verify {_shown(exhibit)} --policy {policy_path}",
        f"{program} log --vault {vault} --policy {policy_path}",
        f"sha256sum {first}    # {hashlib.sha256(paths[0].read_bytes()).hexdigest()[:16]}…",
        f"(cd {_shown(folder / 'parts')} && {token.command})",
        f"ots info {_shown(beside(paths[0], OTS_SUFFIX))}    # pip install opentimestamps-client",
    ]


def _map(told: _Told, paths: Sequence[Path], commands: Sequence[str]) -> None:
    out, folder = told.out, told.folder
    told.part(f"Where everything is: {folder}")
    first = paths[0].name
    for name, text in (
        ("files/", f"{first}, its proof {first}.proof, and {first}.ots"),
        ("policy.json", "whom this demo believes: a log, an authority and a chain of its own"),
        (
            f"{NAME}.exhibit.zip",
            "what a court and the other side would get; CHECK.md says how",
        ),
        ("project/", "the vault that it was made from: vestige log reads it"),
        ("parts/", "one proof taken apart: tokens, certificates, headers; commands.txt"),
        ("tampered/", "the changed copies"),
        ("data/", "the service's log, its key and what the anchorer remembers"),
        ("state/", "what the client remembers of the log: its newest checkpoint"),
    ):
        out.line("  ", padded(name, _LABEL_COLUMNS + 2), text)
    told.part("Next")
    for command in commands:
        out.line("  ", command)
    out.line("")
    took = f"{time.monotonic() - told.start:.1f} s in all"
    out.line(dim(f"{took}; what a test policy verifies shows nothing to anybody else"))


def _shown(path: Path) -> str:
    """Return a path to be typed: relative where that is shorter."""
    relative = os.path.relpath(path)
    return shlex.quote(min(str(path), relative, key=len))
