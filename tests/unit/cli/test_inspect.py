"""``vestige inspect``: steps that a person can redo, with commands that do redo them."""

from __future__ import annotations

import itertools
import shutil
import subprocess

import pytest

from anchor.cli._redo import with_commands
from anchor.formats.ots.attestation import BitcoinAttestation
from anchor.formats.ots.codec import parse_tree
from anchor.formats.ots.op import Append, Keccak256, Prepend, Ripemd160, Sha1, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.verify.bitcoin import path_lines
from tests.evidence import digest_of


def test_every_hash_of_the_way_is_printed_with_its_command(run, desk):
    ran = run("inspect", desk.file, "--policy", desk.policy)
    lines = [line.strip() for line in ran.out.splitlines()]
    hashes = [line for line in lines if line.startswith("SHA-256(") and " ‖ " in line]
    commands = [line for line in lines if line.startswith("printf ")]
    (mined,) = (a for a in desk.case.proof.attestations if a.kind == "opentimestamps")
    (path,) = parse_tree(mined.tree, mined.root_hash).paths()
    operations = sum(isinstance(op, Sha256) for op in path.ops)
    assert ran.status == 0
    assert len(hashes) == 1 + 1 + 2 + 3  # opening, leaf, and the paths to sizes 7 and 8
    assert len(commands) == len(hashes) + operations


def test_commands_give_what_the_steps_say(run, desk, require):
    require(shutil.which("xxd"), "the xxd command is missing (Debian: apt install xxd)")
    lines = run("inspect", desk.file, "--policy", desk.policy).out.splitlines()
    redone = 0
    for line, command in itertools.pairwise(lines):
        if command.strip().startswith("printf "):
            wanted = line.rsplit(" = ", 1)[1]
            done = subprocess.run(
                command.strip(), shell=True, capture_output=True, text=True, check=True
            )
            assert done.stdout.split()[0] == wanted
            redone += 1
    assert redone >= 8


def test_operations_of_every_kind_get_the_tool_that_redoes_them_or_none(require):
    require(shutil.which("xxd"), "the xxd command is missing (Debian: apt install xxd)")
    start = digest_of("start")
    node = tree = Timestamp(start)
    for op in (Append(b"\x01"), Sha1(), Prepend(b"\x02"), Ripemd160(), Keccak256(), Sha256()):
        node = node.add(op)
    node.attest(BitcoinAttestation(1))
    (path,) = tree.paths()
    rows = list(with_commands(path_lines(start, path), start))
    tools = [command and command.split("| ")[-1].split()[0] for _, command in rows]
    assert tools == [None, "sha1sum", None, "openssl", None, "sha256sum"]
    for line, command in rows:
        if command is not None and "ripemd" not in command:
            done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
            assert done.stdout.split()[0] == line.rsplit(" = ", 1)[1]


def test_without_the_file_the_opening_is_explained(run, desk):
    desk.file.unlink()
    ran = run("inspect", desk.proof, "--policy", desk.policy)
    assert f"opening {'55' * 16}: SHA-256(SHA-256(file) ‖ opening) = digest" in ran.out


def test_false_proof_is_shown_and_is_no_failure_of_inspect(run, desk):
    desk.file.write_bytes(b"a dog")
    assert run("inspect", desk.file, "--policy", desk.policy).status == 0
    desk.proof.write_bytes(b"{")
    assert run("inspect", desk.proof, "--policy", desk.policy).status == 5


def test_json_holds_the_proof_and_every_step(run, desk):
    value = run("inspect", desk.file, "--policy", desk.policy, "--json").json
    assert value["proof"]["digest"] == desk.case.proof.digest.hex()
    assert {step["number"] for step in value["steps"]} >= {"1", "2.1", "2.2", "5.1", "7.1"}


def test_extract_writes_the_parts(run, desk):
    folder = desk.folder / "parts"
    ran = run("inspect", desk.file, "--policy", desk.policy, "--extract", folder, "--json")
    assert set(ran.json["extracted"]) | {"commands.txt"} == {p.name for p in folder.iterdir()}
    assert run("inspect", desk.file, "--policy", desk.policy, "--extract", folder).status == 5


def test_extract_of_an_ots_file_is_wrong_use(run, desk, tmp_path):
    from tests.unit.client.test_evidence import ots_of

    path = tmp_path / "x.ots"
    path.write_bytes(ots_of(b"x"))
    words = ("inspect", path, "--policy", desk.policy)
    assert run(*words).status == 0
    assert run(*words, "--extract", tmp_path / "out").status == 2


@pytest.mark.openssl
def test_printed_token_command_verifies_what_extract_wrote(run, desk, require):
    require(shutil.which("openssl"), "the openssl command is missing (Debian: apt install openssl)")
    folder = desk.folder / "parts"
    ran = run("inspect", desk.file, "--policy", desk.policy, "--extract", folder)
    lines = [line.strip() for line in ran.out.splitlines()]
    command = next(line for line in lines if "-in 1-token.der" in line)
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0
