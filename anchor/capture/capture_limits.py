"""How much of one file capture reads, inflates and keeps."""

from __future__ import annotations

from dataclasses import dataclass

from anchor import limits


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """The limits of one read; what crosses one is noted and passed over.

    Attributes:
        parts: chunks, segments or boxes walked before the rest of the file is left alone.
        read_bytes: everything read from the file, pixels searched for hidden text apart.
        raw_bytes: everything kept byte for byte.
        text_bytes: one text, as it stands in the file and as it is inflated.
        texts: number of texts.
        notes: number of notes; a last one says that more were left out.
        c2pa_bytes: one C2PA manifest store.
        c2pa_checked_bytes: largest file that is handed to the C2PA library, which hashes all of it.
        hidden_image_bytes: pixels inflated in search of text in their lowest bits.
    """

    parts: int = limits.MAX_CAPTURE_PARTS
    read_bytes: int = limits.MAX_CAPTURE_READ_BYTES
    raw_bytes: int = limits.MAX_CAPTURE_RAW_BYTES
    text_bytes: int = limits.MAX_CAPTURE_TEXT_BYTES
    texts: int = limits.MAX_CAPTURE_TEXTS
    notes: int = limits.MAX_CAPTURE_NOTES
    c2pa_bytes: int = limits.MAX_C2PA_BYTES
    c2pa_checked_bytes: int = limits.MAX_C2PA_CHECKED_BYTES
    hidden_image_bytes: int = limits.MAX_HIDDEN_IMAGE_BYTES
