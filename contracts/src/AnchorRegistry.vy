# pragma version 0.4.3
# pragma evm-version paris
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title Registry of root hashes
@notice Keeps, for each 32-byte root hash, the time and number of the first block that had it.
        Nobody owns it, nothing in it can be changed or removed, and it takes no funds.
@dev One storage slot a root hash: time in the low 64 bits, block number in the next 64.
     The map is put at slot 0 by AnchorRegistry.layout.json (the compiler would leave slot 0 to a
     lock that this contract does not use), so the slot of a root hash is
     keccak256(bytes32(0) ++ root).
     A slot that is not zero is never written again.
"""

import IAnchorRegistry

implements: IAnchorRegistry

_BLOCK_SHIFT: constant(uint256) = 64
_TIME_MASK: constant(uint256) = 2**64 - 1

_records: HashMap[bytes32, uint256]


@external
def anchor(root: bytes32, tree_size: uint64) -> uint64:
    """
    @notice Record `root` with the time and number of this block, unless it is there already.
    @param root The root hash; any 32 bytes, zero too.
    @param tree_size Number of leaves under it. Goes into the event and is not checked.
    @return The time (Unix seconds) of the first block that had `root`.
    """
    record: uint256 = self._records[root]
    if record != 0:
        return convert(record & _TIME_MASK, uint64)
    self._records[root] = block.timestamp | (block.number << _BLOCK_SHIFT)
    log IAnchorRegistry.Anchored(root=root, tree_size=tree_size, sender=msg.sender)
    return convert(block.timestamp, uint64)


@external
@view
def anchored(root: bytes32) -> (uint64, uint64):
    """
    @notice Return the time (Unix seconds) and number of the first block that had `root`.
    @param root The root hash.
    @return Time and block number, or 0 and 0 if it was never anchored here.
    """
    record: uint256 = self._records[root]
    return convert(record & _TIME_MASK, uint64), convert(record >> _BLOCK_SHIFT, uint64)
