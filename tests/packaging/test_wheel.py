"""The distribution: what is in the wheel, and that the verifier needs nothing but the core."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from anchor.proof.codec import serialize_proof
from tests.evidence import whole_case

# What the core needs; copied out of this environment, so that no index is asked.
CORE = ("cryptography", "cffi", "_cffi_backend*", "pycparser", "typing_extensions.py", "sd_jwt")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, project_root: Path, require) -> Path:
    """Build the wheel from what git knows, without isolation and without an index."""
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project_root,
        capture_output=True,
        check=False,
    )
    require(listed.returncode == 0, "the wheel is built from a git checkout")
    for name in listed.stdout.decode().split("\0"):
        if name and (project_root / name).is_file() and not name.startswith("tests/"):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(project_root / name, target)
    (source / ".git").mkdir()
    program = "import hatchling.build as b, sys; print(b.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], cwd=source, capture_output=True, text=True
    )
    require("No module named 'hatchling'" not in done.stderr, "hatchling is missing")
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.strip().splitlines()[-1]


def test_wheel_holds_the_two_packages_and_nothing_else(wheel: Path, project_root: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "anchor",
        "anchor_api",
        "vestige-0.1.0.dist-info",
    }
    packaged = {name for name in names if name.endswith(".py")}
    sources = {
        str(path.relative_to(base))
        for base, folder in ((project_root, "anchor"), (project_root / "api", "anchor_api"))
        for path in (base / folder).rglob("*.py")
    }
    assert packaged == sources
    for needed in (
        "anchor/py.typed",
        "anchor_api/py.typed",
        "anchor_api/static/verify.html",
        "anchor/policies/default.json",
        "anchor/backends/evm/registry.json",
    ):
        assert needed in names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".orig", ".rej"))]


def test_entry_points_lead_to_the_program_and_to_the_service(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    (name,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
    text = archive.read(name).decode()
    assert "vestige = anchor.cli:main" in text
    assert "serve = anchor_api.cli:serve" in text
    assert "demo = anchor_api.demo:demo" in text


@pytest.fixture(scope="module")
def core(tmp_path_factory, wheel: Path) -> Path:
    """Make a fresh environment with the wheel and what the core depends on; return its python."""
    folder = tmp_path_factory.mktemp("core")
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python3.*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    installed = Path(next(p for p in sys.path if p.endswith("site-packages")))
    for pattern in CORE:
        for item in installed.glob(pattern):
            copy = shutil.copytree if item.is_dir() else shutil.copyfile
            copy(item, site / item.name)
    return python


def run_core(core: Path, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("VESTIGE_", "PYTHON"))}
    program = "import sys; from anchor.cli import main; sys.exit(main())"
    return subprocess.run(
        [str(core), "-c", program, *map(str, words)],
        cwd=folder,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_core_alone_verifies_inspects_and_shows_the_policy(core: Path, tmp_path: Path):
    case = whole_case()
    (tmp_path / "cat").write_bytes(b"a cat")
    (tmp_path / "cat.proof").write_bytes(serialize_proof(case.proof))
    policy = {"version": 1, "name": "tests", "class": "test", **case.entries}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    ran = run_core(core, "verify", "cat", "--policy", "policy.json", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "✓ verified" in ran.stdout
    # The shipped policy knows another Bitcoin block 0 than the one mined for the case.
    shipped = run_core(core, "verify", "cat", folder=tmp_path)
    assert shipped.returncode == 1
    assert "block 0 is 000000000019d668" in shipped.stdout
    assert run_core(core, "inspect", "cat", folder=tmp_path).returncode == 0
    assert run_core(core, "policy", "show", folder=tmp_path).returncode == 0
    assert run_core(core, "--version", folder=tmp_path).stdout == "vestige 0.1.0\n"


@pytest.mark.parametrize(
    "words",
    [
        ("stamp", "cat"),
        ("upgrade", "cat.proof"),
        ("verify", "cat", "--online"),
        ("serve",),
        ("demo",),
        ("admin", "status"),
        ("admin", "fsck"),
    ],
)
def test_what_needs_an_extra_says_which(core: Path, tmp_path: Path, words):
    case = whole_case()
    (tmp_path / "cat").write_bytes(b"a cat")
    (tmp_path / "cat.proof").write_bytes(serialize_proof(case.proof))
    ran = run_core(core, *words, folder=tmp_path)
    assert ran.returncode in (2, 5)
    assert "Traceback" not in ran.stderr
    assert "pip install 'vestige[" in ran.stderr or "no data folder" in ran.stderr, ran.stderr
