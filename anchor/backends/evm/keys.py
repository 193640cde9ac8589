"""The key that pays for anchoring: an encrypted keystore file, or hex text.

Formats: Web3 Secret Storage, version 3 (keystore); 32 bytes in hex.

Rules: the private key is in no ``repr``, message or exception, nor is the passphrase; causes of
errors are dropped where they could hold either. A keystore that others may read is refused. Whoever
has the key can spend the account's funds and send transactions in its name, and nothing else: no
evidence rests on it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anchor.backends.evm.fees import Offer
from anchor.errors import ConfigError, FormatError
from anchor.formats.encoding import parse_json
from anchor.formats.evm import parse_evm_transaction

_HEX_KEY: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_MAX_KEYSTORE_BYTES: Final = 64 << 10
_OPEN_TO_OTHERS: Final = 0o077
_DYNAMIC_FEE: Final = 2
_SCRYPT_MAX_N: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A transaction before it is signed.

    Attributes:
        chain_id: the chain that the signature binds it to.
        nonce: of the account.
        to: contract, or None to create one.
        data: call data or init code.
        gas: limit.
        offer: what it pays for a unit of gas.
    """

    chain_id: int
    nonce: int
    to: bytes | None
    data: bytes
    gas: int
    offer: Offer


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A signed transaction: its bytes, and their Keccak-256."""

    raw: bytes
    transaction_hash: bytes


class EvmKey:
    """A private key that signs transactions and shows only its address.

    Args:
        private_key: 32 bytes, between 1 and the order of secp256k1.

    Raises:
        ConfigError: no such key.
    """

    __slots__ = ("_account", "address")

    def __init__(self, private_key: bytes) -> None:
        from eth_account import Account

        try:
            self._account: Any = Account.from_key(private_key)
        except Exception:  # noqa: BLE001 - whatever it is, it may quote the key
            raise ConfigError(
                "the EVM private key is not a key of secp256k1", code="config.evm.key"
            ) from None
        self.address = bytes.fromhex(self._account.address[2:])

    def __repr__(self) -> str:
        return f"EvmKey(0x{self.address.hex()})"

    def __reduce__(self) -> str:
        raise TypeError("an EVM key cannot be pickled")

    def sign(self, request: CallRequest) -> SignedCall:
        """Return the signed transaction (EIP-1559; EIP-155 where the offer is for that)."""
        fields: dict[str, Any] = {
            "chainId": request.chain_id,
            "nonce": request.nonce,
            "gas": request.gas,
            "value": 0,
            "data": request.data,
            "to": b"" if request.to is None else request.to,
        }
        if request.offer.is_legacy:
            fields["gasPrice"] = request.offer.max_fee_wei
        else:
            fields["type"] = _DYNAMIC_FEE
            fields["maxFeePerGas"] = request.offer.max_fee_wei
            fields["maxPriorityFeePerGas"] = request.offer.tip_wei
        raw = bytes(self._account.sign_transaction(fields).raw_transaction)
        return SignedCall(raw, parse_evm_transaction(raw).transaction_hash)


def parse_private_key(text: str) -> EvmKey:
    """Return the key of 64 hex digits, with or without ``0x``; ConfigError otherwise."""
    match = _HEX_KEY.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"the EVM private key has {len(text.strip())} characters, 64 hex digits wanted",
            code="config.evm.key",
        )
    return EvmKey(bytes.fromhex(match[1]))


def load_keystore(path: Path, passphrase: str) -> EvmKey:
    """Return the key in an encrypted keystore; takes about a second, by design of the format.

    Raises:
        ConfigError: the file is not there, is open to others, is no keystore of version 3, asks
            for absurd work, or the passphrase is not its own.
    """
    keystore = _read_keystore(path)
    from eth_account import Account

    try:
        return EvmKey(bytes(Account.decrypt(keystore, passphrase)))
    except ConfigError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it may quote what it read
        raise ConfigError(
            f"keystore {path} does not open with this passphrase", code="config.evm.keystore"
        ) from None


def create_keystore(path: Path, passphrase: str) -> EvmKey:
    """Make a new key, write it encrypted to a new file of mode 0600, and return it.

    Raises:
        ConfigError: the passphrase is empty, or the file is there or cannot be written.
    """
    from eth_account import Account

    if not passphrase:
        raise ConfigError("the passphrase of a keystore is empty", code="config.evm.keystore")
    private_key = secrets.token_bytes(32)
    key = EvmKey(private_key)
    text = json.dumps(Account.encrypt(private_key, passphrase))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(
            f"keystore {path} cannot be written: {error.strerror}", code="config.evm.keystore"
        ) from error
    return key


def _read_keystore(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MAX_KEYSTORE_BYTES + 1) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise ConfigError(
            f"keystore {path} cannot be read: {error.strerror}", code="config.evm.keystore"
        ) from error
    if mode & _OPEN_TO_OTHERS:
        raise ConfigError(
            f"keystore {path} has mode {stat.S_IMODE(mode):04o}, 0600 wanted",
            code="config.evm.keystore_mode",
            hint=f"chmod 600 {path}",
        )
    try:
        keystore = parse_json(data, max_bytes=_MAX_KEYSTORE_BYTES, what="keystore")
    except FormatError:
        keystore = None
    if not isinstance(keystore, dict) or keystore.get("version") != 3:
        raise ConfigError(
            f"{path} is not a keystore of version 3", code="config.evm.keystore"
        ) from None
    _check_work(path, keystore)
    return keystore


def _check_work(path: Path, keystore: dict[str, Any]) -> None:
    """Refuse key derivation that would take all memory."""
    crypto = keystore.get("crypto", keystore.get("Crypto"))
    parameters = crypto.get("kdfparams") if isinstance(crypto, dict) else None
    work = parameters if isinstance(parameters, dict) else {}
    values = [work.get(name, 1) for name in ("n", "r", "p", "c")]
    bounds = (_SCRYPT_MAX_N, 32, 32, 10_000_000)
    for value, bound in zip(values, bounds, strict=True):
        if not isinstance(value, int) or not 1 <= value <= bound:
            raise ConfigError(f"keystore {path} asks for absurd work", code="config.evm.keystore")
