"""Fill the settings: flags over environment over a TOML file over defaults.

Rules:

* A key that no setting has is refused, with the nearest known one named: a mistyped limit that is
  silently ignored is no limit.
* The message names the key and the place where the value stood; secrets are not repeated.
* ``VESTIGE_*`` variables of other parts of the project are let through by name.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from anchor.config.kind import KindError
from anchor.config.secret import load_secret
from anchor.config.setting import ENVIRONMENT_PREFIX, Setting, settings_of
from anchor.config.settings import Settings
from anchor.errors import ConfigError

MAX_FILE_BYTES: Final = 1 << 20
CONFIG_VARIABLE: Final = "VESTIGE_CONFIG"

# Read by the commands that need no service, and by the tests.
_OTHER_VARIABLES: Final = frozenset(
    {
        "VESTIGE_DEBUG",
        "VESTIGE_KEYS",
        "VESTIGE_OFFLINE",
        "VESTIGE_PASSPHRASE_FILE",
        "VESTIGE_REQUIRE_ALL",
        "VESTIGE_SERVER",
        "VESTIGE_VECTORS",
    }
)

_Values = dict[str, tuple[Any, str]]
"""Key to value and the place where it was set, for messages."""


def load_settings(
    flags: Mapping[str, str], environment: Mapping[str, str], file: Path | None = None
) -> Settings:
    """Return the settings.

    Args:
        flags: key (as ``evm.rpc_url``) to text, those given on the command line alone.
        environment: the process environment; only ``VESTIGE_*`` is looked at.
        file: the TOML file; None takes the one that ``VESTIGE_CONFIG`` names, if it does.

    Raises:
        ConfigError: an unknown key, a value that its setting does not take, a file that cannot be
            read, or a secret set twice.
    """
    if file is None and environment.get(CONFIG_VARIABLE):
        file = Path(environment[CONFIG_VARIABLE])
    known = {found.key: found for found in settings_of(Settings)}
    values = _from_file(file, known) if file is not None else {}
    values |= _from_environment(environment, known)
    values |= _from_flags(flags, known)
    _read_secret_files(values, known)
    return _build(values, known)


# -- the sources -----------------------------------------------------------------------------------


def _from_file(path: Path, known: Mapping[str, Setting]) -> _Values:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigError(
            f"settings file {path} cannot be read: {reason}", code="config.file"
        ) from exc
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"settings file {path} is longer than 1 MiB", code="config.file")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"settings file {path} is not TOML: {exc}", code="config.file") from None
    groups = {found.group for found in known.values()}
    values: _Values = {}
    for name, value in document.items():
        is_group = isinstance(value, dict) and name in groups
        for key, item in _members(name, value) if is_group else [(name, value)]:
            setting = _require_known(key, known, list(known), f"in {path}")
            values[key] = (_read(setting, item, f"in {path}", toml=True), f"in {path}")
    return values


def _members(group: str, table: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return [(f"{group}.{name}", value) for name, value in table.items()]


def _from_environment(environment: Mapping[str, str], known: Mapping[str, Setting]) -> _Values:
    by_variable = {found.variable: found for found in known.values()}
    values: _Values = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable in _OTHER_VARIABLES:
            continue
        setting = _require_known(variable, by_variable, list(by_variable), "in the environment")
        place = f"in the variable {variable}"
        values[setting.key] = (_read(setting, text, place, toml=False), place)
    return values


def _from_flags(flags: Mapping[str, str], known: Mapping[str, Setting]) -> _Values:
    values: _Values = {}
    for key, text in flags.items():
        setting = _require_known(key, known, list(known), "on the command line")
        if setting.flag is None:
            raise ConfigError(f"{key}: a secret has no flag", code="config.secret")
        place = f"in the flag {setting.flag}"
        values[key] = (_read(setting, text, place, toml=False), place)
    return values


def _read_secret_files(values: _Values, known: Mapping[str, Setting]) -> None:
    """Replace each ``<key>_file`` of a secret by the secret that the file holds."""
    for key in [key for key in values if known[key].reads_file]:
        path, place = values.pop(key)
        secret_key = key.removesuffix("_file")
        if secret_key in values:
            raise ConfigError(
                f"{secret_key} is set {values[secret_key][1]}, and {key} {place}; wanted one",
                code="config.secret.twice",
            )
        values[secret_key] = (load_secret(path, key), place)


# -- values ----------------------------------------------------------------------------------------


def _read(setting: Setting, value: Any, place: str, *, toml: bool) -> Any:
    try:
        return setting.kind.from_toml(value) if toml else setting.kind.from_text(value)
    except KindError as exc:
        hint = f"use {setting.variable}, or {setting.key}_file" if setting.kind.is_secret else None
        raise ConfigError(
            f"{setting.key} ({place}): {exc}", code="config.value", hint=hint
        ) from None


def _require_known(
    name: str, known: Mapping[str, Setting], names: Sequence[str], place: str
) -> Setting:
    if name in known:
        return known[name]
    near = nearest(name, names)
    raise ConfigError(
        f"unknown setting {name[:80]!r} {place}",
        code="config.unknown",
        hint=f"the nearest known one is {near}" if near else "docs/guides/settings.md lists all",
    )


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the known name most like ``name``, or None where none is like it."""
    found = difflib.get_close_matches(name[:200], list(names), n=1, cutoff=0.4)
    return found[0] if found else None


def _build(values: _Values, known: Mapping[str, Setting]) -> Settings:
    """Put the values into the dataclasses; what no source set keeps its default."""
    by_group: dict[str, dict[str, Any]] = {}
    for key, (value, _place) in values.items():
        by_group.setdefault(known[key].group, {})[known[key].name] = value
    own = by_group.pop("", {})
    defaults = Settings()
    groups = {
        group: dataclasses.replace(getattr(defaults, group), **members)
        for group, members in by_group.items()
    }
    return dataclasses.replace(defaults, **own, **groups)
