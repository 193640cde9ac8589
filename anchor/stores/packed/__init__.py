"""The embedded log store, with what keeps it in order: fsck, backup, export."""

from anchor.stores.packed.backup import backup, check_backup
from anchor.stores.packed.export import export_tiles
from anchor.stores.packed.fsck import FsckReport, fsck
from anchor.stores.packed.packed_log import PackedLog
from anchor.stores.packed.packed_reader import PackedReader

__all__ = [
    "FsckReport",
    "PackedLog",
    "PackedReader",
    "backup",
    "check_backup",
    "export_tiles",
    "fsck",
]
