/**
 * The signatures that certificates, tokens and revocation data carry.
 *
 * RSA PKCS#1 v1.5 and RSA-PSS (RFC 8017, RFC 4055), ECDSA (RFC 5758) and Ed25519 (RFC 8410, under the
 * strict rules of `ed25519.ts`), over SHA-256, SHA-384 or SHA-512. Anything older is refused.
 */
import { brainpoolP256r1, brainpoolP384r1, brainpoolP512r1 } from "@noble/curves/misc.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { concat, equal, fromBigInt } from "../bytes/bytes.ts";
import { FalseError, FormatError } from "../errors.ts";
import { parseDer, TAG, type Element } from "./der.ts";
import { verifyEd25519 } from "./ed25519.ts";
import { once } from "./once.ts";
import { verifyPkcs1, verifyPss, type RsaKey } from "./rsa.ts";

/** A digest's name, or the dotted OID of one that is not known. */
export type DigestName = string;

/** A digest function. */
export type Digest = (data: Uint8Array) => Uint8Array;

const DIGEST_NAMES = new Map<string, DigestName>([
  ["1.2.840.113549.2.5", "md5"],
  ["1.3.14.3.2.26", "sha1"],
  ["2.16.840.1.101.3.4.2.4", "sha224"],
  ["2.16.840.1.101.3.4.2.1", "sha256"],
  ["2.16.840.1.101.3.4.2.2", "sha384"],
  ["2.16.840.1.101.3.4.2.3", "sha512"],
]);
const WEAK = new Set(["md5", "sha1", "sha224"]);
const STRONG = new Map<DigestName, Digest>([["sha256", sha256], ["sha384", sha384], ["sha512", sha512]]);
const RSA_PSS = "1.2.840.113549.1.1.10";
const MGF1 = "1.2.840.113549.1.1.8";
const ED25519 = "1.3.101.112";
const RSA_DIGESTS = new Map<string, DigestName>([
  ["1.2.840.113549.1.1.4", "md5"],
  ["1.2.840.113549.1.1.5", "sha1"],
  ["1.2.840.113549.1.1.14", "sha224"],
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
]);
const RSA_PLAIN = "1.2.840.113549.1.1.1";
const ECDSA_DIGESTS = new Map<string, DigestName>([
  ["1.2.840.10045.4.1", "sha1"],
  ["1.2.840.10045.4.3.1", "sha224"],
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
]);

/** Curves of 256 bits and more, by OID. */
export const CURVES = new Map([
  ["1.2.840.10045.3.1.7", p256],
  ["1.3.132.0.34", p384],
  ["1.3.132.0.35", p521],
  ["1.3.132.0.10", secp256k1],
  ["1.3.36.3.3.2.8.1.1.7", brainpoolP256r1],
  ["1.3.36.3.3.2.8.1.1.11", brainpoolP384r1],
  ["1.3.36.3.3.2.8.1.1.13", brainpoolP512r1],
]);

/** P-192 and P-224: keys on them are read, and nothing that they sign counts. */
export const WEAK_CURVES = new Set(["1.2.840.10045.3.1.1", "1.3.132.0.33"]);

/** A public key of one of the kinds that are read here. */
export type PublicKey =
  | ({ readonly kind: "rsa" } & RsaKey)
  | { readonly kind: "ec"; readonly curve: string; readonly point: Uint8Array }
  | { readonly kind: "ed25519"; readonly bytes: Uint8Array };

/** An AlgorithmIdentifier; NULL parameters count as none. */
export interface Algorithm {
  readonly oid: string;
  readonly parameters: Uint8Array | null;
}

/** Read an AlgorithmIdentifier. */
export function parseAlgorithm(element: Element): Algorithm {
  const members = element.sequence();
  const oid = members.take().oid();
  const parameters = members.rest();
  const [first] = parameters;
  const isNull = first?.tag === TAG.null;
  if (parameters.length > 1 || (isNull && first.content.length > 0))
    throw new FormatError("not an algorithm identifier", "tsp.algorithm");
  return { oid, parameters: first === undefined || isNull ? null : first.raw };
}

/** Read the algorithm of a certificate, CRL or OCSP answer: those that are known take no parameters but PSS's. */
export function parseSignatureAlgorithm(element: Element): Algorithm {
  const algorithm = parseAlgorithm(element);
  const { oid, parameters } = algorithm;
  const plain = RSA_DIGESTS.has(oid) || ECDSA_DIGESTS.has(oid) || oid === RSA_PLAIN || oid === ED25519;
  if (parameters !== null && plain) throw new FormatError(`${oid} with parameters`, "tsp.algorithm");
  return algorithm;
}

/** Tell whether two algorithm identifiers say the same. */
export function sameAlgorithm(a: Algorithm, b: Algorithm): boolean {
  if (a.parameters === null || b.parameters === null) return a.oid === b.oid && a.parameters === b.parameters;
  return a.oid === b.oid && equal(a.parameters, b.parameters);
}

/** Return the name of a digest algorithm; it has no parameters. */
export function digestName(algorithm: Algorithm): DigestName {
  if (algorithm.parameters !== null) throw new FormatError("a digest algorithm with parameters", "tsp.algorithm");
  return DIGEST_NAMES.get(algorithm.oid) ?? algorithm.oid;
}

