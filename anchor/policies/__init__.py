"""The policy that ships with this release: what a verifier trusts who names no other.

It is a file of the package, ``default.json``, reviewed like code. Its SHA-256 is printed with every
verdict under it.
"""

from __future__ import annotations

from importlib.resources import files

from anchor.proof.policy import Policy, parse_policy


def load_default_policy_bytes() -> bytes:
    """Return the shipped policy, byte for byte."""
    return files(__name__).joinpath("default.json").read_bytes()


def load_default_policy() -> Policy:
    """Return the shipped policy, parsed."""
    return parse_policy(load_default_policy_bytes())
