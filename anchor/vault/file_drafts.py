"""Turn a file into the draft of a record: keep it, read what its generator wrote, see its age.

The original is kept first and read from the vault then, so that what is parsed is what is kept,
whatever happens to the file meanwhile. A file that can not be parsed is recorded all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anchor.errors import VestigeError
from anchor.vault.draft import Attachment, Draft
from anchor.vault.objects import KeptObject
from anchor.vault.source import open_source
from anchor.vault.vault import Vault

if TYPE_CHECKING:
    from anchor.capture import CapturePool

#: A file that was last written longer ago than this was not recorded as the work went on.
LATE_AFTER: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that is kept: its name in records, the original, and when it was last written.

    Attributes:
        where: its bytes in the vault, while the original has no name yet; None: under its name.
    """

    name: str
    kept: KeptObject
    modified: datetime
    where: Path | None = None

    def attachment(self, role: str) -> Attachment:
        """Return the file as part of a draft."""
        return Attachment(role, kept=self.kept, name=self.name)

    def lag(self, now: datetime) -> timedelta:
        """Return how long ago it was last written, as file system and clock say; never negative."""
        return max(now - self.modified, timedelta(0))

    @property
    def is_image(self) -> bool:
        """Return whether its content is an image."""
        return self.kept.media_type.startswith("image/")


def keep_file(vault: Vault, path: Path) -> KeptFile:
    """Keep a file; durable on return.

    Raises:
        NotFoundError, UsageError, FormatError, StoreError: as :func:`open_source` and
            :meth:`ObjectStore.keep`.
    """
    with open_source(path, vault.layout) as source:
        return KeptFile(source.name, vault.objects.keep(source), source.modified)


def generation_draft(
    vault: Vault,
    file: KeptFile,
    pool: CapturePool | None,
    *,
    now: datetime,
    mode: str = "manual",
    fields: Mapping[str, Any] | None = None,
) -> Draft:
    """Return the record of an image that a generator made.

    Args:
        vault: where the file is kept.
        file: the image.
        pool: reads what is in it; None reads nothing.
        now: aware.
        mode: how it was captured.
        fields: what is known besides; goes before what the file says.
    """
    found = {} if pool is None else read_fields(vault, file, pool)
    lag = file.lag(now)
    return Draft(
        "generation",
        {**found, **(fields or {})},
        (file.attachment("output"),),
        mode=mode,
        lag_s=int(lag.total_seconds()),
        tier="T1" if found.get("tool") else "T0",
        late=lag > LATE_AFTER,
    )


def read_fields(vault: Vault, file: KeptFile, pool: CapturePool) -> dict[str, Any]:
    """Return the fields of a generation record that an image tells of itself."""
    from anchor.capture import FileDigests, generation_fields  # noqa: PLC0415 - slow to load

    kept = file.kept
    digests = FileDigests(kept.size, kept.sha256.hex(), kept.sha3_256.hex())
    try:
        where = file.where or vault.objects.path(kept.sha256)
        return generation_fields(pool.read(where, digests=digests))
    except VestigeError as error:
        return {"parser": f"could not be read: {error.message}"}
