"""The SD-JWT reader: strict to the last character, and what it signs it reads back."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from typing import Any

import pytest

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    SignatureError,
    VerificationError,
)
from anchor.formats.encoding import base64url
from anchor.records.sdjwt import (
    Disclosure,
    jwt_digest,
    make_disclosure,
    parse_disclosure,
    parse_sd_jwt,
    sign_sd_jwt,
    verify_sd_jwt,
)
from tests.recorder import CREATOR, THIEF, salts

TYPE = "test+sd-jwt"
SALT = salts()
PROMPT = make_disclosure(SALT(), "prompt", "a cute cat")
SEED = make_disclosure(SALT(), "seed", ["7", {"n": 1}])
SIGNED = sign_sd_jwt({"seq": 4}, [PROMPT, SEED], CREATOR.private.sign, media_type=TYPE)
TEXT = SIGNED.serialize()


def compact(value: Any) -> str:
    return base64url(json.dumps(value, separators=(",", ":")).encode())


def forged(
    header: Any = None, payload: Any = None, *disclosures: str, signature: str | None = None
) -> str:
    """Return a text signed by the creator over whatever it says; strings stand as they are."""
    header = {"alg": "EdDSA", "typ": TYPE} if header is None else header
    payload = {"_sd": [], "_sd_alg": "sha-256"} if payload is None else payload
    parts = [item if isinstance(item, str) else compact(item) for item in (header, payload)]
    signing_input = ".".join(parts)
    if signature is None:
        signature = base64url(CREATOR.private.sign(signing_input.encode()))
    return "~".join((f"{signing_input}.{signature}", *disclosures, ""))


def refused(text: str | bytes, error: type[Exception] = FormatError) -> Any:
    with pytest.raises(error) as caught:
        parse_sd_jwt(text)
    return caught.value


# -- what is good ----------------------------------------------------------------------------------


def test_what_was_signed_is_read_back_and_verifies() -> None:
    again = parse_sd_jwt(TEXT)
    assert again == SIGNED
    assert parse_sd_jwt(TEXT.encode()) == SIGNED
    assert again.open_fields == {"seq": 4}
    assert again.disclosed_fields == {"prompt": "a cute cat", "seed": ["7", {"n": 1}]}
    assert again.media_type == TYPE
    verify_sd_jwt(again, CREATOR.public)


def test_the_digest_is_of_the_jwt_alone() -> None:
    jwt = TEXT.partition("~")[0]
    assert SIGNED.digest == hashlib.sha256(jwt.encode()).digest() == jwt_digest(jwt)
    hidden = SIGNED.showing(lambda name: name == "seed")
    assert hidden.digest == SIGNED.digest
    assert hidden.disclosed_fields.keys() == {"seed"}
    assert hidden.hidden_digests == SIGNED.hidden_digests
    verify_sd_jwt(parse_sd_jwt(hidden.serialize()), CREATOR.public)
    assert "cute" not in hidden.serialize()
    assert parse_sd_jwt(SIGNED.showing(lambda _: False).serialize()).disclosures == ()


def test_disclosures_may_come_in_any_order() -> None:
    jwt, first, second, _ = TEXT.split("~")
    assert parse_sd_jwt(f"{jwt}~{second}~{first}~").disclosed_fields == SIGNED.disclosed_fields


def test_another_key_did_not_sign() -> None:
    with pytest.raises(SignatureError, match="not signed by its key"):
        verify_sd_jwt(SIGNED, THIEF.public)


def test_a_key_of_small_order_signs_nothing() -> None:
    with pytest.raises(SignatureError, match="small order"):
        verify_sd_jwt(SIGNED, b"\x01" + bytes(31))


# -- endings, characters, sizes --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        TEXT.rstrip("~"),
        TEXT.partition("~")[0],
        TEXT + "\n",
        " " + TEXT,
        TEXT + "~",
        TEXT + "eyJhbGciOiJFZERTQSIsInR5cCI6ImtiK2p3dCJ9.e30.AA",
        "",
        "~",
        "..~",
        "a.b~",
        TEXT.replace("~", "~~", 1),
        TEXT.replace(".", "..", 1),
        TEXT.replace("~", ".AA~", 1),
        TEXT.replace("~", ".~", 1),
    ],
)
def test_another_frame_is_refused(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("text", ["é~", "\ud800~", b"\xff~", b"\x80"])
def test_what_is_not_ascii_is_refused(text: str | bytes) -> None:
    assert refused(text).code == "record.ascii"


def _other_endings(part: str) -> list[str]:
    """Return the texts that decode to the same bytes with lax readers."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = {0: 0, 2: 4, 3: 2}[len(part) % 4]
    last = alphabet.index(part[-1])
    return [part[:-1] + alphabet[last ^ bits] for bits in range(1, 1 << spare)]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_altered_base64url_endings_are_refused(place: int) -> None:
    jwt, *rest = TEXT.split("~")
    parts = jwt.split(".")
    tried = 0
    for ending in _other_endings(parts[place]):
        changed = [*parts[:place], ending, *parts[place + 1 :]]
        refused("~".join((".".join(changed), *rest)), NonCanonicalError)
        tried += 1
    assert tried or len(parts[place]) % 4 == 0


