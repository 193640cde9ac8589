from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from anchor.errors import FormatError, IncompleteProofError, NotFoundError, UsageError
from anchor.formats.merkle import inclusion_path, leaf_hash, root_hash
from anchor.formats.ots.attestation import BitcoinAttestation, PendingAttestation
from anchor.formats.ots.codec import parse_detached, parse_tree, serialize_tree
from anchor.formats.ots.op import Append, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.proof import Inclusion, OpenTimestampsAttestation, Proof
from anchor.service.calendar_protocol import CalendarProtocol, ots_file

URI = "https://log.example"
ENTRIES = [hashlib.sha256(bytes([n])).digest() for n in range(9)]
HASHES = [leaf_hash(entry) for entry in ENTRIES]


def read_hash(level, index):
    first = index << level
    return root_hash(HASHES[first : first + (1 << level)])


def inclusion(index, size):
    return Inclusion(index, size, tuple(inclusion_path(index, size, read_hash)))


def attestation(size, *ends, padding=0):
    """Return what a calendar gave for the root at ``size``, ``padding`` bytes long or more."""
    root = root_hash(HASHES[:size])
    tree = Timestamp(root)
    node = tree
    while len(serialize_tree_or_nothing(tree, padding)) < padding:
        node = node.add(Append(bytes(200))).add(Sha256())
    for end in ends:
        node.attest(end)
    return OpenTimestampsAttestation(root, "https://cal.example", serialize_tree(tree))


def serialize_tree_or_nothing(tree, padding):
    if not padding:
        return b""
    probe = parse_copy(tree)
    return serialize_tree(probe)


def parse_copy(tree):
    copy = Timestamp(tree.message)
    source, target = tree, copy
    while source.branches:
        ((op, source),) = source.branches
        target = target.add(op)
    target.attest(PendingAttestation("x"))
    return copy


def protocol(proof):
    def proof_of(entry):
        if entry != proof.digest:
            raise NotFoundError("not there")
        return proof

    return CalendarProtocol(URI, proof_of)


def proof_with(*attestations, index=3):
    sizes = {5, 9}
    return Proof(
        ENTRIES[index],
        None,
        tuple(inclusion(index, size) for size in sorted(sizes)),
        tuple(attestations),
    )


@pytest.mark.parametrize("uri", ["https://log.example/?q", "https://u@x", "http://[::1]:8", "é"])
def test_an_address_that_cannot_stand_in_a_promise(uri):
    with pytest.raises(FormatError):
        CalendarProtocol(uri, lambda _entry: None)


@pytest.mark.parametrize("length", [0, 65])
def test_entries_out_of_bounds(length):
    with pytest.raises(UsageError):
        CalendarProtocol.entry(bytes(length))


def test_a_promise_stands_at_the_entry():
    calendar = CalendarProtocol(URI, lambda _entry: None)
    for submitted in (bytes(32), bytes(20), b"x" * 64):
        tree = parse_tree(calendar.promise(submitted), submitted)
        (path,) = tree.paths()
        assert path.attestation == PendingAttestation(URI)
        assert path.message == CalendarProtocol.entry(submitted)


def test_the_answer_leads_from_the_entry_to_the_block():
    block = BitcoinAttestation(800_000)
    answer = protocol(proof_with(attestation(5, block))).lookup(ENTRIES[3])
    assert answer.complete
    (path,) = parse_tree(answer.tree, ENTRIES[3]).paths()
    assert path.attestation == block
    assert path.message == root_hash(HASHES[:5])


def test_several_rounds_are_joined():
    answer = protocol(
        proof_with(
            attestation(5, BitcoinAttestation(800_000)),
            attestation(9, PendingAttestation("https://other.example")),
        )
    ).lookup(ENTRIES[3])
    found = {p.attestation for p in parse_tree(answer.tree, ENTRIES[3]).paths()}
    assert found == {BitcoinAttestation(800_000), PendingAttestation("https://other.example")}
    assert answer.complete


def test_a_promise_alone_is_not_complete():
    answer = protocol(proof_with(attestation(5, PendingAttestation("https://c.example"))))
    assert not answer.lookup(ENTRIES[3]).complete


def test_nothing_yet():
    with pytest.raises(IncompleteProofError):
        protocol(proof_with()).lookup(ENTRIES[3])
    with pytest.raises(IncompleteProofError):
        ots_file(proof_with())
    with pytest.raises(NotFoundError):
        protocol(proof_with()).lookup(ENTRIES[0])


def test_an_attestation_for_a_root_that_no_inclusion_leads_to_is_left_out():
    foreign = replace(
        attestation(5, BitcoinAttestation(1)),
        root_hash=bytes(32),
        tree=serialize_tree(_tree(bytes(32), BitcoinAttestation(1))),
    )
    with pytest.raises(IncompleteProofError):
        protocol(proof_with(foreign)).lookup(ENTRIES[3])


def _tree(message, end):
    tree = Timestamp(message)
    tree.attest(end)
    return tree


def test_an_answer_that_stock_clients_would_cut_off_is_reduced_to_the_best_calendar():
    long = attestation(5, PendingAttestation("https://long.example"), padding=9_000)
    longer = attestation(9, BitcoinAttestation(800_000), padding=5_000)
    answer = protocol(proof_with(long, longer)).lookup(ENTRIES[3])
    assert len(answer.tree) <= 10_000
    (path,) = parse_tree(answer.tree, ENTRIES[3]).paths()
    assert path.attestation == BitcoinAttestation(800_000)
    assert answer.complete


def test_the_file_holds_all_calendars():
    data = ots_file(
        proof_with(attestation(5, BitcoinAttestation(1)), attestation(9, BitcoinAttestation(2)))
    )
    detached = parse_detached(data)
    assert detached.file_digest == ENTRIES[3]
    assert {p.attestation.height for p in detached.tree.paths()} == {1, 2}
