"""EVM headers, transactions, receipts, accounts and slots: read, and refused when wrong."""

from __future__ import annotations

from typing import Any

import pytest

from anchor import limits
from anchor.backends.evm.ordered_trie import ordered_trie_proof
from anchor.errors import (
    AttestationError,
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    TruncatedError,
)
from anchor.formats.evm import (
    EvmAccount,
    RegistryRecord,
    parse_evm_header,
    parse_evm_receipt,
    parse_evm_transaction,
    registry_slot,
    verify_account_proof,
    verify_receipt_proof,
    verify_registry_proof,
    verify_storage_proof,
    verify_transaction_proof,
)
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import rlp_decode, rlp_encode, rlp_integer
from anchor.formats.trie import EMPTY_TRIE_ROOT
from tests.attacks.forged_evm import (
    FORGED_TIME,
    forge_attestation,
    forge_state,
    header_rlp,
    leaf_node,
)

ROOT = bytes(range(32))
ADDRESS = bytes(range(20))

# Ethereum's first block: fifteen fields, its hash is known to everybody.
GENESIS_HASH = "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
GENESIS_RLP = rlp_encode(
    [
        bytes(32),
        bytes.fromhex("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"),
        bytes(20),
        bytes.fromhex("d7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544"),
        EMPTY_TRIE_ROOT,
        EMPTY_TRIE_ROOT,
        bytes(256),
        bytes.fromhex("0400000000"),
        b"",
        rlp_integer(5000),
        b"",
        b"",
        bytes.fromhex("11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa"),
        bytes(32),
        bytes.fromhex("0000000000000042"),
    ]
)


def fields_of(raw: bytes) -> list[Any]:
    fields = rlp_decode(raw, max_bytes=1 << 16)
    assert isinstance(fields, list)
    return fields


# -- headers ---------------------------------------------------------------------------------------


def test_genesis_of_ethereum_hashes_to_what_everybody_knows() -> None:
    header = parse_evm_header(GENESIS_RLP)
    assert header.block_hash.hex() == GENESIS_HASH
    assert header.number == 0
    assert header.time == 0
    assert header.transactions_root == header.receipts_root == EMPTY_TRIE_ROOT
    assert header.parent_hash == bytes(32)
    assert header.state_root.hex().startswith("d7f8974f")


@pytest.mark.parametrize("n_extra", [0, 1, 2, 5, 6, 7, limits.MAX_EVM_HEADER_FIELDS - 15])
def test_later_fields_are_hashed_and_not_read(n_extra: int) -> None:
    raw = header_rlp(
        number=7, time=9, extra_fields=tuple([b"\x01", [b""]][i % 2] for i in range(n_extra))
    )
    header = parse_evm_header(raw)
    assert (header.number, header.time) == (7, 9)
    assert header.raw == raw
    assert header.block_hash == keccak256(raw)


def test_too_few_and_too_many_fields() -> None:
    fields = fields_of(header_rlp())
    with pytest.raises(FormatError, match="14 fields"):
        parse_evm_header(rlp_encode(fields[:14]))
    with pytest.raises(LimitExceededError):
        parse_evm_header(rlp_encode(fields + [b""] * (limits.MAX_EVM_HEADER_FIELDS - 14)))
    with pytest.raises(LimitExceededError):
        parse_evm_header(bytes(limits.MAX_EVM_HEADER_BYTES + 1))


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, bytes(31)),
        (1, bytes(33)),
        (2, bytes(32)),
        (3, b""),
        (4, [bytes(32)]),
        (5, bytes(20)),
        (6, bytes(255)),
        (7, b"\x00"),
        (8, b"\x00\x01"),
        (8, bytes([1] * 9)),
        (9, []),
        (10, b"\x00"),
        (11, bytes([1] * 9)),
        (11, b"\x00"),
        (12, []),
        (13, bytes(31)),
        (14, bytes(7)),
    ],
)
def test_each_field_has_its_form(position: int, value: Any) -> None:
    fields = fields_of(header_rlp())
    fields[position] = value
    with pytest.raises(FormatError):
        parse_evm_header(rlp_encode(fields))


def test_bytes_after_a_header_are_refused() -> None:
    with pytest.raises(FormatError):
        parse_evm_header(header_rlp() + b"\x00")


# -- transactions ----------------------------------------------------------------------------------

