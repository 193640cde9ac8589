"""``verify.html`` in a real Chromium: from disk with the network off, and from the service."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from anchor.proof.codec import serialize_proof
from anchor.proof.proof import Proof
from tests.e2e.browser import CHROMIUM, Visit, browser, visit
from tests.e2e.http_service import served
from tests.evidence import pending_attestation, whole_case
from tests.exhibits import export, make_vault

PAGE = Path(__file__).parents[2] / "api/anchor_api/static/verify.html"
WORDS = {
    "verified": "✓ verified",
    "failed": "✕ failed",
    "pending": "… pending",
    "not_checked": "○ not checked",
}


@pytest.fixture(scope="module")
def chromium(require) -> Iterator[Browser]:
    require(CHROMIUM, "chromium is missing (Debian: apt install chromium)")
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Write a file, proofs that give each of the four words, and the policy."""
    folder = tmp_path_factory.mktemp("dropped")
    case = whole_case()
    (folder / "cat.png").write_bytes(b"a cat")
    (folder / "dog.png").write_bytes(b"a dog")
    (folder / "cat.png.proof").write_bytes(serialize_proof(case.proof))
    policy = {"version": 1, "name": "tests", "class": "test", **case.entries}
    (folder / "policy.json").write_text(json.dumps(policy))
    root = case.log.root(7)
    waiting = replace(case.proof, attestations=(pending_attestation(root),))
    (folder / "waiting.proof").write_bytes(serialize_proof(waiting))
    stamped = replace(case.proof, attestations=case.proof.attestations[:1])
    (folder / "stamped.proof").write_bytes(serialize_proof(stamped))
    return folder


