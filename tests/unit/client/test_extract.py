"""The parts of a proof as files, and the commands that check them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import replace

import pytest

from anchor.client.extract import extract_parts
from anchor.errors import StoreConflictError, StoreUnavailableError
from tests.evidence import policy, whole_case


@pytest.fixture(scope="module")
def case():
    return whole_case()


def test_every_part_is_written_once_and_whole(case, tmp_path):
    parts = extract_parts(case.proof, case.policy, tmp_path / "out")
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    commands = written.pop("commands.txt").decode().splitlines()
    assert written == {part.name: part.data for part in parts}
    assert len(written) == len(parts)
    assert commands == [part.command for part in parts if part.command]
    token = case.proof.attestations[0].token
    assert written["1-token.der"] == token
    assert written["5-witness.txt"].decode() == case.proof.attestations[4].checkpoint
    headers = case.proof.attestations[3].headers[0].headers
    assert written["4-bitcoin-0.headers"] == b"".join(headers)


def test_root_is_the_policys_or_named_as_one_from_the_proof(case, tmp_path):
    extract_parts(case.proof, case.policy, tmp_path / "trusted")
    assert (tmp_path / "trusted" / "1-token.root.pem").exists()
    extract_parts(case.proof, policy(), tmp_path / "untrusted")
    assert not (tmp_path / "untrusted" / "1-token.root.pem").exists()
    assert (tmp_path / "untrusted" / "1-token.root-from-the-proof.pem").exists()
    command = (tmp_path / "untrusted" / "commands.txt").read_text()
    assert "-CAfile 1-token.root-from-the-proof.pem" in command


def test_folder_with_something_in_it_is_left_alone(case, tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(StoreConflictError):
        extract_parts(case.proof, case.policy, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(StoreUnavailableError):
        extract_parts(case.proof, case.policy, tmp_path / "mine")


def test_revocation_data_is_written_too(case, tmp_path):
    token = replace(case.proof.attestations[0], ocsp=(b"ocsp",), crls=(b"crl",))
    proof = replace(case.proof, attestations=(token,))
    names = {part.name for part in extract_parts(proof, case.policy, tmp_path / "out")}
    assert {"1-token.ocsp-1.der", "1-token.crl-1.der"} <= names


@pytest.mark.openssl
def test_stock_tools_agree_with_every_command(case, tmp_path, require):
    require(shutil.which("openssl"), "the openssl command is missing (Debian: apt install openssl)")
    folder = tmp_path / "out"
    parts = extract_parts(case.proof, case.policy, folder)
    verified = 0
    for part in parts:
        # keccak came with OpenSSL 3.2, which not every machine has
        if not part.command or "keccak" in part.command:
            continue
        done = subprocess.run(
            part.command, shell=True, cwd=folder, capture_output=True, text=True, check=True
        )
        verified += "Verification: OK" in done.stdout + done.stderr
        if part.command.startswith("sha256sum"):
            assert hashlib.sha256(part.data).hexdigest() in done.stdout
    assert verified == 2
    block = case.bitcoin.headers[0].block_hash.hex()
    last = next(part.command for part in parts if "head -c 80" in part.command)
    done = subprocess.run(last, shell=True, cwd=folder, capture_output=True, text=True, check=True)
    assert block in done.stdout


@pytest.mark.openssl
def test_changed_token_does_not_pass_its_command(case, tmp_path, require):
    require(shutil.which("openssl"), "the openssl command is missing (Debian: apt install openssl)")
    folder = tmp_path / "out"
    extract_parts(case.proof, case.policy, folder)
    data = bytearray((folder / "1-token.der").read_bytes())
    data[-1] ^= 1
    (folder / "1-token.der").write_bytes(data)
    command = next(
        line for line in (folder / "commands.txt").read_text().splitlines() if "1-token" in line
    )
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, check=False)
    assert done.returncode != 0
