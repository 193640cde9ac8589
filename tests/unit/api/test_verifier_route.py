"""``/verify`` serves the second verifier as it is committed, under its own content policy."""

from __future__ import annotations

import re

import pytest

from anchor.errors import VestigeError
from anchor_api.routes.verifier import page_policy


def test_the_page_is_the_committed_file(client, project_root):
    response = client.get("/verify")
    page = (project_root / "api/anchor_api/static/verify.html").read_bytes()
    assert response.status_code == 200
    assert response.content == page
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_the_header_repeats_the_page_and_forbids_frames(client):
    response = client.get("/verify")
    stated = re.search(r'Content-Security-Policy" content="([^"]+)"', response.text)
    policy = response.headers["content-security-policy"]
    assert policy == f"{stated[1]}; frame-ancestors 'none'"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_what_did_not_change_is_not_sent_again(client):
    tag = client.get("/verify").headers["etag"]
    again = client.get("/verify", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_page_without_a_policy_is_not_served():
    with pytest.raises(VestigeError, match="no content policy"):
        page_policy(b"<!doctype html>")