def test_altered_endings_of_a_disclosure_are_refused() -> None:
    jwt, first, second, _ = TEXT.split("~")
    endings = [e for text in (first, second) for e in _other_endings(text)]
    assert endings
    for ending in endings:
        refused(f"{jwt}~{ending}~", NonCanonicalError)


def test_padding_is_refused() -> None:
    jwt, first, *_ = TEXT.split("~")
    refused(f"{jwt}~{first}=~", NonCanonicalError)


def test_what_is_too_long_is_not_read() -> None:
    refused("A" * (limits.MAX_RECORD_BYTES + 1), LimitExceededError)
    refused(TEXT.partition("~")[0] + "~" * (limits.MAX_RECORD_DISCLOSURES + 2), LimitExceededError)


def test_as_many_disclosures_as_may_be() -> None:
    many = [make_disclosure(SALT(), f"n{n}", n) for n in range(limits.MAX_RECORD_DISCLOSURES)]
    signed = sign_sd_jwt({}, many, CREATOR.private.sign, media_type=TYPE)
    assert len(signed.disclosures) == limits.MAX_RECORD_DISCLOSURES
    more = [*many, make_disclosure(SALT(), "one more", 1)]
    with pytest.raises(FormatError):
        sign_sd_jwt({}, more, CREATOR.private.sign, media_type=TYPE)


# -- header and payload ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": TYPE},
        {"alg": "None", "typ": TYPE},
        {"alg": "HS256", "typ": TYPE},
        {"alg": "ES256", "typ": TYPE},
        {"alg": "Ed25519", "typ": TYPE},
        {"alg": ["EdDSA"], "typ": TYPE},
        {"alg": "EdDSA"},
        {"alg": "EdDSA", "typ": 1},
        {"alg": "EdDSA", "typ": TYPE, "kid": "thief"},
        {"alg": "EdDSA", "typ": TYPE, "jwk": {"kty": "OKP"}},
        {"alg": "EdDSA", "typ": TYPE, "jku": "https://thief.example/"},
        {"alg": "EdDSA", "typ": TYPE, "crit": ["b64"], "b64": False},
        [],
        "bm8",
    ],
)
def test_no_other_header(header: Any) -> None:
    refused(forged(header))


def test_no_signature_is_no_record() -> None:
    refused(forged({"alg": "none", "typ": TYPE}, signature=""))
    refused(forged(signature=""))
    refused(forged(signature=base64url(bytes(63))))
    refused(forged(signature=base64url(bytes(65))))


@pytest.mark.parametrize(
    "payload",
    [
        '{"seq":1,"seq":2,"_sd":[],"_sd_alg":"sha-256"}',
        '{"a":{"b":1,"b":1},"_sd":[],"_sd_alg":"sha-256"}',
        '{"seq":1.0,"_sd":[],"_sd_alg":"sha-256"}',
        '{"seq":9007199254740992,"_sd":[],"_sd_alg":"sha-256"}',
        '{"a":"\\ud800","_sd":[],"_sd_alg":"sha-256"}',
        "[]",
        "1",
        "",
    ],
)
def test_json_that_two_readers_may_read_differently(payload: str) -> None:
    refused(forged(None, base64url(payload.encode())))


@pytest.mark.parametrize(
    "change",
    [
        {"_sd_alg": "sha-512"},
        {"_sd_alg": None},
        {"_sd": None},
        {"_sd": {}},
        {"_sd": [1]},
        {"_sd": ["AAAA"]},
        {"_sd": [base64url(bytes(32))[:-1] + "B"]},
        {"_sd": [base64url(bytes(32))] * 2},
        {"_sd": [base64url(b"\xff" * 32), base64url(bytes(32))]},
        {"...": base64url(bytes(32))},
        {"a": {"_sd": [base64url(bytes(32))]}},
        {"a": [[{"...": base64url(bytes(32))}]]},
        {"a": {"b": {"_sd_alg": "sha-256"}}},
    ],
)
def test_digests_stand_once_sorted_and_in_one_place(change: dict[str, Any]) -> None:
    refused(forged(None, {"_sd": [], "_sd_alg": "sha-256", **change}))


