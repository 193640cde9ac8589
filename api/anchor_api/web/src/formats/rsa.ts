/**
 * RSA signatures (RFC 8017): PKCS#1 v1.5 and PSS. The padding is made anew and compared, never parsed.
 *
 * Numbers here are public, so that nothing has to take the same time; the page works without a
 * cryptographic interface of the browser, which `file://` and plain `http://` do not have.
 */
import { concat, equal, fromBigInt, toBigInt } from "../bytes/bytes.ts";
import { parseHex } from "../bytes/text.ts";
import type { Digest } from "./signature.ts";

/** Modulus and exponent. */
export interface RsaKey {
  readonly n: bigint;
  readonly e: bigint;
}

/** DigestInfo up to the digest (RFC 8017 9.2, note 1). */
const DIGEST_INFO = new Map([
  ["sha256", parseHex("3031300d060960864801650304020105000420")],
  ["sha384", parseHex("3041300d060960864801650304020205000430")],
  ["sha512", parseHex("3051300d060960864801650304020305000440")],
]);

/** Return base^exponent mod modulus. */
export function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === "1") result = (result * base) % modulus;
  }
  return result;
}

/** Return what the signature opens to, in as many bytes as the modulus has; null where it cannot be one. */
function open(key: RsaKey, signature: Uint8Array): Uint8Array | null {
  const length = Math.ceil(key.n.toString(2).length / 8);
  const value = toBigInt(signature);
  const sound = key.n % 2n === 1n && key.e % 2n === 1n && key.e > 1n;
  if (!sound || signature.length !== length || value >= key.n) return null;
  return fromBigInt(modPow(value, key.e, key.n), length);
}

/** Verify RSASSA-PKCS1-v1_5. */
export function verifyPkcs1(key: RsaKey, name: string, digest: Digest, message: Uint8Array, signature: Uint8Array): boolean {
  const opened = open(key, signature);
  const head = DIGEST_INFO.get(name);
  if (opened === null || head === undefined) return false;
  const info = concat(head, digest(message));
  const filler = opened.length - info.length - 3;
  if (filler < 8) return false;
  return equal(opened, concat(Uint8Array.of(0, 1), new Uint8Array(filler).fill(0xff), Uint8Array.of(0), info));
}

/** Verify RSASSA-PSS with MGF1 over the same digest and a salt of just that length. */
export function verifyPss(key: RsaKey, digest: Digest, salt: number, message: Uint8Array, signature: Uint8Array): boolean {
  const opened = open(key, signature);
  if (opened === null) return false;
  const bits = key.n.toString(2).length - 1;
  const encoded = bits % 8 === 0 ? opened.subarray(1) : opened;
  const hashed = digest(message);
  const block = encoded.length - hashed.length - 1;
  if ((bits % 8 === 0 && opened[0] !== 0) || block < salt + 1 || encoded.at(-1) !== 0xbc) return false;
  const masked = encoded.subarray(0, block);
  const seed = encoded.subarray(block, block + hashed.length);
  const spare = 8 * encoded.length - bits;
  if (masked[0]! >> (8 - spare) !== 0) return false;
  const plain = mask(seed, block, digest).map((byte, i) => byte ^ masked[i]!);
  plain[0]! &= 0xff >> spare;
  const zeros = block - salt - 1;
  if (plain.subarray(0, zeros).some((byte) => byte !== 0) || plain[zeros] !== 1) return false;
  return equal(digest(concat(new Uint8Array(8), hashed, plain.subarray(zeros + 1))), seed);
}

/** MGF1 (RFC 8017 B.2.1). */
function mask(seed: Uint8Array, length: number, digest: Digest): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let counter = 0, have = 0; have < length; counter++) {
    const part = digest(concat(seed, fromBigInt(BigInt(counter), 4)));
    parts.push(part);
    have += part.length;
  }
  return concat(...parts).slice(0, length);
}