/** Return a digest function that is not weak; FalseError for all others. */
export function strongDigest(name: DigestName | undefined, what: string): Digest {
  const digest = name === undefined ? undefined : STRONG.get(name);
  if (digest !== undefined) return digest;
  if (name !== undefined && WEAK.has(name)) throw new FalseError(`${what}: signed over ${name}`, "tsp.algorithm.weak");
  throw new FalseError(`${what}: an unknown algorithm`, "tsp.algorithm.unknown");
}

/** Return a digest that only names something that is held anyway; SHA-1 is among them. */
export function namingDigest(name: DigestName): Digest | undefined {
  return name === "sha1" ? sha1 : STRONG.get(name);
}

/**
 * Verify one signature; `signersDigest` is used where the algorithm names none (CMS rsaEncryption).
 *
 * FalseError `tsp.signature` where it is none of that key, other codes for what is too weak or not known.
 */
export function verifySignature(
  key: PublicKey, algorithm: Algorithm, message: Uint8Array, signature: Uint8Array, what: string, signersDigest?: DigestName,
): void {
  const { oid } = algorithm;
  if (algorithm.parameters !== null && oid !== RSA_PSS)
    throw new FalseError(`${what}: ${oid} with parameters`, "tsp.algorithm.unknown");
  if (!verifies(key, algorithm, message, signature, what, signersDigest))
    throw new FalseError(`${what}: the signature is not valid`, "tsp.signature");
}

function verifies(
  key: PublicKey, algorithm: Algorithm, message: Uint8Array, signature: Uint8Array, what: string, signersDigest?: DigestName,
): boolean {
  if (key.kind === "rsa") return verifiesRsa(key, algorithm, message, signature, what, signersDigest);
  if (key.kind === "ec") {
    if (WEAK_CURVES.has(key.curve)) throw new FalseError(`${what}: a curve of fewer than 256 bits`, "tsp.key.weak");
    const digest = strongDigest(ECDSA_DIGESTS.get(algorithm.oid), what);
    return verifiesEcdsa(key.curve, key.point, digest(message), signature);
  }
  if (algorithm.oid !== ED25519) throw new FalseError(`${what}: ${algorithm.oid}`, "tsp.algorithm.unknown");
  try {
    verifyEd25519(key.bytes, message, signature);
    return true;
  } catch {
    return false;
  }
}

function verifiesRsa(
  key: RsaKey, algorithm: Algorithm, message: Uint8Array, signature: Uint8Array, what: string, signersDigest?: DigestName,
): boolean {
  const bits = key.n.toString(2).length;
  if (bits < 2048 || bits > 8192 || key.e.toString(2).length > 33)
    throw new FalseError(`${what}: an RSA key of ${bits} bits`, "tsp.key.weak");
  if (algorithm.oid === RSA_PSS && algorithm.parameters !== null) {
    const { name, salt } = pssParameters(algorithm.parameters, what);
    const digest = strongDigest(name, what);
    return once(`pss ${name} ${salt} ${key.n} ${key.e}`, [message, signature], () => verifyPss(key, digest, salt, message, signature));
  }
  const named = RSA_DIGESTS.get(algorithm.oid);
  if (named === undefined && algorithm.oid !== RSA_PLAIN)
    throw new FalseError(`${what}: ${algorithm.oid}`, "tsp.algorithm.unknown");
  const name = named ?? signersDigest;
  const digest = strongDigest(name, what);
  return once(`pkcs1 ${name} ${key.n} ${key.e}`, [message, signature], () => verifyPkcs1(key, name ?? "", digest, message, signature));
}

/** Read RSA-PSS parameters (RFC 4055 3.1); what is absent means SHA-1. */
function pssParameters(der: Uint8Array, what: string): { name: DigestName; salt: number } {
  const members = parseDer(der, 1024).sequence();
  const [named, mask, salt] = [0xa0, 0xa1, 0xa2].map((tag) => members.takeIf(tag));
  members.end();
  if (!named || !mask) throw new FalseError(`${what}: RSA-PSS over sha1`, "tsp.algorithm.weak");
  const digest = parseAlgorithm(named.inner(0xa0));
  const generator = parseAlgorithm(mask.inner(0xa1));
  const over = parseAlgorithm(parseDer(generator.parameters ?? new Uint8Array(), 1024));
  if (generator.oid !== MGF1 || !sameAlgorithm(over, digest))
    throw new FalseError(`${what}: mixed RSA-PSS digests`, "tsp.algorithm.unknown");
  const length = salt ? salt.inner(0xa2).integer() : 20n;
  if (length < 0n || length >= 1024n) throw new FormatError("an RSA-PSS salt of no length", "tsp.algorithm");
  return { name: digestName(digest), salt: Number(length) };
}

/** Verify ECDSA: DER of r and s, both of them and nothing else, each from 1 to the order less 1. */
function verifiesEcdsa(curve: string, point: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  const group = CURVES.get(curve)!;
  try {
    const members = parseDer(signature, 1024).sequence();
    const [r, s] = [members.take().natural(), members.take().natural()];
    members.end();
    const { ORDER, BYTES } = group.Point.Fn;
    if (r < 1n || s < 1n || r >= ORDER || s >= ORDER) return false;
    const compact = concat(fromBigInt(r, BYTES), fromBigInt(s, BYTES));
    return once(`ecdsa ${curve}`, [point, digest, compact], () =>
      group.verify(compact, digest, point, { prehash: false, lowS: false, format: "compact" }),
    );
  } catch {
    return false;
  }
}
