"""EVM evidence: block headers, and proofs of a transaction, receipt, account or storage slot.

Each module reads one of these from raw bytes; none of them says which chain a header belongs to.
A header carries no work since the Merge: whoever writes a header can write any root into it, and
everything proven under it follows. Whether a header is the chain's is decided by the judgement
(``anchor/verify``), from what the policy pins or an independent source confirms.
"""

from anchor.formats.evm.header import EvmHeader, parse_evm_header
from anchor.formats.evm.receipt import (
    EvmLog,
    EvmReceipt,
    parse_evm_receipt,
    verify_receipt_proof,
)
from anchor.formats.evm.registry import RegistryRecord, registry_slot, verify_registry_proof
from anchor.formats.evm.state import EvmAccount, verify_account_proof, verify_storage_proof
from anchor.formats.evm.transaction import (
    EvmTransaction,
    parse_evm_transaction,
    verify_transaction_proof,
)

__all__ = [
    "EvmAccount",
    "EvmHeader",
    "EvmLog",
    "EvmReceipt",
    "EvmTransaction",
    "RegistryRecord",
    "parse_evm_header",
    "parse_evm_receipt",
    "parse_evm_transaction",
    "registry_slot",
    "verify_account_proof",
    "verify_receipt_proof",
    "verify_registry_proof",
    "verify_storage_proof",
    "verify_transaction_proof",
]
