"""What importing costs, counted in modules: the verifier brings in only what it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "web3",
    "fastapi",
    "uvicorn",
    "sqlite3",
    "httpx",
    "numpy",
    "msgspec",
    "ssl",
    "asyncio",
    "http.client",
    "urllib.request",
    "eth_account",
    "pydantic",
}


def loaded_by(program: str, *arguments: str) -> set[str]:
    """Return the names of the modules that are loaded at the end of a program."""
    tail = "\nimport sys\nsys.stderr.write('\\nMODULES ' + ' '.join(sorted(sys.modules)))\n"
    done = subprocess.run(
        [sys.executable, "-c", program + tail, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.rpartition("\nMODULES ")[2].split())


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.split(".")[0] in ("anchor", "anchor_api")}


def test_bare_import_loads_nothing_but_itself():
    modules = loaded_by("import anchor")
    assert ours(modules) == {"anchor"}
    assert modules & (HEAVY | {"cryptography", "json", "dataclasses"}) == set()


def test_every_public_name_can_be_had_and_is_light():
    modules = loaded_by("import anchor\nfor name in anchor.__all__: getattr(anchor, name)")
    assert modules & HEAVY == set()
    assert "cryptography.x509" in modules


def test_public_names_are_those_that_stand_in_dir_and_others_are_refused():
    import anchor

    assert set(anchor.__all__) <= set(dir(anchor))
    with pytest.raises(AttributeError, match="no attribute 'prove'"):
        _ = anchor.prove
    import anchor.client

    with pytest.raises(AttributeError):
        _ = anchor.client.Guess


@pytest.mark.parametrize("module", ["anchor.verify", "anchor.proof.codec", "anchor.client"])
def test_kernel_and_client_package_are_light(module):
    assert loaded_by(f"import {module}") & HEAVY == set()


def test_verifying_a_proof_loads_the_kernel_the_command_and_no_network_code(tmp_path: Path):
    from anchor.proof.codec import serialize_proof
    from tests.evidence import whole_case

    case = whole_case()
    (tmp_path / "cat").write_bytes(b"a cat")
    (tmp_path / "cat.proof").write_bytes(serialize_proof(case.proof))
    program = "import sys\nfrom anchor.cli import main\nmain(['verify', *sys.argv[1:]])"
    modules = loaded_by(program, str(tmp_path / "cat"))
    assert modules & HEAVY == set()
    packages = {".".join(name.split(".")[:2]) for name in ours(modules)}
    assert packages <= {
        "anchor",
        "anchor.cli",
        "anchor.client",
        "anchor.errors",
        "anchor.formats",
        "anchor.limits",
        "anchor.policies",
        "anchor.proof",
        "anchor.records",
        "anchor.verify",
    }
    verbs = {name for name in ours(modules) if name.startswith("anchor.cli.")}
    assert verbs & {"anchor.cli.stamp", "anchor.cli.upgrade", "anchor.cli.admin"} == set()


def test_help_of_the_program_loads_the_verbs_but_no_service():
    modules = loaded_by("from anchor.cli import main\nmain(['--help'])")
    assert modules & HEAVY == set()
    assert "anchor_api" not in modules


def test_web3_is_loaded_by_no_module_of_the_service_but_the_evm_adapter():
    modules = loaded_by("import anchor_api.app, anchor.config.wiring")
    assert "web3" not in modules
