"""The embedded log store."""

from anchor.stores.packed.packed_log import PackedLog

__all__ = ["PackedLog"]
