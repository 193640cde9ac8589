/**
 * EVM evidence from raw bytes: headers, and proofs of a transaction, a receipt, an account, a slot.
 *
 * Whether a header is its chain's is not decided here. `docs/spec/verification.md`, step 6;
 * `docs/spec/contract.md` for the registry.
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { concat, contains, equal, fromBigInt } from "../bytes/bytes.ts";
import { FalseError, FormatError, LimitExceededError } from "../errors.ts";
import * as limits from "../limits.ts";
import { asBytes, asInteger, asList, decodeRlp, encodeRlp, rlpInteger, type Rlp } from "./rlp.ts";
import { trieValue } from "./trie.ts";

/** What is needed of a header. */
export interface EvmHeader {
  /** Keccak-256 of the bytes given. */
  readonly hash: Uint8Array;
  readonly number: bigint;
  /** Seconds since 1970, as the block's producer set it. */
  readonly time: bigint;
  readonly stateRoot: Uint8Array;
  readonly transactionsRoot: Uint8Array;
  readonly receiptsRoot: Uint8Array;
}

/** An account's storage root and code hash. */
export interface EvmAccount {
  readonly storageRoot: Uint8Array;
  readonly codeHash: Uint8Array;
}

/** Position and length of the header's byte strings of fixed length (Yellow Paper, 4.3). */
const FIXED: readonly (readonly [number, number])[] = [
  [0, 32], [1, 32], [2, 20], [3, 32], [4, 32], [5, 32], [6, 256], [13, 32], [14, 8],
];

/** Read a header: at least the first fifteen fields; later ones are kept in the hash. */
export function parseEvmHeader(raw: Uint8Array): EvmHeader {
  const fields = asList(decodeRlp(raw, limits.MAX_EVM_HEADER_BYTES), "EVM header");
  if (fields.length < 15 || fields.length > limits.MAX_EVM_HEADER_FIELDS)
    throw new FormatError(`an EVM header of ${fields.length} fields`, "format.evm.header");
  for (const [position, length] of FIXED) asBytes(fields[position], "EVM header", length);
  for (const position of [7, 9, 10]) asInteger(fields[position], "EVM header", 32);
  asBytes(fields[12], "extra data of an EVM header");
  return {
    hash: keccak_256(raw),
    number: asInteger(fields[8], "block number", 8),
    time: asInteger(fields[11], "block time", 8),
    stateRoot: asBytes(fields[3], "state root"),
    transactionsRoot: asBytes(fields[4], "transactions root"),
    receiptsRoot: asBytes(fields[5], "receipts root"),
  };
}

/** Fields of a transaction by type: how many, where the recipient stands, where the call data. */
const LAYOUTS = new Map([
  [0, [9, 3, 5]],
  [1, [11, 4, 6]],
  [2, [12, 5, 7]],
  [3, [14, 5, 7]],
  [4, [13, 5, 7]],
]);

/** Return the raw transaction at an index of the block. */
export function provenTransaction(header: EvmHeader, index: number, nodes: readonly Uint8Array[]): Uint8Array {
  const raw = trieValue(header.transactionsRoot, encodeRlp(rlpInteger(index)), nodes);
  if (raw === null) throw new FalseError(`the block has no transaction ${index}`, "verify.evm.transaction");
  const { type, body } = envelope(raw);
  const layout = LAYOUTS.get(type);
  if (layout !== undefined) {
    const fields = asList(decodeRlp(body, limits.MAX_EVM_ITEM_BYTES), "transaction");
    const to = fields.length === layout[0] ? asBytes(fields[layout[1]!], "recipient") : null;
    if (to === null || (to.length !== 0 && to.length !== 20))
      throw new FormatError(`a transaction of type ${type} with other fields`, "format.evm.transaction");
    asBytes(fields[layout[2]!], "call data");
  }
  return raw;
}

