"""The guide to the settings, written from the settings themselves.

``docs/guides/settings.md`` is this text; a test compares the two. To write it anew::

    python -m anchor.config.guide > docs/guides/settings.md
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
from typing import Any, Final

from anchor.config.setting import Setting, settings_of
from anchor.config.settings import Settings

_HEAD: Final = """\
# Settings of the service

`vestige serve` takes each setting from, in this order: a flag, an environment variable, the TOML
file that `--config` (or `VESTIGE_CONFIG`) names, the default below. Lists are written with commas
in flags and variables, as arrays in TOML. In TOML the part before the dot is a table:

```toml
host = "0.0.0.0"

[evm]
rpc_url = "https://rpc.example"
keystore_file = "/etc/vestige/keystore.json"
keystore_passphrase_file = "/etc/vestige/passphrase"
```

A key that is not listed here is refused, and the nearest known one is named. Secrets have no flag
and no place in the file: they come from their variable or from a file of mode 0600. The *trust*
line says what whoever controls the value could do at worst.
"""


def settings_guide() -> str:
    """Return the whole guide as Markdown."""
    titles = {
        field.name: (field.default_factory.__doc__ or "").splitlines()[0]
        for field in dataclasses.fields(Settings)
        if isinstance(field.default_factory, type)
    }
    parts = [_HEAD]
    for group, members in itertools.groupby(settings_of(Settings), key=lambda found: found.group):
        parts.append(f"## {group}\n\n{titles[group]}\n" if group else "## The service\n")
        parts.extend(_entry(found) for found in members)
    return "\n".join(parts)


def _entry(found: Setting) -> str:
    lines = [f"### `{found.key}`", "", found.meaning, ""]
    takes = found.kind.wanted + (f", in {found.unit}" if found.unit else "")
    lines.append(f"- takes: {takes}")
    if not found.reads_file:
        lines.append(f"- default: {found.default_text or _default(found.default)}")
    places = [f"`{found.variable}`"] + ([f"`{found.flag}`"] if found.flag else [])
    lines += [f"- set by: {', '.join(places)}", f"- trust: {found.trust}", ""]
    return "\n".join(lines)


def _default(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(settings_guide())
