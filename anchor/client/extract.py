"""Write the parts of a proof as files that stock tools read, with the commands that check them.

Tokens become DER, certificates PEM, headers and notes raw bytes. A root certificate that the
policy trusts is written as ``…root.pem``. Where the policy trusts none, the one that came with the
proof is written as ``…root-from-the-proof.pem``: a check against that one shows nothing before
somebody has compared it with what the authority publishes.
"""

from __future__ import annotations

import hashlib
from base64 import encodebytes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from anchor.client.local_file import write_atomically
from anchor.errors import StoreConflictError, StoreUnavailableError
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.note import parse_note
from anchor.formats.tsp import TimestampToken, parse_token
from anchor.formats.x509_certificate import parse_certificate
from anchor.proof.policy import Policy
from anchor.proof.proof import (
    EvmAttestation,
    OpenTimestampsAttestation,
    Proof,
    Rfc3161Attestation,
    WitnessAttestation,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One file to write, and the command that checks it with a stock tool, if there is one."""

    name: str
    data: bytes
    command: str = ""


def extract_parts(proof: Proof, policy: Policy, folder: Path) -> list[Part]:
    """Write the parts of a proof into a folder that is new or empty; return them.

    Raises:
        StoreConflictError: there is something in the folder.
        StoreUnavailableError: the disk does not take a file.
        FormatError: a token or checkpoint in the proof cannot be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(folder.iterdir())
    except OSError as error:
        raise StoreUnavailableError(f"{folder}: {error.strerror or error}") from error
    if occupied:
        raise StoreConflictError(
            f"{folder} is not empty", code="file.exists", hint="name a folder that is not there yet"
        )
    parts = list(_parts(proof, policy))
    for part in parts:
        write_atomically(folder / part.name, part.data)
    lines = [part.command for part in parts if part.command]
    script = "".join(f"{line}\n" for line in lines)
    write_atomically(folder / "commands.txt", script.encode())
    return parts


def _parts(proof: Proof, policy: Policy) -> Iterator[Part]:
    notes = {i.checkpoint for i in proof.inclusions if i.checkpoint is not None}
    for note in sorted(notes):
        size = parse_checkpoint(parse_note(note).text).tree_size
        name = f"checkpoint-{size}-{hashlib.sha256(note.encode()).hexdigest()[:8]}.txt"
        yield Part(name, note.encode(), f"sha256sum {name}")
    for number, attestation in enumerate(proof.attestations, 1):
        match attestation:
            case Rfc3161Attestation():
                yield from _token_parts(f"{number}-token", attestation, policy)
            case EvmAttestation():
                yield from _evm_parts(f"{number}-evm", attestation)
            case OpenTimestampsAttestation():
                yield from _bitcoin_parts(f"{number}-bitcoin", attestation)
            case WitnessAttestation():
                yield Part(f"{number}-witness.txt", attestation.checkpoint.encode())
            case _:
                continue


# -- RFC 3161 --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenChain:
    """The certificates that a token is checked with.

    Attributes:
        token: parsed.
        roots: DER; the policy's that the token may chain to, else those that came with it.
        trusted: the roots are the policy's.
        chain: DER; the certificates of the proof that are no roots.
    """

    token: TimestampToken
    roots: tuple[bytes, ...]
    trusted: bool
    chain: tuple[bytes, ...]


def token_chain(attestation: Rfc3161Attestation, policy: Policy) -> TokenChain:
    """Return the certificates of a token; FormatError if it can not be read."""
    token = parse_token(attestation.token)
    trusted, given = _roots(attestation, token, policy)
    roots = tuple(trusted or given)
    chain = tuple(c for c in _certificates(attestation, token) if c not in roots)
    return TokenChain(token, roots, bool(trusted), chain)


def _token_parts(name: str, attestation: Rfc3161Attestation, policy: Policy) -> Iterator[Part]:
    found = token_chain(attestation, policy)
    root = f"{name}.root.pem" if found.trusted else f"{name}.root-from-the-proof.pem"
    command = openssl_command(found.token, name, root, bool(found.chain))
    yield Part(f"{name}.der", attestation.token, command)
    if found.chain:
        yield Part(f"{name}.chain.pem", pem(found.chain))
    yield Part(root, pem(found.roots))
    for position, answer in enumerate(attestation.ocsp, 1):
        file = f"{name}.ocsp-{position}.der"
        yield Part(file, answer, f"openssl ocsp -respin {file} -noverify -resp_text")
    for position, crl in enumerate(attestation.crls, 1):
        file = f"{name}.crl-{position}.der"
        yield Part(file, crl, f"openssl crl -inform DER -in {file} -noout -text")


def openssl_command(token: TimestampToken, name: str, root: str, has_chain: bool) -> str:
    """Return the line that verifies a token with OpenSSL at the token's own time."""
    chain = f"-untrusted {name}.chain.pem " if has_chain else ""
    return (
        f"openssl ts -verify -token_in -in {name}.der -digest {token.imprint.hex()} "
        f"-CAfile {root} {chain}-attime {int(token.gen_time.timestamp())}"
    )


def _certificates(attestation: Rfc3161Attestation, token: TimestampToken) -> list[bytes]:
    return list(dict.fromkeys((*token.certificates, *attestation.certificates)))


def _roots(
    attestation: Rfc3161Attestation, token: TimestampToken, policy: Policy
) -> tuple[list[bytes], list[bytes]]:
    """Return the policy's roots that this token may chain to, and those that came with it.

    A policy's root belongs to the token if a certificate of the proof names it as its issuer.
    """
    certificates = _certificates(attestation, token)
    issuers = {parse_certificate(der).issuer_der for der in certificates}
    trusted = [
        root
        for authority in policy.authorities
        for root in authority.roots
        if parse_certificate(root).subject.public_bytes() in issuers
    ]
    given = [der for der in certificates if _is_self_issued(der)]
    return trusted, given


def _is_self_issued(der: bytes) -> bool:
    certificate = parse_certificate(der)
    return certificate.subject == certificate.issuer


def pem(certificates: Iterable[bytes]) -> bytes:
    """Return certificates in DER as one PEM file."""
    return b"".join(
        b"-----BEGIN CERTIFICATE-----\n" + encodebytes(der) + b"-----END CERTIFICATE-----\n"
        for der in certificates
    )


# -- chains ----------------------------------------------------------------------------------------


def _evm_parts(name: str, attestation: EvmAttestation) -> Iterator[Part]:
    proofs = {
        "transaction": attestation.transaction,
        "receipt": attestation.receipt,
        "storage": attestation.storage,
    }
    for kind, proof in proofs.items():
        if proof is not None:
            file = f"{name}.{kind}.header.rlp"
            yield Part(
                file, proof.header, f"openssl dgst -keccak-256 {file}  # OpenSSL 3.2 or later"
            )


def _bitcoin_parts(name: str, attestation: OpenTimestampsAttestation) -> Iterator[Part]:
    yield Part(f"{name}.tree", attestation.tree)
    for run in attestation.headers:
        file = f"{name}-{run.height}.headers"
        first = f"head -c 80 {file} | openssl dgst -sha256 -binary | openssl dgst -sha256"
        yield Part(file, b"".join(run.headers), first)
