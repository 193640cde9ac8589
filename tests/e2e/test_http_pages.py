"""The service's pages in a real Chromium: widths, colours, keyboard, what is loaded."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser

from anchor.backends.bitcoin_headers import EsploraHeaders
from anchor.backends.calendar import CalendarBackend, CalendarSettings
from anchor.backends.local_tsa import LocalAuthority
from anchor.backends.local_tsa_server import LocalAuthorityServer
from anchor.backends.tsa import TsaBackend
from anchor.backends.tsa_client import TsaSettings
from anchor.errors import BackendUnavailableError
from anchor.ports import Phase
from anchor.proof.policy import parse_policy
from tests.e2e.browser import CHROMIUM, browser, visit
from tests.e2e.http_service import HTTP, digest, served
from tests.fakes.backends import ScriptedBackend
from tests.fakes.calendar import FakeCalendar

LONG = "a-party-whose-name-does-not-end-" * 6
ERROR = "an error text of a peer that goes on and on, https://" + "x" * 300
TRANSACTION = "0x" + "ab" * 32

OVERFLOWING = """() => [...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))"""

# Contrast as WCAG 2.2 counts it, of every element that has text of its own.
PALE = """() => {
  const light = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = text => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number);
    return 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .filter(e => !e.closest('svg'))
    .filter(e => {
      const ink = luminance(getComputedStyle(e).color);
      return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05) < 4.5;
    })
    .map(e => e.className + ' ' + e.textContent.slice(0, 40));
}"""


def chain_attempt(round_, attempt):
    public = {"confirmations": 12, "confirmations_wanted": 64}
    data = {"transaction_hash": TRANSACTION, "block_number": 24_113_902, "public": public}
    return attempt.to(Phase.PENDING, data=data, note="12 of 64 confirmations")


@pytest.fixture(scope="module")
def chromium(require) -> Iterator[Browser]:
    require(CHROMIUM, "chromium is missing (Debian: apt install chromium)")
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Serve a log with a month behind it, parties that do well and some that do not."""
    authority = LocalAuthority.create(datetime.now(UTC))
    with FakeCalendar() as calendar, LocalAuthorityServer(authority) as server:
        tsa = TsaBackend(
            TsaSettings("local", server.url, (authority.root,), interval_s=3600, min_gap_s=0)
        )
        promises = CalendarBackend(
            CalendarSettings(calendar.url, interval_s=3600, min_gap_s=0, min_header_work=0),
            EsploraHeaders(f"{calendar.url}/esplora"),
        )
        broken = ScriptedBackend(f"rfc3161:{LONG}", then=BackendUnavailableError(ERROR))
        chain = ScriptedBackend("evm:1", "evm", then=chain_attempt)
        policy = {"version": 1, "name": LONG[:60], "class": "test"}
        policy["authorities"] = [authority.policy_entry()]
        with served(
            tmp_path_factory.mktemp("pages"),
            backends=(tsa, promises, broken, chain),
            policy=parse_policy(json.dumps(policy).encode()),
        ) as (http, service):
            anchored = take_in(http, service)
            waiting = digest(10**6)
            service.sequencer.submit_blocking(waiting)
            yield {
                "home": f"{http.url}/",
                "anchored": f"{http.url}/d/{anchored.hex()}",
                "waiting": f"{http.url}/d/{waiting.hex()}",
                "missing": f"{http.url}/d/{'00' * 32}",
            }
        tsa.close()
        promises.close()


def take_in(http, service):
    """Take digests in over a month, and have them anchored; return one of them."""
    for back in range(25, 0, -3):
        first = back * 1000
        count = 10 + back % 7 * 20
        service.sequencer.submit_blocking(b"".join(digest(first + n) for n in range(count)))
        size = service.committed.tree_size
        service.rounds.record_commit(size, datetime.now(UTC) - timedelta(days=back))
    anchored = digest(10**6 - 1)
    service.sequencer.submit_blocking(anchored)
    size = service.committed.tree_size
    for _ in range(20):
        # A round that had begun before may have used the wish up.
        service.anchorer.force()
        if not service.anchorer.wait_final(size, 2, ["rfc3161:local"]):
            break
    for _ in range(500):
        text = HTTP.get(f"{http.url}/").text
        if "12 of 64 confirmations" in text and "an error text" in text and "expected by" in text:
            return anchored
        time.sleep(0.02)
    raise AssertionError(text)


@pytest.mark.parametrize("name", ["home", "anchored", "waiting", "missing"])
@pytest.mark.parametrize(
    ("width", "scheme"), [(320, "dark"), (360, "light"), (800, "dark"), (1280, "light")]
)
def test_pages_fit_any_width_and_can_be_read(chromium, pages, name, scheme, width):
    options = {"viewport": {"width": width, "height": 740}, "color_scheme": scheme}
    with visit(chromium, pages[name], offline=False, **options) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert seen.page.evaluate(OVERFLOWING) == []
        assert seen.page.evaluate(PALE) == []
        if name == "missing":
            return
        # Nothing is asked of anybody else, and the browser sees nothing against the policy.
        origin = pages["home"]
        loaded = [url for url in seen.requests if not url.endswith("favicon.ico")]
        assert all(url.startswith(origin) for url in loaded)
        assert len(loaded) == 2
        assert seen.complaints == []


def test_the_first_page_tells_its_story(chromium, pages):
    with visit(chromium, pages["home"], offline=False) as seen:
        text = seen.page.locator("main").inner_text()
        assert "This log takes digests" in text
        assert TRANSACTION in text
        assert "block 24,113,902 · 12 of 64 confirmations" in text
        assert "expected by 20" in text
        bars = seen.page.locator("svg rect")
        assert bars.count() == 30
        # To scale: 10 + 25 % 7 * 20 = 90 and 10 + 22 % 7 * 20 = 30 digests.
        heights = [bar.bounding_box()["height"] for bar in bars.all()]
        drawn = [height for height in heights if height][:2]
        assert drawn[0] == pytest.approx(3 * drawn[1], rel=0.05)


def test_the_keyboard_is_enough(chromium, pages):
    with visit(chromium, pages["home"], offline=False) as seen:
        page = seen.page
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "The numbers":
                break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        assert not page.locator("table.numbers").is_visible()
        page.keyboard.press("Enter")
        assert page.locator("table.numbers").is_visible()


def test_what_a_page_offers_is_downloaded(chromium, pages):
    with visit(chromium, pages["anchored"], offline=False) as seen:
        hex_ = pages["anchored"].rpartition("/")[2]
        for name, ending in (
            ("the proof", "proof"),
            ("an .ots file", "ots"),
            ("the receipt", "tlog-proof"),
        ):
            with seen.page.expect_download() as found:
                seen.page.get_by_role("link", name=name).click()
            assert found.value.suggested_filename == f"{hex_[:16]}.{ending}"


def test_pages_print_on_paper_without_what_is_for_the_screen(chromium, pages):
    with visit(chromium, pages["anchored"], offline=False, color_scheme="dark") as seen:
        seen.page.emulate_media(media="print")
        assert not seen.page.locator("header").is_visible()
        paper = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == "rgb(255, 255, 255)"
        assert seen.page.pdf()[:5] == b"%PDF-"
