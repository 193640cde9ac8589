/** Signatures made by node's OpenSSL are verified, and refused once anything about them is changed. */
import { constants, createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { describe, expect, test } from "vitest";
import { concat, fromBigInt, reversed, toBigInt } from "../src/bytes/bytes.ts";
import { parseHex, toUtf8 } from "../src/bytes/text.ts";
import { parseDer } from "../src/formats/der.ts";
import { verifyEd25519 } from "../src/formats/ed25519.ts";
import { modPow, verifyPkcs1, verifyPss, type RsaKey } from "../src/formats/rsa.ts";
import { verifySignature, type PublicKey } from "../src/formats/signature.ts";

const MESSAGE = toUtf8("what is signed");
const NONE = { parameters: null };

function digest(name: string): (data: Uint8Array) => Uint8Array {
  return (data) => new Uint8Array(createHash(name).update(data).digest());
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at]! ^= 1;
  return changed;
}

function rsaKey(key: KeyObject): RsaKey {
  const { n, e } = key.export({ format: "jwk" });
  return { n: toBigInt(Buffer.from(n!, "base64url")), e: toBigInt(Buffer.from(e!, "base64url")) };
}

describe("RSA", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = rsaKey(publicKey);

  test.each(["sha256", "sha384", "sha512"])("PKCS#1 v1.5 over %s", (name) => {
    const signature = new Uint8Array(sign(name, MESSAGE, privateKey));
    expect(verifyPkcs1(key, name, digest(name), MESSAGE, signature)).toBe(true);
    for (const at of [0, 100, 255]) expect(verifyPkcs1(key, name, digest(name), MESSAGE, flipped(signature, at))).toBe(false);
    expect(verifyPkcs1(key, name, digest(name), toUtf8("other"), signature)).toBe(false);
    expect(verifyPkcs1(key, name, digest(name), MESSAGE, signature.subarray(1))).toBe(false);
    const wider = fromBigInt(toBigInt(signature) + key.n, 257);
    expect(verifyPkcs1(key, name, digest(name), MESSAGE, wider)).toBe(false);
  });

  test.each([["sha256", 32], ["sha384", 48], ["sha512", 0], ["sha256", 20]] as const)("PSS over %s, salt %i", (name, saltLength) => {
    const options = { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
    const signature = new Uint8Array(sign(name, MESSAGE, options));
    expect(verifyPss(key, digest(name), saltLength, MESSAGE, signature)).toBe(true);
    expect(verifyPss(key, digest(name), saltLength + 1, MESSAGE, signature)).toBe(false);
    expect(verifyPss(key, digest(name), saltLength, toUtf8("other"), signature)).toBe(false);
    for (const at of [0, 100, 255]) expect(verifyPss(key, digest(name), saltLength, MESSAGE, flipped(signature, at))).toBe(false);
  });

  test("PSS where the modulus has one bit more than whole octets", () => {
    const odd = generateKeyPairSync("rsa", { modulusLength: 2049 });
    const options = { key: odd.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    const signature = new Uint8Array(sign("sha256", MESSAGE, options));
    expect(verifyPss(rsaKey(odd.publicKey), digest("sha256"), 32, MESSAGE, signature)).toBe(true);
    expect(verifyPss(rsaKey(odd.publicKey), digest("sha256"), 32, MESSAGE, flipped(signature, 9))).toBe(false);
  });

  test("keys that cost time or prove nothing are refused", () => {
    const call = (changes: Partial<RsaKey>): void =>
      verifySignature({ kind: "rsa", ...key, ...changes }, { oid: "1.2.840.113549.1.1.11", ...NONE }, MESSAGE, new Uint8Array(256), "it");
    expect(() => call({ e: 1n << 40n })).toThrow(expect.objectContaining({ code: "tsp.key.weak" }));
    expect(() => call({ n: (1n << 1024n) - 1n })).toThrow(expect.objectContaining({ code: "tsp.key.weak" }));
    expect(() => call({ e: 1n })).toThrow(expect.objectContaining({ code: "tsp.signature" }));
    expect(() => call({ n: key.n + 1n })).toThrow(expect.objectContaining({ code: "tsp.signature" }));
  });

  test("powers", () => {
    expect(modPow(3n, 200n, 1_000_007n)).toBe(3n ** 200n % 1_000_007n);
    expect(modPow(5n, 0n, 7n)).toBe(1n);
  });
});

describe("ECDSA", () => {
  const curves = [
    ["prime256v1", "1.2.840.10045.3.1.7"],
    ["secp384r1", "1.3.132.0.34"],
    ["secp521r1", "1.3.132.0.35"],
    ["secp256k1", "1.3.132.0.10"],
    ["brainpoolP256r1", "1.3.36.3.3.2.8.1.1.7"],
    ["brainpoolP384r1", "1.3.36.3.3.2.8.1.1.11"],
    ["brainpoolP512r1", "1.3.36.3.3.2.8.1.1.13"],
  ] as const;
  const digests = [["sha256", "1.2.840.10045.4.3.2"], ["sha384", "1.2.840.10045.4.3.3"], ["sha512", "1.2.840.10045.4.3.4"]] as const;

  test.each(curves.flatMap((curve) => digests.map((one) => [curve[0], one[0], curve[1], one[1]])))("%s over %s", (name, hash, curve, oid) => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: name });
    const info = parseDer(new Uint8Array(publicKey.export({ format: "der", type: "spki" })), 1000).sequence();
    info.take();
    const key: PublicKey = { kind: "ec", curve, point: info.take().bits() };
    const call = (message: Uint8Array, signature: Uint8Array) => () => verifySignature(key, { oid, ...NONE }, message, signature, "it");
    const signature = new Uint8Array(sign(hash, MESSAGE, privateKey));
    expect(call(MESSAGE, signature)).not.toThrow();
    const refused = expect.objectContaining({ code: "tsp.signature" });
    expect(call(toUtf8("other"), signature)).toThrow(refused);
    expect(call(MESSAGE, flipped(signature, 12))).toThrow(refused);
    expect(call(MESSAGE, concat(signature, Uint8Array.of(0)))).toThrow(refused);
    expect(call(MESSAGE, parseHex("3006020100020100"))).toThrow(refused);
  });

  test("is not done over SHA-1", () => {
    const call = () => verifySignature({ kind: "ec", curve: "1.2.840.10045.3.1.7", point: new Uint8Array(65) }, { oid: "1.2.840.10045.4.1", ...NONE }, MESSAGE, MESSAGE, "it");
    expect(call).toThrow(expect.objectContaining({ code: "tsp.algorithm.weak" }));
  });
});