/** Tell whether the receipt at an index of the block has a log that holds 32 bytes as topic or in its data. */
export function receiptHolds(
  header: EvmHeader, index: number, nodes: readonly Uint8Array[], rootHash: Uint8Array,
): boolean {
  const raw = trieValue(header.receiptsRoot, encodeRlp(rlpInteger(index)), nodes);
  if (raw === null) throw new FalseError(`the block has no receipt ${index}`, "verify.evm.receipt");
  const fields = asList(decodeRlp(envelope(raw).body, limits.MAX_EVM_ITEM_BYTES), "receipt");
  if (fields.length < 4 || fields.length > 16)
    throw new FormatError(`a receipt of ${fields.length} fields`, "format.evm.receipt");
  asInteger(fields[1], "gas used so far", 32);
  asBytes(fields[2], "bloom of a receipt", 256);
  const logs = asList(fields[3], "logs of a receipt").map(readLog);
  const status = asBytes(fields[0], "status of a receipt");
  if (status.length !== 0 && status.length !== 32 && !(status.length === 1 && status[0] === 1))
    throw new FormatError("a receipt of no status", "format.evm.receipt");
  return logs.some(({ topics, data }) => topics.some((topic) => equal(topic, rootHash)) || contains(data, rootHash));
}

function readLog(value: Rlp): { topics: Uint8Array[]; data: Uint8Array } {
  const fields = asList(value, "log");
  const topics = fields.length === 3 ? asList(fields[1], "topics of a log") : null;
  if (topics === null || topics.length > 4) throw new FormatError("a log of other fields", "format.evm.log");
  asBytes(fields[0], "address of a log", 20);
  return { topics: topics.map((topic) => asBytes(topic, "topic of a log", 32)), data: asBytes(fields[2], "data of a log") };
}

/** Take an EIP-2718 envelope apart; type 0 is the untyped form. */
function envelope(raw: Uint8Array): { type: number; body: Uint8Array } {
  if (raw.length > limits.MAX_EVM_ITEM_BYTES) throw new LimitExceededError("a transaction or receipt is too long");
  const [first] = raw as unknown as [number];
  if (first >= 0xc0) return { type: 0, body: raw };
  if (first < 1 || first > 0x7f) throw new FormatError("no type of a transaction or receipt", "format.evm.envelope");
  return { type: first, body: raw.subarray(1) };
}

/** Return the account at an address after the block. */
export function provenAccount(header: EvmHeader, address: Uint8Array, nodes: readonly Uint8Array[]): EvmAccount {
  const raw = trieValue(header.stateRoot, keccak_256(address), nodes);
  if (raw === null) throw new FalseError("the block has no such account", "verify.evm.account");
  const fields = asList(decodeRlp(raw, limits.MAX_EVM_ACCOUNT_BYTES), "account");
  if (fields.length < 4 || fields.length > 8) throw new FormatError(`an account of ${fields.length} fields`, "format.evm.account");
  asInteger(fields[0], "account nonce", 8);
  asInteger(fields[1], "account balance", 32);
  return { storageRoot: asBytes(fields[2], "storage root", 32), codeHash: asBytes(fields[3], "code hash", 32) };
}

/** Return the time that the registry's word for a root hash holds (`docs/spec/contract.md`, 2). */
export function registryTime(
  account: EvmAccount, mapSlot: number, rootHash: Uint8Array, nodes: readonly Uint8Array[],
): bigint {
  const slot = keccak_256(concat(fromBigInt(BigInt(mapSlot), 32), rootHash));
  const raw = trieValue(account.storageRoot, keccak_256(slot), nodes);
  const word = raw === null ? 0n : asInteger(decodeRlp(raw, 33), "storage value", 32);
  const time = word & 0xffff_ffff_ffff_ffffn;
  if (time === 0n || word >> 128n !== 0n)
    throw new FalseError("the registry holds no time and block for the root hash", "verify.evm.registry");
  return time;
}