DATA = b"\xde\xad\xbe\xef" + ROOT
SIGNATURE = [b"\x01", b"\x02", b"\x03"]
TRANSACTIONS = {
    0: rlp_encode([b"", b"\x01", b"\x52", ADDRESS, b"", DATA, *SIGNATURE]),
    1: b"\x01" + rlp_encode([b"\x01", b"", b"\x01", b"\x52", ADDRESS, b"", DATA, [], *SIGNATURE]),
    2: b"\x02"
    + rlp_encode([b"\x01", b"", b"\x01", b"\x01", b"\x52", ADDRESS, b"", DATA, [], *SIGNATURE]),
    3: b"\x03"
    + rlp_encode(
        [b"\x01", b"", b"\x01", b"\x01", b"\x52", ADDRESS, b"", DATA, [], b"\x01", [], *SIGNATURE]
    ),
    4: b"\x04"
    + rlp_encode([b"\x01", b"", b"\x01", b"\x01", b"\x52", ADDRESS, b"", DATA, [], [], *SIGNATURE]),
}


@pytest.mark.parametrize("kind", TRANSACTIONS)
def test_known_types_show_recipient_and_data(kind: int) -> None:
    raw = TRANSACTIONS[kind]
    transaction = parse_evm_transaction(raw)
    assert (transaction.type, transaction.to, transaction.data) == (kind, ADDRESS, DATA)
    assert transaction.transaction_hash == keccak256(raw)
    assert transaction.holds(ROOT)
    assert not transaction.holds(ROOT[::-1])


@pytest.mark.parametrize("kind", TRANSACTIONS)
def test_a_field_more_or_less_is_refused(kind: int) -> None:
    raw = TRANSACTIONS[kind]
    prefix, body = (b"", raw) if kind == 0 else (raw[:1], raw[1:])
    fields = fields_of(body)
    for changed in (fields[:-1], [*fields, b""]):
        with pytest.raises(FormatError):
            parse_evm_transaction(prefix + rlp_encode(changed))


def test_a_creation_has_no_recipient_and_a_short_one_is_refused() -> None:
    fields = fields_of(TRANSACTIONS[0])
    fields[3] = b""
    assert parse_evm_transaction(rlp_encode(fields)).to is None
    fields[3] = ADDRESS[:19]
    with pytest.raises(FormatError):
        parse_evm_transaction(rlp_encode(fields))


@pytest.mark.parametrize("kind", [5, 0x64, 0x7E, 0x7F])
def test_unknown_types_are_kept_whole(kind: int) -> None:
    raw = bytes((kind,)) + b"anything " + ROOT
    transaction = parse_evm_transaction(raw)
    assert (transaction.type, transaction.to, transaction.data) == (kind, None, None)
    assert transaction.raw == raw
    assert transaction.holds(ROOT)


@pytest.mark.parametrize("raw", [b"\x00\xc0", b"\x80", b"\xb8\x38" + bytes(56), b"\xbf"])
def test_neither_list_nor_type(raw: bytes) -> None:
    with pytest.raises(FormatError):
        parse_evm_transaction(raw)
    with pytest.raises(FormatError):
        parse_evm_receipt(raw)


def test_nothing_and_too_much() -> None:
    for parse in (parse_evm_transaction, parse_evm_receipt):
        with pytest.raises(TruncatedError):
            parse(b"")
        with pytest.raises(LimitExceededError):
            parse(b"\x7f" + bytes(limits.MAX_EVM_ITEM_BYTES))


# -- receipts --------------------------------------------------------------------------------------

LOG = [ADDRESS, [keccak256(b"Anchored(bytes32,uint64,address)"), ROOT], bytes(64)]


def receipt(status: bytes = b"\x01", logs: Any = (), *extra: Any) -> bytes:
    return rlp_encode([status, b"\x52\x08", bytes(256), list(logs), *extra])


@pytest.mark.parametrize("prefix", [b"", b"\x01", b"\x02", b"\x03", b"\x04", b"\x7e"])
def test_receipts_of_every_type(prefix: bytes) -> None:
    read = parse_evm_receipt(prefix + receipt(b"\x01", [LOG]))
    assert read.type == (prefix[0] if prefix else 0)
    assert read.status == 1
    assert read.logs[0].address == ADDRESS
    assert read.logs[0].topics[1] == ROOT
    assert read.holds(ROOT)
    assert not read.holds(ROOT[::-1])


def test_status_in_its_three_forms() -> None:
    assert parse_evm_receipt(receipt(b"")).status == 0
    assert parse_evm_receipt(receipt(b"\x01")).status == 1
    assert parse_evm_receipt(receipt(bytes(32))).status is None
    for wrong in (b"\x02", b"\x00", bytes(31), b"\x01\x00"):
        with pytest.raises(FormatError):
            parse_evm_receipt(receipt(wrong))


def test_fields_that_a_chain_appends_are_tolerated() -> None:
    assert parse_evm_receipt(b"\x7e" + receipt(b"\x01", [LOG], b"\x05", b"\x01")).holds(ROOT)


