"""The party's signature over what it hands over (``signature.json``).

Ed25519 over the ASCII text ``vestige-exhibit/1``, project, bundle and manifest, each followed by a
line feed. It is a statement about what was handed over, and shows no time.

Specification: ``docs/spec/exhibit.md``, "The bundle digest and the signature", step E4.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from anchor import limits
from anchor.errors import SignatureError
from anchor.exhibit.manifest import bundle_digest
from anchor.formats.ed25519 import verify_ed25519
from anchor.formats.encoding import parse_hex, parse_json
from anchor.proof.fields import Fields

_WORD: Final = "vestige-exhibit/1"


@dataclass(frozen=True, slots=True)
class ExhibitSignature:
    """What ``signature.json`` says; bytes of 32, 32, 32 and 64, the project in hex."""

    project: str
    bundle: bytes
    manifest: bytes
    key: bytes
    signature: bytes

    @property
    def message(self) -> bytes:
        """Return what is signed."""
        lines = (_WORD, self.project, self.bundle.hex(), self.manifest.hex())
        return "".join(f"{line}\n" for line in lines).encode()

    def to_bytes(self) -> bytes:
        """Return the file."""
        value = {
            "version": 1,
            "project": self.project,
            "bundle": self.bundle.hex(),
            "manifest": self.manifest.hex(),
            "key": self.key.hex(),
            "signature": self.signature.hex(),
        }
        return json.dumps(value, indent=2).encode() + b"\n"

    def verify(self, project: str, manifest: bytes) -> None:
        """Verify it over the manifest's bytes; whose key it is, is for the caller.

        Raises:
            SignatureError: it is of something else, or not that key's signature.
        """
        if self.project != project:
            raise SignatureError("it is of another project")
        if self.manifest != hashlib.sha256(manifest).digest():
            raise SignatureError("it is of another manifest-sha256.txt")
        if self.bundle != bundle_digest(manifest):
            raise SignatureError("it is of another bundle")
        verify_ed25519(self.key, self.message, self.signature)


def sign_manifest(
    manifest: bytes, project: str, key: bytes, sign: Callable[[bytes], bytes]
) -> ExhibitSignature:
    """Sign the manifest's bytes with the raw Ed25519 key whose public half is ``key``."""
    digest = hashlib.sha256(manifest).digest()
    unsigned = ExhibitSignature(project, bundle_digest(manifest), digest, key, b"")
    return ExhibitSignature(project, unsigned.bundle, digest, key, sign(unsigned.message))


def parse_signature(data: bytes) -> ExhibitSignature:
    """Read ``signature.json``; FormatError if it is not one."""
    value = parse_json(data, max_bytes=limits.MAX_EXHIBIT_TAG_BYTES, what="signature.json")
    fields = Fields(value, "signature.json")
    fields.integer("version", minimum=1, maximum=1)
    project = fields.text("project")
    parse_hex(project, n_bytes=16, what="project in signature.json")
    signature = ExhibitSignature(
        project,
        fields.hex("bundle", 32),
        fields.hex("manifest", 32),
        fields.hex("key", 32),
        fields.hex("signature", 64),
    )
    fields.done()
    return signature
