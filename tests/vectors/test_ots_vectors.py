"""The independent OpenTimestamps files, and three that the reference library wrote."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from anchor.errors import LimitExceededError, UnsupportedVersionError
from anchor.formats.bitcoin import display_hex
from anchor.formats.ots.attestation import (
    BitcoinAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from anchor.formats.ots.codec import DetachedTimestamp, parse_detached, serialize_detached
from anchor.formats.ots.op import Sha1, Sha256

ALICE = PendingAttestation("https://alice.btc.calendar.opentimestamps.org")
BOB = PendingAttestation("https://bob.btc.calendar.opentimestamps.org")
FINNEY = PendingAttestation("https://finney.calendar.eternitywall.com")
UNKNOWN = UnknownAttestation(bytes(range(1, 9)), b"x" * 46)

# file -> (its attestations, in the order of the file)
COMPLETE = {
    "hello-world.txt": [BitcoinAttestation(358391)],
    "bad-stamp.txt": [BitcoinAttestation(358391)],
    "incomplete.txt": [ALICE],
    "two-calendars.txt": [ALICE, BOB],
    "merkle1.txt": [ALICE, BOB],
    "merkle2.txt": [ALICE, BOB],
    "known-and-unknown-notary.txt": [BOB, UNKNOWN],
    "unknown-notary.txt": [UNKNOWN],
}
BLOCK_358391_MERKLE_ROOT = "8a1b66ecb7cbd07d8139a7e7d7f2c41aab1f5009b8364aaf61d03ad245e47e00"


def load(folder: Path, name: str) -> DetachedTimestamp:
    return parse_detached((folder / "ots" / name).read_bytes())


@pytest.mark.vectors
@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_file_is_read_matches_its_target_and_is_written_back(vectors: Path, name: str) -> None:
    data = (vectors / "ots" / f"{name}.ots").read_bytes()
    stamp = parse_detached(data)
    assert stamp.file_op == Sha256()
    target = (vectors / "ots" / name).read_bytes()
    assert stamp.file_digest == hashlib.sha256(target).digest()
    found = [path.attestation for path in stamp.tree.paths()]
    assert set(found) == set(COMPLETE[name])
    assert len(found) == len(COMPLETE[name])
    assert stamp.canonical
    assert serialize_detached(stamp) == data


@pytest.mark.vectors
def test_hello_world_ends_in_the_merkle_root_of_its_block(vectors: Path) -> None:
    (path,) = load(vectors, "hello-world.txt.ots").tree.paths()
    assert display_hex(path.message) == BLOCK_358391_MERKLE_ROOT
    assert "ripemd160" in [op.name for op in path.ops]
    assert not path.uses_sha1


@pytest.mark.vectors
def test_bad_stamp_ends_elsewhere(vectors: Path) -> None:
    (path,) = load(vectors, "bad-stamp.txt.ots").tree.paths()
    assert path.attestation == BitcoinAttestation(358391)
    assert display_hex(path.message) != BLOCK_358391_MERKLE_ROOT
    assert display_hex(path.message).startswith("1bb49db8")


@pytest.mark.vectors
def test_one_sha1_file_matches_two_targets_and_says_so(vectors: Path) -> None:
    stamp = load(vectors, "sha1/a-or-b.ots")
    for name in ("a", "b"):
        target = (vectors / "ots" / "sha1" / name).read_bytes()
        assert stamp.file_op.apply(target) == stamp.file_digest
    assert stamp.file_op == Sha1()
    assert {path.attestation for path in stamp.tree.paths()} == {
        FINNEY,
        BitcoinAttestation(466906),
        ALICE,
        BOB,
    }
    assert serialize_detached(stamp) == (vectors / "ots" / "sha1" / "a-or-b.ots").read_bytes()


@pytest.mark.vectors
def test_unreadable_files_name_what_is_wrong(vectors: Path) -> None:
    with pytest.raises(UnsupportedVersionError, match="version"):
        load(vectors, "invalid/bad-major-version.ots")
    with pytest.raises(LimitExceededError, match="4096"):
        load(vectors, "invalid/exceeds-max-msg-length.ots")


@pytest.mark.vectors
def test_every_file_of_the_folder_is_covered(vectors: Path) -> None:
    there = {path.name for path in (vectors / "ots").glob("*.ots")}
    assert there == {f"{name}.ots" for name in COMPLETE}


# Three files that the reference library (0.4.5) wrote: the inclusion paths of the digests of "a",
# "b" and "c" in the RFC 6962 tree of these three, with a pending attestation at the root.
HEAD = "004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e8929401"
LEAF_B = "a0d9f0a50b35b9f7d7edc57fb64f4771ddef0fefeaca4e6f949a1514db5b136d"
LEAF_C = "6a3fc11b79f836bda340e75c8906e961b8adf4d6a08a2b992e3f38cd6ff38ebf"
LEAF_A = "a23bd5b06da9048238a65b3f1d9d0b9e15fae3dde262688e6489aa4c763d1820"
NODE_AB = "ad5ca6cddc0b27c6a83e332bf28011769236e6c6a1f786ebf7b5267b37a5bd22"
END = "0083dfe30d2ef90c8e171668747470733a2f2f74732e6578616d706c652e6f7267"
WRITTEN_BY_THE_REFERENCE = {
    b"a": (
        f"{HEAD}08ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bbf10100"
        f"08f10101f020{LEAF_B}08f10101f020{LEAF_C}08{END}"
    ),
    b"b": (
        f"{HEAD}083e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009df10100"
        f"08f12101{LEAF_A}08f10101f020{LEAF_C}08{END}"
    ),
    b"c": (
        f"{HEAD}082e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6f10100"
        f"08f12101{NODE_AB}08{END}"
    ),
}
ROOT_HASH = "cac3d448d4e20a2ad5eae1f500e63c2a7f9217cd14572ba7fd22e26dc1ec2648"


@pytest.mark.parametrize("content", [b"a", b"b", b"c"])
def test_files_that_the_reference_wrote(content: bytes) -> None:
    data = bytes.fromhex(WRITTEN_BY_THE_REFERENCE[content])
    stamp = parse_detached(data)
    assert stamp.file_digest == hashlib.sha256(content).digest()
    (path,) = stamp.tree.paths()
    assert path.message.hex() == ROOT_HASH
    assert path.attestation == PendingAttestation("https://ts.example.org")
    assert stamp.canonical
    assert serialize_detached(stamp) == data
