"""``vestige demo``: the whole job in one go on this machine, with nothing to configure.

It starts the real service with a chain in this process and a time-stamping authority made for the
occasion, stamps files, waits until their proofs are final, stops everything, verifies the proofs in
a process that may open no socket, and then changes one byte. No network is used but the loopback.

What it proves is worth nothing to anybody else: its policy, of class ``test``, trusts a chain and
an authority that existed for some seconds. That is why it writes that policy beside the proofs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from anchor.cli._output import Output
from anchor.cli.program import Parser, common_arguments
from anchor.errors import StoreConflictError, StoreUnavailableError


def demo(argv: Sequence[str]) -> int:
    """Run the demo; return the exit status, 0 if everything came out as it should.

    Args:
        argv: the arguments after ``demo``.

    Raises:
        StoreConflictError: there is something in the folder to keep it in.
        VestigeError: a part cannot be had on this machine.
    """
    arguments = build_parser().parse_args(list(argv))
    out = Output(
        as_json=getattr(arguments, "json", False), quiet=getattr(arguments, "quiet", False)
    )
    folder = _folder(arguments.keep)
    # Loaded late: a wrong flag is told at once.
    from anchor_api.demo.story import tell

    return tell(folder, [Path(name) for name in arguments.files], out)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = Parser(
        prog="vestige demo",
        description="The whole job on this machine: record, anchor, verify offline.",
        parents=[common_arguments()],
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="files to stamp copies of (default: three images)"
    )
    parser.add_argument(
        "--keep",
        metavar="DIR",
        type=Path,
        help="keep everything in this new folder (default: a folder for temporary files)",
    )
    return parser


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="vestige-demo-"))
    keep = keep.absolute()
    try:
        keep.mkdir(parents=True, exist_ok=True)
        occupied = any(keep.iterdir())
    except OSError as error:
        raise StoreUnavailableError(f"{keep}: {error.strerror or error}") from error
    if occupied:
        raise StoreConflictError(
            f"{keep} is not empty", code="file.exists", hint="name a folder that is not there yet"
        )
    return keep
