"""Checkpoints have one spelling; cosignatures carry their time and nothing is assumed of it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    SignatureError,
    TruncatedError,
)
from anchor.formats.checkpoint import (
    Checkpoint,
    cosignature_message,
    log_signed_only,
    parse_checkpoint,
    sign_cosignature,
    verify_cosignature,
)
from anchor.formats.note import (
    COSIGNATURE_V1,
    ED25519,
    NoteKey,
    NoteSignature,
    SignedNote,
    parse_note,
    sign_note,
    verify_note,
)

# The example of C2SP tlog-checkpoint and tlog-cosignature (the keys are not published).
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
TEXT = f"example.com/behind-the-sofa\n20852163\n{ROOT}\n"
EXAMPLE = (
    f"{TEXT}\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhc"
    "yv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJs"
    "X3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def make_key(seed, name, algorithm):
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return NoteKey.of(name, algorithm, private.public_key().public_bytes_raw()), private.sign


LOG, LOG_SIGN = make_key(1, "example.org/log", ED25519)
WITNESS, WITNESS_SIGN = make_key(2, "witness.example/w1", COSIGNATURE_V1)
OTHER, OTHER_SIGN = make_key(3, "witness.example/w2", COSIGNATURE_V1)
NOTE = sign_note(Checkpoint("example.org/log", 5, bytes(range(32))).text, LOG, LOG_SIGN)
TIME = 1_679_315_147


# -- the text --------------------------------------------------------------------------------------


def test_the_example_is_read_and_written_back():
    checkpoint = parse_checkpoint(parse_note(EXAMPLE).text)
    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.tree_size == 20_852_163
    assert checkpoint.root_hash.hex().startswith("0ac5186a91863e8e1d90c808")
    assert checkpoint.extensions == ()
    assert checkpoint.text == TEXT
    assert parse_note(EXAMPLE).serialize() == EXAMPLE


def test_extension_lines_are_kept():
    text = f"{TEXT}one\n— two AAAA\n  three  \n"
    checkpoint = parse_checkpoint(text)
    assert checkpoint.extensions == ("one", "— two AAAA", "  three  ")
    assert checkpoint.text == text


@pytest.mark.parametrize("size", ["0", "1", str(limits.MAX_TREE_SIZE)])
def test_sizes(size):
    assert parse_checkpoint(f"o\n{size}\n{ROOT}\n").tree_size == int(size)


@pytest.mark.parametrize("origin", ["x", "ü", "with space", "a+b", "—", "0"])
def test_origins_are_free(origin):
    assert parse_checkpoint(f"{origin}\n1\n{ROOT}\n").origin == origin


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", TruncatedError),
        (TEXT[:-1], TruncatedError),
        ("o\n", FormatError),
        ("o\n1\n", FormatError),
        ("\n1\n" + ROOT + "\n", FormatError),
        (f"o\n\n{ROOT}\n", FormatError),
        ("o\n1\n\n", FormatError),
        (f"o\n1\n{ROOT}\n\n", FormatError),
        (f"o\n1\n{ROOT}\nx\n\ny\n", FormatError),
        (f"\no\n1\n{ROOT}\n", FormatError),
        (f"o\n01\n{ROOT}\n", FormatError),
        (f"o\n00\n{ROOT}\n", FormatError),
        (f"o\n+1\n{ROOT}\n", FormatError),
        (f"o\n-1\n{ROOT}\n", FormatError),
        (f"o\n1 \n{ROOT}\n", FormatError),
        (f"o\n1_000\n{ROOT}\n", FormatError),
        (f"o\n0x1\n{ROOT}\n", FormatError),
        (f"o\n１\n{ROOT}\n", FormatError),
        (f"o\n1.0\n{ROOT}\n", FormatError),
        (f"o\n{2**53}\n{ROOT}\n", LimitExceededError),
        (f"o\n1{'0' * 5000}\n{ROOT}\n", LimitExceededError),
        ("o\n1\nAAAA\n", FormatError),
        (f"o\n1\n{ROOT[:-1]}\n", FormatError),
        (f"o\n1\n{ROOT} \n", LimitExceededError),
        (f"o\n1\n {ROOT[1:]}\n", FormatError),
        (f"o\n1\n{ROOT[:-2]}J=\n", NonCanonicalError),
        (f"o\n1\n{'A' * 44}\n", LimitExceededError),
        (f"o\n1\n{'A' * 48}\n", LimitExceededError),
        (f"o\n1\n{ROOT.replace('/', '_')}\n", FormatError),
    ],
)
def test_what_is_no_checkpoint_is_refused(text, error):
    with pytest.raises(error) as caught:
        parse_checkpoint(text)
    assert type(caught.value) is error


# -- the log's own signature -----------------------------------------------------------------------


def test_the_logs_own_line_is_what_remains():
    cosigned = NOTE.adding(sign_cosignature(NOTE, WITNESS, TIME, WITNESS_SIGN))
    shuffled = SignedNote(cosigned.text, cosigned.signatures[::-1])
    for note in (NOTE, cosigned, shuffled):
        assert log_signed_only(note, LOG).serialize() == NOTE.serialize()


def test_without_a_valid_signature_of_the_log_nothing_remains():
    cosignature = sign_cosignature(NOTE, WITNESS, TIME, WITNESS_SIGN)
    for note in (
        SignedNote(NOTE.text, (cosignature,)),
        SignedNote(NOTE.text.replace("5", "6"), NOTE.signatures),
    ):
        with pytest.raises(SignatureError):
            log_signed_only(note, LOG)


# -- cosignatures ----------------------------------------------------------------------------------


def test_the_message_is_the_specifications():
    assert cosignature_message(TIME, TEXT) == (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_the_examples_cosignature_has_the_layout_that_we_read():
    line = parse_note(EXAMPLE).signatures[1]
    assert len(line.signature) == 72
    assert int.from_bytes(line.signature[:8], "big") == TIME


def test_a_witness_key_has_the_type_byte_4_in_its_id():
    log_key = NoteKey.of(WITNESS.name, ED25519, WITNESS.public_key)
    assert WITNESS.algorithm == 4
    assert log_key.key_id != WITNESS.key_id


@pytest.mark.parametrize("unix_time", [0, 1, TIME, 2**63 - 1])
def test_a_cosignature_gives_its_time(unix_time):
    line = sign_cosignature(NOTE, WITNESS, unix_time, WITNESS_SIGN)
    assert (line.name, line.key_id, len(line.signature)) == (WITNESS.name, WITNESS.key_id, 72)
    note = parse_note(NOTE.adding(line).serialize())
    assert verify_cosignature(note, WITNESS) == unix_time
    assert verify_note(note, LOG) == NOTE.signatures[0]


def test_extension_lines_are_cosigned_too():
    note = sign_note(NOTE.text + "extension\n", LOG, LOG_SIGN)
    line = sign_cosignature(note, WITNESS, TIME, WITNESS_SIGN)
    assert verify_cosignature(note.adding(line), WITNESS) == TIME
    with pytest.raises(SignatureError):
        verify_cosignature(NOTE.adding(line), WITNESS)


def test_every_flipped_bit_of_a_cosignature_is_refused():
    line = sign_cosignature(NOTE, WITNESS, TIME, WITNESS_SIGN)
    for bit in range(8 * 72):
        changed = bytearray(line.signature)
        changed[bit // 8] ^= 1 << bit % 8
        note = NOTE.adding(NoteSignature(line.name, line.key_id, bytes(changed)))
        with pytest.raises(SignatureError):
            verify_cosignature(note, WITNESS)


def test_the_earliest_time_other_than_zero_counts():
    def cosigned(*times):
        return NOTE.adding(*(sign_cosignature(NOTE, WITNESS, t, WITNESS_SIGN) for t in times))

    assert verify_cosignature(cosigned(30, 20, 40), WITNESS) == 20
    assert verify_cosignature(cosigned(0, 30, 20), WITNESS) == 20
    assert verify_cosignature(cosigned(0), WITNESS) == 0


def test_one_false_cosignature_spoils_the_witness():
    good = sign_cosignature(NOTE, WITNESS, TIME, WITNESS_SIGN)
    false = NoteSignature(WITNESS.name, WITNESS.key_id, (1).to_bytes(8, "big") + bytes(64))
    for lines in ((good, false), (false, good)):
        with pytest.raises(SignatureError):
            verify_cosignature(NOTE.adding(*lines), WITNESS)
    other = sign_cosignature(NOTE, OTHER, TIME + 1, OTHER_SIGN)
    assert verify_cosignature(NOTE.adding(false, other), OTHER) == TIME + 1


def test_a_cosignature_that_is_not_there_is_missing():
    note = NOTE.adding(sign_cosignature(NOTE, OTHER, TIME, OTHER_SIGN))
    with pytest.raises(SignatureError) as caught:
        verify_cosignature(note, WITNESS)
    assert caught.value.code == "verify.signature.missing"


@pytest.mark.parametrize("length", [0, 8, 64, 71, 73])
def test_a_cosignature_of_another_length_is_refused(length):
    note = NOTE.adding(NoteSignature(WITNESS.name, WITNESS.key_id, bytes(length)))
    with pytest.raises(SignatureError) as caught:
        verify_cosignature(note, WITNESS)
    assert caught.value.code == "verify.signature.length"


def test_a_time_over_63_bits_is_refused_even_when_signed():
    unix_time = 2**63
    data = unix_time.to_bytes(8, "big") + WITNESS_SIGN(cosignature_message(unix_time, NOTE.text))
    with pytest.raises(SignatureError) as caught:
        verify_cosignature(NOTE.adding(NoteSignature(WITNESS.name, WITNESS.key_id, data)), WITNESS)
    assert caught.value.code == "verify.signature.time"


def test_a_log_signature_is_no_cosignature_and_the_other_way_round():
    """The same private key under both types: neither line passes for the other."""
    as_log, _ = make_key(2, WITNESS.name, ED25519)
    plain = WITNESS_SIGN(NOTE.text.encode())
    for data in (plain, TIME.to_bytes(8, "big") + plain):
        with pytest.raises(SignatureError):
            verify_cosignature(
                NOTE.adding(NoteSignature(WITNESS.name, WITNESS.key_id, data)), WITNESS
            )
    cosignature = sign_cosignature(NOTE, WITNESS, TIME, WITNESS_SIGN).signature
    for data in (cosignature, cosignature[8:]):
        with pytest.raises(SignatureError):
            verify_note(NOTE.adding(NoteSignature(as_log.name, as_log.key_id, data)), as_log)
    with pytest.raises(SignatureError) as caught:
        verify_cosignature(NOTE, as_log)
    assert caught.value.code == "verify.signature.algorithm"


def test_a_witness_signs_checkpoints_at_possible_times_with_its_own_key_only():
    text = SignedNote("no checkpoint\n", NOTE.signatures)
    refuse = lambda message: pytest.fail("signed")  # noqa: E731
    for note, unix_time in ((text, TIME), (NOTE, -1), (NOTE, 2**63)):
        with pytest.raises(FormatError):
            sign_cosignature(note, WITNESS, unix_time, refuse)
    with pytest.raises(SignatureError):
        sign_cosignature(NOTE, LOG, TIME, refuse)
    with pytest.raises(SignatureError):
        sign_cosignature(NOTE, WITNESS, TIME, OTHER_SIGN)
