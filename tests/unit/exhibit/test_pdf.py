"""The printed exhibit: archival, tagged, the proofs in it, the same bytes, text that stays text.

What other programs say of it is asked of other programs: qpdf (through pikepdf), PDFium, and
pyHanko's validator.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from anchor.backends.local_tsa import LocalAuthority
from anchor.backends.local_tsa_server import LocalAuthorityServer
from anchor.errors import BackendError, ConfigError, UsageError
from anchor.exhibit.pdf import FilePictures, render_pdf
from anchor.exhibit.pdf.fonts import CHINESE, font_families
from anchor.exhibit.pdf.sections.phrases import reason_of
from anchor.exhibit.pdf.signing import sign_pdf
from anchor.exhibit.pdf.text import plain, undisplayable
from anchor.exhibit.pdf.words import LANGUAGES, words_of
from tests.exhibit_payload import HOSTILE, Payload, make_payload

BUNDLE = bytes(range(32))
FONTS = Path(__file__).parents[3] / "node_modules/@expo-google-fonts/noto-serif-sc"
SECTIONS = (
    "check", "work", "parties", "chronology", "process", "completeness", "method", "report",
    "before", "certifications", "checklist", "glossary",
)  # fmt: skip
WORDS = Path(__file__).parents[3] / "anchor/exhibit/pdf/words"


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Payload:
    return make_payload(tmp_path_factory.mktemp("exhibit") / "data", 8)


@pytest.fixture(scope="module")
def pictures() -> Iterator[FilePictures]:
    with FilePictures() as draws:
        yield draws


@pytest.fixture(scope="module")
def printed(payload: Payload, pictures: FilePictures) -> Path:
    out = payload.folder.parent / "exhibit.pdf"
    render(payload.folder, out, pictures, languages=("en", "zh"))
    return out


def render(folder: Path, out: Path, draws: FilePictures, **options: Any) -> None:
    options = {"signed": True, **options}
    render_pdf(folder, out, bundle=BUNDLE, font_paths=(FONTS,), draws=draws, **options)


def pages_of(path: Path) -> list[str]:
    """Return the text of each page as PDFium reads it, with single spaces."""
    document = pypdfium2.PdfDocument(path)
    try:
        texts = [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()
    return [re.sub(r"\s+", " ", text) for text in texts]


def words_in(path: Path) -> str:
    """Return all text without spaces: where a line breaks is the typesetter's business."""
    return re.sub(r"\s", "", "".join(pages_of(path)))


def changed(payload: Payload, folder: Path, change: Any) -> Path:
    """Return a copy of the payload in which the report is changed."""
    folder.mkdir()
    for path in payload.folder.iterdir():
        if path.name != "report":
            (folder / path.name).symlink_to(path)
    report = json.loads((payload.folder / "report/verification.json").read_bytes())
    change(report)
    (folder / "report").mkdir()
    (folder / "report/verification.json").write_text(json.dumps(report))
    return folder


# -- what other programs say -----------------------------------------------------------------------


def test_qpdf_finds_nothing_wrong(printed: Path) -> None:
    with pikepdf.open(printed) as pdf:
        assert pdf.check_pdf_syntax() == []


def test_it_claims_pdf_a_3a_and_keeps_what_that_asks_for(printed: Path) -> None:
    with pikepdf.open(printed) as pdf:
        with pdf.open_metadata() as metadata:
            assert metadata.pdfa_status == "3A"
            assert metadata["{http://www.aiim.org/pdfua/ns/id/}part"] == "1"
        root = pdf.Root
        assert root.MarkInfo.Marked
        assert root.StructTreeRoot.K is not None
        assert root.OutputIntents[0].S == "/GTS_PDFA1"
        assert str(root.Lang) == "en"
        assert not pdf.is_encrypted


def test_every_font_is_embedded_and_can_be_read_back(printed: Path) -> None:
    with pikepdf.open(printed) as pdf:
        fonts = [o for o in pdf.objects if _is(o, "/Font") and "/DescendantFonts" in o]
        assert fonts
        for font in fonts:
            assert "/ToUnicode" in font
            descriptor = font.DescendantFonts[0].FontDescriptor
            assert {"/FontFile2", "/FontFile3"} & set(descriptor.keys())


