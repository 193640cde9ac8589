from __future__ import annotations

import hashlib
from html.parser import HTMLParser

import pytest

from anchor_api.page import page, tag, word

DIGEST = hashlib.sha256(b"x").digest()


VOID = {"meta", "link", "br", "input"}


class Reader(HTMLParser):
    """Checks that elements nest, and gathers what a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []

    def handle_starttag(self, name, attributes):
        self.tags.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name


def read(response):
    reader = Reader()
    reader.feed(response.text)
    assert not reader.open
    return reader


@pytest.mark.parametrize("path", ["/", "/verify", f"/d/{DIGEST.hex()}", "/d/x"])
def test_pages_are_documents_without_scripts(client, path):
    client.submit(DIGEST)
    response = client.get(path)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "frame-ancestors 'none'" in policy
    reader = read(response)
    names = [name for name, _ in reader.tags]
    assert "script" not in names
    assert "style" not in names
    for name, attributes in reader.tags:
        assert not any(key.startswith("on") or key == "style" for key in attributes)
        for key in ("href", "src"):
            assert attributes.get(key, "/").startswith("/"), (name, attributes)
    assert len(response.content) + len(client.get("/page.css").content) < 100_000
    assert response.headers["referrer-policy"] == "no-referrer"


def test_the_style_sheet_is_there(client):
    response = client.get("/page.css")
    assert response.headers["content-type"].startswith("text/css")
    for wanted in ("prefers-color-scheme: dark", "@media print", ":focus-visible"):
        assert wanted in response.text


def test_pages_of_digests_are_not_for_search_engines(client):
    client.submit(DIGEST)
    response = client.get(f"/d/{DIGEST.hex()}")
    assert response.headers["x-robots-tag"] == "noindex"
    assert response.headers["cache-control"] == "no-store"
    assert ("meta", {"name": "robots", "content": "noindex"}) in read(response).tags


def test_the_page_of_a_digest_says_the_sentence_and_the_rows(anchored):
    anchored.client.submit(DIGEST)
    anchored.wait_final(1, "rfc3161:local")
    text = anchored.client.get(f"/d/{DIGEST.hex()}").text
    assert "This digest existed before 20" in text
    assert "✓ verified" in text
    assert "RFC 3161" in text
    assert "believe" in text
    assert DIGEST.hex() in text


def test_a_digest_that_is_not_there(client):
    assert client.get(f"/d/{DIGEST.hex()}").status_code == 404
    response = client.get("/d/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert response.status_code in (400, 404)
    assert "<script>" not in response.text


def test_what_others_said_is_escaped(client, service, monkeypatch):
    status = service.status()
    status["log"]["origin"] = '<img src=x onerror="a">'
    status["anchoring"]["alarms"] = [
        {"name": "bug", "backend": "<b>", "note": "<script>1</script>", "since": None}
    ]
    monkeypatch.setattr(service, "status", lambda: status)
    text = client.get("/").text
    assert "<script>" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


def test_strings_are_escaped_and_elements_are_not():
    made = page("a & b", tag("p", "<x>", tag("b", '"'), title='"<'), word("verified")).decode()
    assert "<title>a &amp; b</title>" in made
    assert '<p title="&quot;&lt;">&lt;x&gt;<b>&quot;</b></p>' in made
    assert '<span class="word verified">✓ verified</span>' in made
