"""What verification costs: from the shell for one proof, in bulk from Python, and the import.

The proofs are real ones of the demo's service: a salted digest in a log, two tokens of a local
time-stamping authority (over the root hash and over the signed checkpoint), and a transaction, a
receipt and a storage proof on a chain in this process, all of one round; each proof has two
inclusions, in the round's tree and in the newest, each with its signed checkpoint. The bulk rate
takes reading the file's bytes strictly, every hash of both paths, and the verdict; what all proofs
of a round share is taken apart and verified once (``ProofReader``, ``Judge``).

Yardsticks of the same run: an interpreter that does nothing; ``json.loads`` and the bare SHA-256 of
the same paths.

    python -m bench.verify
    python -m bench.verify --proofs 50000 --runs 40
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from anchor.proof.codec import ProofReader, parse_proof, serialize_proof
from anchor.proof.policy import Policy, parse_policy
from anchor.proof.proof import Proof
from anchor.verify.judge import Judge
from anchor_api.demo.demo_policy import demo_policy
from anchor_api.demo.stage import Stage

_FILE = b"a file of the benchmark"
_OPENING = bytes(16)


def make_proofs(folder: Path, count: int) -> tuple[list[bytes], Policy, bytes]:
    """Return proof files of one round, and the policy under which they verify, parsed and not."""
    file_digest = hashlib.sha256(_FILE).digest()
    openings = [number.to_bytes(16, "big") for number in range(count)]
    digests = [hashlib.sha256(file_digest + opening).digest() for opening in openings]
    with Stage(folder) as stage:
        asyncio.run(stage.service.submit(b"".join(digests)))
        size = stage.service.committed.tree_size
        stage.service.anchorer.force()
        missing = stage.service.anchorer.wait_final(size, 60)
        if missing:
            raise SystemExit(f"not final: {missing}")
        proofs: list[bytes] = []
        for digest, opening in zip(digests, openings, strict=True):
            found = stage.service.proof(digest)
            proof = Proof(found.digest, opening, found.inclusions, found.attestations)
            proofs.append(serialize_proof(proof))
        policy = demo_policy(stage, [parse_proof(proofs[0])])
    return proofs, parse_policy(policy), policy


def seconds_each(command: Sequence[str], runs: int, folder: Path) -> list[float]:
    """Return how long each run of a command took, the first one left out."""
    took = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - start)
    return took[1:]


def shown(took: Sequence[float]) -> str:
    return (
        f"median {statistics.median(took):.3f} s, least {min(took):.3f} s, most {max(took):.3f} s"
    )


def rate(work: Callable[[bytes], object], proofs: Sequence[bytes]) -> float:
    """Return proofs a second, after a tenth of them to warm up."""
    for data in proofs[: max(len(proofs) // 10, 1)]:
        work(data)
    start = time.perf_counter()
    for data in proofs:
        work(data)
    return len(proofs) / (time.perf_counter() - start)


def bare_paths(data: bytes) -> None:
    """Read the JSON and hash both paths, with no check of anything else."""
    value = json.loads(data)
    for inclusion in value["inclusions"]:
        current = hashlib.sha256(b"\x00" + bytes.fromhex(value["digest"])).digest()
        for text in inclusion["hashes"]:
            current = hashlib.sha256(b"\x01" + current + bytes.fromhex(text)).digest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proofs", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        proofs, policy, policy_data = make_proofs(folder, arguments.proofs)
        first = parse_proof(proofs[0])
        kinds = ", ".join(attestation.kind for attestation in first.attestations)
        path = max(len(inclusion.hashes) for inclusion in first.inclusions)
        print(
            f"{len(proofs):,} proofs of {len(proofs[0]):,} bytes: {kinds}; "
            f"{len(first.inclusions)} inclusions of up to {path} hashes"
        )
        (folder / "file").write_bytes(_FILE)
        (folder / "file.proof").write_bytes(proofs[0])
        (folder / "policy.json").write_bytes(policy_data)
        environment_keeps_bytecode = os.environ.pop("PYTHONDONTWRITEBYTECODE", None) is None
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(folder / "pyc"))
        vestige = Path(sys.executable).with_name("vestige")
        verify = [str(vestige), "verify", "file", "--policy", "policy.json"]
        nothing = seconds_each([sys.executable, "-c", "pass"], arguments.runs, folder)
        shell = seconds_each(verify, arguments.runs, folder)
        imported = seconds_each([sys.executable, "-c", "import anchor"], arguments.runs, folder)
        print(f"python -c pass            {shown(nothing)}")
        print(f"python -c 'import anchor' {shown(imported)}")
        print(f"vestige verify FILE       {shown(shell)}")
        if not environment_keeps_bytecode:
            print("(PYTHONDONTWRITEBYTECODE was set and is left out: an installation has bytecode)")
    judge = Judge(policy, now=datetime.now(UTC))
    reader = ProofReader()
    file_digest = hashlib.sha256(_FILE).digest()

    def judged(data: bytes) -> None:
        verdict = judge.verify_proof(reader.parse(data), file_digest=file_digest)
        if verdict.exit_status != 0:
            raise SystemExit(f"a proof is {verdict.status}: {verdict.reason}")

    bulk, parsed = rate(judged, proofs), rate(reader.parse, proofs)
    loaded, bare = rate(json.loads, proofs), rate(bare_paths, proofs)
    print(f"parse and judge           {bulk:,.0f} proofs/s")
    print(f"parse alone               {parsed:,.0f} proofs/s")
    print(f"parse each by itself      {rate(parse_proof, proofs):,.0f} proofs/s")
    print(f"json.loads alone          {loaded:,.0f} proofs/s")
    print(f"json.loads and SHA-256    {bare:,.0f} proofs/s")


if __name__ == "__main__":
    main()
