"""Our trees in the reference library's reader, and its trees in ours."""

from __future__ import annotations

import warnings
from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opentimestamps.core import notary
from opentimestamps.core import op as reference_op
from opentimestamps.core.serialize import (
    BytesDeserializationContext,
    BytesSerializationContext,
    DeserializationError,
)
from opentimestamps.core.timestamp import DetachedTimestampFile
from opentimestamps.core.timestamp import Timestamp as ReferenceTimestamp

from anchor.errors import FormatError
from anchor.formats.ots.attestation import (
    BitcoinAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from anchor.formats.ots.codec import (
    MAGIC,
    DetachedTimestamp,
    parse_detached,
    parse_tree,
    serialize_detached,
    serialize_tree,
)
from anchor.formats.ots.op import Keccak256, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.ots_export import export_ots
from tests.strategies.ots import ops, trees


def reference_read(data: bytes, message: bytes) -> ReferenceTimestamp:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        context = BytesDeserializationContext(data)
        tree = ReferenceTimestamp.deserialize(context, message)
        context.assert_eof()
        return tree


def reference_write(value: ReferenceTimestamp | DetachedTimestampFile) -> bytes:
    context = BytesSerializationContext()
    value.serialize(context)
    return context.getbytes()


def same(ours: Timestamp, theirs: ReferenceTimestamp) -> None:
    todo = [(ours, theirs)]
    while todo:
        mine, other = todo.pop()
        assert mine.message == other.msg
        assert {(a.tag, a.payload) for a in mine.attestations} == {
            (a.TAG, payload(a)) for a in other.attestations
        }
        branches = {op.serialize(): child for op, child in mine.branches}
        other_branches = {op_bytes(op): child for op, child in other.ops.items()}
        assert branches.keys() == other_branches.keys()
        todo += [(branches[key], other_branches[key]) for key in branches]


def payload(attestation: notary.TimeAttestation) -> bytes:
    context = BytesSerializationContext()
    attestation._serialize_payload(context)
    return context.getbytes()


def op_bytes(op: reference_op.Op) -> bytes:
    context = BytesSerializationContext()
    op.serialize(context)
    return context.getbytes()


@given(trees())
def test_the_library_reads_our_trees_and_writes_the_same_bytes(tree: Timestamp) -> None:
    written = serialize_tree(tree)
    theirs = reference_read(written, tree.message)
    same(tree, theirs)
    assert reference_write(theirs) == written


@given(st.data())
def test_the_library_reads_our_files(data: st.DataObject) -> None:
    digest = data.draw(st.binary(min_size=32, max_size=32))
    written = serialize_detached(
        DetachedTimestamp(Sha256(), digest, data.draw(trees(message=digest)))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        stamp = DetachedTimestampFile.deserialize(BytesDeserializationContext(written))
    assert stamp.file_digest == digest
    assert reference_write(stamp) == written


def reference_attestations() -> st.SearchStrategy[notary.TimeAttestation]:
    return st.one_of(
        st.builds(notary.PendingAttestation, st.sampled_from(["", "https://a.example", "b:/"])),
        st.builds(notary.BitcoinBlockHeaderAttestation, st.integers(0, 2**33)),
        st.builds(
            notary.UnknownAttestation,
            st.sampled_from([bytes(8), b"\xff" * 8, b"12345678"]),
            st.binary(max_size=50),
        ),
    )


@st.composite
def reference_trees(draw: st.DrawFn) -> ReferenceTimestamp:
    tree = ReferenceTimestamp(draw(st.binary(min_size=1, max_size=64)))
    nodes = [tree]
    for op in draw(st.lists(ops(), max_size=15)):
        kind = reference_op.Op.SUBCLS_BY_TAG[bytes([op.tag])]
        same_op = kind(op.argument) if op.argument else kind()
        parent = nodes[draw(st.integers(0, len(nodes) - 1))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            try:
                nodes.append(parent.ops.add(same_op))
            except reference_op.MsgValueError:
                continue
    for node in nodes:
        if not node.ops or draw(st.booleans()):
            node.attestations.add(draw(reference_attestations()))
    return tree


@given(reference_trees())
def test_we_read_the_librarys_trees_and_write_the_same_bytes(tree: ReferenceTimestamp) -> None:
    written = reference_write(tree)
    ours = parse_tree(written, tree.msg)
    same(ours, tree)
    assert serialize_tree(ours) == written


@given(st.binary(max_size=120))
def test_what_we_read_the_library_reads(data: bytes) -> None:
    data = MAGIC + b"\x01\x08" + bytes(32) + data
    try:
        ours = parse_detached(data)
    except FormatError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        theirs = DetachedTimestampFile.deserialize(BytesDeserializationContext(data))
    if ours.canonical:
        same(ours.tree, theirs.timestamp)


@pytest.mark.parametrize("nested", [254, 255, 256])
def test_both_readers_stop_at_the_same_depth(nested: int) -> None:
    data = b"\x08" * nested + bytes.fromhex("000588960d73d719010107")
    if nested <= 255:
        assert parse_tree(data, b"m").depth == nested
        reference_read(data, b"m")
        return
    with pytest.raises(FormatError):
        parse_tree(data, b"m")
    with pytest.raises(DeserializationError):
        reference_read(data, b"m")


def test_the_library_loses_an_attestation_where_we_keep_it() -> None:
    """One node with the same operation twice: the reason for our reader's joining."""
    first = bytes.fromhex("000588960d73d719010107")
    second = bytes.fromhex("000588960d73d719010109")
    data = b"\xff\x08" + first + b"\x08" + second
    theirs = reference_read(data, b"m")
    assert {a.height for _, a in theirs.all_attestations()} == {9}
    ours = parse_tree(data, b"m")
    assert {path.attestation for path in ours.paths()} == {
        BitcoinAttestation(7),
        BitcoinAttestation(9),
    }


def test_attestations_of_other_chains_stay_as_they_are() -> None:
    litecoin = bytes.fromhex("06869a0d73d71b45")
    data = b"\x00" + litecoin + b"\x02\xac\x02"
    theirs = reference_read(data, b"m")
    assert [a.height for a in theirs.attestations] == [300]
    ours = parse_tree(data, b"m")
    assert ours.attestations == (UnknownAttestation(litecoin, b"\xac\x02"),)
    assert serialize_tree(ours) == reference_write(theirs) == data
    assert PendingAttestation.tag == notary.PendingAttestation.TAG
    assert BitcoinAttestation.tag == notary.BitcoinBlockHeaderAttestation.TAG


@given(st.binary(max_size=64), st.lists(st.booleans(), max_size=34), st.data())
def test_the_library_reads_what_we_export(
    opening: bytes, lefts: list[bool], data: st.DataObject
) -> None:
    steps = [("left" if left else "right", bytes([n]) * 32) for n, left in enumerate(lefts)]
    digest = bytes(range(32))
    root = sha256(b"\x00" + sha256(digest + opening).digest()).digest()
    for side, sibling in steps:
        pair = sibling + root if side == "left" else root + sibling
        root = sha256(b"\x01" + pair).digest()
    calendars = data.draw(st.lists(trees(message=root, max_nodes=5), min_size=1, max_size=3))
    wanted = {
        (path.message, path.attestation.tag, path.attestation.payload)
        for tree in calendars
        for path in tree.paths()
        if Keccak256() not in path.ops
    }
    assume(wanted)
    exported = export_ots(digest, opening, steps, calendars)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        stamp = DetachedTimestampFile.deserialize(BytesDeserializationContext(exported))
    found = {(m, a.TAG, payload(a)) for m, a in stamp.timestamp.all_attestations()}
    assert found == wanted
    assert reference_write(stamp) == exported
