"""The fixtures that other tests lean on hold what they promise."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import settings


def test_variables_of_the_shell_are_gone():
    assert [n for n in os.environ if n.startswith("VESTIGE_") and n != "VESTIGE_VECTORS"] == []


def test_loopback_is_open():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as client,
    ):
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize(
    "call",
    [
        lambda: socket.create_connection(("192.0.2.1", 9), timeout=0.01),
        lambda: socket.create_connection(("example.org", 80), timeout=0.01),
        lambda: socket.getaddrinfo("example.org", 443),
        lambda: socket.socket().connect_ex(("192.0.2.1", 9)),
        lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 9)),
        lambda: socket.socket().bind(("0.0.0.0", 0)),
        lambda: socket.socket().bind(("", 0)),
    ],
    ids=["connect", "connect-name", "lookup", "connect_ex", "sendto", "bind", "bind-every"],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_other_hosts_are_refused(call):
    with pytest.raises(RuntimeError, match="only loopback is open"):
        call()


def test_no_test_is_timed():
    assert settings().deadline is None


def test_require_lets_what_is_there_pass(require):
    require("something", "is there")


def test_a_missing_part_skips_or_fails_with_its_reason(pytester_like):
    assert pytester_like() == {"": "skipped: no such part", "1": "failed: no such part"}


@pytest.fixture
def pytester_like(tmp_path, project_root):
    """Run one test that needs a missing part, with and without VESTIGE_REQUIRE_ALL."""
    import subprocess
    import sys

    (tmp_path / "conftest.py").write_text((project_root / "tests/conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        "def test_it(require):\n    require(False, 'no such part')\n"
    )

    clean = {n: v for n, v in os.environ.items() if n != "PYTEST_KEPT_REQUIRE_ALL"}

    def outcome(required: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rsf", "-p", "no:cacheprovider", "."],
            cwd=tmp_path,
            env=dict(clean, VESTIGE_REQUIRE_ALL=required, CI=""),
            capture_output=True,
            text=True,
            check=False,
        )
        word = {0: "skipped", 1: "failed"}[done.returncode]
        return f"{word}: no such part" if "no such part" in done.stdout else done.stdout

    return lambda: {required: outcome(required) for required in ("", "1")}
