/**
 * SD-JWT (RFC 9901) as records use it, strictly: one text has one meaning, and a record one text.
 *
 * docs/spec/record.md, "The text"; docs/spec/verification.md, step 13.2.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { type Json, type JsonObject, type ValuesLeft, isObject, parseJson } from "../bytes/json.ts";
import { parseBase64Url, toBase64Url, toUtf8 } from "../bytes/text.ts";
import { FalseError, FormatError, LimitExceededError } from "../errors.ts";
import { MAX_RECORD_JSON_VALUES } from "../limits.ts";

const MAX_BYTES = 24 << 20;
const MAX_DISCLOSURES = 4096;
const RESERVED = ["_sd", "_sd_alg", "..."];
const ASCII = /^[\x00-\x7f]*$/;

/** A field that was held apart and is shown. */
export interface Disclosure {
  readonly name: string;
  readonly value: Json;
  /** As it stands in the text. */
  readonly text: string;
  /** base64url of the SHA-256 of that text: what `_sd` holds. */
  readonly digest: string;
}

/** A signed object with what of it is shown. The signature is read and not verified. */
export interface SdJwt {
  /** `header.payload.signature`. */
  readonly jwt: string;
  /** `header.payload`. */
  readonly signingInput: string;
  readonly mediaType: string;
  readonly signature: Uint8Array;
  readonly payload: JsonObject;
  readonly hiddenDigests: readonly string[];
  readonly disclosures: readonly Disclosure[];
}

/** Read `jwt~disclosure~…~`, to the last character. */
export function readSdJwt(text: string): SdJwt {
  if (text.length > MAX_BYTES) throw new LimitExceededError(`record of over ${MAX_BYTES} bytes`);
  if (!ASCII.test(text)) throw new FormatError("the record holds a character that is not ASCII", "record.ascii");
  const [jwt = "", ...rest] = text.split("~");
  if (rest.pop() !== "")
    throw new FormatError(
      "the record does not end in a tilde: it is a bare JWT, cut short, or has a key binding",
      "record.end",
    );
  if (rest.length > MAX_DISCLOSURES)
    throw new LimitExceededError(`record of over ${MAX_DISCLOSURES} disclosures`);
  const values = { left: MAX_RECORD_JSON_VALUES };
  const disclosures = rest.map((one) => readDisclosure(one, values));
  const parts = jwt.split(".");
  const [header = "", payload = "", signature = ""] = parts;
  if (parts.length !== 3) throw new FormatError("a JWT has three parts: header, payload, signature");
  const mediaType = readHeader(header, values);
  const body = readPart(payload, "record payload", values);
  if (!isObject(body)) throw new FormatError("the record payload is not an object");
  const hiddenDigests = readDigests(body);
  const raw = parseBase64Url(signature, "record signature");
  if (raw.length !== 64) throw new FormatError(`a signature of ${raw.length} bytes, 64 are wanted`);
  checkDisclosures(body, hiddenDigests, disclosures);
  return {
    jwt,
    signingInput: `${header}.${payload}`,
    mediaType,
    signature: raw,
    payload: body,
    hiddenDigests,
    disclosures,
  };
}

function readPart(text: string, what: string, values: ValuesLeft): Json {
  return parseJson(parseBase64Url(text, what), MAX_BYTES, what, values);
}

function readHeader(text: string, values: ValuesLeft): string {
  const header = readPart(text, "record header", values);
  if (!isObject(header) || Object.keys(header).sort().join() !== "alg,typ")
    throw new FormatError("the record header holds alg and typ and nothing else");
  if (header["alg"] !== "EdDSA")
    throw new FormatError("the record's algorithm is not EdDSA", "record.algorithm");
  if (typeof header["typ"] !== "string") throw new FormatError("the record's typ is no string");
  return header["typ"];
}

function readDigests(payload: JsonObject): string[] {
  if (payload["_sd_alg"] !== "sha-256")
    throw new FormatError("the record's _sd_alg is not sha-256", "record.sd_alg");
  const digests = payload["_sd"];
  if (!Array.isArray(digests) || digests.length > MAX_DISCLOSURES)
    throw new FormatError("the record's _sd is no array, or a longer one than is read");
  let before = "";
  for (const digest of digests) {
    if (typeof digest !== "string" || parseBase64Url(digest, "digest in _sd").length !== 32)
      throw new FormatError("a digest in _sd is 32 bytes in base64url");
    if (digest <= before)
      throw new FormatError("the digests in _sd are not sorted, or one stands twice", "format.non_canonical");
    before = digest;
  }
  for (const [name, value] of Object.entries(payload))
    if (name !== "_sd" && name !== "_sd_alg") refuseReserved(name, value);
  return digests as string[];
}

function readDisclosure(text: string, values: ValuesLeft): Disclosure {
  const parts = readPart(text, "disclosure", values);
  if (!Array.isArray(parts) || parts.length !== 3)
    throw new FormatError("a disclosure is an array of salt, name and value");
  const [salt, name, value] = parts as [Json, Json, Json];
  if (typeof name !== "string" || typeof salt !== "string")
    throw new FormatError("the salt or the name in a disclosure is no string");
  const saltBytes = parseBase64Url(salt, "salt of a disclosure").length;
  if (saltBytes > 64) throw new LimitExceededError("salt of over 64 bytes");
  if (saltBytes < 16) throw new FormatError("a salt of under 16 bytes", "record.salt");
  refuseReserved(name, value);
  return { name, value, text, digest: toBase64Url(sha256(toUtf8(text))) };
}

/** Names that would make another reader unfold more fields are refused at any depth. */
function refuseReserved(name: string, value: Json): void {
  if (RESERVED.includes(name)) throw new FormatError(`the name ${name} is reserved`, "record.reserved");
  if (Array.isArray(value)) for (const item of value) refuseReserved("", item);
  else if (isObject(value))
    for (const [inner, item] of Object.entries(value)) refuseReserved(inner, item);
}

function checkDisclosures(
  payload: JsonObject,
  hidden: readonly string[],
  disclosures: readonly Disclosure[],
): void {
  const listed = new Set(hidden);
  const seen = new Set<string>();
  const names = new Set(Object.keys(payload));
  for (const { name, digest } of disclosures) {
    if (!listed.has(digest))
      throw new FalseError(`the disclosure of ${name} belongs to no digest`, "record.disclosure_unreferenced");
    if (seen.has(digest))
      throw new FalseError(`the disclosure of ${name} comes twice`, "record.disclosure_repeated");
    if (names.has(name))
      throw new FalseError(`the disclosure names ${name}, which is there already`, "record.disclosure_shadows");
    seen.add(digest);
    names.add(name);
  }
}
