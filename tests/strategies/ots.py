"""Random OpenTimestamps trees."""

from __future__ import annotations

from hypothesis import strategies as st

from anchor.errors import FormatError
from anchor.formats.ots.attestation import (
    BitcoinAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from anchor.formats.ots.op import (
    Append,
    Hexlify,
    Keccak256,
    Op,
    Prepend,
    Reverse,
    Ripemd160,
    Sha1,
    Sha256,
)
from anchor.formats.ots.timestamp import Timestamp

URI_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/:"
# Tags that the reference library reads as attestations of its own.
FOREIGN_TAGS = (bytes.fromhex("06869a0d73d71b45"), bytes.fromhex("30fe8087b5c7ead7"))


def attestations() -> st.SearchStrategy:
    tags = st.binary(min_size=8, max_size=8).filter(
        lambda tag: (
            tag not in (PendingAttestation.tag, BitcoinAttestation.tag) and tag not in FOREIGN_TAGS
        )
    )
    return st.one_of(
        st.builds(PendingAttestation, st.text(URI_CHARACTERS, max_size=60)),
        st.builds(BitcoinAttestation, st.integers(0, 2**40)),
        st.builds(UnknownAttestation, tags, st.binary(max_size=200)),
    )


def ops() -> st.SearchStrategy[Op]:
    return st.one_of(
        st.builds(Append, st.binary(min_size=1, max_size=80)),
        st.builds(Prepend, st.binary(min_size=1, max_size=80)),
        st.sampled_from([Reverse(), Hexlify(), Sha1(), Ripemd160(), Sha256(), Keccak256()]),
    )


@st.composite
def trees(draw: st.DrawFn, *, message: bytes | None = None, max_nodes: int = 20) -> Timestamp:
    """A tree in which every node leads to an attestation."""
    if message is None:
        message = draw(st.binary(min_size=1, max_size=64))
    tree = Timestamp(message)
    nodes = [tree]
    for _ in range(draw(st.integers(0, max_nodes))):
        parent = nodes[draw(st.integers(0, len(nodes) - 1))]
        try:
            nodes.append(parent.add(draw(ops())))
        except FormatError:
            continue
    for _, node in list(tree.walk()):
        for attestation in draw(st.lists(attestations(), max_size=2)):
            node.attest(attestation)
        if not node.attestations and not node.branches:
            node.attest(draw(attestations()))
    return tree
