"""Records against independent JOSE implementations: what we write they read, and the reverse.

``sd-jwt`` is the reference library of RFC 9901 (over ``jwcrypto``), ``joserfc`` another JWS. The
first reads texts that ours refuses: one record would then have many encodings, or more in it than
was signed. The tests say which, so that nobody puts it in the place of ours without knowing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from typing import Any

import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError, SecurityWarning
from joserfc.jwk import OKPKey
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from anchor.errors import FormatError, NonCanonicalError, VerificationError, VestigeError
from anchor.records.keys import key_thumbprint
from anchor.records.record import parse_record
from anchor.records.sdjwt import make_disclosure, parse_sd_jwt, verify_sd_jwt
from tests.recorder import CREATOR, whole_project
from tests.unit.records.test_sdjwt import forged

RECORDS = whole_project().records
X = base64.urlsafe_b64encode(CREATOR.public).decode().rstrip("=")
PUBLIC = {"kty": "OKP", "crv": "Ed25519", "x": X}
RECORD = RECORDS[2]
TEXT = RECORD.sd_jwt.serialize()


def reference(text: str) -> dict[str, Any]:
    """Return what the reference library reads, its signature verified."""
    return SDJWTVerifier(text, lambda *_: JWK(**PUBLIC)).get_verified_payload()


def accepted_by_reference(text: str) -> bool:
    try:
        reference(text)
    except Exception:
        return False
    return True


def other_jws(jwt: str) -> bytes:
    with warnings.catch_warnings():
        # RFC 9864 renames EdDSA over Ed25519; most tools know only the name of RFC 8037.
        warnings.simplefilter("ignore", SecurityWarning)
        key = OKPKey.import_key(PUBLIC)
        return jws.deserialize_compact(jwt, key, algorithms=["EdDSA"]).payload


# -- ours, read by others --------------------------------------------------------------------------


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind.name)
def test_the_reference_library_reads_our_records(record: Any) -> None:
    payload = reference(record.sd_jwt.serialize())
    assert payload == {**record.sd_jwt.open_fields, **record.sd_jwt.disclosed_fields}


def test_the_reference_library_reads_what_is_left_when_fields_are_withheld() -> None:
    hidden = RECORD.sd_jwt.showing(lambda name: name == "negative")
    payload = reference(hidden.serialize())
    assert payload["negative"] == "dog"
    assert "positive" not in payload
    assert reference(RECORD.sd_jwt.showing(lambda _: False).serialize()) == (
        RECORD.sd_jwt.open_fields
    )


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind.name)
def test_another_jws_verifies_our_jwt(record: Any) -> None:
    payload = json.loads(other_jws(record.sd_jwt.jwt))
    assert payload == dict(record.sd_jwt.payload)


def test_thumbprints_agree() -> None:
    text = JWK(**PUBLIC).thumbprint()
    assert base64.urlsafe_b64decode(text + "=") == key_thumbprint(CREATOR.public)


# -- others', read by ours -------------------------------------------------------------------------


def issued(claims: dict[Any, Any]) -> str:
    seed = base64.urlsafe_b64encode(CREATOR.private.private_bytes_raw()).decode().rstrip("=")
    issuer = SDJWTIssuer(
        claims,
        JWK(**PUBLIC, d=seed),
        sign_alg="EdDSA",
        extra_header_parameters={"typ": "test+sd-jwt"},
    )
    return issuer.sd_jwt_issuance


def test_we_read_what_the_reference_library_signs() -> None:
    text = issued({"seq": 4, SDObj("prompt"): "a cute cat", SDObj("seed"): ["7", "猫"]})
    sd_jwt = parse_sd_jwt(text)
    verify_sd_jwt(sd_jwt, CREATOR.public)
    assert sd_jwt.open_fields == {"seq": 4}
    assert sd_jwt.disclosed_fields == {"prompt": "a cute cat", "seed": ["7", "猫"]}


def test_digests_of_disclosures_agree() -> None:
    sd_jwt = parse_sd_jwt(issued({SDObj("prompt"): "a cute cat"}))
    (disclosure,) = sd_jwt.disclosures
    assert sd_jwt.hidden_digests == (disclosure.digest,)
    assert len(disclosure.salt) == 16


def test_nested_and_array_disclosures_are_not_ours() -> None:
    for claims in ({"a": {SDObj("b"): 1}}, {"a": [SDObj("b")]}):
        text = issued(claims)
        assert accepted_by_reference(text)
        with pytest.raises(FormatError):
            parse_sd_jwt(text)


# -- what they accept and ours refuses -------------------------------------------------------------


def _altered(part: str) -> str:
    """Return another text that lax decoders read as the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(part) % 4
    return part[:-1] + alphabet[alphabet.index(part[-1]) ^ 1]


