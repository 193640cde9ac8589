"""The write path and the batcher.

The sequencer takes digests into the log; the anchorer hands the log's roots to outside parties.
Both know stores and backends only through :mod:`anchor.ports`.
"""