def test_nothing_in_it_runs_or_goes_anywhere(printed: Path) -> None:
    with pikepdf.open(printed) as pdf:
        forbidden = {"/JavaScript", "/JS", "/Launch", "/URI", "/AA", "/OpenAction", "/SubmitForm"}
        for each in pdf.objects:
            if isinstance(each, pikepdf.Dictionary | pikepdf.Stream):
                assert not forbidden & set(each.keys())
                assert each.get("/S") not in {"/JavaScript", "/Launch", "/URI", "/SubmitForm"}


def test_records_and_proofs_are_attached_byte_for_byte(printed: Path, payload: Payload) -> None:
    with pikepdf.open(printed) as pdf:
        found = {name: pdf.attachments[name].get_file().read_bytes() for name in pdf.attachments}
        relationships = {str(o.AFRelationship) for o in pdf.objects if _is(o, "/Filespec")}
    wanted = [*payload.folder.glob("records/*"), *payload.folder.glob("proofs/*.proof")]
    assert len(wanted) == 2 * (len(payload.project.records) - len(payload.withheld))
    assert relationships == {"/Supplement"}
    for path in wanted:
        assert found[path.name] == path.read_bytes()


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, pikepdf.Dictionary) and value.get("/Type") == kind


# -- what stands on its pages ----------------------------------------------------------------------


def test_the_first_page_says_what_is_proven_and_what_is_not(
    printed: Path, payload: Payload
) -> None:
    first = pages_of(printed)[0]
    (final,) = (each for each in payload.project.records if each.kind.name == "final")
    for text in (
        f"The finished work, record {final.seq}, existed before",
        "✓ verified",
        "Proven",
        "Asserted by the party, not proven",
        "Not proven by anything here",
        "Authorship, originality",
        "Test policy: what it verifies shows nothing to anybody else.",
    ):
        assert text in first


def test_every_page_carries_name_bundle_and_number(printed: Path) -> None:
    pages = pages_of(printed)
    for number, text in enumerate(pages, 1):
        assert BUNDLE.hex() in text
        assert "cat-pendant" in text
        assert f"{number} / {len(pages)}" in text


def test_each_language_has_every_section(printed: Path) -> None:
    text = words_in(printed)
    for lang in LANGUAGES:
        words = words_of(lang)
        for section in SECTIONS:
            title = re.sub(r"\s", "", words(f"{section}.title"))
            assert text.count(title) >= 2, (lang, section)  # in its place, and in the contents


def test_what_is_withheld_shows_by_number_kind_and_digest(printed: Path, payload: Payload) -> None:
    text = words_in(printed)
    assert payload.withheld
    for seq in payload.withheld:
        record = payload.project.records[seq]
        assert text.count(record.digest.hex()) == 4  # in two places, in two languages
        assert re.sub(r"\s", "", record.fields["text"]) not in text


def test_text_of_the_party_is_printed_and_never_obeyed(printed: Path) -> None:
    text = words_in(printed)
    shown = plain(HOSTILE).replace("\U0001f600", "[U+1F600]")
    assert re.sub(r"\s", "", shown) in text


def test_something_false_is_said_first(
    payload: Payload, pictures: FilePictures, tmp_path: Path
) -> None:
    def falsify(report: dict[str, Any]) -> None:
        report.update(status="failed", exit_status=1)
        finding = {"step": "E2", "status": "failed", "code": "exhibit.changed"}
        report["findings"].append({**finding, "path": "data/files/x", "reason": "one byte"})

    folder = changed(payload, tmp_path / "data", falsify)
    render(folder, tmp_path / "out.pdf", pictures)
    pages = pages_of(tmp_path / "out.pdf")
    assert "Something in this exhibit is false." in pages[0]
    assert "✕ failed" in pages[0]
    assert any("data/files/x" in page and "one byte" in page for page in pages)


