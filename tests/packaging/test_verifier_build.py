"""``verify.html`` as it is committed: made of these sources, small, whole in one file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

WEB = Path("api/anchor_api/web")
BUILT = Path("api/anchor_api/static/verify.html")
MAX_BYTES = 600_000


@pytest.fixture(scope="module")
def page(project_root: Path) -> str:
    return (project_root / BUILT).read_text(encoding="utf-8")


def test_a_fresh_build_is_the_committed_file(project_root: Path, tmp_path: Path, require):
    vite = project_root / WEB / "node_modules/.bin/vite"
    require(vite.exists(), "the verifier's packages are not installed (make web)")
    done = subprocess.run(
        [vite, "build", "--outDir", tmp_path / "dist", "--logLevel", "warn"],
        cwd=project_root / WEB,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["verify.html"]
    fresh = (tmp_path / "dist/verify.html").read_bytes()
    assert fresh == (project_root / BUILT).read_bytes(), "run `make web` and commit the page"


def test_it_is_small(project_root: Path):
    assert (project_root / BUILT).stat().st_size < MAX_BYTES


def test_it_asks_for_nothing(page: str):
    markup = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    assert re.findall(r"\b(?:src|href)\s*=", markup) == []
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_its_policy_admits_its_own_script_and_style_and_the_sources_it_names(
    page: str, project_root: Path
):
    stated = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert stated is not None
    rules = dict(rule.strip().split(" ", 1) for rule in stated[1].split(";"))
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        (inside,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    policy = json.loads((project_root / "anchor/policies/default.json").read_text())
    named = [*policy["bitcoin"]["sources"], *(s for c in policy["chains"] for s in c["sources"])]
    origins = {"/".join(source.split("/")[:3]) for source in named}
    assert set(rules["connect-src"].split()) == origins
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"


def test_it_carries_the_licences_of_what_is_built_into_it(page: str, project_root: Path):
    named = json.loads((project_root / WEB / "package.json").read_text())["dependencies"]
    assert len(named) == 2
    for name in named:
        notice = re.search(rf"^{re.escape(name)}\n\n.*?^Copyright", page, re.DOTALL | re.MULTILINE)
        assert notice is not None, name
        assert "MIT" in notice[0]
