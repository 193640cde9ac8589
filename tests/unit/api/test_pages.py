from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest

from anchor.formats.ots.codec import parse_detached
from anchor.formats.tlog_proof import parse_tlog_proof
from anchor.ports import Attempt, Phase, Round
from anchor.proof.codec import parse_proof
from anchor.service.growth import DayCount
from anchor_api.pages import words
from anchor_api.pages.chart import day_chart, round_top
from anchor_api.pages.home import transaction_of
from anchor_api.pages.html import STYLE_PATH, page, tag, word
from tests.unit.api.conftest import running

DIGEST = hashlib.sha256(b"x").digest()
HOSTILE = '"><script>alert(1)</script><img src=x onerror=a> ✓ verified\u202e\n' + "long" * 200

VOID = {"meta", "link", "input"}


class Reader(HTMLParser):
    """Checks that elements nest, and gathers what a browser would load and show."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""

    def handle_starttag(self, name, attributes):
        self.tags.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.text += data + " "

    def having(self, name):
        return [attributes for found, attributes in self.tags if found == name]


def read(response):
    reader = Reader()
    reader.feed(response.text)
    assert not reader.open
    reader.text = " ".join(reader.text.split())
    return reader


# -- what holds for every page ---------------------------------------------------------------------


def check_page(client, path):
    """Check what no page may do, and return what is on it."""
    response = client.get(path)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    rules = dict(
        rule.strip().split(" ", 1)
        for rule in response.headers["content-security-policy"].split(";")
    )
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert "script-src" not in rules
    reader = read(response)
    names = {name for name, _ in reader.tags}
    assert not names & {"script", "style", "iframe", "object", "embed", "base", "form"}
    for name, attributes in reader.tags:
        assert not any(key.startswith("on") or key == "style" for key in attributes)
        for key in ("href", "src", "action"):
            assert attributes.get(key, "/").startswith("/"), (name, attributes)
    assert len(response.content) + len(client.get("/page.css").content) < 100_000
    assert response.headers["referrer-policy"] == "no-referrer"
    assert len(reader.having("h1")) == 1
    assert len(reader.having("main")) == 1
    return reader


@pytest.mark.parametrize("path", ["/", f"/d/{DIGEST.hex()}", "/d/x", "/d/x/proof"])
def test_pages_are_documents_without_scripts(client, path):
    client.submit(DIGEST)
    check_page(client, path)


def test_pages_of_a_service_with_rounds_are_no_different(anchored):
    anchored.client.submit(DIGEST)
    anchored.wait_final(1, "rfc3161:local")
    for path in ("/", f"/d/{DIGEST.hex()}"):
        check_page(anchored.client, path)


def test_the_style_sheet_is_there_under_a_name_of_its_content(client):
    assert {"rel": "stylesheet", "href": STYLE_PATH} in read(client.get("/")).having("link")
    response = client.get(STYLE_PATH)
    assert response.headers["content-type"].startswith("text/css")
    assert "immutable" in response.headers["cache-control"]
    for wanted in ("prefers-color-scheme: dark", "@media print", ":focus-visible", "max-width"):
        assert wanted in response.text
    # Nothing is loaded from anywhere, fonts included.
    assert "url(" not in response.text
    assert "@import" not in response.text


def test_pages_of_digests_are_not_for_search_engines(client):
    client.submit(DIGEST)
    for path in (f"/d/{DIGEST.hex()}", "/d/x", f"/d/{DIGEST.hex()}/proof"):
        response = client.get(path)
        assert response.headers["x-robots-tag"] == "noindex"
        assert response.headers["cache-control"] == "no-store"
    page_ = read(client.get(f"/d/{DIGEST.hex()}"))
    assert {"name": "robots", "content": "noindex"} in page_.having("meta")


def test_strings_are_escaped_and_elements_are_not():
    made = page("a & b", tag("p", "<x>", tag("b", '"'), title='"<'), word("verified")).decode()
    assert "<title>a &amp; b</title>" in made
    assert '<p title="&quot;&lt;">&lt;x&gt;<b>&quot;</b></p>' in made
    assert '<span class="word verified">✓ verified</span>' in made


# -- the state -------------------------------------------------------------------------------------


def test_an_empty_service_says_so(client):
    text = read(client.get("/")).text
    assert "This log takes digests" in text
    assert "Digests 0" in text
    assert "Last round none yet" in text
    assert "None came in this time." in text
    assert "None is set up: proofs show a place in this log and no time." in text


def test_the_rounds_are_shown_with_parties_and_states(anchored):
    anchored.client.submit(DIGEST)
    anchored.wait_final(1, "rfc3161:local")
    anchored.wait_pending(1)
    reader = read(anchored.client.get("/"))
    newest = anchored.service.rounds.rounds(limit=1)[0]
    assert newest.root_hash.hex() in reader.text
    assert "rfc3161 local" in reader.text
    assert "calendar 127.0.0.1" in reader.text
    assert "usually within 12 hours" in reader.text
    assert "expected by 20" in reader.text
    assert {"href": f"/v1/rounds/{newest.tree_size}"} in reader.having("a")
    assert "open" in reader.having("details")[-len(anchored.service.rounds.rounds()) :][0]


def test_a_log_that_takes_nothing_says_why(client, service):
    service.sequencer.stop_accepting("the disk is <full>")
    response = client.get("/")
    assert "This log takes no digests now" in response.text
    assert "the disk is &lt;full&gt;. Reading goes on." in response.text


def test_what_waits_longest_is_told_with_its_age(service, client, monkeypatch):
    client.submit(DIGEST)
    status = service.status()
    now = service.now()
    accepted = (now - timedelta(hours=3, minutes=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
    status["anchoring"]["oldest_unanchored"] = {"leaf_index": 4318, "accepted_at": accepted}
    status["anchoring"]["backends"] = [backend_json("evm:1", "evm")]
    monkeypatch.setattr(service, "status", lambda: status)
    text = read(client.get("/")).text
    assert re.search(r"Waits longest 3 hours 1[23] minutes · leaf 4,318 has no final stamp", text)


def backend_json(name, family, **changed):
    return {
        "name": name,
        "family": family,
        "state": "idle",
        "last_final": None,
        "oldest_unanchored": None,
        "last_error": "",
        "health": {"note": ""},
    } | changed


def test_what_others_said_is_escaped_and_cannot_look_like_a_verdict(client, service, monkeypatch):
    client.submit(DIGEST)
    tree = service.committed
    round_ = Round(tree.tree_size, tree.root_hash, tree.checkpoint, service.now())
    service.rounds.add_round(round_)
    attestation = {"kind": "evm", "transaction_hash": HOSTILE, "headers": [{"height": "<b>"}, 7]}
    service.rounds.set_attempt(
        1, HOSTILE[:60], Attempt(Phase.PENDING, note=HOSTILE, attestations=(attestation,))
    )
    status = service.status()
    status["log"]["origin"] = HOSTILE
    status["anchoring"]["alarms"] = [
        {"name": "bug", "backend": HOSTILE, "note": HOSTILE, "since": None}
    ]
    status["anchoring"]["backends"] = [
        backend_json(HOSTILE, HOSTILE, state=HOSTILE, last_error=HOSTILE)
    ]
    monkeypatch.setattr(service, "status", lambda: status)
    reader = check_page(client, "/")
    assert "<script>" not in client.get("/").text
    # Names and notes are cut, and hold no sign of the four.
    shown = reader.text.partition("This log Origin")[0]
    assert "long" * 42 not in shown
    assert "✓" not in shown


def test_many_rounds_with_many_parties_stay_under_the_size(client, service):
    for number in range(1, 31):
        client.submit(hashlib.sha256(b"%d" % number).digest())
        tree = service.committed
        made = Round(tree.tree_size, tree.root_hash, tree.checkpoint, service.now())
        service.rounds.add_round(made)
        for party in range(14):
            attempt = Attempt(
                Phase.FAILED,
                note="an error text that goes on and on " * 20,
                attestations=({"kind": "evm", "transaction_hash": "0x" + "ab" * 32},),
            )
            service.rounds.set_attempt(tree.tree_size, f"rfc3161:party-{party}", attempt)
    reader = check_page(client, "/")
    assert len([a for a in reader.having("details") if a.get("class") == "round"]) == 8


@pytest.mark.parametrize(
    ("attempt", "wanted"),
    [
        (Attempt(), (None, None)),
        (Attempt(data={"transaction_hash": "0xab", "block_number": 7}), ("0xab", 7)),
        (Attempt(attestations=({"headers": [{"height": 101, "headers": []}]},)), (None, 101)),
        (Attempt(attestations=({"transaction_hash": "0xcd"},), data={"x": 1}), ("0xcd", None)),
        (Attempt(attestations=({"headers": "x"}, {"transaction_hash": 5})), (None, None)),
    ],
)
def test_transactions_and_blocks_are_found_where_backends_keep_them(attempt, wanted):
    assert transaction_of(attempt) == wanted


# -- the chart -------------------------------------------------------------------------------------


def days(*counts):
    start = date(2026, 11, 1)
    return [DayCount(start + timedelta(days=n), count) for n, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("greatest", "top"),
    [(0, 1), (1, 1), (2, 2), (3, 5), (5, 5), (6, 10), (112, 200), (201, 500), (999_999, 1_000_000)],
)
def test_the_axis_ends_at_a_round_number(greatest, top):
    assert round_top(greatest) == top


def test_bars_begin_at_zero_and_are_to_scale():
    html = day_chart(days(0, 50, 100, 1000, 500), title="t").text
    bars = re.findall(r'<rect x="(\d+)" y="([\d.]+)" width="8" height="([\d.]+)"', html)
    heights = [float(height) for _, _, height in bars]
    assert heights == [0, 5, 10, 100, 50]
    assert all(float(y) + float(height) == 100 for _, y, height in bars)
    assert [int(x) for x, _, _ in bars] == [1, 11, 21, 31, 41]
    for shown in ("1,000", "500", "<span>0</span>", "2026-11-01", "2026-11-03", "today, so far"):
        assert shown in html
    assert html.count('class="open"') == 1
    # The same numbers as a table, for whoever does not see the bars.
    assert "<td>2026-11-04</td><td>1,000</td>" in html
    assert "<td>2026-11-01</td>" not in html


def test_one_digest_beside_millions_is_still_seen():
    html = day_chart(days(1, 4_000_000, 0), title="t").text
    heights = [float(height) for height in re.findall(r'width="8" height="([\d.]+)"', html)]
    assert heights[0] == 0.8
    assert heights[2] == 0


def test_the_chart_counts_what_came_in(client, service):
    client.submit(*(hashlib.sha256(b"%d" % n).digest() for n in range(7)))
    service.rounds.record_commit(3, service.now() - timedelta(days=2))
    text = read(client.get("/")).text
    today = service.now().date()
    assert f"{today - timedelta(days=2)} 3" in text
    assert f"{today} 4" in text


# -- one digest ------------------------------------------------------------------------------------


def test_the_page_of_a_digest_is_a_ladder_from_the_log_to_bitcoin(anchored):
    anchored.client.submit(DIGEST)
    anchored.wait_final(1, "rfc3161:local")
    anchored.wait_pending(1)
    reader = read(anchored.client.get(f"/d/{DIGEST.hex()}"))
    text = reader.text
    assert re.search(r"This digest existed before 20\d\d-\S+ \S+ UTC ✓ verified", text)
    assert DIGEST.hex() in text
    rungs = [text.index(name) for name in ("In the log accepted 20", "RFC 3161", "Bitcoin – …")]
    assert rungs == sorted(rungs)
    assert "believe" in text
    assert re.search(r"calendar 127\.0\.0\.1; usually within 12 hours expected by 20", text)
    assert "Not before – nothing here shows an earliest time" in text
    assert "A policy of class test shows nothing to anybody else." in text
    assert all(time["datetime"].endswith("Z") for time in reader.having("time"))


def test_what_is_not_there_yet_is_expected_and_not_left_out(anchored):
    anchored.service.anchorer.stop(5)
    anchored.client.submit(DIGEST)
    text = read(anchored.client.get(f"/d/{DIGEST.hex()}")).text
    assert "Nothing shows yet when this digest existed … pending" in text
    assert "RFC 3161 – … pending rfc3161 local; usually within a minute" in text
    assert "Bitcoin – … pending calendar 127.0.0.1" in text


def test_what_a_digest_has_can_be_taken_along(anchored):
    anchored.client.submit(DIGEST)
    anchored.wait_final(1, "rfc3161:local")
    anchored.wait_pending(1)
    at = f"/d/{DIGEST.hex()}"
    links = {link["href"] for link in read(anchored.client.get(at)).having("a")}
    assert {f"{at}/proof", f"{at}/ots", f"{at}/receipt"} <= links
    proof = anchored.client.get(f"{at}/proof")
    assert parse_proof(proof.content).digest == DIGEST
    assert parse_detached(anchored.client.get(f"{at}/ots").content).file_digest == DIGEST
    receipt = anchored.client.get(f"{at}/receipt")
    assert parse_tlog_proof(receipt.content).leaf_index == 0
    for response, ending in ((proof, "proof"), (receipt, "tlog-proof")):
        name = f"{DIGEST.hex()[:16]}.{ending}"
        assert response.headers["content-disposition"] == f'attachment; filename="{name}"'


def test_what_is_not_there_cannot_be_taken_along(client):
    client.submit(DIGEST)
    at = f"/d/{DIGEST.hex()}"
    links = {link["href"] for link in read(client.get(at)).having("a")}
    assert f"{at}/ots" not in links
    assert client.get(f"{at}/ots").status_code == 409
    assert client.get(f"{at}/anything").status_code == 404
    assert client.get(f"/d/{'00' * 32}/proof").status_code == 404
    assert client.get("/d/xyz/proof").status_code == 400


def test_a_digest_that_is_not_there(client):
    unknown = client.get(f"/d/{DIGEST.hex()}")
    assert unknown.status_code == 404
    assert "It may have been sent to another log" in unknown.text
    assert "64 hexadecimal digits" in client.get("/d/xyz").text
    response = client.get("/d/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert response.status_code in (400, 404)
    assert "<script>" not in response.text


def test_hostile_names_in_a_proof_change_nothing_of_its_page(settings):
    """A backend whose name, note and family come from elsewhere."""
    from tests.fakes.backends import ScriptedBackend

    backend = ScriptedBackend(f"test:{HOSTILE[:90]}", family="evm")
    with running(settings, backends=(backend,)) as service:
        from anchor_api.app import create_app
        from tests.unit.api.conftest import Client

        client = Client(create_app(service))
        client.submit(DIGEST)
        reader = check_page(client, f"/d/{DIGEST.hex()}")
        assert reader.text.count("✓") == 0


# -- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "no time"),
        (0, "no time"),
        (1, "1 second"),
        (59.4, "59 seconds"),
        (60, "1 minute"),
        (61, "1 minute 1 second"),
        (3600, "1 hour"),
        (3605, "1 hour"),
        (11_520, "3 hours 12 minutes"),
        (86_400, "1 day"),
        (2_257_200, "26 days 3 hours"),
    ],
)
def test_ages_are_told_in_the_two_greatest_units(seconds, text):
    assert words.age(seconds) == text


def test_times_of_our_own_json_are_read_back():
    assert words.read_time("2026-11-23T10:02:08Z") == datetime(2026, 11, 23, 10, 2, 8, tzinfo=UTC)
    assert words.read_time(None) is None
