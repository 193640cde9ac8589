"""One setting: where it stands, what it means, and what whoever controls it could do at worst.

A setting is a dataclass field made with :func:`setting`; its group is the dataclass it stands in.
Its key is ``group.name`` (``name`` alone in the first group), its environment variable
``VESTIGE_GROUP_NAME`` and its flag ``--group-name``. A secret has no flag and no place in a TOML
file: it comes from its variable, or from the file of mode 0600 that ``<key>_file`` names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from anchor.config.kind import PATH, Kind

ENVIRONMENT_PREFIX: Final = "VESTIGE_"
_METADATA_KEY: Final = "vestige.setting"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting.

    Attributes:
        group: the group's name, empty for the first one.
        name: the field's name in it.
        kind: what values it takes.
        default: used where no source sets it.
        meaning: one or two sentences.
        unit: of a number; empty where there is none.
        trust: what whoever controls the value could do at worst.
        default_text: how the default is shown, where it is not simply the value.
        often: whether ``--help`` shows the flag.
        reads_file: for ``<key>_file`` of a secret: the file's content is the value.
    """

    group: str
    name: str
    kind: Kind
    default: Any
    meaning: str
    unit: str
    trust: str
    default_text: str = ""
    often: bool = False
    reads_file: bool = False

    @property
    def key(self) -> str:
        """The key in messages and, dots being tables, in TOML."""
        return f"{self.group}.{self.name}" if self.group else self.name

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.key.replace(".", "_").upper()

    @property
    def flag(self) -> str | None:
        """The command-line flag; None for a secret, which other users could see there."""
        return None if self.kind.is_secret else "--" + self.key.replace(".", "-").replace("_", "-")


def setting(
    kind: Kind,
    default: Any,
    meaning: str,
    *,
    trust: str,
    unit: str = "",
    default_text: str = "",
    often: bool = False,
    shown: bool = True,
) -> Any:
    """Return a dataclass field that is a setting; ``shown`` False keeps it out of repr."""
    described = {
        "kind": kind,
        "meaning": meaning,
        "unit": unit,
        "trust": trust,
        "default_text": default_text,
        "often": often,
    }
    return dataclasses.field(
        default=default,
        repr=shown and not kind.is_secret,
        metadata={_METADATA_KEY: described},
    )


def settings_of(settings_class: type[Any]) -> Iterator[Setting]:
    """Yield every setting of the class and of its groups, in order, file settings included."""
    for field in dataclasses.fields(settings_class):
        if _METADATA_KEY in field.metadata:
            yield from _with_file("", field)
        else:
            # A group is a field whose default is another settings dataclass.
            for inner in dataclasses.fields(_group_class(field)):
                yield from _with_file(field.name, inner)


def _group_class(field: dataclasses.Field[Any]) -> type[Any]:
    if not isinstance(field.default_factory, type):
        raise TypeError(f"{field.name} is neither a setting nor a group of them")
    return field.default_factory


def _with_file(group: str, field: dataclasses.Field[Any]) -> Iterator[Setting]:
    found = Setting(group, field.name, default=field.default, **field.metadata[_METADATA_KEY])
    yield found
    if found.kind.is_secret:
        yield Setting(
            group,
            f"{field.name}_file",
            PATH,
            None,
            f"File of mode 0600 that holds `{found.key}`, for those who do not use the "
            "environment; setting both is an error.",
            "",
            found.trust,
            reads_file=True,
        )
