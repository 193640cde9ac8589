"""Every command line of CHECK.md, run by a shell with stock tools on a real exhibit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from anchor.exhibit.check_steps import check_steps
from anchor.exhibit.choice import Choice, FieldRule
from anchor.exhibit.listing import ListedRecord, Listing
from anchor.records.keys import key_thumbprint
from tests import exhibits, recorder

TOOLS = ("bash", "sha256sum", "base64", "openssl", "xxd", "awk", "sed", "cut", "tr")
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def folder(require, exhibit, tmp_path_factory) -> Path:
    for tool in TOOLS:
        require(shutil.which(tool), f"{tool} is not installed")
    return unpacked(exhibit, tmp_path_factory.mktemp("check"))


def unpacked(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as file:
        file.extractall(folder)
    return folder / path.name.removesuffix(".zip")


def blocks(folder: Path, name: str = "CHECK.md") -> list[str]:
    return BLOCK.findall((folder / "data" / name).read_text())


def run(block: str, folder: Path) -> list[tuple[str, str]]:
    """Run a block in one shell; return what was said that each line prints, and what it printed."""
    script, expected = [], []
    for line in block.splitlines():
        if line.startswith("# → "):
            expected.append((len(script) - 1, line.removeprefix("# → ")))
        else:
            script.append(line)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    marked = [f"{line}\necho '@@ {n}'" for n, line in enumerate(script)]
    done = subprocess.run(
        ["bash", "-eu", "-c", "\n".join(marked)],
        cwd=folder,
        capture_output=True,
        check=False,
        env={"PATH": path, "HOME": str(folder.parent), "TMPDIR": str(folder.parent)},
    )
    assert done.returncode == 0, (block, done.stderr.decode())
    pieces = re.split(rb"@@ \d+\n", done.stdout)
    printed = [piece.decode("utf-8", "replace") for piece in pieces]
    return [(text, printed[number]) for number, text in expected]


def check_all(folder: Path) -> int:
    """Run every block; return how many lines printed what they must."""
    checked = [pair for block in blocks(folder) for pair in run(block, folder)]
    for said, printed in checked:
        assert said == printed.rstrip("\n")
    return len(checked)


def test_every_command_runs_and_prints_what_is_said(folder: Path):
    checked = check_all(folder)
    kinds = "\n".join(blocks(folder))
    for part in (
        "sha256sum --check", "vestige-exhibit/1", "openssl pkeyutl", "decode", "openssl ts -verify",
        "ots --no-bitcoin verify", "ots info", "merkle root", "xxd -p -c 1000000",
    ):  # fmt: skip
        assert part in kinds
    assert checked >= 12


def test_both_languages_have_the_same_commands(folder: Path):
    assert blocks(folder) == blocks(folder, "CHECK.zh.md")


@pytest.mark.parametrize(
    "path",
    ["data/records/00000003.sdjwt", "data/README.txt", "manifest-sha256.txt", "signature.json"],
)
def test_a_changed_file_makes_a_command_fail(exhibit, tmp_path: Path, path: str):
    folder = unpacked(exhibit, tmp_path)
    data = bytearray((folder / path).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / path).write_bytes(bytes(data))
    with pytest.raises(AssertionError):
        check_all(folder)


def test_the_commands_fit_an_exhibit_of_which_little_is_shown(folder, tmp_path: Path):
    case = exhibits.make_vault(tmp_path, unproven=frozenset(range(3, 10)))
    choice = Choice(frozenset({2}), hide=(FieldRule(None, "*"),))
    made, _ = exhibits.export(case, tmp_path / "out", choice, signer=None)
    little = unpacked(made.path, tmp_path / "little")
    found = blocks(little)
    assert not any("signature.json" in block for block in found)
    check_all(little)
    assert "did not sign" in (little / "data" / "CHECK.md").read_text()


def test_a_disclosure_whose_digest_begins_with_a_dash_is_found_all_the_same(require, tmp_path):
    require(shutil.which("openssl"), "openssl is not installed")
    for number in range(2000):
        project = recorder.Project(new_salt=recorder.salts(f"dash {number}"))
        record = project.genesis()
        if record.sd_jwt.disclosures[0].digest.startswith("-"):
            break
    (tmp_path / "data" / "records").mkdir(parents=True)
    text = record.sd_jwt.serialize()
    (tmp_path / "data" / "records" / "00000000.sdjwt").write_text(text)
    listing = Listing(
        "x", project.project, "x", ("en",), "2026-11-23T09:00:00Z", "tests 1",
        (ListedRecord(0, "genesis", record.digest, shown=True),), (),
    )  # fmt: skip
    steps = check_steps(listing, {0: record}, {}, (), None)
    pairs = run("\n".join(steps.disclosure), tmp_path)
    assert len(pairs) == 2
    assert [said == printed.strip() for said, printed in pairs] == [True, True]


@pytest.mark.parametrize("name", ["CHECK.md", "CHECK.zh.md"])
def test_sections_are_numbered_and_name_the_key_and_what_a_token_covers(case, folder: Path, name):
    text = (folder / "data" / name).read_text()
    found = [int(number) for number in re.findall(r"^## (\d+) ", text, re.MULTILINE)]
    assert found == list(range(1, len(found) + 1))
    assert len(found) == text.count("\n## ")
    assert f"`{key_thumbprint(case.signer.public_key).hex()[:8]}…`" in text
    assert f"`{case.signer.public_key.hex()[:8]}…`" in text
    assert "{" not in re.sub(r"```sh\n.*?```", "", text, flags=re.DOTALL)
