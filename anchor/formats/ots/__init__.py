"""OpenTimestamps files: operations, attestations, the tree that they make, and its bytes.

Specification: the format is defined by its reference implementation (python-opentimestamps,
``opentimestamps/core``); ``docs/spec/`` restates what is used of it. The project's own words are
kept except for one: :class:`~anchor.formats.ots.timestamp.Timestamp` is the format's name for a
tree of operations over one message.
"""
