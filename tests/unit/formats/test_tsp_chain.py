"""A token verifies when an authority under a trusted root made it, and in no other case."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from anchor.errors import AttestationError, FormatError, LimitExceededError, SignatureError
from anchor.formats.der import der_oid, der_sequence, tlv
from anchor.formats.tsp import parse_token
from anchor.formats.tsp_chain import VerifiedToken, verify_token
from anchor.limits import MAX_CERTIFICATES, MAX_CHAIN_LENGTH
from tests.attacks.forged_tokens import (
    NOW,
    YEAR,
    Forge,
    attribute,
    certify,
    intermediate,
    key,
    root,
    signer,
    usage,
)

DIGEST = hashlib.sha256(b"cat").digest()
ROOT = root()
MIDDLE = intermediate(ROOT)
STAMPER = signer(MIDDLE)
FORGE = Forge(STAMPER, (MIDDLE.der,))


def verify(token: Forge | bytes, *, roots=(ROOT,), **options) -> VerifiedToken:
    der = token.token() if isinstance(token, Forge) else token
    options = {"digest": DIGEST, "roots": [party.der for party in roots], **options}
    return verify_token(parse_token(der), **options)


def refusal(token: Forge | bytes, **options) -> str:
    with pytest.raises((AttestationError, SignatureError)) as caught:
        verify(token, **options)
    return caught.value.code


def test_a_genuine_token_gives_time_chain_and_name() -> None:
    verified = verify(FORGE, nonce=42)
    assert verified.gen_time == NOW
    assert verified.accuracy == timedelta(seconds=1)
    assert verified.chain == (STAMPER.der, MIDDLE.der, ROOT.der)
    assert verified.root_fingerprint == hashlib.sha256(ROOT.der).digest()
    assert verified.tsa_name == "Stamper"
    assert verified.signer_not_before == NOW - YEAR
    assert verified.signer_not_after == NOW + YEAR
    assert verified.policy_oid == "1.3.6.1.4.1.13762.3"


def test_the_chains_earliest_end_is_told() -> None:
    middle = intermediate(ROOT, end=NOW + timedelta(days=3))
    verified = verify(Forge(signer(middle), (middle.der,)))
    assert verified.chain_not_after == NOW + timedelta(days=3)
    assert verified.signer_not_after == NOW + YEAR


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "p521", "brainpool", "ed25519"])
@pytest.mark.parametrize("digest_name", ["sha256", "sha384", "sha512"])
def test_every_kind_of_key_and_digest(kind: str, digest_name: str) -> None:
    own = signer(MIDDLE, kind=kind)
    verify(Forge(own, (MIDDLE.der,), digest_name=digest_name, ess=(digest_name,)))
    verify(Forge(own, (MIDDLE.der,), digest_name=digest_name, plain_rsa=False))


@pytest.mark.parametrize("digest_name", ["sha256", "sha384", "sha512"])
def test_rsa_pss_in_token_and_certificate(digest_name: str) -> None:
    top = root(kind="rsa2048")
    own = signer(top, kind="rsa2048", pss=True, digest=digest_name)
    assert own.certificate.signature_algorithm_oid == x509.oid.SignatureAlgorithmOID.RSASSA_PSS
    verify(Forge(own, pss=digest_name), roots=[top])


def test_the_certificate_set_may_be_unsorted() -> None:
    sent = sorted((STAMPER.der, MIDDLE.der))
    forge = FORGE.but(sort=False, certificates=(MIDDLE.der,))
    if sent[0] == STAMPER.der:  # then this order is the sorted one: send the signer last
        token = FORGE.token()
        assert token.count(sent[0] + sent[1]) == 1
        verify(token.replace(sent[0] + sent[1], sent[1] + sent[0]))
    verify(forge)


def test_certificates_may_come_beside_the_token() -> None:
    bare = Forge(STAMPER)
    assert refusal(bare) == "tsp.chain.untrusted_root"
    assert verify(bare, extra_certificates=[MIDDLE.der]).chain[1] == MIDDLE.der


def test_the_root_may_be_any_certificate_that_is_trusted() -> None:
    assert verify(FORGE, roots=[MIDDLE]).chain == (STAMPER.der, MIDDLE.der)
    assert verify(Forge(STAMPER), roots=[STAMPER]).chain == (STAMPER.der,)


def test_signer_named_by_key_id() -> None:
    extension = (x509.SubjectKeyIdentifier(b"\x01\x02\x03"), False)
    own = signer(MIDDLE, extra=(extension,))
    forge = Forge(own, (MIDDLE.der,), key_id=b"\x01\x02\x03")
    verify(forge)
    assert refusal(forge.but(key_id=b"\x01\x02\x04")) == "tsp.signer.missing"


# -- what is stamped -------------------------------------------------------------------------------


def test_another_digest_is_refused() -> None:
    assert refusal(FORGE, digest=hashlib.sha256(b"dog").digest()) == "tsp.imprint_mismatch"
    assert refusal(FORGE, digest=DIGEST[:31]) == "tsp.imprint_mismatch"


@pytest.mark.parametrize("algorithm", ["sha3_256", "sha512", "sha1", "md5"])
def test_the_same_bytes_under_another_algorithm_are_refused(algorithm: str) -> None:
    assert refusal(FORGE.but(imprint_name=algorithm)) == "tsp.imprint_mismatch"


def test_an_imprint_cut_to_a_prefix_is_refused() -> None:
    assert refusal(FORGE.but(digest=DIGEST[:20])) == "tsp.imprint_mismatch"
    assert refusal(FORGE.but(digest=b"")) == "tsp.imprint_mismatch"


@pytest.mark.parametrize("sent", [41, None])
def test_the_wrong_nonce_is_refused(sent: int | None) -> None:
    assert refusal(FORGE.but(nonce=sent), nonce=42) == "tsp.nonce_mismatch"


# -- who signed ------------------------------------------------------------------------------------


def test_a_flipped_signature_is_refused() -> None:
    token = bytearray(FORGE.token())
    token[-1] ^= 1
    assert refusal(bytes(token)) == "tsp.signature"


def test_changed_content_is_refused() -> None:
    token = FORGE.token()
    changed = token.replace(b"20261123100208Z", b"20251123100208Z")
    assert changed != token
    assert refusal(changed) == "tsp.message_digest"


def test_changed_content_with_its_new_digest_is_refused() -> None:
    token = FORGE.token()
    earlier = FORGE.but(gen_time="20251123100208Z")
    changed = token.replace(FORGE.content(), earlier.content())
    before, after = (hashlib.sha256(forge.content()).digest() for forge in (FORGE, earlier))
    assert changed.count(before) == 1
    assert refusal(changed.replace(before, after)) == "tsp.signature"


def test_a_signature_over_other_content_is_refused() -> None:
    assert refusal(FORGE.but(content_type="1.2.840.113549.1.7.1")) == "tsp.content_type"


def test_the_signature_binds_the_signers_certificate() -> None:
    other = signer(MIDDLE, "Other")
    assert refusal(FORGE.but(ess_for=other.der)) == "tsp.signing_certificate.mismatch"
    assert refusal(FORGE.but(ess=())) == "tsp.signing_certificate.missing"


def test_both_versions_of_the_binding_must_hold() -> None:
    verify(FORGE.but(ess=("sha1",)))
    verify(FORGE.but(ess=("sha1", "sha512")))
    wrong = tlv(0x04, hashlib.sha1(MIDDLE.der).digest())
    value = der_sequence(der_sequence(der_sequence(wrong)))
    extra = attribute("1.2.840.113549.1.9.16.2.12", value)
    assert refusal(FORGE.but(more_attributes=(extra,))) == "tsp.signing_certificate.mismatch"


def test_a_second_certificate_for_the_same_key_does_not_take_the_signers_place() -> None:
    """The key got a longer certificate with the same issuer and serial: ESS tells them apart."""
    serial = STAMPER.certificate.serial_number
    longer = signer(MIDDLE, serial=serial, end=NOW + 3 * YEAR)
    verified = verify(FORGE.but(certificates=(longer.der, MIDDLE.der)))
    assert verified.signer_not_after == NOW + YEAR
    assert refusal(FORGE.but(shown=longer.der)) == "tsp.signing_certificate.mismatch"


@pytest.mark.parametrize("digest_name", ["sha1", "sha224"])
def test_weak_message_digests_are_refused(digest_name: str) -> None:
    assert refusal(FORGE.but(digest_name=digest_name)) == "tsp.algorithm.weak"
    own = signer(MIDDLE, kind="rsa2048")
    forge = Forge(own, (MIDDLE.der,), digest_name=digest_name)
    assert refusal(forge) == "tsp.algorithm.weak"
    assert refusal(forge.but(plain_rsa=False)) == "tsp.algorithm.weak"


def test_a_weak_signature_under_a_strong_message_digest_is_refused() -> None:
    class Mixed(Forge):
        def sign(self, message: bytes) -> tuple[bytes, bytes]:
            weak = Forge(self.signer, digest_name="sha1", plain_rsa=False)
            return Forge.sign(weak, message)

    for kind in ("p256", "rsa2048"):
        forged = Mixed(signer(MIDDLE, kind=kind), (MIDDLE.der,))
        assert refusal(forged) == "tsp.algorithm.weak"


def test_pss_over_sha1_is_refused() -> None:
    own = signer(MIDDLE, kind="rsa2048")
    assert refusal(Forge(own, (MIDDLE.der,), pss="sha1")) == "tsp.algorithm.weak"


@pytest.mark.parametrize(("kind", "code"), [("rsa1024", "tsp.key.weak"), ("p224", "tsp.key.weak")])
def test_weak_keys_are_refused(kind: str, code: str) -> None:
    own = signer(MIDDLE, kind=kind)
    assert refusal(Forge(own, (MIDDLE.der,))) == code
    middle = intermediate(ROOT, kind=kind)
    assert refusal(Forge(signer(middle), (middle.der,))) == code
    top = root(kind=kind)
    assert refusal(Forge(signer(top)), roots=[top]) == code


def test_dsa_is_not_known() -> None:
    own = certify("Stamper", None, own_key=key("dsa"))
    with pytest.raises(FormatError) as caught:
        verify(FORGE, extra_certificates=[own.der])
    assert caught.value.code == "tsp.key.unknown"


# -- its purpose -----------------------------------------------------------------------------------

TIME, CODE = ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING


@pytest.mark.parametrize(
    "changes",
    [
        {"purposes": (CODE,)},
        {"purposes": (TIME, CODE)},
        {"purposes": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)},
        {"purposes": None},
        {"critical_purposes": False},
    ],
)
def test_the_key_is_for_time_stamping_alone(changes) -> None:
    assert refusal(Forge(signer(MIDDLE, **changes), (MIDDLE.der,))) == "tsp.eku"


def test_the_key_must_be_for_signing() -> None:
    for bits in ({"key_encipherment": True}, {"digital_signature": True, "key_cert_sign": True}):
        own = signer(MIDDLE, key_usage=usage(**bits))
        assert refusal(Forge(own, (MIDDLE.der,))) == "tsp.key_usage"
    verify(Forge(signer(MIDDLE, key_usage=None), (MIDDLE.der,)))
    verify(Forge(signer(MIDDLE, key_usage=usage(content_commitment=True)), (MIDDLE.der,)))


def test_an_authority_limited_to_other_purposes_is_refused() -> None:
    middle = intermediate(ROOT, purposes=(CODE,), critical_purposes=False)
    assert refusal(Forge(signer(middle), (middle.der,))) == "tsp.eku"
    middle = intermediate(ROOT, purposes=(CODE, TIME), critical_purposes=False)
    verify(Forge(signer(middle), (middle.der,)))


def test_the_key_was_in_use_at_the_time() -> None:
    for begin, end in ((NOW - YEAR, NOW - timedelta(days=1)), (NOW + timedelta(days=1), None)):
        period = x509.PrivateKeyUsagePeriod(
            begin.replace(tzinfo=None), end and end.replace(tzinfo=None)
        )
        own = signer(MIDDLE, extra=((period, False),))
        assert refusal(Forge(own, (MIDDLE.der,))) == "tsp.key_usage_period"
    period = x509.PrivateKeyUsagePeriod((NOW - YEAR).replace(tzinfo=None), None)
    verify(Forge(signer(MIDDLE, extra=((period, False),)), (MIDDLE.der,)))


# -- the chain -------------------------------------------------------------------------------------


def test_an_unknown_root_is_refused() -> None:
    assert refusal(FORGE, roots=[root("Another", number=9)]) == "tsp.chain.untrusted_root"
    assert refusal(FORGE, roots=[]) == "tsp.chain.untrusted_root"


def test_a_self_made_root_of_the_same_name_is_refused() -> None:
    fake = root(number=9)
    middle = intermediate(fake, number=9)
    forge = Forge(signer(middle), (middle.der, fake.der))
    assert refusal(forge) == "tsp.chain.untrusted_root"
    assert refusal(forge.but(certificates=(middle.der, fake.der, MIDDLE.der))) == (
        "tsp.chain.untrusted_root"
    )


def test_a_signer_that_names_its_issuer_without_its_signature_is_refused() -> None:
    imposter = intermediate(root(number=9), number=9)
    assert refusal(Forge(signer(imposter), (MIDDLE.der,))) == "tsp.chain.untrusted_root"


@pytest.mark.parametrize("who", ["signer", "middle", "root"])
@pytest.mark.parametrize(
    ("begin", "end", "code"),
    [
        (NOW - YEAR, NOW - timedelta(seconds=1), "tsp.chain.expired"),
        (NOW + timedelta(seconds=1), NOW + YEAR, "tsp.chain.not_yet_valid"),
    ],
)
def test_everybody_is_valid_at_the_tokens_time(who, begin, end, code) -> None:
    times = {"begin": begin, "end": end}
    top = root(**times) if who == "root" else ROOT
    middle = intermediate(top, **times) if who == "middle" else intermediate(top)
    own = signer(middle, **times) if who == "signer" else signer(middle)
    assert refusal(Forge(own, (middle.der,)), roots=[top]) == code


def test_the_ends_of_validity_belong_to_it() -> None:
    verify(Forge(signer(MIDDLE, begin=NOW), (MIDDLE.der,)))
    verify(Forge(signer(MIDDLE, end=NOW), (MIDDLE.der,)))
    late = Forge(signer(MIDDLE, end=NOW), (MIDDLE.der,), gen_time="20261123100208.000001Z")
    assert refusal(late) == "tsp.chain.expired"


def test_an_ended_key_signs_any_time_in_its_past_and_the_result_says_when_it_ended() -> None:
    """The attack of VERDICTS 7: cryptographically nothing is wrong, so the end must be shown."""
    ended = NOW - YEAR  # the key leaks today; its certificate ended a year ago
    own = signer(MIDDLE, begin=NOW - 3 * YEAR, end=ended)
    old = intermediate(ROOT, begin=NOW - 4 * YEAR, end=NOW + YEAR)
    forge = Forge(own, (old.der,), gen_time="20240701000000Z")
    verified = verify(forge)
    assert verified.signer_not_after == verified.chain_not_after == ended


@pytest.mark.parametrize(
    "changes",
    [
        {"ca": False},
        {"ca": None},
        {"key_usage": usage(digital_signature=True)},
    ],
)
def test_only_authorities_issue(changes) -> None:
    middle = intermediate(ROOT, **changes)
    assert refusal(Forge(signer(middle), (middle.der,))) == "tsp.chain.not_a_ca"


def test_a_signer_certificate_cannot_issue_another() -> None:
    below = signer(STAMPER, "Below", number=4)
    forge = Forge(below, (STAMPER.der, MIDDLE.der))
    assert refusal(forge) == "tsp.chain.not_a_ca"


def test_path_lengths_are_kept() -> None:
    tight = root(path_length=0)
    middle = intermediate(tight)
    assert refusal(Forge(signer(middle), (middle.der,)), roots=[tight]) == "tsp.chain.path_length"
    verify(Forge(signer(tight)), roots=[tight])
    loose = root(path_length=1)
    middle = intermediate(loose, path_length=0)
    verify(Forge(signer(middle), (middle.der,)), roots=[loose])
    lower = intermediate(middle, "Lower", number=5)
    forge = Forge(signer(lower), (middle.der, lower.der))
    assert refusal(forge, roots=[loose]) == "tsp.chain.path_length"


@pytest.mark.parametrize("who", ["signer", "middle"])
def test_a_critical_extension_nobody_understands_ends_the_path(who) -> None:
    extra = ((x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)
    middle = intermediate(ROOT, extra=extra if who == "middle" else ())
    own = signer(middle, extra=extra if who == "signer" else ())
    assert refusal(Forge(own, (middle.der,))) == "tsp.chain.critical_extension"


@pytest.mark.parametrize("who", ["signer", "middle"])
def test_certificates_signed_over_sha1_are_refused(who) -> None:
    """Nobody makes such certificates any more, so it is made from a good one by hand."""
    party = {"signer": STAMPER, "middle": MIDDLE}[who]
    weak = party.der.replace(der_oid("1.2.840.10045.4.3.2"), der_oid("1.2.840.10045.4.3.1"))
    assert len(weak) == len(party.der)
    if who == "middle":
        forge = FORGE.but(certificates=(weak,))
    else:
        forge = FORGE.but(ess_for=weak, shown=weak)
    assert refusal(forge) == "tsp.algorithm.weak"


def test_the_root_needs_no_signature_of_its_own() -> None:
    """Old roots are signed by themselves with SHA-1: they are trusted as they are."""
    weak = ROOT.der.replace(der_oid("1.2.840.10045.4.3.2"), der_oid("1.2.840.10045.4.3.1"))
    token = parse_token(FORGE.token())
    assert verify_token(token, digest=DIGEST, roots=[weak]).chain[-1] == weak


def test_the_longest_lasting_of_several_chains_is_taken() -> None:
    older = root("Older", number=8, end=NOW + timedelta(days=5))
    cross = certify(
        "Root",
        older,
        own_key=ROOT.key,
        ca=True,
        key_usage=usage(key_cert_sign=True),
        end=NOW + YEAR,
    )
    forge = FORGE.but(certificates=(MIDDLE.der, cross.der))
    assert verify(forge, roots=[older, ROOT]).chain[-1] == ROOT.der
    assert verify(forge, roots=[ROOT, older]).chain[-1] == ROOT.der
    assert verify(forge, roots=[older]).chain == (STAMPER.der, MIDDLE.der, cross.der, older.der)


def test_a_circle_of_cross_certificates_ends() -> None:
    a = certify("A", None, number=5, ca=True)
    b = certify("B", a, number=6, ca=True)
    a_by_b = certify("A", b, number=5, ca=True)
    own = signer(b)
    forge = Forge(own, (a_by_b.der, b.der))
    assert refusal(forge) == "tsp.chain.untrusted_root"
    assert verify(forge, roots=[a]).chain[-1] == a.der


def test_a_chain_has_an_end() -> None:
    parties = [ROOT]
    for depth in range(MAX_CHAIN_LENGTH):
        parties.append(intermediate(parties[-1], f"Depth {depth}"))
    short = Forge(signer(parties[-3]), tuple(p.der for p in parties[1:-2]))
    assert len(verify(short).chain) == MAX_CHAIN_LENGTH
    long = Forge(signer(parties[-2]), tuple(p.der for p in parties[1:-1]))
    assert refusal(long) == "tsp.chain.untrusted_root"


def test_a_crowd_of_equal_names_is_given_up() -> None:
    """Every certificate of a layer issued every one of the next: paths grow without end."""
    layers = [[ROOT]]
    for depth in range(6):
        one = key("p256", 50 + depth)
        layers.append(
            [
                certify(
                    f"Layer {depth}",
                    layers[-1][0],
                    own_key=one,
                    ca=True,
                    begin=NOW - YEAR - n * YEAR / 99,
                )
                for n in range(5)
            ]
        )
    own = signer(layers[-1][0])
    sent = tuple(party.der for layer in layers[1:] for party in layer)
    assert refusal(Forge(own, sent), roots=[root("Else", number=9)]) == "tsp.chain.too_many"


def test_more_certificates_than_anybody_needs_are_not_read() -> None:
    many = [certify(f"C{n}", None).der for n in range(MAX_CERTIFICATES)]
    with pytest.raises(LimitExceededError):
        verify(FORGE, extra_certificates=many)


# -- certificates that do not belong ---------------------------------------------------------------


def test_injected_certificates_are_refused() -> None:
    """As in CVE-2026-39984: a forged authority put first, a forged root of the signer's name."""
    spoofed = signer(certify("Nonexistent CA", None, number=9), "Spoofed", number=9)
    fake = certify("Stamper", None, number=9)
    for injected in ((spoofed.der,), (fake.der,), (spoofed.der, fake.der)):
        forge = FORGE.but(certificates=(MIDDLE.der, *injected))
        assert refusal(forge) == "tsp.certificates.injected"