describe("Ed25519", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = new Uint8Array(Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url"));
  const signature = new Uint8Array(sign(null, MESSAGE, privateKey));
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;

  test("a genuine signature verifies, a changed one does not", () => {
    expect(() => verifyEd25519(raw, MESSAGE, signature)).not.toThrow();
    for (const at of [0, 31, 32, 63]) expect(() => verifyEd25519(raw, MESSAGE, flipped(signature, at))).toThrow();
    expect(() => verifyEd25519(raw, toUtf8("other"), signature)).toThrow();
    expect(() => verifyEd25519(raw, MESSAGE, signature.subarray(1))).toThrow();
  });

  test("the same signature with the group order added to S is refused", () => {
    const s = toBigInt(reversed(signature.subarray(32))) + L;
    const other = concat(signature.subarray(0, 32), reversed(fromBigInt(s, 32)));
    expect(() => verifyEd25519(raw, MESSAGE, other)).toThrow(expect.objectContaining({ code: "verify.signature.scalar" }));
  });

  test("keys of small order and points that are not canonical are refused", () => {
    const identity = concat(Uint8Array.of(1), new Uint8Array(31));
    const forged = concat(identity, new Uint8Array(32));
    expect(() => verifyEd25519(identity, MESSAGE, forged)).toThrow(expect.objectContaining({ code: "verify.signature.small_order" }));
    const beyond = reversed(fromBigInt(2n ** 255n - 19n + 5n, 32));
    expect(() => verifyEd25519(beyond, MESSAGE, signature)).toThrow(expect.objectContaining({ code: "verify.signature.non_canonical" }));
  });

  test("a key with a part of small order can not make a signature that only some verifiers take", () => {
    // A = aB + T with T of order 8: the equation holds times the cofactor, and not as it stands.
    const torsion = ed25519.Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    const a = 123_456_789n;
    const key = ed25519.Point.BASE.multiply(a).add(torsion).toBytes();
    for (let r = 1n; r < 9n; r++) {
      const nonce = ed25519.Point.BASE.multiply(r).toBytes();
      const k = toBigInt(reversed(sha512(concat(nonce, key, MESSAGE)))) % L;
      const made = concat(nonce, reversed(fromBigInt((r + k * a) % L, 32)));
      if (k % 8n === 0n) expect(() => verifyEd25519(key, MESSAGE, made)).not.toThrow();
      else expect(() => verifyEd25519(key, MESSAGE, made)).toThrow(expect.objectContaining({ code: "verify.signature" }));
    }
  });
});
