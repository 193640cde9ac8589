"""`openssl ts` as a real authority whose tokens we judge, and as a judge of ours."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from anchor.errors import AttestationError, VestigeError
from anchor.formats.tsp import parse_token
from anchor.formats.tsp_chain import verify_token
from anchor.formats.tsp_exchange import parse_response, timestamp_request
from tests.attacks.forged_tokens import Forge, Party, certify, intermediate, root, signer

pytestmark = pytest.mark.openssl

DIGEST = hashlib.sha256(b"cat").digest()
NOW = datetime.now(UTC).replace(microsecond=0)
TIMES = {"begin": NOW - timedelta(days=30), "end": NOW + timedelta(days=30)}

CONFIG = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/signer.pem
signer_key = {folder}/key.pem
signer_digest = {digest}
default_policy = 1.3.6.1.4.1.13762.3
other_policies = 1.2.3.4
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = {chain}
ess_cert_id_alg = {ess}
{certs}
"""


@pytest.fixture
def openssl(require):
    """Return a function that runs openssl and gives its exit status and all that it said."""
    require(shutil.which("openssl"), "openssl is not installed")

    def run(*arguments: str | Path) -> tuple[int, str]:
        done = subprocess.run(
            ["openssl", *map(str, arguments)], capture_output=True, timeout=60, check=False
        )
        return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")

    return run


@dataclass
class Authority:
    """An authority that `openssl ts -reply` runs."""

    openssl: object
    folder: Path
    root: Party
    middle: Party
    signer: Party

    def reply(self, request: bytes, **options: str) -> bytes:
        settings = {"digest": "sha256", "ess": "sha256", "chain": "no", "certs": "", **options}
        (self.folder / "ts.cnf").write_text(CONFIG.format(folder=self.folder, **settings))
        (self.folder / "query.tsq").write_bytes(request)
        status, said = self.openssl(
            "ts", "-reply", "-config", self.folder / "ts.cnf", "-section", "authority",
            "-queryfile", self.folder / "query.tsq", "-out", self.folder / "reply.tsr",
        )  # fmt: skip
        assert status == 0, said
        return (self.folder / "reply.tsr").read_bytes()


def pem(*parties: Party) -> bytes:
    return b"".join(party.certificate.public_bytes(Encoding.PEM) for party in parties)


@pytest.fixture(params=["p256", "rsa2048"])
def authority(request, openssl, tmp_path: Path) -> Authority:
    top = root(**TIMES)
    middle = intermediate(top, **TIMES)
    own = signer(middle, kind=request.param, **TIMES)
    (tmp_path / "signer.pem").write_bytes(pem(own))
    (tmp_path / "chain.pem").write_bytes(pem(middle, top))
    (tmp_path / "key.pem").write_bytes(
        own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "serial").write_text("01\n")
    return Authority(openssl, tmp_path, top, middle, own)


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("ess", ["sha1", "sha256", "sha512"])
def test_its_tokens_verify(authority: Authority, digest: str, ess: str) -> None:
    reply = authority.reply(timestamp_request(DIGEST, nonce=2**63 + 1), digest=digest, ess=ess)
    token = parse_token(parse_response(reply).token or b"")
    verified = verify_token(
        token,
        digest=DIGEST,
        roots=[authority.root.der],
        extra_certificates=[authority.middle.der],
        nonce=2**63 + 1,
    )
    assert abs(verified.gen_time - datetime.now(UTC)) < timedelta(minutes=5)
    assert verified.accuracy == timedelta(seconds=1, milliseconds=500, microseconds=100)
    assert verified.chain == (authority.signer.der, authority.middle.der, authority.root.der)
    assert verified.policy_oid == "1.3.6.1.4.1.13762.3"


def test_its_unsorted_certificate_set_is_read(authority: Authority) -> None:
    certs = f"certs = {authority.folder}/chain.pem"
    reply = authority.reply(timestamp_request(DIGEST, nonce=1), certs=certs, chain="yes")
    token = parse_token(parse_response(reply).token or b"")
    assert len(token.certificates) == 3
    verify_token(token, digest=DIGEST, roots=[authority.root.der])


