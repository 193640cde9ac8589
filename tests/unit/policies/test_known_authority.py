"""The table of authorities is held against an independent copy of each root, and reviewed here."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import certifi
import pytest

from anchor.backends.tsa import TsaBackend
from anchor.backends.tsa_client import TsaSettings
from anchor.errors import ConfigError, NotFoundError
from anchor.formats.x509_certificate import parse_certificate
from anchor.policies.known_authority import (
    KnownAuthority,
    find_authority,
    load_authority_file,
    load_known_authorities,
)
from anchor.proof.policy import parse_policy

KNOWN = load_known_authorities()
FOLDER = Path(str(files("anchor.policies").joinpath("authorities")))


def mozilla_roots() -> set[bytes]:
    """Return the roots in certifi, an independent package of Mozilla's list."""
    text = Path(certifi.where()).read_text(encoding="utf-8")
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----(.+?)-----END", text, re.DOTALL)
    return {base64.b64decode(block) for block in blocks}


def test_the_table_as_reviewed() -> None:
    """A change here is a change of whom people may come to trust: it wants its sources."""
    assert {name: (a.url, a.qualified, a.proposed) for name, a in KNOWN.items()} == {
        "digicert": ("http://timestamp.digicert.com", False, True),
        "globalsign": ("http://timestamp.globalsign.com/tsa/r6advanced1", False, True),
        "identrust": ("http://timestamp.identrust.com", False, True),
        "sectigo": ("http://timestamp.sectigo.com", False, False),
        "sslcom": ("http://ts.ssl.com", False, False),
        "certum": ("http://time.certum.pl", False, False),
        "accv": ("http://tss.accv.es:8318/tsa", True, False),
    }


def test_the_names_of_the_roots_as_reviewed() -> None:
    names = {name: [parse_certificate(root).name for root in a.roots] for name, a in KNOWN.items()}
    assert names == {
        "digicert": ["DigiCert Trusted Root G4"],
        "globalsign": ["GlobalSign"],
        "identrust": ["IdenTrust Public Sector Root CA 1", "IdenTrust Commercial Root CA 1"],
        "sectigo": ["USERTrust RSA Certification Authority"],
        "sslcom": ["SSL.com Root Certification Authority RSA"],
        "certum": ["Certum Trusted Network CA 2", "Certum Trusted Network CA"],
        "accv": ["ACCVRAIZ1"],
    }
    (globalsign,) = KNOWN["globalsign"].roots
    assert "GlobalSign Root CA - R6" in parse_certificate(globalsign).issuer_name


@pytest.mark.parametrize("authority", KNOWN.values(), ids=list(KNOWN))
def test_each_root_is_in_mozillas_list(authority: KnownAuthority) -> None:
    """A root that certifi no longer has was taken off the list for a reason: look it up."""
    assert set(authority.roots) <= mozilla_roots()
    for root in authority.roots:
        certificate = parse_certificate(root)
        assert certificate.is_ca
        assert certificate.subject == certificate.issuer
        assert certificate.unhandled_critical == ()


@pytest.mark.parametrize("authority", KNOWN.values(), ids=list(KNOWN))
def test_each_fact_has_a_source(authority: KnownAuthority) -> None:
    wanted = {"url", "roots"} | ({"qualified"} if authority.qualified else set())
    assert wanted <= {fact for fact, _ in authority.sources}


def test_every_root_file_is_in_the_table() -> None:
    table = json.loads((FOLDER / "authorities.json").read_text())
    named = [root["file"] for entry in table["authorities"] for root in entry["roots"]]
    assert sorted(named) == sorted(path.name for path in FOLDER.glob("*.pem"))
    for entry in table["authorities"]:
        for root in entry["roots"]:
            lines = (FOLDER / root["file"]).read_text().splitlines()
            der = base64.b64decode("".join(lines[1:-1]))
            assert hashlib.sha256(der).hexdigest() == root["sha256"]


def test_the_backend_and_the_policy_take_each_of_them() -> None:
    for authority in KNOWN.values():
        TsaBackend(TsaSettings(authority.name, authority.url, authority.roots)).close()
    entries = [authority.policy_entry() for authority in KNOWN.values()]
    policy = {"version": 1, "name": "x", "class": "production", "authorities": entries}
    parsed = parse_policy(json.dumps(policy).encode())
    assert [a.name for a in parsed.authorities] == [a.title for a in KNOWN.values()]
    assert parsed.authorities[-1].qualified
    assert parsed.authorities[0].roots == KNOWN["digicert"].roots


# -- an operator's own -----------------------------------------------------------------------------


@pytest.fixture
def described(tmp_path: Path) -> dict[str, Any]:
    shutil.copy(FOLDER / "accv-raiz1.pem", tmp_path / "root.pem")
    sha256 = hashlib.sha256(KNOWN["accv"].roots[0]).hexdigest()
    return {
        "name": "mine",
        "url": "https://tsa.example/",
        "policy_oid": "1.2.3",
        "roots": [{"file": "root.pem", "sha256": sha256}],
    }


def write(folder: Path, value: object) -> Path:
    path = folder / "mine.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_an_operators_file_is_read(described, tmp_path: Path) -> None:
    path = write(tmp_path, described)
    mine = load_authority_file(path)
    expected = replace(
        KNOWN["accv"], name="mine", title="mine", url="https://tsa.example/", qualified=False,
        policy_oid="1.2.3", sources=(),
    )  # fmt: skip
    assert mine == expected
    assert find_authority(str(path)) == mine
    assert find_authority("accv") == KNOWN["accv"]


def test_an_unknown_name_says_which_are_known() -> None:
    with pytest.raises(NotFoundError) as caught:
        find_authority("digicertt")
    assert "digicert" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"roots": []}, "no roots"),
        ({"name": "Mine"}, "no name"),
        ({"urll": "x"}, "unknown field"),
        ({"roots": [{"file": "../root.pem", "sha256": "00" * 32}]}, "no plain file name"),
        ({"roots": [{"file": ".hidden", "sha256": "00" * 32}]}, "no plain file name"),
        ({"roots": [{"file": "other.pem", "sha256": "00" * 32}]}, "No such file"),
        ({"roots": [{"file": "mine.json", "sha256": "00" * 32}]}, "PEM"),
        ({"roots": [{"file": "root.pem", "sha256": "00" * 32}]}, "the table says 0000"),
        ({"accuracy_s": -1}, "outside"),
        ({"sources": {"why": "x"}}, "unknown field"),
    ],
)
def test_files_that_are_wrong_say_where(described, tmp_path: Path, change, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_authority_file(write(tmp_path, described | change))
    assert said in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "a", "name": "b"}'])
def test_what_is_no_description(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load_authority_file(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_authority(str(tmp_path / "none.json"))
    assert "none.json" in caught.value.message


@pytest.mark.parametrize("body", ["!!!!", "AAAA"])
def test_root_files_that_hold_no_certificate(described, tmp_path: Path, body: str) -> None:
    der = base64.b64decode("AAAA")
    described["roots"][0]["sha256"] = hashlib.sha256(der).hexdigest()
    (tmp_path / "root.pem").write_text(
        f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    )
    with pytest.raises(ConfigError):
        load_authority_file(write(tmp_path, described))


def test_a_root_whose_base64_is_cut(described, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_authority_file(write(tmp_path, described))
    assert "base64" in caught.value.message
