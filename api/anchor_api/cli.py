"""``vestige serve``: settings in, a service that runs until it is told to stop.

The order at the end: no new connections, requests under way answered, the sequencer drained, the
anchorer's steps ended, files closed. SIGTERM and SIGINT do that; the exit status is then 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from anchor.backends.address import holds_secret
from anchor.config.kind import URL
from anchor.config.load import load_settings, nearest
from anchor.config.setting import Setting, settings_of
from anchor.config.settings import Settings
from anchor.errors import UsageError
from anchor_api.server import bind, run_server, url_of

_log = logging.getLogger("vestige")

# Providers put access keys into the paths of these.
_HOLD_KEYS: Final = ("evm.rpc_url", "bitcoin.node_url")
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def serve(argv: Sequence[str]) -> int:
    """Run the service until SIGINT or SIGTERM; return the exit status.

    Args:
        argv: the arguments after ``serve``.

    Raises:
        UsageError: a flag that there is not.
        VestigeError: the settings, the log or the address cannot be used.
        LogIntegrityError: while it ran the log was found to contradict itself; it was stopped.
    """
    arguments, settings = _settings(argv)
    _set_up_log(settings.log_level)
    _warn_of_secrets(arguments)
    bound = bind(settings.host, settings.port)
    try:
        url = url_of(bound)
        # Loaded late: a wrong flag or a taken port is told at once.
        from anchor.config.force_wish import ForceWishes
        from anchor.config.wiring import build_service
        from anchor_api.app import create_app

        service = build_service(settings, public_url=url)
    except BaseException:
        bound.close()
        raise
    try:
        app = create_app(service)
        service.start()
        _announce(url, settings, service.signer.note_key.text, as_json=arguments.json)
        with ForceWishes(settings.data, service.anchorer.force):
            run_server(app, bound, must_stop=lambda: service.anchorer.fatal is not None)
    finally:
        bound.close()
        service.stop()
    if service.anchorer.fatal is not None:
        # Never go on with a log that contradicts what was handed out of it.
        raise service.anchorer.fatal
    _log.info("stopped; everything acknowledged is durable")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; every setting but the secrets is a flag, the frequent ones are shown."""
    parser = _Parser(
        prog="vestige serve",
        description="Run the log, the anchorer and the HTTP interface.",
        epilog="Further flags, variables and keys of the file: docs/guides/settings.md. Defaults: "
        "SQLite and packed files in --data, a fresh log key, public calendars and time-stamping "
        "authorities; the EVM anchor is on when an RPC and a key are set.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML)")
    parser.add_argument("--json", action="store_true", help="write one JSON line when ready")
    parser.add_argument("-q", "--quiet", action="store_true", help="log warnings and errors only")
    for setting in settings_of(Settings):
        if setting.flag is None:
            continue
        text = _help(setting) if setting.often else argparse.SUPPRESS
        parser.add_argument(
            setting.flag,
            dest=setting.key,
            metavar=setting.kind.metavar,
            default=None,
            help=text,
        )
    return parser


def _help(setting: Setting) -> str:
    """Return what a flag means and its default."""
    value = setting.default_text or ("" if setting.default is None else str(setting.default))
    default = f" Default: {value.replace('`', '')}." if value else ""
    return f"{setting.meaning}{default}".replace("%", "%%")


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are UsageErrors that name the nearest flag."""

    def error(self, message: str) -> NoReturn:
        hint = "see vestige serve --help"
        wrong = message.partition("unrecognized arguments: ")[2].split()
        flags = [option for action in self._actions for option in action.option_strings]
        near = nearest(wrong[0].partition("=")[0], flags) if wrong else None
        if near is not None:
            hint = f"the nearest known flag is {near}"
        raise UsageError(message, code="usage.flag", hint=hint)


def _settings(argv: Sequence[str]) -> tuple[argparse.Namespace, Settings]:
    arguments = build_parser().parse_args(list(argv))
    flags = {
        setting.key: text
        for setting in settings_of(Settings)
        if (text := _given(arguments, setting)) is not None
    }
    settings = load_settings(flags, os.environ, arguments.config)
    if arguments.quiet and "log_level" not in flags:
        settings = dataclasses.replace(settings, log_level="warning")
    return arguments, settings


def _given(arguments: argparse.Namespace, setting: Setting) -> str | None:
    value: Any = getattr(arguments, setting.key, None)
    return value if isinstance(value, str) else None


def _warn_of_secrets(arguments: argparse.Namespace) -> None:
    """Say so where a flag holds an address that may be a key: others can list processes."""
    for setting in settings_of(Settings):
        text = _given(arguments, setting)
        if text is None or setting.flag is None or setting.kind is not URL:
            continue
        has_path = bool(urlsplit(text).path.strip("/")) and setting.key in _HOLD_KEYS
        if holds_secret(text) or has_path:
            _log.warning(
                "everybody on this machine can read %s in the list of processes: put the address "
                "into %s or the settings file",
                setting.flag,
                setting.variable,
            )


def _set_up_log(level: str) -> None:
    logging.basicConfig(level=level.upper(), format=_LOG_FORMAT, stream=sys.stderr, force=True)
    # Requests to outside parties carry keys in their addresses.
    for name in ("httpx", "httpcore", "uvicorn.error", "web3", "urllib3"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def _announce(url: str, settings: Settings, key: str, *, as_json: bool) -> None:
    if as_json:
        ready = {"url": url, "data": str(settings.data.absolute()), "log_key": key}
        sys.stdout.write(json.dumps(ready) + "\n")
    else:
        sys.stdout.write(f"vestige: serving {settings.data} at {url}\n")
        sys.stdout.write(f"vestige: log key {key}\n")
    sys.stdout.flush()
