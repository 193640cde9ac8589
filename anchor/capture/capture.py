"""A captured file: what it is, byte for byte, and what its generator wrote into it."""

from __future__ import annotations

from dataclasses import dataclass

from anchor.capture.file_digests import FileDigests
from anchor.capture.metadata import Metadata


@dataclass(frozen=True, slots=True)
class Capture(Metadata):
    """Metadata, with the size and digests of the file they were found in.

    The size and digests are facts about the bytes; everything else is derived, may be missing, and
    is no more than what the file says of itself: anybody can write such text into a file.

    Attributes:
        size: in bytes.
        sha256, sha3_256: of the whole file, lower-case hexadecimal.
        stable: False if the file changed while it was read; then neither digests nor metadata may
            be of any state that the file was ever in.
    """

    size: int = 0
    sha256: str = ""
    sha3_256: str = ""
    stable: bool = True

    @classmethod
    def of(
        cls, metadata: Metadata, digests: FileDigests, *, notes: tuple[str, ...] = ()
    ) -> Capture:
        """Join what was parsed with what was hashed; ``notes`` come first."""
        return cls(
            media_type=metadata.media_type,
            width=metadata.width,
            height=metadata.height,
            tool=metadata.tool,
            fields=metadata.fields,
            raw=metadata.raw,
            notes=notes + metadata.notes,
            size=digests.size,
            sha256=digests.sha256,
            sha3_256=digests.sha3_256,
            stable=digests.stable,
        )