def test_it_does_not_claim_completeness_that_was_not_found(
    payload: Payload, pictures: FilePictures, tmp_path: Path
) -> None:
    def withdraw(report: dict[str, Any]) -> None:
        report["records"].update(complete_up_to=None, reason="two histories meet")

    folder = changed(payload, tmp_path / "data", withdraw)
    render(folder, tmp_path / "out.pdf", pictures)
    text = " ".join(pages_of(tmp_path / "out.pdf"))
    assert "The list is not complete: two histories meet" in text
    assert "The list is complete up to" not in text


def test_what_nobody_signed_is_not_called_verified(
    payload: Payload, pictures: FilePictures, tmp_path: Path
) -> None:
    render(payload.folder, tmp_path / "out.pdf", pictures, signed=False)
    first = pages_of(tmp_path / "out.pdf")[0]
    assert "○ not checked" in first
    assert "Nobody signed the list of files." in first


def test_without_a_date_it_does_not_say_that_nothing_was_added(
    payload: Payload, pictures: FilePictures, tmp_path: Path
) -> None:
    def undate(report: dict[str, Any]) -> None:
        report["status"] = "pending"
        for verdict in report["records"]["records"]:
            verdict.update(existed_before={"headline": None}, status="pending")

    folder = changed(payload, tmp_path / "data", undate)
    render(folder, tmp_path / "out.pdf", pictures)
    first = pages_of(tmp_path / "out.pdf")[0]
    assert "No date is shown yet." in first
    assert "whoever holds the key could still write another" in first
    assert "can not have been changed" not in first
    assert "No outside party has attested" in first


def test_a_choice_is_shown_whole_though_part_of_it_is_withheld(
    printed: Path, payload: Payload
) -> None:
    hidden = [
        record
        for record in payload.project.records
        if record.kind.name == "generation" and record.seq % 8 == 0
    ]
    text = " ".join(pages_of(printed))
    assert hidden
    for record in hidden:
        assert f"{record.seq}.0: withheld" in text
    assert "not chosen" in text


def test_a_whole_digest_in_a_reason_is_shortened() -> None:
    assert reason_of(f"block {'ab' * 32} is unknown") == "block abababab… is unknown"


def test_the_same_payload_gives_the_same_bytes(
    printed: Path, payload: Payload, pictures: FilePictures, tmp_path: Path
) -> None:
    render(payload.folder, tmp_path / "again.pdf", pictures, languages=("en", "zh"))
    assert (tmp_path / "again.pdf").read_bytes() == printed.read_bytes()


# -- words and characters --------------------------------------------------------------------------


def test_languages_have_the_same_texts_with_the_same_places() -> None:
    first, *others = (tomllib.loads((WORDS / f"{lang}.toml").read_text()) for lang in LANGUAGES)
    for other in others:
        assert _shape(other) == _shape(first)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shape(each) for each in value]
    return sorted(re.findall(r"\{[a-z0-9_]+\}", value))


@pytest.mark.parametrize(
    "phrase", ["guarantee", "legally binding", "tamper-proof", "tamper proof", "certified"]
)
def test_no_text_promises_law(phrase: str) -> None:
    assert phrase not in (WORDS / "en.toml").read_text().lower()


def test_a_language_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="not written in 'fr'"):
        words_of("fr")