def test_an_injected_copy_of_the_signer_with_a_longer_life_is_refused() -> None:
    fake = certify("Stamper", None, own_key=STAMPER.key, end=NOW + 50 * YEAR)
    forge = FORGE.but(certificates=(MIDDLE.der, fake.der))
    assert refusal(forge) == "tsp.certificates.injected"


def test_certificates_beside_the_token_may_be_unrelated() -> None:
    verify(FORGE, extra_certificates=[certify("Stranger", None, number=9).der, MIDDLE.der])


def test_cross_certificates_and_siblings_belong() -> None:
    cross = certify("Root", root("Old", number=9), own_key=ROOT.key, ca=True)
    sibling = signer(MIDDLE, "Sibling", number=8)
    old = root("Old", number=9)
    verify(FORGE.but(certificates=(MIDDLE.der, ROOT.der, cross.der, old.der, sibling.der)))


# -- shape -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forge",
    [
        FORGE.but(attributes=False),
        FORGE.but(signers=2),
        FORGE.but(signers=0),
        FORGE.but(version=1),
        FORGE.but(signer_version=3),
        FORGE.but(key_id=b"\x01", signer_version=1),
        FORGE.but(more_attributes=(attribute("1.2.840.113549.1.9.4", tlv(4, b"x")),)),
        FORGE.but(more_attributes=(attribute("1.2.3", tlv(4, b"x"), tlv(4, b"y")),)),
    ],
)
def test_other_shapes_are_not_tokens(forge: Forge) -> None:
    with pytest.raises(FormatError):
        parse_token(forge.token())


