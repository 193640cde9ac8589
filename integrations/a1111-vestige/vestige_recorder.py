"""Record images in a vault on behalf of a program that makes them; never get in its way.

Uses ``anchor.vault`` where this Python has it, else the ``vestige`` command with fixed arguments.
Whatever goes wrong becomes an :class:`Outcome` in words, logged once: the image was saved before,
and nothing here raises. Each host's folder carries this same file, so that one copy installs it.

Runs on Python 3.10, which some hosts have; ``anchor`` itself is then used as a command only.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

LOG = logging.getLogger("vestige")
_DEFAULT_SERVER = "http://127.0.0.1:8460"
_COMMAND_TIMEOUT_S = 60
_BEACON_TIMEOUT_S = 3.0
_NAMES = {
    "CapturePool": "anchor.capture",
    "KeyStore": "anchor.vault.key_store",
    "no_passphrase": "anchor.vault.key_store",
    "signing_key": "anchor.vault.key_records",
    "BeaconCache": "anchor.vault.beacon_cache",
    "Draft": "anchor.vault.draft",
    "generation_draft": "anchor.vault.file_drafts",
    "keep_file": "anchor.vault.file_drafts",
    "Recorder": "anchor.vault.recorder",
    "Vault": "anchor.vault.vault",
    "ServiceClient": "anchor.client.service_client",
    "Place": "anchor.records.record",
    "beacon_seed": "anchor.records.seed",
}
_said: set[str] = set()
_sending: dict[str, subprocess.Popen[bytes]] = {}
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: words to show to the person, and whether there is a record."""

    text: str
    recorded: bool = False


@dataclass(frozen=True)
class Draw:
    """A seed that was given out; ``beacon`` is None where it is merely random.

    Attributes:
        seed: 64 bits, unsigned.
        project: the project that it was drawn for.
        seq: number of the record that it was drawn for.
        beacon: what it comes from.
        text: in words.
    """

    seed: int
    project: str = ""
    seq: int = -1
    beacon: Any = None
    text: str = ""


def record_images(
    paths: Sequence[str], *, vault: str = "", client: str, draw: Draw | None = None
) -> Outcome:
    """Record the outputs of one run as one ``generation``; log and return what became of it.

    Args:
        paths: of the images, as saved.
        vault: a folder with a vault or below one; empty: the first image's folder.
        client: the program that records, with its version.
        draw: the seed that the run was given, if it was one of ours.
    """
    if not paths:
        return Outcome("vestige: no image was saved, nothing is recorded")
    files = [Path(path).absolute() for path in paths]
    folder = Path(vault).expanduser() if vault.strip() else files[0].parent
    try:
        anchor = load_anchor()
        if anchor is None:
            return _noticed(_record_by_command(files, folder, client))
        with _one_at_a_time:
            outcome = _record_here(anchor, files, folder, client, draw)
        return _noticed(outcome)
    except Exception as error:  # noqa: BLE001 - whatever it is, the image is there and stays
        return failed(error)


def load_anchor() -> SimpleNamespace | None:
    """Return what is used of ``anchor``, or None where this Python does not have it."""
    try:
        return SimpleNamespace(
            **{name: getattr(import_module(home), name) for name, home in _NAMES.items()}
        )
    except Exception as error:  # noqa: BLE001 - a package of that name may be anything
        LOG.debug("vestige is not used in this process: %r", error)
        return None


def failed(error: Exception) -> Outcome:
    """Return a failure in words, and log it if it is the first of its kind."""
    hint = getattr(error, "hint", None)
    said = f"{error or type(error).__name__}{f' ({hint})' if hint else ''}"
    return _noticed(Outcome(f"vestige: not recorded: {said}"))


def _noticed(outcome: Outcome) -> Outcome:
    if not outcome.recorded and outcome.text not in _said:
        _said.add(outcome.text)
        LOG.warning("%s", outcome.text)
    return outcome


# -- in this process -------------------------------------------------------------------------------


