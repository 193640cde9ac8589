"""An exhibit of many records and large images: how long it takes to make and to check, and memory.

    python -m bench.exhibit
    python -m bench.exhibit --records 200 --megabytes 400 --no-pdf

The vault is made first and not measured: ``--records`` records, as many images of noise among them
as make ``--megabytes``, each with a proof from an authority. Then ``vestige export`` and ``vestige
verify`` run as processes of their own; time is by the clock, memory the most that stayed resident.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from anchor.proof.codec import serialize_proof
from anchor.vault import KeyStore
from anchor.vault.layout import Layout
from tests import evidence, recorder
from tests.exhibits import entry_of

_PASSPHRASE = b"correct horse"


def image(size: int) -> bytes:
    """Return a PNG of noise of about that many bytes, which a reader of images can draw."""
    side = max(int((size / 3) ** 0.5), 8)
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(
        out, "PNG", compress_level=0
    )
    return out.getvalue()


def make_vault(folder: Path, records: int, megabytes: int) -> None:
    """Write a vault of prompts, runs and choices in turns, one image a run; keys in a key store."""
    store = KeyStore(folder / "data" / "vestige" / "keys", place="file", ask=lambda _w: _PASSPHRASE)
    project = recorder.Project(key=_key_of(store.make()))
    layout = Layout(folder / "work")
    for part in (layout.records, layout.proofs, layout.objects, layout.scratch):
        part.mkdir(parents=True)
    project.genesis(title="bench")
    runs = (records - 2) // 2
    each = megabytes * 1_000_000 // runs
    for number in range(runs):
        data = image(each)
        path = layout.object(hashlib.sha256(data).digest())
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        entry = entry_of(data, f"{number}.png")
        project.add("prompt", {"positive": f"a cat, take {number}"})
        project.add("generation", {"tool": "bench", "seed": str(number)}, files=[entry])
    while len(project.records) < records:
        project.note()
    prove(folder, layout, project)
    value = {"version": 1, "project": project.project, "made": "2026-11-23T09:00:00Z"}
    layout.project_file.write_text(json.dumps({**value, "server": None}))


def _key_of(signer) -> recorder.Key:
    """Return the stored key in the form that the makers of records take."""

    class Stored(recorder.Key):
        private = signer.private_key
        public = signer.public_key
        thumbprint = signer.thumbprint

    return Stored("stored")


def prove(folder: Path, layout: Layout, project: recorder.Project) -> None:
    log = evidence.Log()
    log.add(*(record.digest for record in project.records))
    size = len(project.records)
    at = f"{project.records[-1].claimed_time:%Y%m%d%H%M%SZ}"
    token = recorder.AUTHORITY.attestation(log.root(size), gen_time=at)
    for record in project.records:
        layout.record(record.seq).write_text(record.sd_jwt.serialize())
        inclusion = log.inclusion(record.seq, size)
        proof = evidence.Proof(record.digest, None, (inclusion,), (token,))
        layout.proof(record.seq).write_bytes(serialize_proof(proof))
    policy = {"version": 1, "name": "bench", "class": "test", **recorder.ENTRIES}
    (folder / "policy.json").write_text(json.dumps(policy))


def timed(what: str, words: list[str], folder: Path) -> None:
    """Run a command; print its time and the most memory that one of its processes took."""
    environment = {
        **os.environ,
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_STATE_HOME": str(folder / "state"),
        "VESTIGE_PASSPHRASE_FILE": str(folder / "passphrase"),
        "VESTIGE_POLICY": str(folder / "policy.json"),
    }
    program = "from anchor.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", program, *words], cwd=folder / "work", env=environment,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(child.pid, 0)
    took = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{what}: exit status {child.returncode}")
    memory = usage.ru_maxrss / 1024
    print(f"{what:38} {took:7.1f} s   {usage.ru_utime + usage.ru_stime:7.1f} s of processor   "
          f"{memory:6.0f} MiB")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--no-pdf", action="store_true")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="vestige-bench-", dir=arguments.folder) as name:
        folder = Path(name)
        (folder / "passphrase").write_bytes(_PASSPHRASE)
        make_vault(folder, arguments.records, arguments.megabytes)
        timed("export without the printed exhibit", ["export", "a", "--no-pdf"], folder)
        if not arguments.no_pdf:
            timed("export, the printed exhibit in it", ["export", "b"], folder)
        timed("verify", ["verify", f"{'a' if arguments.no_pdf else 'b'}.exhibit.zip"], folder)
        for path in sorted((folder / "work").glob("*.zip")):
            print(f"{path.name}: {path.stat().st_size:,} bytes")
        whole = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"most resident of any process: {whole:.0f} MiB")
        shutil.rmtree(folder / "work")


if __name__ == "__main__":
    main()