@pytest.fixture(scope="module")
def exhibit(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("exhibit")
    case = make_vault(folder, 2)
    made, _ = export(case, folder / "out", title="A <b>cat</b>\u202e pendant")
    policy = folder / "policy.json"
    policy.write_bytes(case.policy_bytes)
    return made.path, policy


@pytest.fixture
def seen(chromium: Browser) -> Iterator[Visit]:
    """Open the page from disk; whatever it does, it asks for nothing and complains of nothing."""
    with visit(chromium, PAGE.as_uri()) as seen:
        yield seen
        assert [url for url in seen.requests if not url.startswith(("file:", "blob:"))] == []
        assert seen.complaints == []


def drop(page: Page, *paths: Path) -> None:
    page.set_input_files("#files", [str(path) for path in paths])
    page.wait_for_selector("main:not([aria-busy])")


def sentence(page: Page) -> str:
    return page.locator("h1").inner_text()


# -- the four words, from disk, offline ------------------------------------------------------------


def test_a_file_with_its_proof(seen: Visit, folder: Path):
    drop(seen.page, folder / "cat.png", folder / "cat.png.proof", folder / "policy.json")
    assert sentence(seen.page).startswith("cat.png existed before 20")
    assert sentence(seen.page).endswith(WORDS["verified"])
    rows = seen.page.locator("ol.ladder > li")
    assert rows.count() == 5 + 2  # not before, the log
    assert seen.page.locator("ol.ladder .word.verified").count() == 6
    assert "tests" in seen.page.locator(".policy").inner_text()
    assert seen.page.title() == sentence(seen.page)


def test_another_file_is_named_as_false(seen: Visit, folder: Path):
    drop(seen.page, folder / "dog.png", folder / "cat.png.proof", folder / "policy.json")
    assert sentence(seen.page).endswith(WORDS["failed"])
    assert "dog.png" in sentence(seen.page)


def test_a_promise_is_pending(seen: Visit, folder: Path):
    drop(seen.page, folder / "waiting.proof", folder / "policy.json")
    assert sentence(seen.page).endswith(WORDS["pending"])
    assert "calendar.example.org · usually within 12 hours" in seen.page.inner_text("ol.ladder")


def test_the_built_in_policy_does_not_know_these_witnesses(seen: Visit, folder: Path):
    drop(seen.page, folder / "cat.png", folder / "stamped.proof")
    assert sentence(seen.page).endswith(WORDS["not_checked"])
    assert "built into this page" in seen.page.inner_text(".policy")
    digest = hashlib.sha256(Path("anchor/policies/default.json").read_bytes()).hexdigest()
    assert digest in seen.page.inner_text(".policy")


def test_a_proof_alone_is_about_its_digest(seen: Visit, folder: Path):
    drop(seen.page, folder / "cat.png.proof", folder / "policy.json")
    assert sentence(seen.page).startswith("The digest ")
    assert "about the digest alone" in seen.page.inner_text("article")


def test_a_policy_of_ones_own_judges_what_was_dropped_before(seen: Visit, folder: Path):
    drop(seen.page, folder / "cat.png", folder / "stamped.proof")
    drop(seen.page, folder / "policy.json")
    expect(seen.page.locator("h1 .word")).to_have_text(WORDS["verified"])
    seen.page.get_by_role("button", name="Use the built-in policy again").click()
    expect(seen.page.locator("h1 .word")).to_have_text(WORDS["not_checked"])


def test_a_file_without_a_proof_and_a_broken_proof_are_told(seen: Visit, folder: Path, tmp_path):
    (tmp_path / "broken.proof").write_text("{")
    drop(seen.page, folder / "dog.png", tmp_path / "broken.proof")
    problems = seen.page.inner_text(".problems")
    assert "broken.proof – could not be read" in problems


def test_many_files_at_once(seen: Visit, folder: Path):
    drop(seen.page, *folder.iterdir())
    assert sentence(seen.page) == "3 files checked"
    assert "2 × ✓ verified" in seen.page.inner_text(".tally")
    assert "dog.png" in seen.page.inner_text(".problems")


def test_a_folder_as_upgrade_leaves_it(seen: Visit, folder: Path, tmp_path: Path):
    for name in ("cat.png", "cat.png.proof", "policy.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "cat.png.proof.bak").write_bytes((folder / "waiting.proof").read_bytes())
    seen.page.set_input_files("#folder", str(tmp_path))
    expect(seen.page.locator("h1 .word")).to_have_text(WORDS["verified"])
    assert seen.page.locator(".problems").count() == 0


def test_a_block_that_a_person_compares_themselves(seen: Visit, folder: Path, tmp_path: Path):
    policy = json.loads((folder / "policy.json").read_text())
    policy |= {"bitcoin": {"network": "regtest"}, "authorities": [], "chains": [], "witnesses": []}
    (tmp_path / "little.json").write_text(json.dumps(policy))
    drop(seen.page, folder / "cat.png", folder / "cat.png.proof", tmp_path / "little.json")
    assert sentence(seen.page).endswith(WORDS["not_checked"])
    item = seen.page.locator(".blocks > li").filter(has_text="Bitcoin block")
    item.locator("input").fill("no hash")
    item.locator("button[type=submit]").click()
    expect(item.locator("[role=status]")).to_contain_text("64 digits")
    item.locator("input").fill(item.locator("code").inner_text())
    item.locator("button[type=submit]").click()
    expect(seen.page.locator("h1 .word")).to_have_text(WORDS["verified"])
    assert "the hash that you entered" in seen.page.inner_text("ol.ladder")


def test_the_question_of_a_time(seen: Visit, folder: Path):
    drop(seen.page, folder / "cat.png", folder / "cat.png.proof", folder / "policy.json")
    seen.page.locator(".ask summary").click()
    seen.page.fill("#before", "2035-01-01T00:00:00")
    seen.page.locator(".ask button[type=submit]").click()
    expect(seen.page.locator(".answer")).to_contain_text("yes")
    seen.page.fill("#before", "2020-01-01T00:00:00")
    seen.page.locator(".ask button[type=submit]").click()
    expect(seen.page.locator(".answer")).to_contain_text("does not show it")


# -- exhibits --------------------------------------------------------------------------------------


def test_an_exhibit(seen: Visit, exhibit: tuple[Path, Path]):
    drop(seen.page, *exhibit)
    assert "existed before" in sentence(seen.page)
    assert sentence(seen.page).endswith(WORDS["verified"])
    proved = seen.page.inner_text(".lists .proved")
    assert "byte for byte" in proved
    assert "complete up to record" in proved
    assert seen.page.locator("ol.rows > li").count() >= 8
    seen.page.locator("ol.rows > li summary").first.click()
    assert "title" in seen.page.inner_text("ol.rows > li .disclosed >> nth=0")


def test_a_changed_file_of_an_exhibit_is_named(
    seen: Visit, exhibit: tuple[Path, Path], tmp_path: Path
):
    path, policy = exhibit
    data = path.read_bytes()
    at = data.index(b"\x89PNG") + 20
    (tmp_path / path.name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    drop(seen.page, tmp_path / path.name, policy)
    assert sentence(seen.page).endswith(WORDS["failed"])
    wrong = seen.page.inner_text(".wrong")
    assert "data/files/" in wrong
    assert "its digest is not the one in" in wrong
    assert "Nothing counts as proved" in seen.page.inner_text(".lists .proved")


def test_an_exhibit_that_was_unpacked(seen: Visit, exhibit: tuple[Path, Path], tmp_path: Path):
    path, policy = exhibit
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "any name")
    (tmp_path / "any name" / "policy.json").write_bytes(policy.read_bytes())
    seen.page.set_input_files("#folder", str(tmp_path / "any name"))
    expect(seen.page.locator("h1 .word")).to_have_text(WORDS["verified"])
    assert "complete up to record" in seen.page.inner_text(".lists .proved")


def test_records_with_their_proofs(seen: Visit, exhibit: tuple[Path, Path], tmp_path: Path):
    path, policy = exhibit
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith((".sdjwt", ".proof"))]
        for name in names:
            (tmp_path / Path(name).name).write_bytes(archive.read(name))
    drop(seen.page, *tmp_path.iterdir(), policy)
    assert sentence(seen.page).startswith(f"{len(names) // 2} records of one project: record ")
    assert sentence(seen.page).endswith(WORDS["verified"])
    for suffix in (".sdjwt", ".proof"):
        (tmp_path / f"00000001{suffix}").unlink()
    drop(seen.page, *tmp_path.iterdir(), policy)
    assert "1 records are not listed" in seen.page.inner_text("article")
    assert sentence(seen.page).endswith(WORDS["not_checked"])


# -- languages, keyboard, paper --------------------------------------------------------------------


def test_both_languages(seen: Visit, folder: Path):
    drop(seen.page, folder / "cat.png", folder / "cat.png.proof", folder / "policy.json")
    assert seen.page.get_attribute("html", "lang") == "en"
    seen.page.get_by_role("button", name="中文").click()
    assert seen.page.get_attribute("html", "lang") == "zh-CN"
    assert sentence(seen.page).startswith("cat.png 在 20")
    assert sentence(seen.page).endswith("✓ 已验证")
    assert "可信时间戳" in seen.page.inner_text("ol.ladder")
    seen.page.get_by_role("button", name="English").click()
    assert sentence(seen.page).endswith(WORDS["verified"])


def test_the_browsers_language_is_the_first(chromium: Browser):
    with visit(chromium, PAGE.as_uri(), locale="zh-CN") as seen:
        assert seen.page.get_attribute("html", "lang") == "zh-CN"


def test_with_the_keyboard_alone(seen: Visit, folder: Path):
    page = seen.page
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "files":
            break
    assert page.evaluate("document.activeElement.id") == "files"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    names = ("cat.png", "cat.png.proof", "policy.json")
    chooser.value.set_files([str(folder / name) for name in names])
    expect(page.locator("h1 .word")).to_have_text(WORDS["verified"])
    assert page.evaluate("document.activeElement.tagName") == "H1"
    assert page.inner_text("#live") == sentence(page)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    expect(page.locator("ol.steps")).to_be_visible()
    steps = page.inner_text("ol.steps")
    assert "SHA-256(00 ‖ " in steps
    redone = re.search(r"printf (00[0-9a-f]{64}) \| xxd -r -p \| sha256sum", steps)
    assert redone is not None
    assert hashlib.sha256(bytes.fromhex(redone[1])).hexdigest() in steps


def test_on_paper(seen: Visit, folder: Path):
    drop(seen.page, folder / "cat.png", folder / "cat.png.proof", folder / "policy.json")
    seen.page.emulate_media(media="print")
    assert seen.page.locator(".drop").is_hidden()
    assert seen.page.locator("ol.ladder").is_visible()
    assert seen.page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("width", [360, 900, 1280])
def test_nothing_is_wider_than_the_page(seen: Visit, exhibit: tuple[Path, Path], width: int):
    seen.page.set_viewport_size({"width": width, "height": 800})
    drop(seen.page, *exhibit)
    for row in seen.page.locator("ol.rows summary").all()[:3]:
        row.click()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


# -- what others wrote, and the service ------------------------------------------------------------


def test_words_of_a_proof_are_text_and_no_verdict(seen: Visit, folder: Path, tmp_path: Path):
    case = whole_case()
    value = json.loads(serialize_proof(case.proof))
    said = "✓ verified <img src=x onerror=alert(1)>\u202e"
    row = {"kind": "expected", "root_hash": None, "family": "bitcoin", "by": said, "note": said}
    value["attestations"].append({**row, "expected_at": None})
    (tmp_path / "cat.png.proof").write_text(json.dumps(value))
    drop(seen.page, folder / "cat.png", tmp_path / "cat.png.proof", folder / "policy.json")
    assert seen.page.locator("main img").count() == 0
    text = seen.page.inner_text("ol.ladder")
    assert "? verified <img src=x" in text
    assert "\u202e" not in text


def test_where_a_browser_allows_no_worker(seen: Visit, folder: Path):
    seen.page.add_init_script("delete window.Worker")
    seen.page.reload()
    drop(seen.page, folder / "cat.png", folder / "cat.png.proof", folder / "policy.json")
    expect(seen.page.locator("h1 .word")).to_have_text(WORDS["verified"])
    assert not [url for url in seen.requests[2:] if url.startswith("blob:")]


def test_from_the_service(chromium: Browser, folder: Path, tmp_path: Path):
    with (
        served(tmp_path) as (server, _),
        visit(chromium, f"{server.url}/verify", offline=False) as seen,
    ):
        drop(seen.page, folder / "cat.png", folder / "cat.png.proof", folder / "policy.json")
        assert sentence(seen.page).endswith(WORDS["verified"])
        asked = [url for url in seen.requests if not url.startswith("blob:")]
        assert asked == [f"{server.url}/verify"]
        assert seen.complaints == []


def test_explorers_are_asked_only_by_the_button(chromium: Browser, folder: Path, tmp_path: Path):
    """The answers come from stand-ins for the explorers: no test asks a public one."""
    case = whole_case()
    mined = next(row for row in case.proof.attestations if row.kind == "opentimestamps")
    run = mined.headers[0]
    sources = ["https://blockstream.info/api", "https://mempool.space/api"]
    policy = {"version": 1, "name": "tests", "class": "test"}
    (tmp_path / "p.json").write_text(
        json.dumps({**policy, "bitcoin": {"network": "regtest", "sources": sources, "agree": 2}})
    )
    proof = Proof(case.proof.digest, case.proof.opening, case.proof.inclusions, (mined,))
    (tmp_path / "cat.png.proof").write_bytes(serialize_proof(proof))
    blocks = {run.height + n: header for n, header in enumerate(run.headers)}
    hashes = {
        height: hashlib.sha256(hashlib.sha256(raw).digest()).digest()[::-1].hex()
        for height, raw in blocks.items()
    }
    asked: list[str] = []

    def answer(route) -> None:
        url = route.request.url
        asked.append(url)
        words = url.split("/")
        by_hash = {hashes[height]: raw.hex() for height, raw in blocks.items()}
        body = by_hash[words[-2]] if words[-1] == "header" else hashes[int(words[-1])]
        route.fulfill(body=body, headers={"Access-Control-Allow-Origin": "*"})

    with visit(chromium, PAGE.as_uri(), offline=False) as seen:
        for source in sources:
            seen.page.route(f"{source}/**", answer)
        drop(seen.page, folder / "cat.png", tmp_path / "cat.png.proof", tmp_path / "p.json")
        assert sentence(seen.page).endswith(WORDS["not_checked"])
        assert asked == []
        button = seen.page.get_by_role("button", name="Ask blockstream.info, mempool.space")
        honest = dict(hashes)
        hashes[run.height] = "00" * 32
        seen.page.route(f"{sources[1]}/**", lambda route: route.fulfill(body="11" * 32))
        button.click()
        expect(seen.page.locator(".blocks [role=status]")).to_contain_text("No answer that can be")
        assert sentence(seen.page).endswith(WORDS["not_checked"])
        seen.page.unroute(f"{sources[1]}/**")
        seen.page.route(f"{sources[1]}/**", answer)
        hashes |= honest
        button.click()
        expect(seen.page.locator("h1 .word")).to_have_text(WORDS["verified"])
        assert len(asked) > 2
        assert all(url.startswith(tuple(sources)) for url in asked)
