from __future__ import annotations

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from anchor.errors import ConfigError, SignatureError
from anchor.formats.note import parse_note, sign_note, verify_note
from anchor.ports import CommittedTree
from anchor.service.signer import LogSigner, default_origin
from tests.fakes.log import signer


def test_key_is_made_once_with_mode_0600_and_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log.key"
    first = LogSigner.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert LogSigner.load_or_create(path).note_key == first.note_key
    assert LogSigner.load(path).note_key == first.note_key
    assert [item.name for item in path.parent.iterdir()] == ["log.key"]


def test_umask_does_not_widen_the_mode(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LogSigner.load_or_create(tmp_path / "key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_two_at_once_get_the_same_key(tmp_path: Path) -> None:
    keys: list[str] = []
    barrier = threading.Barrier(8)

    def make() -> None:
        barrier.wait()
        keys.append(LogSigner.load_or_create(tmp_path / "key").note_key.text)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_existing_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    with pytest.raises(ConfigError):
        LogSigner.load_or_create(path)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    LogSigner.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"{mode:04o}") as caught:
        LogSigner.load(path)
    assert caught.value.code == "config.log_key.mode"
    assert "chmod 600" in str(caught.value.hint)


def private_pem(key, encryption=None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        private_pem(X25519PrivateKey.generate()),
        private_pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"secret")),
    ],
)
def test_file_without_a_usable_key_is_a_config_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        LogSigner.load(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_unusable_folder_are_config_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        LogSigner.load(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be"):
        LogSigner.load_or_create(tmp_path / "file" / "key")


@pytest.mark.openssl
def test_key_made_by_openssl_is_read(tmp_path: Path, require) -> None:
    path = tmp_path / "key"
    try:
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(path)],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        require(condition=False, reason="no openssl command")
    path.chmod(0o600)
    assert LogSigner.load(path).sign(1, bytes(32))


def test_default_origin_contains_the_key_and_differs_by_key() -> None:
    one, other = signer(1, None), signer(2, None)
    assert one.origin != other.origin
    assert one.origin == default_origin(one.note_key.public_key)
    assert one.note_key.name == one.origin


@pytest.mark.parametrize("origin", ["with space", "plus+plus", "new\nline"])
def test_origin_that_cannot_be_signed_under_is_a_config_error(origin: str) -> None:
    with pytest.raises(ConfigError) as caught:
        signer(1, origin)
    assert caught.value.code == "config.origin"


def test_signature_verifies_and_is_the_same_every_time() -> None:
    log = signer(1)
    text = log.sign(7, b"\x07" * 32)
    assert text == log.sign(7, b"\x07" * 32)
    verify_note(parse_note(text), log.note_key)
    parsed = log.verify(text)
    assert (parsed.origin, parsed.tree_size, parsed.root_hash) == (log.origin, 7, b"\x07" * 32)
    assert text.startswith(
        "log.example\n7\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n— log.example "
    )


def test_checkpoint_of_another_key_or_origin_is_refused() -> None:
    log = signer(1)
    for other in (signer(2), signer(1, "log.example2")):
        with pytest.raises(SignatureError):
            log.verify(other.sign(7, bytes(32)))
    # Signed by this very key and name, and about another log.
    text = "other.example\n7\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n"
    forged = sign_note(text, log.note_key, log._private_key.sign).serialize()
    with pytest.raises(SignatureError, match="origin"):
        log.verify(forged)


def test_stored_tree_of_another_log_is_refused_with_a_hint() -> None:
    log = signer(1)
    log.require_own(None)
    log.require_own(CommittedTree(7, bytes(32), log.sign(7, bytes(32))))
    for tree in (
        CommittedTree(7, bytes(32), signer(2).sign(7, bytes(32))),
        CommittedTree(7, bytes(32), signer(1, "elsewhere.example").sign(7, bytes(32))),
        CommittedTree(7, bytes(32), log.sign(8, bytes(32))),
        CommittedTree(7, bytes(32), log.sign(7, b"\x01" * 32)),
        CommittedTree(7, bytes(32), "no checkpoint"),
    ):
        with pytest.raises(ConfigError) as caught:
            log.require_own(tree)
        assert caught.value.code == "config.log_key.mismatch"


def test_private_key_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    log = LogSigner.load_or_create(path)
    secret = log._private_key.private_bytes_raw()
    assert secret.hex() not in repr(log)
    assert log.note_key.text in repr(log)
    path.write_bytes(path.read_bytes().replace(b"PRIVATE", b"PRIVATF"))
    with pytest.raises(ConfigError) as caught:
        LogSigner.load(path)
    assert path.read_text().splitlines()[1] not in str(caught.value)
