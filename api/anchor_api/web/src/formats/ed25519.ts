/**
 * Ed25519, verified strictly: RFC 8032 section 5.1.7 with what it leaves open closed.
 *
 * Refused are points that are not written canonically, points of small order as key or nonce point,
 * and S at or above the group order. The equation is checked without the cofactor: S·B − k·A must be
 * the nonce point to the letter. What passes here passes in every conforming library.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { concat, equal, reversed, toBigInt } from "../bytes/bytes.ts";
import { FalseError } from "../errors.ts";
import { once } from "./once.ts";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const SIGN_BIT = 1n << 255n;
/** y of two of the four points of order 8; the other two have P − y. */
const Y8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;
const SMALL_ORDER_Y = new Set([0n, 1n, P - 1n, Y8, P - Y8]);

/** Verify one signature of 64 bytes (R then S) under a key of 32; FalseError where it is none. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): void {
  if (publicKey.length !== 32 || signature.length !== 64)
    throw new FalseError("an Ed25519 key has 32 bytes and a signature 64", "verify.signature.length");
  const nonce = signature.subarray(0, 32);
  requireSound(publicKey, "key");
  requireSound(nonce, "nonce point");
  const s = toBigInt(reversed(signature.subarray(32)));
  if (s >= L) throw new FalseError("the signature's scalar is not below the group order", "verify.signature.scalar");
  const holds = once("ed25519", [publicKey, signature, message], () => equation(publicKey, nonce, s, message));
  if (!holds)
    throw new FalseError("the Ed25519 signature does not verify", "verify.signature");
}

function equation(publicKey: Uint8Array, nonce: Uint8Array, s: bigint, message: Uint8Array): boolean {
  try {
    const key = ed25519.Point.fromBytes(publicKey, false);
    const k = toBigInt(reversed(sha512(concat(nonce, publicKey, message)))) % L;
    const base = ed25519.Point.BASE.multiplyUnsafe(s);
    return equal(base.subtract(key.multiplyUnsafe(k)).toBytes(), nonce);
  } catch {
    return false; // the key is no point of the curve
  }
}

function requireSound(encoding: Uint8Array, what: string): void {
  const y = toBigInt(reversed(encoding)) & (SIGN_BIT - 1n);
  if (y >= P)
    throw new FalseError(`the Ed25519 ${what} is not written canonically`, "verify.signature.non_canonical");
  if (SMALL_ORDER_Y.has(y))
    throw new FalseError(`the Ed25519 ${what} is a point of small order`, "verify.signature.small_order");
}