def test_a_root_in_the_data_of_a_log_counts_and_one_in_an_address_cannot() -> None:
    assert parse_evm_receipt(receipt(b"\x01", [[ADDRESS, [], b"xx" + ROOT]])).holds(ROOT)
    assert not parse_evm_receipt(receipt(b"\x01", [[ADDRESS, [], ROOT[:31]]])).holds(ROOT)


@pytest.mark.parametrize(
    "log",
    [
        b"",
        [],
        [ADDRESS, []],
        [ADDRESS, [], b"", b""],
        [ADDRESS[:19], [], b""],
        [ADDRESS, b"", b""],
        [ADDRESS, [bytes(31)], b""],
        [ADDRESS, [bytes(32)] * 5, b""],
        [ADDRESS, [[bytes(32)]], b""],
        [ADDRESS, [], []],
    ],
)
def test_malformed_logs(log: Any) -> None:
    with pytest.raises(FormatError):
        parse_evm_receipt(receipt(b"\x01", [log]))


def test_malformed_receipts() -> None:
    for fields in (
        [],
        [b"\x01", b"", bytes(256)],
        [b"\x01", b"\x00", bytes(256), []],
        [b"\x01", b"", bytes(255), []],
        [b"\x01", b"", bytes(256), b""],
        [b"\x01", b"", bytes(256), [], *[b""] * 13],
    ):
        with pytest.raises(FormatError):
            parse_evm_receipt(rlp_encode(fields))


# -- proofs in a block -----------------------------------------------------------------------------


def test_transaction_and_receipt_are_found_by_index_and_no_other() -> None:
    transactions = [TRANSACTIONS[i % 5] + b"" for i in range(5)] * 30
    receipts = [receipt(b"\x01", [LOG] * (i % 3)) for i in range(150)]
    tx_proof = ordered_trie_proof(transactions, 137)
    receipt_proof = ordered_trie_proof(receipts, 137)
    header = parse_evm_header(
        header_rlp(transactions_root=tx_proof.root_hash, receipts_root=receipt_proof.root_hash)
    )
    assert verify_transaction_proof(header, 137, tx_proof.nodes).raw == transactions[137]
    assert verify_receipt_proof(header, 137, receipt_proof.nodes).raw == receipts[137]
    for index in (0, 136, 138, 150, 2**64 - 1):
        with pytest.raises(AttestationError):
            verify_transaction_proof(header, index, tx_proof.nodes)
        with pytest.raises(AttestationError):
            verify_receipt_proof(header, index, receipt_proof.nodes)
    # The receipts' proof is none under the transactions' root.
    with pytest.raises(AttestationError):
        verify_transaction_proof(header, 137, receipt_proof.nodes)


@pytest.mark.parametrize("index", [-1, 2**64])
def test_an_index_that_cannot_be_is_a_format_error(index: int) -> None:
    header = parse_evm_header(header_rlp())
    with pytest.raises(FormatError):
        verify_transaction_proof(header, index, [])


def test_absence_is_said_to_be_absence() -> None:
    header = parse_evm_header(header_rlp())
    with pytest.raises(AttestationError, match="no transaction 0"):
        verify_transaction_proof(header, 0, [])
    with pytest.raises(AttestationError, match="no receipt 3"):
        verify_receipt_proof(header, 3, [b"\x80"])
    with pytest.raises(AttestationError, match="no account"):
        verify_account_proof(parse_evm_header(header_rlp(state_root=EMPTY_TRIE_ROOT)), ADDRESS, [])


# -- state -----------------------------------------------------------------------------------------


def account_with(fields: list[Any]) -> EvmAccount:
    node = leaf_node(keccak256(ADDRESS), rlp_encode(fields))
    header = parse_evm_header(header_rlp(state_root=keccak256(node)))
    return verify_account_proof(header, ADDRESS, [node])


def test_an_account_is_read_whole() -> None:
    account = account_with([b"\x05", b"\x01\x00", bytes([7] * 32), bytes([8] * 32)])
    assert account == EvmAccount(ADDRESS, 5, 256, bytes([7] * 32), bytes([8] * 32))
    assert account_with([b"", b"", bytes(32), bytes(32), b"\x01"]).nonce == 0


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b"", b"", bytes(32)],
        [b"\x00", b"", bytes(32), bytes(32)],
        [b"", b"", bytes(31), bytes(32)],
        [b"", b"", bytes(32), bytes(33)],
        [b"", bytes([1] * 33), bytes(32), bytes(32)],
        [b""] * 9,
    ],
)
def test_malformed_accounts(fields: list[Any]) -> None:
    with pytest.raises(FormatError):
        account_with(fields)


