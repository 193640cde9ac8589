"""An Ed25519 key under a passphrase: PKCS#8 PEM, scrypt and AES-256-CBC, as stock tools read it.

``openssl pkey -in FILE`` reads the file. It is written here because ``cryptography`` writes PKCS#8
with 2,048 rounds of PBKDF2, which costs whoever tries passphrases next to nothing. One try of
scrypt with these parameters takes a fifth of a second and 16 MiB, about what openssl allows.

Specification: RFC 5958 (PKCS#8), RFC 8018 (PBES2), RFC 7914 section 7 (scrypt in PBES2), RFC 8410.
"""

from __future__ import annotations

import base64
import secrets
import textwrap
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from anchor.errors import FormatError, UsageError
from anchor.formats.der import der_integer, der_oid, der_sequence, tlv

MIN_PASSPHRASE_BYTES: Final = 8
_N: Final = 1 << 14
_R: Final = 8
_P: Final = 5
_PBES2: Final = "1.2.840.113549.1.5.13"
_SCRYPT: Final = "1.3.6.1.4.1.11591.4.11"
_AES256_CBC: Final = "2.16.840.1.101.3.4.1.42"
_OCTETS: Final = 0x04


def encrypt_key(key: Ed25519PrivateKey, passphrase: bytes) -> bytes:
    """Return the key as an encrypted PEM.

    Raises:
        UsageError: the passphrase has fewer than 8 bytes.
    """
    if len(passphrase) < MIN_PASSPHRASE_BYTES:
        raise UsageError(
            f"a passphrase of {len(passphrase)} bytes, at least {MIN_PASSPHRASE_BYTES} are wanted",
            code="keys.passphrase_short",
        )
    salt, vector = secrets.token_bytes(16), secrets.token_bytes(16)
    derived = Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P).derive(passphrase)
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(AES(derived), CBC(vector)).encryptor()
    encrypted = encryptor.update(padded) + encryptor.finalize()
    parameters = [tlv(_OCTETS, salt), *(der_integer(value) for value in (_N, _R, _P, 32))]
    algorithm = der_sequence(
        der_oid(_PBES2),
        der_sequence(
            der_sequence(der_oid(_SCRYPT), der_sequence(*parameters)),
            der_sequence(der_oid(_AES256_CBC), tlv(_OCTETS, vector)),
        ),
    )
    body = base64.b64encode(der_sequence(algorithm, tlv(_OCTETS, encrypted))).decode()
    lines = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", *textwrap.wrap(body, 64)]
    return "\n".join([*lines, "-----END ENCRYPTED PRIVATE KEY-----", ""]).encode()


def decrypt_key(pem: bytes, passphrase: bytes) -> Ed25519PrivateKey:
    """Read an encrypted PEM, this one or any that ``cryptography`` reads.

    Raises:
        UsageError: the passphrase is wrong (``keys.passphrase``).
        FormatError: it is not the PEM of an Ed25519 key.
    """
    try:
        key = load_pem_private_key(pem, passphrase)
    except TypeError as error:
        raise FormatError("the key file is not encrypted", code="keys.format") from error
    except ValueError as error:
        if b"BEGIN ENCRYPTED PRIVATE KEY" not in pem:
            raise FormatError("the key file is no encrypted PEM", code="keys.format") from error
        raise UsageError("the passphrase does not open the key", code="keys.passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise FormatError("the key file holds no Ed25519 key", code="keys.format")
    return key