def test_a_missing_font_is_named() -> None:
    with pytest.raises(ConfigError, match=CHINESE[0]) as caught:
        font_families([], chinese=True)
    assert "fonts-noto-cjk" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\r\nc", "a    b\nc"),
        ("\u202egnp.exe", "[U+202E]gnp.exe"),
        ("a\0b\x1b[31m", "a[U+0000]b[U+001B][31m"),
        ("\ud800", "[U+D800]"),
        ("\u200b\ue000", "[U+200B][U+E000]"),
    ],
)
def test_what_can_not_be_seen_is_written_out(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_the_typesetters_notation_of_characters_is_read() -> None:
    said = 'error: the text `"\\u{7}\\"\U0001f600"` could not be displayed with font `"X"`'
    assert undisplayable(said) == {"\U0001f600"}


# -- the signed copy -------------------------------------------------------------------------------


def certificate_file(folder: Path, passphrase: bytes) -> tuple[Path, bytes]:
    """Return a PKCS #12 file of a person under a root of their own, and the root as PEM."""
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
        for text in ("Test root", "Test signer")
    ]
    certificates = []
    for n, (name, key) in enumerate(zip(names, keys, strict=True)):
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False
        )  # fmt: skip
        usage.update({"key_cert_sign": True} if n == 0 else {"content_commitment": True})
        certificates.append(
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(names[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=n == 0, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .sign(keys[0], hashes.SHA256())
        )
    root, own = certificates
    encryption = serialization.BestAvailableEncryption(passphrase)
    data = pkcs12.serialize_key_and_certificates(b"signer", keys[1], own, [root], encryption)
    path = folder / "signer.p12"
    path.write_bytes(data)
    return path, root.public_bytes(serialization.Encoding.PEM)


def test_a_signed_copy_validates_and_leaves_the_document_alone(
    printed: Path, tmp_path: Path
) -> None:
    certificate, root = certificate_file(tmp_path, b"secret")
    before = printed.read_bytes()
    signed = tmp_path / "signed.pdf"
    sign_pdf(printed, signed, certificate, passphrase=b"secret", reason="made by me")
    assert printed.read_bytes() == before
    assert signed.read_bytes().startswith(before)
    (tmp_path / "root.pem").write_bytes(root)
    trusted = load_cert_from_pemder(str(tmp_path / "root.pem"))
    with signed.open("rb") as file:
        signature = PdfFileReader(file).embedded_signatures[0]
        status = validate_pdf_signature(signature, ValidationContext(trust_roots=[trusted]))
    assert status.bottom_line
    assert status.coverage.name == "ENTIRE_FILE"


def test_the_signature_bears_a_time_stamp_of_the_authority_that_was_named(
    printed: Path, tmp_path: Path
) -> None:
    certificate, root = certificate_file(tmp_path, b"secret")
    authority = LocalAuthority.create(datetime.now(UTC))
    signed = tmp_path / "signed.pdf"
    with LocalAuthorityServer(authority) as server:
        sign_pdf(printed, signed, certificate, passphrase=b"secret", authority_url=server.url)
    roots = []
    for name, pem in (("signer", root), ("authority", authority.root_pem)):
        (tmp_path / f"{name}.pem").write_bytes(pem)
        roots.append(load_cert_from_pemder(str(tmp_path / f"{name}.pem")))
    with signed.open("rb") as file:
        signature = PdfFileReader(file).embedded_signatures[0]
        status = validate_pdf_signature(signature, ValidationContext(trust_roots=roots))
    assert status.bottom_line
    stamp = status.timestamp_validity
    assert stamp is not None
    assert stamp.valid
    assert stamp.trusted
    assert abs(stamp.timestamp - datetime.now(UTC)) < timedelta(minutes=5)


def test_an_authority_that_does_not_answer_leaves_no_half_signed_copy(
    printed: Path, tmp_path: Path
) -> None:
    certificate, _ = certificate_file(tmp_path, b"secret")
    signed = tmp_path / "signed.pdf"
    with pytest.raises(BackendError, match="authority"):
        sign_pdf(
            printed,
            signed,
            certificate,
            passphrase=b"secret",
            authority_url="http://127.0.0.1:1/",
        )
    assert not signed.exists()


def test_a_wrong_passphrase_is_said_without_the_passphrase(printed: Path, tmp_path: Path) -> None:
    certificate, _ = certificate_file(tmp_path, b"secret")
    with pytest.raises(ConfigError) as caught:
        sign_pdf(printed, tmp_path / "out.pdf", certificate, passphrase=b"sesame")
    assert "sesame" not in f"{caught.value} {caught.value.hint}"
    assert not (tmp_path / "out.pdf").exists()


def test_what_is_no_pdf_is_not_signed(tmp_path: Path) -> None:
    certificate, _ = certificate_file(tmp_path, b"secret")
    (tmp_path / "no.pdf").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"no\.pdf"):
        sign_pdf(tmp_path / "no.pdf", tmp_path / "out.pdf", certificate, passphrase=b"secret")
    assert not (tmp_path / "out.pdf").exists()
