"""The artifacts equal a fresh build, byte for byte."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def build_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("contracts_build", ROOT / "contracts/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_artifacts_are_a_fresh_build(build_script: ModuleType) -> None:
    fresh = build_script.build()
    assert len(build_script.ARTIFACTS) == 2
    for path in build_script.ARTIFACTS:
        assert path.read_bytes() == fresh, path


def test_the_package_carries_the_artifact_that_the_adapter_reads(build_script: ModuleType) -> None:
    assert ROOT / "anchor/backends/evm/registry.json" in build_script.ARTIFACTS


def test_check_fails_on_an_artifact_that_differs(
    build_script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = ROOT / "build-check-test.json"
    assert not stale.exists()
    monkeypatch.setattr(build_script, "ARTIFACTS", (stale,))
    assert build_script.main(["--check"]) == 1
    assert not stale.exists()
    monkeypatch.undo()
    assert build_script.main(["--check"]) == 0


def test_the_artifact_names_its_sources_and_compiler() -> None:
    artifact = json.loads((ROOT / "contracts/artifacts/AnchorRegistry.json").read_bytes())
    assert artifact["compiler"] == {"name": "vyper", "version": "0.4.3"}
    for name, digest in artifact["sources"].items():
        assert hashlib.sha256((ROOT / "contracts/src" / name).read_bytes()).hexdigest() == digest