def test_address_and_slot_have_their_lengths() -> None:
    header = parse_evm_header(header_rlp())
    account = EvmAccount(ADDRESS, 0, 0, EMPTY_TRIE_ROOT, bytes(32))
    with pytest.raises(FormatError):
        verify_account_proof(header, ADDRESS + b"\0", [])
    with pytest.raises(FormatError):
        verify_storage_proof(account, bytes(31), [])
    assert verify_storage_proof(account, bytes(32), []) == 0


@pytest.mark.parametrize(
    "value", [b"\x00", b"\x81\x05", b"\xa1" + bytes([1] * 33), b"\xc0", b"\x82\x00\x01"]
)
def test_a_slot_value_is_a_canonical_word(value: bytes) -> None:
    node = leaf_node(keccak256(bytes(32)), value)
    account = EvmAccount(ADDRESS, 0, 0, keccak256(node), bytes(32))
    with pytest.raises(FormatError):
        verify_storage_proof(account, bytes(32), [node])


def registry_account(value: int) -> tuple[EvmAccount, list[bytes]]:
    node = leaf_node(keccak256(registry_slot(3, ROOT)), rlp_encode(rlp_integer(value)))
    return EvmAccount(ADDRESS, 0, 0, keccak256(node), bytes(32)), [node]


def test_the_registry_packs_time_and_block() -> None:
    account, nodes = registry_account(1_790_000_000 | 24_113_902 << 64)
    record = verify_registry_proof(account, 3, ROOT, nodes)
    assert record == RegistryRecord(1_790_000_000, 24_113_902)
    with pytest.raises(AttestationError):
        verify_registry_proof(account, 3, ROOT[::-1], nodes[:0])


@pytest.mark.parametrize("value", [1 << 64, 5 | 1 << 128, 1 << 255])
def test_what_the_registry_never_writes_is_refused(value: int) -> None:
    account, nodes = registry_account(value)
    with pytest.raises(AttestationError):
        verify_registry_proof(account, 3, ROOT, nodes)


def test_a_root_that_is_shown_absent_is_no_record() -> None:
    account = EvmAccount(ADDRESS, 0, 0, EMPTY_TRIE_ROOT, bytes(32))
    with pytest.raises(AttestationError):
        verify_registry_proof(account, 0, ROOT, [])


# -- the forgery that this layer cannot see --------------------------------------------------------


def test_a_forged_header_verifies_here_and_says_2020() -> None:
    """Nothing on this floor can tell: the judgement has to refuse the header, not the proof."""
    code_hash = bytes([9] * 32)
    forged = forge_state(ROOT, ADDRESS, code_hash)
    size = len(forged.header) + sum(map(len, forged.account_proof + forged.storage_proof))
    assert size < 800
    header = parse_evm_header(forged.header)
    account = verify_account_proof(header, ADDRESS, forged.account_proof)
    record = verify_registry_proof(account, 0, ROOT, forged.storage_proof)
    assert record.time == header.time == FORGED_TIME
    assert account.code_hash == code_hash


def test_the_forged_attestation_is_genuine_but_for_its_headers() -> None:
    forged = forge_attestation(ROOT)
    block = parse_evm_header(bytes.fromhex(forged["transaction"]["header"]))
    nodes = [bytes.fromhex(node) for node in forged["transaction"]["proof"]]
    transaction = verify_transaction_proof(block, 0, nodes)
    assert transaction.holds(ROOT)
    assert transaction.transaction_hash.hex() == forged["transaction_hash"]
    nodes = [bytes.fromhex(node) for node in forged["receipt"]["proof"]]
    assert verify_receipt_proof(block, 0, nodes).holds(ROOT)


def test_the_forgery_is_still_bound_to_its_root_address_and_slot() -> None:
    forged = forge_state(ROOT, ADDRESS, bytes(32))
    header = parse_evm_header(forged.header)
    with pytest.raises(AttestationError):
        verify_account_proof(header, ADDRESS[::-1], forged.account_proof)
    account = verify_account_proof(header, ADDRESS, forged.account_proof)
    for map_slot, root in ((1, ROOT), (0, ROOT[::-1])):
        with pytest.raises(AttestationError):
            verify_registry_proof(account, map_slot, root, forged.storage_proof)


def test_leading_zero_in_rlp_of_a_slot_is_not_canonical() -> None:
    with pytest.raises(NonCanonicalError):
        parse_evm_header(
            rlp_encode([*fields_of(header_rlp())[:8], b"\x00", *fields_of(header_rlp())[9:]])
        )
