"""The time-stamping authorities that this release knows, with the roots that it knows them by.

A table and certificates in ``authorities/``, reviewed like code: each root is named by its SHA-256,
and each fact has its source beside it. Knowing an authority is not trusting it: the policy says
whom a verifier believes, the settings say whom the service asks. An operator describes further
ones in a file of the same form (``docs/guides/authorities.md``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from anchor.errors import ConfigError, FormatError, NotFoundError
from anchor.formats.encoding import base64_text, parse_json
from anchor.formats.x509_certificate import parse_certificate
from anchor.proof.fields import Fields

_FOLDER = "authorities"
_TABLE = "authorities.json"
_MAX_TABLE_BYTES: Final = 64 << 10
_MAX_ROOTS: Final = 16
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}")
_PEM = re.compile(
    rb"\s*-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*"
)

ReadFile = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class KnownAuthority:
    """One authority.

    Attributes:
        name: short and stable, as the settings name it.
        title: as people know it.
        url: where requests are posted.
        roots: DER of the roots that its tokens lead to.
        qualified: reported to be a qualified trust service under eIDAS; each token says so itself.
        accuracy_s: the bound's tolerance where a token states none.
        policy_oid: which of the authority's policies to ask for, or None.
        pause_s: how long it wants between two requests.
        proposed: among those that the service asks unless told otherwise.
        sources: where each fact is from, by the fact's name.
    """

    name: str
    title: str
    url: str
    roots: tuple[bytes, ...]
    qualified: bool = False
    accuracy_s: int = 60
    policy_oid: str | None = None
    pause_s: int = 0
    proposed: bool = False
    sources: tuple[tuple[str, str], ...] = ()

    def policy_entry(self) -> dict[str, Any]:
        """Return the object that trusts this authority in a policy (``docs/spec/policy.md``)."""
        return {
            "name": self.title,
            "roots": [base64_text(root) for root in self.roots],
            "accuracy_s": self.accuracy_s,
            "qualified": self.qualified,
        }


def load_known_authorities() -> dict[str, KnownAuthority]:
    """Return the authorities that ship with this release, by name, in the table's order."""
    folder = files(__package__).joinpath(_FOLDER)
    table = Fields(
        parse_json(
            folder.joinpath(_TABLE).read_bytes(), max_bytes=_MAX_TABLE_BYTES, what="authorities"
        ),
        "authorities",
    )
    found = [
        _authority(entry, lambda name: folder.joinpath(name).read_bytes())
        for entry in table.objects("authorities", max_items=64)
    ]
    table.done()
    return {authority.name: authority for authority in found}


def load_authority_file(path: Path) -> KnownAuthority:
    """Read an operator's description of one authority; its root files lie beside it.

    Raises:
        ConfigError: a file cannot be read, or is not what it should be.
    """
    try:
        value = parse_json(path.read_bytes(), max_bytes=_MAX_TABLE_BYTES, what=path.name)
        return _authority(Fields(value, path.name), lambda name: (path.parent / name).read_bytes())
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigError(f"{exc.filename or path}: {reason}", code="config.authority") from exc
    except FormatError as exc:
        raise ConfigError(exc.message, code="config.authority", hint=exc.hint) from exc


def find_authority(text: str) -> KnownAuthority:
    """Return the authority of that name, or the one that the file of that path describes.

    Raises:
        NotFoundError: it is neither a known name nor a path.
        ConfigError: the file is not what it should be.
    """
    known = load_known_authorities()
    if text in known:
        return known[text]
    if "/" in text or text.endswith(".json"):
        return load_authority_file(Path(text))
    raise NotFoundError(
        f"no authority is called {text!r}", hint=f"known are {', '.join(known)}; or give a file"
    )


def _authority(fields: Fields, read: ReadFile) -> KnownAuthority:
    name = fields.text("name", max_characters=32)
    if not _NAME.fullmatch(name):
        raise FormatError(f"{fields.where}: {name!r} is no name of lower-case letters and digits")
    cited = Fields(fields.take("sources", {}), f"{fields.where}.sources")
    sources = [(fact, cited.optional(fact, cited.text)) for fact in ("url", "roots", "qualified")]
    cited.done()
    authority = KnownAuthority(
        name=name,
        title=fields.text("title", max_characters=100, default=name),
        url=fields.text("url"),
        roots=tuple(_root(root, read) for root in fields.objects("roots", max_items=_MAX_ROOTS)),
        qualified=fields.boolean("qualified", default=False),
        accuracy_s=fields.integer("accuracy_s", maximum=86_400, default=60),
        policy_oid=fields.optional("policy_oid", fields.text),
        pause_s=fields.integer("pause_s", maximum=3600, default=0),
        proposed=fields.boolean("proposed", default=False),
        sources=tuple((fact, source) for fact, source in sources if source),
    )
    fields.done()
    if not authority.roots:
        raise FormatError(f"{fields.where}: no roots")
    return authority


def _root(fields: Fields, read: ReadFile) -> bytes:
    """Read one root and hold it against the digest that the table gives."""
    name, sha256 = fields.text("file", max_characters=100), fields.hex("sha256", 32)
    fields.done()
    if "/" in name or "\\" in name or name.startswith("."):
        raise FormatError(f"{fields.where}: {name!r} is no plain file name")
    match = _PEM.fullmatch(read(name))
    if match is None:
        raise FormatError(f"{name}: one certificate as PEM is wanted")
    try:
        der = base64.b64decode(b"".join(match[1].split()), validate=True)
    except binascii.Error as exc:
        raise FormatError(f"{name}: not base64") from exc
    digest = hashlib.sha256(der).digest()
    if digest != sha256:
        raise FormatError(
            f"{name}: SHA-256 {digest.hex()}, the table says {sha256.hex()}",
            code="format.digest_mismatch",
        )
    parse_certificate(der)
    return der
