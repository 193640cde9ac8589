"""One byte, one field, one swap, one omission, one addition: every change is named.

Each case is judged as it is, with manifests recomputed by an adversary who has no key, and with the
signature taken away besides (``tests/exhibit_tampering.py``).
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from anchor.exhibit.layout import SIGNATURE
from tests import exhibit_tampering as tampering

CHUNKS = 8


@pytest.fixture(scope="module")
def files(exhibit) -> tampering.Files:
    return tampering.files_of(exhibit)


@pytest.fixture(scope="module")
def cases(files) -> list[tampering.Tampering]:
    return list(tampering.tamperings(files))


def test_the_untouched_exhibit_has_no_finding(case, files):
    verdict = tampering.judged(files, case.judge())
    assert (verdict.exit_status, verdict.findings) == (0, ())


def test_every_file_is_tampered_with_in_every_way(files, cases):
    for path in files:
        done = {each.name.split(" ")[0] for each in cases if each.path == path}
        assert {"byte", "without"} <= done
    assert len(cases) > 350


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_change_is_named(case, cases, chunk: int):
    judge = case.judge()
    for each in cases[chunk::CHUNKS]:
        verdict = tampering.judged(each.files, judge)
        assert (verdict.status, verdict.exit_status) == ("failed", 1), each.name
        assert tampering.names(verdict, each.named), each.name
        assert verdict.proved == (), "nothing is called proved where something is false"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_with_manifests_recomputed_the_signature_and_what_is_bound_say_so(case, cases, chunk):
    judge = case.judge()
    for each in cases[chunk::CHUNKS]:
        files = tampering.recomputed(each)
        if files is None:
            continue
        verdict = tampering.judged(files, judge)
        if SIGNATURE not in files:
            assert (verdict.status, verdict.exit_status) == ("not_checked", 4), each.name
            continue
        assert (verdict.status, verdict.exit_status) == ("failed", 1), each.name
        if each.deep:
            assert tampering.names(verdict, each.named), each.name
        else:
            assert [f.code for f in verdict.findings] == ["exhibit.signature"], each.name


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_without_a_signature_what_is_bound_still_says_so(case, cases, chunk: int):
    judge = case.judge()
    for each in cases[chunk::CHUNKS]:
        files = tampering.recomputed(each, signed=False)
        if files is None:
            continue
        verdict = tampering.judged(files, judge)
        if each.deep:
            assert verdict.exit_status == 1, each.name
            assert tampering.names(verdict, each.named), each.name
        else:
            assert (verdict.status, verdict.exit_status) == ("not_checked", 4), each.name
            assert verdict.findings[0].code == "exhibit.unsigned"
        assert verdict.signed_by is None


def test_a_thief_can_not_sign_for_the_project(case, files):
    """An adversary signs the changed list with a key of their own."""
    from anchor.exhibit.signature import sign_manifest
    from tests import recorder

    changed = {**files, "data/README.txt": b"another"}
    each = tampering.Tampering("x", "data/README.txt", changed, (), deep=False)
    bag = tampering.recomputed(each)
    manifest = bag[tampering.MANIFEST_SHA256]
    for key in (recorder.THIEF, recorder.RECOVERY, recorder.CREATOR):
        signed = sign_manifest(manifest, recorder.PROJECT, key.public, key.private.sign)
        with_it = {**changed, SIGNATURE: signed.to_bytes()}
        again = tampering.recomputed(replace(each, files=with_it))
        verdict = tampering.judged(again, case.judge())
        assert [f.code for f in verdict.findings] == ["exhibit.signature"]


def test_the_cases_can_be_written_for_another_verifier(tmp_path, case, monkeypatch):
    """A few of them here; ``python -m tests.exhibit_tampering`` writes all."""
    few = tampering.tamperings
    monkeypatch.setattr(tampering, "tamperings", lambda files: list(few(files))[:3])
    count = tampering.write_all(tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    assert len(index["cases"]) == count
    for row in index["cases"]:
        from anchor.exhibit.contents import read_contents
        from anchor.exhibit.judge import judge_exhibit
        from anchor.exhibit.zip_container import ZipContainer
        from anchor.proof.policy import parse_policy
        from anchor.verify.judge import Judge
        from tests import exhibits

        policy = parse_policy((tmp_path / index["policy"]).read_bytes())
        with (tmp_path / row["file"]).open("rb") as file:
            contents = read_contents(ZipContainer(file))
        verdict = judge_exhibit(contents, lambda _i, p=policy: Judge(p, now=exhibits.NOW))
        assert tampering.summary(verdict)["findings"] == row["findings"]
        assert verdict.status.value == row["status"]
