/** Bitcoin block headers: 80 bytes, their target, their work, how they link. Hashes in internal order. */
import { sha256 } from "@noble/hashes/sha2.js";
import { equal, reversed, toBigInt, toHex } from "../bytes/bytes.ts";
import { FalseError, FormatError } from "../errors.ts";
import { BITCOIN_HEADER_BYTES } from "../limits.ts";

/** One header, read. */
export interface BitcoinHeader {
  readonly raw: Uint8Array;
  /** Double SHA-256 of `raw`. */
  readonly hash: Uint8Array;
  readonly previous: Uint8Array;
  readonly merkleRoot: Uint8Array;
  /** The miner's claim, seconds since 1970. */
  readonly time: number;
  readonly bits: number;
  /** What the hash, as a number, may not exceed. */
  readonly target: bigint;
}

/** Read 80 bytes; the compact target must be one that a node takes. */
export function parseHeader(raw: Uint8Array): BitcoinHeader {
  if (raw.length !== BITCOIN_HEADER_BYTES) throw new FormatError("a Bitcoin header has 80 bytes");
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const bits = view.getUint32(72, true);
  return {
    raw,
    hash: sha256(sha256(raw)),
    previous: raw.subarray(4, 36),
    merkleRoot: raw.subarray(36, 68),
    time: view.getUint32(68, true),
    bits,
    target: targetOf(bits),
  };
}

/** Return the target that a compact number stands for; FormatError for one that no node takes. */
export function targetOf(bits: number): bigint {
  const size = BigInt(bits >>> 24);
  const mantissa = BigInt(bits & 0x7fffff);
  const target = size >= 3n ? mantissa << (8n * (size - 3n)) : mantissa >> (8n * (3n - size));
  if ((bits & 0x800000) !== 0 || target === 0n || target >= 1n << 256n || compactOf(target) !== bits)
    throw new FormatError(`the compact target ${bits.toString(16)} is none`, "bitcoin.bits");
  return target;
}

/** Return the compact form of a target, low digits cut off as nodes do. */
export function compactOf(target: bigint): number {
  let size = Math.ceil(target.toString(2).length / 8);
  let mantissa = size >= 3 ? target >> (8n * BigInt(size - 3)) : target << (8n * BigInt(3 - size));
  if ((mantissa & 0x800000n) !== 0n) {
    size += 1;
    mantissa >>= 8n;
  }
  return size * 2 ** 24 + Number(mantissa);
}

/** Return how many hashes such a header takes on average. */
export function workOf(header: BitcoinHeader): bigint {
  return (1n << 256n) / (header.target + 1n);
}

/** Check that a header meets the target that it names itself. */
export function verifyWork(header: BitcoinHeader): void {
  if (toBigInt(reversed(header.hash)) > header.target)
    throw new FalseError(`block ${displayHex(header.hash)} does not meet its own target`, "bitcoin.work");
}

/** Check that each header follows the one before and meets its own target. */
export function verifyHeaders(headers: readonly BitcoinHeader[]): void {
  headers.forEach((header, i) => {
    verifyWork(header);
    const before = headers[i - 1];
    if (before !== undefined && !equal(header.previous, before.hash))
      throw new FalseError(
        `block ${displayHex(header.hash)} does not follow ${displayHex(before.hash)}`,
        "bitcoin.linkage",
      );
  });
}

/** Write a hash as explorers show it. */
export function displayHex(hash: Uint8Array): string {
  return toHex(reversed(hash));
}
