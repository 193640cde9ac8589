"""Keys: they open, sign, and show nothing."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from anchor.backends.evm.fees import Offer
from anchor.backends.evm.keys import (
    CallRequest,
    EvmKey,
    create_keystore,
    load_keystore,
    parse_private_key,
)
from anchor.errors import ConfigError
from anchor.formats.evm import parse_evm_transaction

# The key and address that EIP-155 gives as its example.
PRIVATE = "46" * 32
ADDRESS = "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"
PASSPHRASE = "correct horse"


def quick_keystore(tmp_path: Path, mode: int = 0o600, **changes: Any) -> Path:
    path = tmp_path / "key.json"
    keystore = Account.encrypt(bytes.fromhex(PRIVATE), PASSPHRASE, kdf="pbkdf2", iterations=2)
    path.write_text(json.dumps({**keystore, **changes}))
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", [PRIVATE, "0x" + PRIVATE, f" {PRIVATE}\n", PRIVATE.upper()])
def test_hex_text_is_read(text: str) -> None:
    assert parse_private_key(text).address.hex() == ADDRESS


@pytest.mark.parametrize(
    "text",
    ["", "0x", PRIVATE[:-1], PRIVATE + "00", "zz" * 32, "00" * 32, "ff" * 32, "0x0x" + PRIVATE],
)
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_private_key(text)
    shown = "".join(traceback.format_exception(caught.value))
    assert len(text) < 60 or text not in caught.value.message
    assert len(text) < 60 or text not in shown.replace(f'"{text}"', "")


def test_a_key_shows_only_its_address() -> None:
    key = EvmKey(bytes.fromhex(PRIVATE))
    assert ADDRESS in repr(key)
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert PRIVATE not in shown
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(key)
    assert not hasattr(key, "__dict__")


def test_a_keystore_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    path = quick_keystore(tmp_path)
    assert load_keystore(path, PASSPHRASE).address.hex() == ADDRESS
    for wrong in ("", "correct horse ", "Correct horse"):
        with pytest.raises(ConfigError) as caught:
            load_keystore(path, wrong)
        assert caught.value.__cause__ is None
        shown = "".join(traceback.format_exception(caught.value))
        assert PRIVATE not in shown
        assert PASSPHRASE not in caught.value.message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o606])
def test_a_keystore_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError) as caught:
        load_keystore(quick_keystore(tmp_path, mode), PASSPHRASE)
    assert caught.value.code == "config.evm.keystore_mode"
    assert caught.value.hint is not None
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"version": 1}', '{"version": 3, "crypto": []}', "[" * 20_000],
)
def test_what_is_no_keystore(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError):
        load_keystore(path, PASSPHRASE)


def test_a_keystore_that_asks_for_absurd_work_is_refused_at_once(tmp_path: Path) -> None:
    for work in ({"n": 2**30, "r": 8, "p": 1}, {"c": 10**12}, {"n": "1"}, {"n": 0}):
        crypto = {"kdf": "scrypt", "kdfparams": {"dklen": 32, "salt": "00", **work}}
        with pytest.raises(ConfigError, match="absurd"):
            load_keystore(quick_keystore(tmp_path, crypto=crypto), PASSPHRASE)


def test_a_keystore_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ConfigError):
            load_keystore(path, PASSPHRASE)


def test_a_new_keystore_is_private_and_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    key = create_keystore(path, PASSPHRASE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keystore(path, PASSPHRASE).address == key.address
    before = path.read_bytes()
    with pytest.raises(ConfigError):
        create_keystore(path, PASSPHRASE)
    assert path.read_bytes() == before
    with pytest.raises(ConfigError):
        create_keystore(tmp_path / "other.json", "")
    assert not (tmp_path / "other.json").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_what_is_signed_is_what_was_asked_for(legacy: bool) -> None:
    key = EvmKey(bytes.fromhex(PRIVATE))
    request = CallRequest(
        chain_id=10,
        nonce=3,
        to=bytes(range(20)),
        data=b"\x01\x02" + bytes(32),
        gas=70_000,
        offer=Offer(20, 20 if legacy else 2, is_legacy=legacy),
    )
    signed = key.sign(request)
    transaction = parse_evm_transaction(signed.raw)
    assert transaction.transaction_hash == signed.transaction_hash
    assert transaction.type == (0 if legacy else 2)
    assert transaction.to == request.to
    assert transaction.data == request.data
    assert Account.recover_transaction(signed.raw).lower() == "0x" + ADDRESS
    # The same request gives the same bytes: a step that is repeated sends nothing new.
    assert key.sign(request) == signed


def test_a_creation_has_no_recipient() -> None:
    key = EvmKey(bytes.fromhex(PRIVATE))
    request = CallRequest(chain_id=1, nonce=0, to=None, data=b"\x60", gas=60_000, offer=Offer(2, 1))
    assert parse_evm_transaction(key.sign(request).raw).to is None
