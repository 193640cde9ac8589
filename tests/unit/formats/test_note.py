"""Signed notes: the example of the specification, the keys, and every way to bend a note."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    SignatureError,
    TruncatedError,
    UnsupportedVersionError,
)
from anchor.formats.note import (
    COSIGNATURE_V1,
    ED25519,
    NoteKey,
    NoteSignature,
    SignedNote,
    note_key_id,
    parse_note,
    parse_note_key,
    sign_note,
    verify_note,
)

# The example of C2SP signed-note v1.0.0.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXm"
    "RKuwHjG1Yu72IneyaQM=\n"
)


def make_key(seed, name="example.org/log", algorithm=ED25519):
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return NoteKey.of(name, algorithm, private.public_key().public_bytes_raw()), private.sign


KEY, SIGN = make_key(1)
TEXT = "example.org/log\n5\nAAAA\n"


# -- the example -----------------------------------------------------------------------------------


def test_the_example_verifies():
    note = parse_note(NOTE)
    assert note.text == "This is an example message.\n"
    signature = verify_note(note, parse_note_key(VKEY))
    assert signature.name == "example.com/foo"
    assert signature.key_id.hex() == "530d903a"
    assert len(signature.signature) == 64


def test_the_example_comes_back_byte_for_byte():
    assert parse_note(NOTE).serialize() == NOTE
    assert parse_note(NOTE.encode()) == parse_note(NOTE)
    assert parse_note(NOTE).signatures[0].line == NOTE.partition("\n\n")[2]


def test_every_flipped_bit_of_the_example_is_refused():
    key = parse_note_key(VKEY)
    data = NOTE.encode()
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((FormatError, SignatureError)):
            verify_note(parse_note(bytes(changed)), key)


# -- keys ------------------------------------------------------------------------------------------


def test_a_key_is_written_as_it_was_read():
    key = parse_note_key(VKEY)
    assert key == NoteKey.of("example.com/foo", ED25519, key.public_key)
    assert key.text == VKEY
    assert note_key_id(key.name, ED25519, key.public_key) == bytes.fromhex("530d903a")


def test_the_key_id_depends_on_name_type_and_key():
    ids = {
        note_key_id(name, algorithm, public)
        for name in ("a", "b")
        for algorithm in (ED25519, COSIGNATURE_V1)
        for public in (bytes(32), bytes(31) + b"\x01")
    }
    assert len(ids) == 8


def vkey(name="example.com/foo", algorithm=1, public=bytes(range(32)), key_id=None):
    key_id = note_key_id(name, algorithm, public) if key_id is None else key_id
    data = base64.b64encode(bytes([algorithm]) + public).decode()
    return f"{name}+{key_id.hex()}+{data}"


def test_plus_signs_in_the_base64_are_no_separators():
    key = parse_note_key(vkey(public=b"\x00\x00" + b"\xfb\xef\xbe" * 10))
    assert "+" in key.text.split("+", 2)[2]


@pytest.mark.parametrize("algorithm", [0, 2, 3, 5, 6, 255])
def test_other_signature_types_are_unsupported(algorithm):
    with pytest.raises(UnsupportedVersionError, match=f"type {algorithm}"):
        parse_note_key(vkey(algorithm=algorithm))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "++",
        "name",
        "name+530d903a",
        VKEY[:-4],
        VKEY + "AAAA",
        VKEY.replace("530d903a", "530D903A"),
        VKEY.replace("530d903a", "530d903b"),
        VKEY.replace("530d903a", "530d903"),
        VKEY.replace("530d903a", "0530d903a"),
        VKEY.replace("foo", "fop"),
        " " + VKEY,
        VKEY + "\n",
        vkey(name=""),
        vkey(name="a b"),
        vkey(name="a\u00a0b"),
        vkey(name="a\u2028b"),
        vkey(name="a\tb"),
        vkey(name="a\x01b"),
        vkey(public=bytes(31)),
        vkey(public=bytes(33)),
        "a+00000000+",
        "\ud800" + VKEY,
        "a" * 2000 + VKEY,
    ],
)
def test_what_is_no_verifier_key_is_refused(text):
    with pytest.raises(FormatError):
        parse_note_key(text)


# -- reading ---------------------------------------------------------------------------------------


def lines(*signatures, text="text\n"):
    return text + "\n" + "".join(s if isinstance(s, str) else s.line for s in signatures)


def fake(number=0, name="a", length=64):
    return NoteSignature(name, number.to_bytes(4, "big"), bytes([number % 256]) * length)


def test_text_may_hold_empty_lines():
    note = parse_note(lines(fake(), text="one\n\n\ntwo\n\n"))
    assert note.text == "one\n\n\ntwo\n\n"
    assert parse_note(lines(fake(), text="\n")).text == "\n"


def test_text_that_looks_like_a_signature_is_text():
    text = "x\n\n" + fake(7).line
    note = parse_note(lines(fake(1), text=text))
    assert note.text == text
    assert note.signatures == (fake(1),)


def test_unknown_signatures_are_kept_verbatim():
    unknown = [fake(1, "witness.example/w1", 72), fake(2, "pq", 2424), fake(3, "ü/文", 1)]
    text = sign_note(TEXT, KEY, SIGN).serialize() + "".join(s.line for s in unknown)
    note = parse_note(text)
    assert note.signatures[1:] == tuple(unknown)
    assert verify_note(note, KEY) == note.signatures[0]
    assert note.serialize() == text


@pytest.mark.parametrize("count", [1, 16, limits.MAX_NOTE_SIGNATURES])
def test_many_signatures_are_accepted(count):
    text = lines(*(fake(number) for number in range(count)))
    assert len(parse_note(text).signatures) == count
    assert parse_note(text).serialize() == text


def test_the_number_of_signatures_has_a_limit():
    for count in (limits.MAX_NOTE_SIGNATURES + 1, 500):
        with pytest.raises(LimitExceededError, match="more than 64 signatures"):
            parse_note(lines(*(fake(number) for number in range(count))))


def test_the_length_has_a_limit():
    room = limits.MAX_NOTE_BYTES - len(lines(fake(), text="\n").encode())
    assert parse_note(lines(fake(), text="é" * (room // 2) + "x" * (room % 2) + "\n"))
    for long in ("x" * (room + 1), "é" * (room // 2 + 1)):
        for note in (lines(fake(), text=long + "\n"), lines(fake(), text=long + "\n").encode()):
            with pytest.raises(LimitExceededError):
                parse_note(note)


@pytest.mark.parametrize("code", [*range(10), *range(11, 32)])
def test_control_characters_are_refused(code):
    for note in (
        lines(fake(), text=f"te{chr(code)}xt\n"),
        lines(fake()) + chr(code),
        lines(fake(), text=f"{chr(code)}\n"),
    ):
        with pytest.raises(FormatError):
            parse_note(note)


def test_line_endings_of_windows_are_refused():
    with pytest.raises(FormatError, match="control character 0x0d"):
        parse_note(NOTE.replace("\n", "\r\n"))


GOOD = fake().line


@pytest.mark.parametrize(
    ("note", "error"),
    [
        ("", FormatError),
        ("text\n", FormatError),
        ("text", FormatError),
        ("text\n\n", TruncatedError),
        ("\n\n", TruncatedError),
        ("text\n\n" + GOOD[:-1], TruncatedError),
        ("text\n" + GOOD, FormatError),
        ("text\n\n" + GOOD + "\n", TruncatedError),
        ("text\n\n" + GOOD + "trailing\n", FormatError),
        ("text\n\n" + GOOD.replace("— ", "- "), FormatError),
        ("text\n\n" + GOOD.replace("— ", "—"), FormatError),
        ("text\n\n" + GOOD.replace("— ", "—  "), FormatError),
        ("text\n\n " + GOOD, FormatError),
        ("text\n\n— name\n", FormatError),
        ("text\n\n— name \n", TruncatedError),
        ("text\n\n— \n", FormatError),
        ("text\n\n— name AAAA=\n", NonCanonicalError),
        ("text\n\n— name AAA\n", FormatError),
        ("text\n\n— name AAAA\n", TruncatedError),
        ("text\n\n— name AAAAAA==\n", TruncatedError),
        ("text\n\n— name AAAAAAB=\n", NonCanonicalError),
        ("text\n\n— name AAAAAA-_\n", FormatError),
        ("text\n\n— name AAAAAAA= \n", FormatError),
        ("text\n\n— na+me AAAAAAA=\n", FormatError),
        ("text\n\n— na\u00a0me AAAAAAA=\n", FormatError),
        ("text\n\n— na\u3000me AAAAAAA=\n", FormatError),
        ("text\n\n— na\u0085me AAAAAAA=\n", FormatError),
        (b"text\xff\n\n" + GOOD.encode(), FormatError),
        ("te\ud800xt\n\n" + GOOD, FormatError),
    ],
)
def test_what_is_no_note_is_refused(note, error):
    with pytest.raises(error) as caught:
        parse_note(note)
    assert type(caught.value) is error


# -- verifying -------------------------------------------------------------------------------------


def test_a_note_without_the_keys_signature_is_refused():
    note = sign_note(TEXT, KEY, SIGN)
    same_name, _ = make_key(2)
    same_id = NoteKey("example.org/other", KEY.key_id, ED25519, KEY.public_key)
    for key in (same_name, same_id):
        assert note.signatures_by(key) == []
        with pytest.raises(SignatureError) as caught:
            verify_note(note, key)
        assert caught.value.code == "verify.signature.missing"


def test_a_false_signature_beside_a_true_one_spoils_the_note():
    note = sign_note(TEXT, KEY, SIGN)
    false = NoteSignature(KEY.name, KEY.key_id, bytes(64))
    for signatures in ((*note.signatures, false), (false, *note.signatures)):
        with pytest.raises(SignatureError):
            verify_note(SignedNote(TEXT, signatures), KEY)


def test_a_signature_of_another_text_is_refused():
    signatures = sign_note(TEXT, KEY, SIGN).signatures
    for text in (TEXT + "x\n", TEXT[1:], "\n" + TEXT):
        with pytest.raises(SignatureError):
            verify_note(SignedNote(text, signatures), KEY)


def test_a_witness_key_does_not_verify_a_note():
    key, sign = make_key(1, algorithm=COSIGNATURE_V1)
    note = SignedNote(TEXT, (NoteSignature(key.name, key.key_id, sign(TEXT.encode())),))
    with pytest.raises(SignatureError) as caught:
        verify_note(note, key)
    assert caught.value.code == "verify.signature.algorithm"


@pytest.mark.parametrize("length", [0, 63, 65, 72])
def test_a_signature_of_another_length_is_refused(length):
    note = SignedNote(TEXT, (NoteSignature(KEY.name, KEY.key_id, bytes(length)),))
    with pytest.raises(SignatureError, match=f"of {length} bytes"):
        verify_note(note, KEY)


# -- signing ---------------------------------------------------------------------------------------


def test_a_signed_note_verifies_and_round_trips():
    note = sign_note(TEXT, KEY, SIGN)
    assert note.signatures == (verify_note(note, KEY),)
    assert parse_note(note.serialize()) == note


def test_the_wrong_private_key_is_noticed_before_the_note_is_handed_out():
    _, other_sign = make_key(2)
    for sign in (other_sign, lambda message: SIGN(message + b"x"), lambda message: b""):
        with pytest.raises(SignatureError):
            sign_note(TEXT, KEY, sign)


@pytest.mark.parametrize(
    "text", ["", "text", "te\x00xt\n", "te\rxt\n", "\ud800\n", "x" * 65_536 + "\n"]
)
def test_a_text_that_cannot_be_a_note_is_not_signed(text):
    with pytest.raises(FormatError):
        sign_note(text, KEY, lambda message: pytest.fail("signed"))


def test_adding_lines_keeps_the_old_ones_and_repeats_none():
    note = sign_note(TEXT, KEY, SIGN)
    more = note.adding(fake(1), fake(2), fake(1), note.signatures[0])
    assert more.signatures == (*note.signatures, fake(1), fake(2))
    assert note.adding() == note
    assert more.adding(fake(2)) == more
