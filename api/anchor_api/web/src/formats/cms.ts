/** The one SignerInfo of a token: who signed, and what exactly (RFC 5652 5.3; RFC 5035 5, RFC 5816 2). */
import { FormatError } from "../errors.ts";
import { TAG, tlv, type Element } from "./der.ts";
import { digestName, parseAlgorithm, type Algorithm, type DigestName } from "./signature.ts";

const CONTENT_TYPE = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12";
const SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";

/** What a SignerInfo says. */
export interface Signer {
  /** DER of the issuer's name and the serial number, or null where `keyId` names the certificate. */
  readonly issuer: Uint8Array | null;
  readonly serial: bigint | null;
  readonly keyId: Uint8Array | null;
  readonly digestName: DigestName;
  readonly algorithm: Algorithm;
  readonly signature: Uint8Array;
  /** DER of the SET: the bytes that are signed. */
  readonly signedAttributes: Uint8Array;
  readonly contentType: string;
  readonly messageDigest: Uint8Array;
  /** Of the signer's certificate, from each of the signing-certificate attributes. */
  readonly certificateDigests: readonly (readonly [DigestName, Uint8Array])[];
}

/** Read a SignerInfo. Signed attributes are wanted: without them nothing binds the certificate. */
export function parseSigner(element: Element): Signer {
  const members = element.sequence();
  const version = members.take().integer();
  const identifier = members.take();
  const digest = parseAlgorithm(members.take());
  const signed = members.takeIf(0xa0);
  const algorithm = parseAlgorithm(members.take());
  const signature = members.take().octets();
  members.takeIf(0xa1);
  members.end();
  if (signed === null) throw new FormatError("signer: no signed attributes", "tsp.signed_attributes");
  const identity = identityOf(identifier);
  if (version !== (identity.keyId === null ? 1n : 3n)) throw new FormatError(`signer: version ${version}`, "tsp.signed_data");
  const attributes = attributesOf(signed);
  return {
    ...identity,
    digestName: digestName(digest),
    algorithm,
    signature,
    signedAttributes: tlv(TAG.set, signed.content),
    contentType: wanted(attributes, CONTENT_TYPE).oid(),
    messageDigest: wanted(attributes, MESSAGE_DIGEST).octets(),
    certificateDigests: [
      ...certificateDigest(attributes.get(SIGNING_CERTIFICATE), "sha1"),
      ...certificateDigest(attributes.get(SIGNING_CERTIFICATE_V2), "sha256"),
    ],
  };
}

function identityOf(identifier: Element): Pick<Signer, "issuer" | "serial" | "keyId"> {
  if (identifier.tag === 0x80) return { issuer: null, serial: null, keyId: identifier.content };
  const members = identifier.sequence();
  const issuer = members.take(TAG.sequence).raw;
  const serial = members.take().integer();
  members.end();
  return { issuer, serial, keyId: null };
}

/** Return the single value of each signed attribute by its OID. */
function attributesOf(signed: Element): Map<string, Element> {
  const found = new Map<string, Element>();
  for (const attribute of signed.members(0xa0).rest()) {
    const members = attribute.sequence();
    const oid = members.take().oid();
    const values = members.take().members(TAG.set).rest();
    members.end();
    if (found.has(oid) || values.length !== 1)
      throw new FormatError(`attribute ${oid}: not one value`, "tsp.signed_attributes");
    found.set(oid, values[0]!);
  }
  return found;
}

function wanted(attributes: ReadonlyMap<string, Element>, oid: string): Element {
  const value = attributes.get(oid);
  if (value === undefined) throw new FormatError(`signer: no attribute ${oid}`, "tsp.signed_attributes");
  return value;
}

/** Return the digest of the first, the signer's, of the certificates in the attribute. */
function certificateDigest(value: Element | undefined, fallback: DigestName): [DigestName, Uint8Array][] {
  if (value === undefined) return [];
  const members = value.sequence().take().sequence().take().sequence();
  const algorithm = fallback === "sha256" ? members.takeIf(TAG.sequence) : null;
  return [[algorithm ? digestName(parseAlgorithm(algorithm)) : fallback, members.take().octets()]];
}