def test_bytes_after_the_token_are_refused() -> None:
    with pytest.raises(FormatError) as caught:
        parse_token(FORGE.token() + b"\x00")
    assert caught.value.code == "format.trailing_data"


def test_a_certificate_that_cannot_be_read_is_a_format_error() -> None:
    with pytest.raises(FormatError):
        verify(FORGE.but(certificates=(MIDDLE.der, der_sequence(b"\x05\x00"))))


def test_names_fall_back_and_are_printable() -> None:
    def named(*attributes: tuple[x509.ObjectIdentifier, str]) -> str:
        subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in attributes])
        return verify(Forge(signer(MIDDLE, subject=subject), (MIDDLE.der,))).tsa_name

    assert named((NameOID.ORGANIZATION_NAME, "Org")) == "Org"
    assert named((NameOID.COUNTRY_NAME, "ES"), (NameOID.LOCALITY_NAME, "Bilbao")) == "L=Bilbao,C=ES"
    assert named((NameOID.COMMON_NAME, "Ñandú \u202e\x1b[2J")) == "Ñandú ??[2J"


def test_the_algorithm_inside_and_outside_a_certificate_are_one() -> None:
    """The outer one is not signed."""
    sha256, sha384 = (der_oid(f"1.2.840.10045.4.3.{n}") for n in (2, 3))
    head, _, tail = MIDDLE.der.rpartition(sha256)
    assert head.count(sha256) == 1
    with pytest.raises(FormatError):
        verify(FORGE.but(certificates=(head + sha384 + tail,)))