@pytest.mark.parametrize("missing", ["_sd", "_sd_alg"])
def test_the_list_of_digests_is_always_there(missing: str) -> None:
    payload: dict[str, Any] = {"_sd": [], "_sd_alg": "sha-256"}
    del payload[missing]
    refused(forged(None, payload))


# -- disclosures -----------------------------------------------------------------------------------


def test_a_disclosure_that_no_digest_names() -> None:
    jwt = TEXT.partition("~")[0]
    stranger = make_disclosure(SALT(), "prompt", "a dog").text
    assert refused(f"{jwt}~{stranger}~", VerificationError).code == "record.disclosure_unreferenced"


def test_a_disclosure_given_twice() -> None:
    jwt, first, *_ = TEXT.split("~")
    error = refused(f"{jwt}~{first}~{first}~", VerificationError)
    assert error.code == "record.disclosure_repeated"


def _signed_over(*disclosures: Disclosure, **payload: Any) -> str:
    digests = sorted(item.digest for item in disclosures)
    whole = {**payload, "_sd": digests, "_sd_alg": "sha-256"}
    return forged(None, whole, *(item.text for item in disclosures))


def test_a_disclosure_of_a_field_that_is_open() -> None:
    text = _signed_over(make_disclosure(SALT(), "seq", 5), seq=4)
    assert refused(text, VerificationError).code == "record.disclosure_shadows"


def test_two_disclosures_of_one_field() -> None:
    text = _signed_over(make_disclosure(SALT(), "a", 1), make_disclosure(SALT(), "a", 2))
    assert refused(text, VerificationError).code == "record.disclosure_shadows"


@pytest.mark.parametrize(
    "parts",
    [
        [base64url(bytes(16)), "a"],
        [base64url(bytes(16)), "a", 1, 2],
        [base64url(bytes(16)), 1, 1],
        [base64url(bytes(15)), "a", 1],
        ["", "a", 1],
        [base64url(bytes(16)) + "=", "a", 1],
        [7, "a", 1],
        [base64url(bytes(16)), "_sd", []],
        [base64url(bytes(16)), "_sd_alg", "sha-256"],
        [base64url(bytes(16)), "...", "x"],
        [base64url(bytes(16)), "a", {"_sd": []}],
        [base64url(bytes(16)), "a", [{"...": "x"}]],
        [base64url(bytes(65)), "a", 1],
        {"salt": 1},
        None,
    ],
)
def test_what_is_no_disclosure(parts: Any) -> None:
    with pytest.raises(FormatError):
        parse_disclosure(compact(parts))


@pytest.mark.parametrize("value", [1.5, float("nan"), {1, 2}, b"x", 2**53, "\ud800", {"_sd": 1}])
def test_what_could_not_be_read_back_is_not_made(value: Any) -> None:
    with pytest.raises(FormatError):
        make_disclosure(SALT(), "a", value)
    with pytest.raises(FormatError):
        sign_sd_jwt({"a": value}, [], CREATOR.private.sign, media_type=TYPE)


@pytest.mark.parametrize(
    "value", ["", "a cat", "\u2028\0\U0001f408", "\ufeff", ["a"], {"b": "c"}, 7, True, None]
)
def test_what_is_made_is_what_is_read(value: Any) -> None:
    made = make_disclosure(SALT(), "a", value)
    assert parse_disclosure(made.text) == made
    assert made.value == value


def test_a_string_that_could_not_be_read_back_is_not_made() -> None:
    for value in ("\ud800", "x" * limits.MAX_RECORD_BYTES):
        with pytest.raises(FormatError):
            make_disclosure(SALT(), "a", value)
    with pytest.raises(LimitExceededError):
        make_disclosure(bytes(65), "a", "b")
    for name in ("_sd", "...", "\ud800"):
        with pytest.raises(FormatError):
            make_disclosure(SALT(), name, "b")


def test_a_short_salt_is_not_made() -> None:
    with pytest.raises(FormatError):
        make_disclosure(bytes(15), "a", 1)


def test_tildes_without_end_take_no_memory_before_they_are_refused() -> None:
    text = "~" * limits.MAX_RECORD_BYTES
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceededError):
            parse_sd_jwt(text)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