def test_without_certificates_asked_for(authority: Authority) -> None:
    request = timestamp_request(DIGEST, nonce=1, policy_oid="1.2.3.4", cert_req=False)
    token = parse_token(parse_response(authority.reply(request)).token or b"")
    assert token.certificates == ()
    with pytest.raises(AttestationError) as caught:
        verify_token(token, digest=DIGEST, roots=[authority.root.der])
    assert caught.value.code == "tsp.signer.missing"
    extra = [authority.signer.der, authority.middle.der]
    verified = verify_token(
        token, digest=DIGEST, roots=[authority.root.der], extra_certificates=extra
    )
    assert verified.policy_oid == "1.2.3.4"


def test_its_refusals_are_read(authority: Authority) -> None:
    unknown = timestamp_request(DIGEST, nonce=1, policy_oid="1.2.3.5")
    answer = parse_response(authority.reply(unknown))
    assert (answer.status, answer.failure) == ("rejection", "unaccepted_policy")
    assert "policy" in answer.status_text
    assert answer.token is None


def test_it_reads_our_request(authority: Authority, openssl) -> None:
    path = authority.folder / "ours.tsq"
    path.write_bytes(timestamp_request(DIGEST, nonce=0xABCDEF0123456789, policy_oid="1.2.3.4"))
    status, said = openssl("ts", "-query", "-in", path, "-text")
    assert status == 0
    assert "Hash Algorithm: sha256" in said
    assert "Policy OID: 1.2.3.4" in said
    assert "Nonce: 0xABCDEF0123456789" in said
    assert "Certificate required: yes" in said


# -- both judge the same tokens --------------------------------------------------------------------


def judged_by_openssl(openssl, folder: Path, forge: Forge, *roots: Party) -> bool:
    (folder / "token.tst").write_bytes(forge.token())
    (folder / "roots.pem").write_bytes(pem(*roots))
    at = datetime.strptime(forge.gen_time, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    status, said = openssl(
        "ts", "-verify", "-digest", DIGEST.hex(), "-in", folder / "token.tst", "-token_in",
        "-CAfile", folder / "roots.pem", "-attime", int(at.timestamp()),
    )  # fmt: skip
    assert ("Verification: OK" in said) is (status == 0)
    return status == 0


def judged_by_us(forge: Forge, *roots: Party) -> bool:
    try:
        token = parse_token(forge.token())
        verify_token(token, digest=DIGEST, roots=[party.der for party in roots])
    except VestigeError:
        return False
    return True


ROOT = root()
MIDDLE = intermediate(ROOT)
GOOD = Forge(signer(MIDDLE), (MIDDLE.der,), gen_time="20261101000000Z")


@pytest.mark.parametrize(
    ("forge", "good"),
    [
        (GOOD, True),
        (GOOD.but(ess=("sha1",)), True),
        (Forge(signer(MIDDLE, kind="rsa2048"), (MIDDLE.der,)), True),
        (
            Forge(signer(MIDDLE, kind="rsa2048", number=4), (MIDDLE.der,), digest_name="sha512"),
            True,
        ),
        (GOOD.but(digest=hashlib.sha256(b"dog").digest()), False),
        (GOOD.but(message_digest=bytes(32)), False),
        (GOOD.but(ess_for=MIDDLE.der), False),
        (GOOD.but(ess=()), False),
        (GOOD.but(gen_time="20401101000000Z"), False),
        (Forge(signer(MIDDLE, critical_purposes=False), (MIDDLE.der,)), False),
        (Forge(signer(MIDDLE, purposes=None), (MIDDLE.der,)), False),
        (Forge(signer(root(number=9))), False),
        (Forge(signer(intermediate(ROOT, ca=False)), (intermediate(ROOT, ca=False).der,)), False),
        (Forge(certify("No purpose", MIDDLE), (MIDDLE.der,)), False),
    ],
)
def test_the_same_verdict_as_openssl(openssl, tmp_path: Path, forge: Forge, good: bool) -> None:
    assert judged_by_openssl(openssl, tmp_path, forge, ROOT) is good
    assert judged_by_us(forge, ROOT) is good


@pytest.mark.parametrize(
    "forge",
    [
        GOOD.but(imprint_name="sha512"),  # the digest's bytes under another algorithm's name
        GOOD.but(content_type="1.2.840.113549.1.7.1"),  # signed as something else
        GOOD.but(certificates=(MIDDLE.der, root("Injected", number=9).der)),
    ],
)
def test_where_we_are_stricter_than_openssl(openssl, tmp_path: Path, forge: Forge) -> None:
    """Each of these was accepted by OpenSSL 3.0."""
    assert judged_by_openssl(openssl, tmp_path, forge, ROOT)
    assert not judged_by_us(forge, ROOT)
