/**
 * drand: what a round's parties sign, and how it is checked.
 *
 * Schemes `bls-unchained-g1-rfc9380` (signature on G1, key on G2) and `pedersen-bls-chained` (the
 * other way round), both with RFC 9380's hash to the curve. Points are compressed, in their one
 * encoding, in the right subgroup, not infinite. docs/spec/verification.md, step 13.7.
 */
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, fromBigInt, toHex } from "../bytes/bytes.ts";
import type { Fields } from "../bytes/fields.ts";
import { parseHex } from "../bytes/text.ts";
import { FormatError } from "../errors.ts";

/** Quicknet is meant where a record names no network. */
export const QUICKNET = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";
const MAX_ROUND = 10 ** 10;
const SCHEMES = ["bls-unchained-g1-rfc9380", "pedersen-bls-chained"] as const;
const UNCHAINED = SCHEMES[0];
/** Domain separation of hash to the curve, by the group that is signed on (drand's specification). */
const DST_G1 = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
const DST_G2 = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_";

/** A network that the policy names. */
export interface DrandNetwork {
  readonly name: string;
  /** 32 bytes in hex. */
  readonly chainHash: string;
  readonly publicKey: Uint8Array;
  /** Of round 1, seconds since 1970. */
  readonly genesis: number;
  readonly periodS: number;
  readonly scheme: (typeof SCHEMES)[number];
  readonly sources: readonly string[];
  readonly agree: number;
}

/** Read one network of a policy. */
export function readDrandNetwork(fields: Fields): DrandNetwork {
  const scheme = fields.choice("scheme", SCHEMES);
  return {
    name: fields.text("name", 100),
    chainHash: toHex(fields.hex("chain_hash", 32)),
    publicKey: fields.hex("public_key", scheme === UNCHAINED ? 96 : 48),
    genesis: fields.integer("genesis", 0, 2 ** 34),
    periodS: fields.integer("period_s", 1, 86_400),
    scheme,
    sources: fields.texts("sources", 16, (text) => text, true),
    agree: fields.integer("agree", 1, 16, 1),
  };
}

/** Whether a number can be a round. */
export function isRound(round: number): boolean {
  return round >= 1 && round <= MAX_ROUND;
}

/** Whether the network signed the round; null where that can not be found out with what is given. */
export function isSignedRound(
  network: DrandNetwork,
  round: number,
  signature: Uint8Array,
  previous: Uint8Array | null,
): boolean | null {
  if (!isRound(round)) return null;
  const number = fromBigInt(BigInt(round), 8);
  if (network.scheme === UNCHAINED) {
    const scheme = bls12_381.shortSignatures;
    return verified(() => {
      const point = scheme.Signature.fromBytes(signature);
      const key = bls12_381.G2.Point.fromBytes(network.publicKey);
      if (point.is0() || key.is0()) return false;
      point.assertValidity();
      key.assertValidity();
      return scheme.verify(point, scheme.hash(sha256(number), DST_G1), key);
    });
  }
  if (previous === null) return null;
  const scheme = bls12_381.longSignatures;
  return verified(() => {
    const point = scheme.Signature.fromBytes(signature);
    const key = bls12_381.G1.Point.fromBytes(network.publicKey);
    if (point.is0() || key.is0()) return false;
    point.assertValidity();
    key.assertValidity();
    return scheme.verify(point, scheme.hash(sha256(concat(previous, number)), DST_G2), key);
  });
}

/** Hex of a point of a signature: 48 or 96 bytes. */
export function parseSignature(hex: string): Uint8Array {
  const bytes = parseHex(hex);
  if (bytes.length !== 48 && bytes.length !== 96) throw new FormatError("a drand signature has 48 or 96 bytes");
  return bytes;
}

function verified(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false; // no point of the curve, or outside the subgroup
  }
}
