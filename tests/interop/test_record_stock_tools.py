"""What the specification says that stock tools redo, they redo: its own commands are run here."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from anchor.formats.encoding import parse_base64url
from tests.docs.record_page import PAGE
from tests.recorder import CREATOR, whole_project

pytestmark = pytest.mark.openssl

RECORD = whole_project().records[5]
TEXT = RECORD.sd_jwt.serialize()
COMMANDS = PAGE.read_text().split("```sh\n")[1].split("```")[0].splitlines()
DER_PREFIX = bytes.fromhex("302a300506032b6570032100")


@pytest.fixture(autouse=True)
def _tools(require):
    require(all(map(shutil.which, ("openssl", "sha256sum", "base64"))), "stock tools are missing")


def run(command: str, **replaced: str) -> str:
    command = command.partition("  #")[0]
    for name, value in replaced.items():
        command = command.replace(name, value)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_digest(tmp_path: Path) -> None:
    path = tmp_path / "00000005.sdjwt"
    path.write_text(TEXT)
    assert run(COMMANDS[0], FILE=str(path)).split()[0] == RECORD.digest.hex()


def test_the_digest_of_a_disclosure() -> None:
    for disclosure in RECORD.sd_jwt.disclosures:
        assert run(COMMANDS[1], DISCLOSURE=disclosure.text) == disclosure.digest
        assert disclosure.digest in RECORD.sd_jwt.hidden_digests


def test_what_is_said() -> None:
    def decoded(text: str) -> object:
        return json.loads(run(f"x={text}{'=' * (-len(text) % 4)}; {COMMANDS[2]}"))

    assert decoded(RECORD.sd_jwt.jwt.split(".")[1]) == dict(RECORD.sd_jwt.payload)
    first = RECORD.sd_jwt.disclosures[0]
    assert decoded(first.text)[1:] == [first.name, first.value]


def test_the_signature(tmp_path: Path) -> None:
    command = PAGE.read_text().split("then\n`", 1)[1].split("`")[0]
    signing_input, _, signature = RECORD.sd_jwt.jwt.rpartition(".")
    (tmp_path / "key.der").write_bytes(DER_PREFIX + CREATOR.public)
    (tmp_path / "signature").write_bytes(parse_base64url(signature, max_bytes=64, what="signature"))
    for text, good in ((signing_input, True), (signing_input + " ", False)):
        (tmp_path / "input").write_text(text)
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ("Verified Successfully" in done.stdout) is good