def test_an_altered_ending_of_the_signature() -> None:
    jwt, rest = TEXT.split("~", 1)
    other = f"{_altered(jwt)}~{rest}"
    assert accepted_by_reference(other)
    with pytest.raises(BadSignatureError):
        other_jws(other.partition("~")[0])
    with pytest.raises(NonCanonicalError):
        parse_record(other)


def test_an_unreferenced_disclosure() -> None:
    stranger = make_disclosure(bytes(16), "note", "never signed").text
    assert accepted_by_reference(f"{TEXT}{stranger}~")
    with pytest.raises(VerificationError) as caught:
        parse_record(f"{TEXT}{stranger}~")
    assert caught.value.code == "record.disclosure_unreferenced"


def test_an_altered_ending_of_a_disclosure_becomes_an_unreferenced_one() -> None:
    jwt, first, *rest = TEXT.split("~")
    ending = next(text for text in (first, *rest) if len(text) % 4)
    other = "~".join((jwt, _altered(ending), ""))
    assert accepted_by_reference(other)
    with pytest.raises(NonCanonicalError):
        parse_record(other)


def test_a_repeated_disclosure_is_refused_by_both() -> None:
    jwt, first, *_ = TEXT.split("~")
    assert not accepted_by_reference(f"{jwt}~{first}~{first}~")
    with pytest.raises(VerificationError) as caught:
        parse_record(f"{jwt}~{first}~{first}~")
    assert caught.value.code == "record.disclosure_repeated"


def test_a_short_salt() -> None:
    text = base64.urlsafe_b64encode(b'["","a",1]').decode().rstrip("=")
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    whole = forged(None, {"_sd": [digest], "_sd_alg": "sha-256"}, text)
    assert reference(whole) == {"a": 1}
    with pytest.raises(FormatError):
        parse_sd_jwt(whole)


def test_names_twice_in_one_json_object() -> None:
    body = b'{"seq":1,"seq":2,"_sd":[],"_sd_alg":"sha-256"}'
    text = forged(None, base64.urlsafe_b64encode(body).decode().rstrip("="))
    assert reference(text) == {"seq": 2}
    with pytest.raises(NonCanonicalError):
        parse_sd_jwt(text)


def test_keys_and_addresses_in_the_header() -> None:
    header = {"alg": "EdDSA", "typ": "test+sd-jwt", "jku": "https://thief.example/keys"}
    text = forged(header)
    assert accepted_by_reference(text)
    with pytest.raises(FormatError):
        parse_sd_jwt(text)


def test_a_bare_jwt_and_a_text_after_the_last_tilde() -> None:
    after = TEXT + "e30.e30.AA"
    assert accepted_by_reference(after)
    for text in (TEXT.partition("~")[0], after):
        with pytest.raises(FormatError):
            parse_record(text)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256"])
def test_another_algorithm_is_refused_by_all(algorithm: str) -> None:
    """The public key as an HMAC secret, or no signature at all: the oldest attacks on JOSE."""
    header = {"alg": algorithm, "typ": "test+sd-jwt"}
    text = forged(header, signature="")
    signing_input = text.partition("~")[0].rpartition(".")[0]
    mac = hmac.new(CREATOR.public, signing_input.encode(), hashlib.sha256).digest()
    for signature in ("", base64.urlsafe_b64encode(mac).decode().rstrip("=")):
        whole = forged(header, signature=signature)
        assert not accepted_by_reference(whole)
        with pytest.raises(Exception):  # noqa: B017, PT011
            other_jws(whole.partition("~")[0])
        with pytest.raises(VestigeError):
            parse_sd_jwt(whole)
