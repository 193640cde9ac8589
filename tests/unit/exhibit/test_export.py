"""An exhibit from a vault: whole, the same each time, taken by others' tools, checked by ours."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from anchor.errors import DigestMismatchError, LimitExceededError, NotFoundError
from anchor.exhibit.choice import Choice, FieldRule
from anchor.exhibit.contents import read_contents
from anchor.exhibit.folder_container import FolderContainer
from anchor.exhibit.judge import judge_exhibit
from anchor.exhibit.layout import MANIFEST_SHA256
from anchor.exhibit.manifest import bundle_digest, bundle_of_payload
from anchor.exhibit.verdict import exhibit_to_json
from anchor.records.record import parse_record
from anchor.verify.verdict import Status
from tests import exhibits


def unpacked(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as file:
        file.extractall(folder)
    return folder / path.name.removesuffix(".zip")


def test_all_of_a_vault_is_verified(case, exhibit):
    verdict = exhibits.verify(exhibit, case)
    assert (verdict.status, verdict.exit_status, verdict.findings) == (Status.VERIFIED, 0, ())
    assert verdict.signed_by == exhibits.SECOND.public, "the key in force at the end"
    assert (verdict.files_shown, verdict.files_withheld) == (5, 0)
    assert len(verdict.records.verdicts) == case.records
    with zipfile.ZipFile(exhibit) as file:
        manifest = file.read(f"cat-pendant.exhibit/{MANIFEST_SHA256}")
    assert verdict.bundle == bundle_digest(manifest)
    value = exhibit_to_json(verdict)
    assert json.loads(json.dumps(value)) == value
    assert list(value) == [
        "status", "reason", "name", "project", "bundle", "signed_by", "findings", "records",
        "files", "proved", "asserted", "not_checked", "exit_status",
    ]  # fmt: skip


def test_everything_that_the_specification_names_is_there(exhibit, project_root):
    with zipfile.ZipFile(exhibit) as file:
        names = {name.partition("/")[2] for name in file.namelist()}
    for name in (
        "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "manifest-sha512.txt",
        "signature.json", "tagmanifest-sha256.txt", "tagmanifest-sha512.txt",
        "data/exhibit.json", "data/records/00000000.sdjwt", "data/proofs/00000000.proof",
        "data/proofs/00000000.ots", "data/ro-crate-metadata.json", "data/README.txt",
        "data/LIMITS.md", "data/LIMITS.zh.md", "data/CHECK.md", "data/CHECK.zh.md",
        "data/report/verification.json", "data/report/policy.json", "data/anchors/index.json",
    ):  # fmt: skip
        assert name in names
    kinds = {name.split("/")[2] for name in names if name.startswith("data/anchors/")}
    assert kinds == {"bitcoin", "evm", "index.json", "keys", "log", "tsa"}


def test_the_zip_is_stored_in_order_with_one_time_and_mode(case, exhibit):
    with zipfile.ZipFile(exhibit) as file:
        entries = file.infolist()
    assert [each.filename for each in entries] == sorted(each.filename for each in entries)
    assert {each.compress_type for each in entries} == {zipfile.ZIP_STORED}
    assert {each.external_attr >> 16 for each in entries} == {stat.S_IFREG | 0o644}
    with case.open() as vault:
        claimed = vault.read(case.records - 1).claimed_time
    assert {each.date_time for each in entries} == {claimed.timetuple()[:6]}


def test_two_exports_are_equal_byte_for_byte_wherever_they_are_made(case, exhibit, tmp_path):
    """Another time zone, umask, locale, hash seed and folder; another process; a later day."""
    program = (
        "import sys, pickle\n"
        "from datetime import timedelta\n"
        "from pathlib import Path\n"
        "from tests import exhibits\n"
        "case = pickle.load(open(sys.argv[1], 'rb'))\n"
        "exhibits.export(case, Path(sys.argv[2]), now=exhibits.NOW + timedelta(days=1))\n"
    )
    import pickle

    (tmp_path / "case").write_bytes(pickle.dumps(case))
    before = os.umask(0o077)
    try:
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "case"), str(tmp_path / "out")],
            check=True,
            cwd=Path(__file__).parents[3],
            env={
                "PATH": os.environ["PATH"], "TZ": "Pacific/Kiritimati", "LC_ALL": "C",
                "PYTHONHASHSEED": "7", "HOME": str(tmp_path),
            },
        )  # fmt: skip
    finally:
        os.umask(before)
    other = tmp_path / "out" / exhibit.name
    assert other.read_bytes() == exhibit.read_bytes()


def test_the_stock_program_for_bags_takes_it(exhibit, tmp_path):
    folder = unpacked(exhibit, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "bagit", "--validate", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder / "data" / "README.txt").write_text("another")
    done = subprocess.run(
        [sys.executable, "-m", "bagit", "--validate", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0


def test_the_library_for_ro_crates_reads_the_description(case, exhibit, tmp_path):
    from rocrate.rocrate import ROCrate

    crate = ROCrate(str(unpacked(exhibit, tmp_path) / "data"))
    assert crate.name == "a cat pendant"
    assert crate.metadata["conformsTo"] == "https://w3id.org/ro/crate/1.1"
    named = {each.id for each in crate.data_entities}
    folder = tmp_path / "cat-pendant.exhibit" / "data"
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there - named == {"ro-crate-metadata.json"}
    actions = [e for e in crate.contextual_entities if e.type == "CreateAction"]
    assert len(actions) == case.records
    results = [r.id for a in actions for r in a.get("result", [])]
    assert sorted(set(results)) == sorted(name for name in named if name.startswith("files/"))


def test_an_unpacked_exhibit_is_verified_under_any_name(case, exhibit, tmp_path):
    folder = unpacked(exhibit, tmp_path).rename(tmp_path / "Anlage K 1")
    contents = read_contents(FolderContainer(folder))
    verdict = judge_exhibit(contents, lambda _items: case.judge())
    assert (verdict.status, verdict.findings) == (Status.VERIFIED, ())


def test_the_bundle_digest_is_the_same_from_the_payload_folder(case, exhibit, tmp_path):
    folder = unpacked(exhibit, tmp_path)
    expected = exhibits.verify(exhibit, case).bundle
    assert bundle_of_payload(folder / "data") == expected
    (folder / "data" / "exhibit.pdf").write_bytes(b"%PDF")
    assert bundle_of_payload(folder / "data") == expected, "the PDF is not part of it"


# -- what is withheld ------------------------------------------------------------------------------


def test_withheld_records_are_numbered_stubs_and_nothing_of_them_is_there(case, tmp_path):
    with case.open() as vault:
        hidden = vault.read(1)
    choice = Choice(frozenset(range(case.records)) - {1, 4}, reasons={1: "names a client"})
    made, _ = exhibits.export(case, tmp_path, choice)
    verdict = exhibits.verify(made.path, case)
    assert (verdict.status, verdict.findings) == (Status.VERIFIED, ())
    stubs = [(stub.seq, stub.digest == hidden.digest) for stub in verdict.records.report.stubs]
    assert stubs == [(1, True), (4, False)]
    data = made.path.read_bytes()
    assert b"00000001.sdjwt" not in data
    assert b"names a client" in data
    for disclosure in hidden.sd_jwt.disclosures:
        assert disclosure.text.encode() not in data
    assert b"looks at the sea" not in data
    assert any("2 records withheld: 1, 4" in text for text in verdict.not_checked)
    assert "2 of them withheld" in verdict.records.statement


def test_key_records_are_always_shown(case, tmp_path):
    made, staged = exhibits.export(case, tmp_path, Choice(frozenset({3})))
    shown = [record.seq for record in staged.listing.records if record.shown]
    with case.open() as vault:
        kinds = {seq: vault.index.entry(seq).kind for seq in shown}
    assert set(kinds.values()) - {kinds[3]} == {"genesis", "key_rotate"}
    verdict = exhibits.verify(made.path, case)
    assert verdict.exit_status == 0


def test_hidden_fields_stay_hidden_everywhere(case, tmp_path):
    hide = (FieldRule(None, "why"), FieldRule(0, "*"), FieldRule(None, "seed"))
    made, _ = exhibits.export(case, tmp_path, Choice(hide=hide))
    data = made.path.read_bytes()
    for secret in (b"the light", b"a cat pendant", b"9223372036854775808"):
        assert secret not in data
    verdict = exhibits.verify(made.path, case)
    assert (verdict.status, verdict.findings) == (Status.VERIFIED, ())
    assert verdict.title == "cat-pendant", "the title that was hidden is not put on the cover"
    assert verdict.records.withheld_fields == 2 + 1 + 2


def test_only_what_is_chosen_is_disclosed(case, tmp_path):
    made, _ = exhibits.export(case, tmp_path, Choice(disclose=(FieldRule(None, "positive"),)))
    contents = exhibits.contents_of(made.path)
    names = set()
    for path, data in contents.texts.items():
        if path.endswith(".sdjwt"):
            names |= set(parse_record(data).sd_jwt.disclosed_fields)
    assert names == {"positive"}
    assert not any(path.startswith("data/files/") for path in contents.sizes)
    assert exhibits.verify(made.path, case).exit_status == 0


def test_files_left_out_are_named_and_counted(case, tmp_path):
    with case.open() as vault:
        last = vault.read(case.records - 1)
    withheld = Choice(withheld_files=frozenset({case.records - 1}))
    made, _ = exhibits.export(case, tmp_path, withheld)
    verdict = exhibits.verify(made.path, case)
    assert (verdict.exit_status, verdict.files_shown, verdict.files_withheld) == (0, 4, 1)
    assert last.files[0]["sha256"] not in {
        Path(path).stem for path in exhibits.contents_of(made.path).sizes
    }


def test_a_record_without_a_proof_is_said_to_have_none(tmp_path):
    case = exhibits.make_vault(tmp_path, unproven=frozenset({5}))
    made, staged = exhibits.export(case, tmp_path / "out")
    assert 5 in staged.pending
    row = json.loads(exhibits.contents_of(made.path).texts["data/exhibit.json"])["records"][5]
    assert (row["shown"], row["proof"]) == (True, False)
    verdict = exhibits.verify(made.path, case)
    assert (verdict.status, verdict.exit_status, verdict.findings) == (Status.NOT_CHECKED, 4, ())
    assert any(text.startswith("record 5: not checked") for text in verdict.not_checked)


def test_an_unsigned_exhibit_is_not_checked(case, tmp_path):
    made, _ = exhibits.export(case, tmp_path, signer=None)
    verdict = exhibits.verify(made.path, case)
    assert (verdict.status, verdict.exit_status) == (Status.NOT_CHECKED, 4)
    assert [finding.code for finding in verdict.findings] == ["exhibit.unsigned"]


def test_a_key_that_was_replaced_does_not_sign_exhibits(case, tmp_path):
    from anchor.vault.signer import Signer
    from tests import recorder

    made, _ = exhibits.export(case, tmp_path, signer=Signer(recorder.CREATOR.private))
    verdict = exhibits.verify(made.path, case)
    assert (verdict.status, verdict.exit_status) == (Status.FAILED, 1)
    assert [finding.code for finding in verdict.findings] == ["exhibit.signature"]


# -- trouble ---------------------------------------------------------------------------------------


def test_no_half_of_an_exhibit_is_left_where_something_fails(tmp_path):
    case = exhibits.make_vault(tmp_path)
    out = tmp_path / "out"

    def fails(_payload: Path, _out: Path, _bundle: bytes) -> None:
        raise LimitExceededError("the typesetter gave up")

    with pytest.raises(LimitExceededError):
        exhibits.export(case, out, render_pdf=fails)
    assert list(out.iterdir()) == []


def test_an_original_that_was_changed_or_lost_is_not_handed_over(tmp_path):
    case = exhibits.make_vault(tmp_path)
    with case.open() as vault:
        sha256 = bytes.fromhex(vault.read(case.records - 1).files[0]["sha256"])
        path = vault.objects.path(sha256)
    path.write_bytes(b"another")
    with pytest.raises(DigestMismatchError, match="no longer holds"):
        exhibits.export(case, tmp_path / "out")
    path.unlink()
    with pytest.raises(NotFoundError, match="not in the vault"):
        exhibits.export(case, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    exhibits.export(case, tmp_path / "out", Choice(withheld_files=frozenset({case.records - 1})))


def test_what_is_printed_is_covered_by_manifest_and_signature_and_not_by_the_bundle(case, tmp_path):
    seen = {}

    def render(payload: Path, out: Path, bundle: bytes) -> None:
        seen["bundle"] = bundle
        seen["there"] = sorted(path.name for path in payload.iterdir())
        out.write_bytes(b"%PDF-1.7 " + bundle.hex().encode())

    made, _ = exhibits.export(case, tmp_path, render_pdf=render)
    verdict = exhibits.verify(made.path, case)
    assert (verdict.exit_status, verdict.bundle) == (0, seen["bundle"])
    assert "report" in seen["there"]
    with zipfile.ZipFile(made.path) as file:
        pdf = file.read("cat-pendant.exhibit/data/exhibit.pdf")
    assert pdf.endswith(verdict.bundle.hex().encode())


def test_the_vaults_originals_are_not_touched(case, tmp_path):
    with case.open() as vault:
        paths = [path for path in vault.layout.objects.rglob("*") if path.is_file()]
    before = [(p.stat().st_mtime_ns, p.read_bytes()) for p in paths]
    exhibits.export(case, tmp_path)
    assert [(p.stat().st_mtime_ns, p.read_bytes()) for p in paths] == before
    assert {p.stat().st_nlink for p in paths} == {1}, "the links that the export made are gone"
