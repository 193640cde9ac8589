"""Build the registry and write its artifact; ``--check`` compares with what is committed.

The artifact is written twice, byte for byte the same: ``contracts/artifacts/AnchorRegistry.json``
for people, and ``anchor/backends/evm/registry.json`` inside the package that deploys and calls it.
The compiler is the one that ``pyproject.toml`` pins; nothing else goes in but ``src``.

Usage::

    python contracts/build.py
    python contracts/build.py --check
"""  # noqa: INP001

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import vyper
from vyper.compiler import compile_code
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.utils import keccak256

_CONTRACTS = Path(__file__).resolve().parent
_SOURCES = _CONTRACTS / "src"
_NAME = "AnchorRegistry"
_MAP = "_records"
ARTIFACTS = (
    _CONTRACTS / "artifacts" / f"{_NAME}.json",
    _CONTRACTS.parent / "anchor" / "backends" / "evm" / "registry.json",
)


def build() -> bytes:
    """Return the artifact of a fresh build."""
    source = _SOURCES / f"{_NAME}.vy"
    sources = FilesystemInputBundle([_SOURCES])
    output: dict[str, Any] = compile_code(
        source.read_text(encoding="utf-8"),
        contract_path=source.name,
        input_bundle=sources,
        storage_layout_override=sources.load_json_file(Path(f"{_NAME}.layout.json")),
        output_formats=["abi", "bytecode", "bytecode_runtime", "layout", "settings_dict"],
    )
    runtime = bytes.fromhex(output["bytecode_runtime"].removeprefix("0x"))
    artifact = {
        "name": _NAME,
        "compiler": {"name": "vyper", "version": vyper.__version__},
        "settings": output["settings_dict"],
        "sources": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(_SOURCES.iterdir())
        },
        "abi": output["abi"],
        "bytecode": output["bytecode"].removeprefix("0x"),
        "runtime_bytecode": runtime.hex(),
        "runtime_code_hash": keccak256(runtime).hex(),
        "map_slot": output["layout"]["storage_layout"][_MAP]["slot"],
    }
    return (json.dumps(artifact, indent=1) + "\n").encode()


def main(arguments: list[str] | None = None) -> int:
    """Build, and write or compare; the exit status is 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args(arguments).check
    fresh = build()
    status = 0
    for path in ARTIFACTS:
        if path.is_file() and path.read_bytes() == fresh:
            continue
        shown = path.relative_to(_CONTRACTS.parent)
        if check:
            status = 1
            sys.stderr.write(f"{shown} is not what the sources build to\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(fresh)
            sys.stdout.write(f"wrote {shown}\n")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
