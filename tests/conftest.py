"""What every test gets: a clean environment, no network, the independent vectors, `require`.

* ``VESTIGE_*`` variables of the person's shell and ``COLUMNS`` are dropped: none leaks into a test.
  ``VESTIGE_VECTORS`` stays (it names the folder of the independent vectors), and
  ``VESTIGE_REQUIRE_ALL=1`` (a missing real part fails instead of skipping) is read before it goes.
* Python sockets reach loopback and Unix addresses only; anything else raises
  :class:`NetworkBlockedError`, which no adapter catches, since it is no OSError.
* Fixtures: ``project_root``, ``require(condition, reason)``, ``vectors``.
* Hypothesis: no deadline anywhere (no timed tests); derandomized where ``CI`` is set.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import settings

_PROJECT_ROOT = Path(__file__).resolve().parent.parent
_VECTORS_VARIABLE = "VESTIGE_VECTORS"
# Where parts are, not how they behave.
_KEPT = (_VECTORS_VARIABLE, "VESTIGE_ANVIL")
_REQUIRE_VARIABLE = "VESTIGE_REQUIRE_ALL"
# Where the answer is kept for the worker processes of pytest-xdist, which inherit the environment
# after the variables of our own prefix are gone.
_REQUIRE_KEPT = "PYTEST_KEPT_REQUIRE_ALL"


def _clean_environment() -> bool:
    """Drop VESTIGE_* but for the vectors' folder; return whether every part is required."""
    if os.environ.get(_REQUIRE_VARIABLE) == "1":
        os.environ[_REQUIRE_KEPT] = "1"
    for name in [n for n in os.environ if n.startswith("VESTIGE_") and n not in _KEPT]:
        del os.environ[name]
    # Set by pytest-xdist in its workers; the command line breaks lines at it.
    os.environ.pop("COLUMNS", None)
    return os.environ.get(_REQUIRE_KEPT) == "1"


_REQUIRE_ALL = _clean_environment()

settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


# -- real parts and vectors ------------------------------------------------------------------------

Require = Callable[[object, str], None]


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Return the folder that holds pyproject.toml."""
    return _PROJECT_ROOT


@pytest.fixture(scope="session")
def require() -> Require:
    """Return ``require(condition, reason)``: skips the test, with that reason, if not condition.

    With VESTIGE_REQUIRE_ALL=1 it fails the test instead, so that a skip cannot pass unseen.
    """

    def require_part(condition: object, reason: str) -> None:
        if condition:
            return
        if _REQUIRE_ALL:
            pytest.fail(f"required by {_REQUIRE_VARIABLE}=1: {reason}", pytrace=False)
        pytest.skip(reason)

    return require_part


@pytest.fixture(scope="session")
def vectors(require: Require) -> Path:
    """Return the folder of the independent vectors (VESTIGE_VECTORS, else ../shared/vectors)."""
    named = os.environ.get(_VECTORS_VARIABLE)
    folder = Path(named) if named else _PROJECT_ROOT.parent / "shared" / "vectors"
    require(
        (folder / "README.md").is_file(),
        f"no independent vectors at {folder}: set {_VECTORS_VARIABLE} to their folder",
    )
    return folder


# -- no network ------------------------------------------------------------------------------------


class NetworkBlockedError(RuntimeError):
    """A test tried to reach something that is not on this machine."""


def _is_local_host(host: object) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(text.split("%", 1)[0]).is_loopback
    except ValueError:
        return False


def _refuse(what: str, target: object) -> NoReturn:
    raise NetworkBlockedError(f"tests may not {what} {target!r}: only loopback is open")


def _guarded(name: str) -> Callable[..., Any]:
    """Wrap a method of socket.socket whose last argument is an address."""
    original = getattr(socket.socket, name)

    def guarded(self: socket.socket, *args: Any) -> Any:
        address = args[-1] if args else None
        if self.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return original(self, *args)
        # An empty host means "every interface" to bind, and loopback to connect.
        if not _is_local_host(address[0]) or (name == "bind" and address[0] in ("", b"")):
            _refuse(name, address)
        return original(self, *args)

    return guarded


@pytest.fixture(autouse=True, scope="session")
def _only_loopback() -> Iterator[None]:
    """Let Python sockets of this process reach loopback and Unix addresses only."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host or "::1")
        except ValueError:
            if not _is_local_host(host):
                _refuse("look up", host)
        return resolve(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto", "bind"):
            patch.setattr(socket.socket, name, _guarded(name), raising=True)
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


# -- the interpreter -------------------------------------------------------------------------------

_RECURSION_LIMIT = 1000


def pytest_runtest_setup() -> None:
    """Give each test Python's own limit: importing py-evm raises it past what the C stack bears."""
    sys.setrecursionlimit(_RECURSION_LIMIT)
