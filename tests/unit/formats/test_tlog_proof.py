"""Receipts: one spelling, the checkpoint verbatim, and every line accounted for."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    TruncatedError,
    UnsupportedVersionError,
)
from anchor.formats.checkpoint import Checkpoint
from anchor.formats.note import ED25519, NoteKey, NoteSignature, sign_note
from anchor.formats.tlog_proof import TlogProof, parse_tlog_proof

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY = NoteKey.of("example.com/fancylog", ED25519, PRIVATE.public_key().public_bytes_raw())
CHECKPOINT = sign_note(Checkpoint(KEY.name, 109_482, bytes(32)).text, KEY, PRIVATE.sign)
HASHES = tuple(bytes([number]) * 32 for number in range(1, 6))
LINES = "".join(base64.b64encode(item).decode() + "\n" for item in HASHES)
RECEIPT = f"c2sp.org/tlog-proof@v1\nindex 73894\n{LINES}\n{CHECKPOINT.serialize()}"
WITH_EXTRA = RECEIPT.replace("index", "extra YWJj\nindex", 1)


def test_a_receipt_both_ways():
    proof = parse_tlog_proof(RECEIPT)
    assert proof == TlogProof(73_894, HASHES, CHECKPOINT.serialize(), None)
    assert proof.serialize() == RECEIPT
    assert parse_tlog_proof(RECEIPT.encode()) == proof


def test_extra_data_both_ways():
    proof = parse_tlog_proof(WITH_EXTRA)
    assert proof == TlogProof(73_894, HASHES, CHECKPOINT.serialize(), b"abc")
    assert proof.serialize() == WITH_EXTRA


def test_empty_extra_data_is_not_absent():
    text = RECEIPT.replace("index", "extra \nindex", 1)
    assert parse_tlog_proof(text).extra == b""
    assert parse_tlog_proof(text).serialize() == text


def test_a_tree_of_one_leaf_has_no_hashes():
    proof = TlogProof(0, (), CHECKPOINT.serialize())
    assert proof.serialize().startswith("c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/fancylog\n")
    assert parse_tlog_proof(proof.serialize()) == proof


def test_the_greatest_index():
    proof = TlogProof(limits.MAX_TREE_SIZE - 1, (), CHECKPOINT.serialize())
    assert parse_tlog_proof(proof.serialize()) == proof


def test_cosignatures_and_odd_checkpoints_stay_verbatim():
    text = Checkpoint(KEY.name, 7, bytes(32), ("extension", "  two")).text
    note = sign_note(text, KEY, PRIVATE.sign).adding(NoteSignature("w", b"1234", bytes(72)))
    proof = TlogProof(3, HASHES[:3], note.serialize())
    assert parse_tlog_proof(proof.serialize()).checkpoint == note.serialize()


def test_cut_anywhere_it_is_refused():
    for text in (RECEIPT, WITH_EXTRA):
        data = text.encode()
        for length in range(len(data)):
            with pytest.raises(FormatError):
                parse_tlog_proof(data[:length])


@pytest.mark.parametrize(
    "version", ["c2sp.org/tlog-proof@v2", "c2sp.org/tlog-proof@v1 ", "c2sp.org/tlog-proof@"]
)
def test_another_version_is_unsupported(version):
    with pytest.raises(UnsupportedVersionError):
        parse_tlog_proof(RECEIPT.replace("c2sp.org/tlog-proof@v1", version))


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("c2sp.org/tlog-proof@v1\n", "", FormatError),
        ("c2sp.org", "\ufeffc2sp.org", FormatError),
        ("c2sp.org", "C2SP.org", FormatError),
        ("index 73894\n", "", FormatError),
        ("index 73894", "index  73894", FormatError),
        ("index 73894", "index 073894", FormatError),
        ("index 73894", "index -1", FormatError),
        ("index 73894", "Index 73894", FormatError),
        ("index 73894", "index 73894 ", FormatError),
        ("index 73894", "index", FormatError),
        ("index 73894", "73894", FormatError),
        (f"index 73894\n{LINES}", "", FormatError),
        ("index 73894", f"index {2**53 - 1}", LimitExceededError),
        ("index 73894", "index 1\nindex 2", FormatError),
        ("index 73894", "index 1\nextra YWJj", FormatError),
        ("index 73894", "extra YWJj\nextra YWJj\nindex 1", FormatError),
        ("index 73894", "extra YWJj=\nindex 1", NonCanonicalError),
        ("index 73894", "extra YWK\nindex 1", FormatError),
        ("index 73894", "extraYWJj\nindex 1", FormatError),
        ("AQEB", "AQE*", FormatError),
        (LINES, LINES.replace("\n", "\r\n"), FormatError),
        (LINES, LINES.replace("=\n", "\n"), FormatError),
        (LINES, "AAAA\n" + LINES, FormatError),
        (LINES, "AAAA" * 12 + "\n" + LINES, LimitExceededError),
        (LINES, " " + LINES, FormatError),
        (LINES, LINES[:44] + " " + LINES[45:], FormatError),
        (LINES, "\n" + LINES, FormatError),
        (LINES + "\n", LINES, FormatError),
        (LINES + "\n", LINES + "\n\n", FormatError),
        ("109482", "0109482", FormatError),
        ("— example", "- example", FormatError),
    ],
)
def test_a_bent_receipt_is_refused(old, new, error):
    assert RECEIPT.count(old) >= 1
    with pytest.raises(error):
        parse_tlog_proof(RECEIPT.replace(old, new, 1))


def test_bytes_that_are_not_utf8_are_refused():
    with pytest.raises(FormatError, match="UTF-8"):
        parse_tlog_proof(RECEIPT.encode().replace(b"index", b"ind\xff"))


def test_limits():
    most = RECEIPT.replace(LINES, LINES[:45] * limits.MAX_PATH_HASHES)
    assert len(parse_tlog_proof(most).hashes) == limits.MAX_PATH_HASHES
    with pytest.raises(LimitExceededError):
        parse_tlog_proof(most.replace("\n\n", "\n" + LINES[:45] + "\n", 1))
    with pytest.raises(LimitExceededError):
        parse_tlog_proof(RECEIPT + "x" * limits.MAX_TLOG_PROOF_BYTES)


def test_text_after_the_checkpoint_is_refused():
    for more in ("x", "\n", "x\n", "\n\n"):
        with pytest.raises(TruncatedError if more != "x\n" else FormatError):
            parse_tlog_proof(RECEIPT + more)