def _record_here(
    anchor: SimpleNamespace, files: Sequence[Path], folder: Path, client: str, draw: Draw | None
) -> Outcome:
    with anchor.Vault.open(folder) as vault:
        reason = vault.read_only_reason
        if reason is not None:
            raise reason
        signer = anchor.signing_key(vault, anchor.KeyStore(ask=_passphrase_of(anchor)))
        kept = [anchor.keep_file(vault, file) for file in files]
        beacons = beacon_cache(anchor, vault).beacons()
        draft, seq = _draft(anchor, vault, kept, client, draw)
        if seq is not None and draw is not None:
            first = (draw.beacon, *(item for item in beacons if item != draw.beacon))
            try:
                record = anchor.Recorder(vault, signer, beacons=lambda: first).append(
                    draft, at_seq=seq
                )
            except Exception as error:
                if getattr(error, "code", None) != "vault.place_taken":
                    raise
                # The pixels are there and can not be drawn again: the claim goes, the image stays.
                seq = None
                vault.refresh()
                draft, _ = _draft(anchor, vault, kept, client, draw)
        if seq is None:
            record = anchor.Recorder(vault, signer, beacons=lambda: beacons).append(draft)
        _send_later(vault.layout.work)
    return Outcome(f"vestige: record {record.seq}", recorded=True)


def _draft(
    anchor: SimpleNamespace, vault: Any, kept: Sequence[Any], client: str, draw: Draw | None
) -> tuple[Any, int | None]:
    """Return the draft of one run, and the number it is for if its seed was drawn for that one."""
    now = datetime.now(timezone.utc)  # noqa: UP017 - Python 3.10
    with anchor.CapturePool(workers=1) as pool:
        first = anchor.generation_draft(vault, kept[0], pool, now=now, mode="live_plugin")
    fields = {**first.fields, "outputs": len(kept)}
    fits = False
    if draw is not None:
        own, fits = _seed_fields(vault, str(fields.get("seed", draw.seed)), draw)
        fields.update(own)
    draft = anchor.Draft(
        "generation",
        fields,
        tuple(file.attachment("output") for file in kept),
        mode="live_plugin",
        client=client,
        lag_s=max(int(file.lag(now).total_seconds()) for file in kept),
        tier=first.tier,
        late=first.late,
    )
    return draft, draw.seq if fits and draw is not None else None


def _seed_fields(vault: Any, seed_in_file: str, draw: Draw) -> tuple[dict[str, str], bool]:
    """Return what the record says of its seed: ``beacon`` only where anybody can derive it."""
    if seed_in_file != str(draw.seed):
        return {"note": f"given the seed {draw.seed}; the file names another"}, False
    if draw.beacon is None:
        return {"seed": seed_in_file, "seed_origin": "random"}, False
    if (draw.project, draw.seq) != (vault.project.id, vault.size):
        note = f"the seed was drawn for record {draw.seq} of project {draw.project}"
        return {"seed": seed_in_file, "note": note}, False
    return {"seed": seed_in_file, "seed_origin": "beacon"}, True


def _passphrase_of(anchor: SimpleNamespace) -> Any:
    def ask(which: str) -> bytes:
        named = os.environ.get("VESTIGE_PASSPHRASE_FILE")
        return Path(named).read_bytes().rstrip(b"\r\n") if named else anchor.no_passphrase(which)

    return ask


def beacon_cache(anchor: SimpleNamespace, vault: Any) -> Any:
    """Return the beacons of the vault's service; nobody is asked where ``VESTIGE_OFFLINE`` is."""
    url = os.environ.get("VESTIGE_SERVER") or vault.project.server or _DEFAULT_SERVER

    def fetch() -> Any:
        with contextlib.closing(
            anchor.ServiceClient(url, timeout_s=_BEACON_TIMEOUT_S, attempts=1)
        ) as service:
            return service.fetch_beacons()

    return anchor.BeaconCache(None if os.environ.get("VESTIGE_OFFLINE") else fetch, time.time)


def _send_later(work: Path) -> None:
    """Start sending what waits, unless that is under way; what fails now is sent another time."""
    running = _sending.get(str(work))
    if os.environ.get("VESTIGE_OFFLINE") or (running is not None and running.poll() is None):
        return
    with contextlib.suppress(OSError):
        _sending[str(work)] = subprocess.Popen(
            [sys.executable, "-P", "-m", "anchor.cli", "send", "--quiet", "--vault", str(work)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


# -- by the command --------------------------------------------------------------------------------


def _record_by_command(files: Sequence[Path], folder: Path, client: str) -> Outcome:
    command = os.environ.get("VESTIGE_COMMAND") or shutil.which("vestige")
    if command is None:
        return Outcome("vestige: not recorded: neither its package nor its command is here")
    done = subprocess.run(
        [command, "add", "--json", "--as", "generation", "--together", "--mode", "live_plugin",
         "--client", client, "--vault", str(folder), "--", *map(str, files)],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip
    said = _object(done.stdout)
    records = said.get("records") or []
    if records:
        return Outcome(f"vestige: record {records[0].get('seq')}", recorded=True)
    why = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}"
    return Outcome(f"vestige: not recorded: {why[:500]}")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
