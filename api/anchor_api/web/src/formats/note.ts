/** Signed notes (C2SP signed-note): a text, an empty line, and signature lines. */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, equal, toHex } from "../bytes/bytes.ts";
import { parseBase64, parseHex, toBase64, toUtf8 } from "../bytes/text.ts";
import { FalseError, FormatError, LimitExceededError } from "../errors.ts";
import { MAX_NOTE_BYTES, MAX_NOTE_KEY_BYTES, MAX_NOTE_SIGNATURES } from "../limits.ts";
import { verifyEd25519 } from "./ed25519.ts";

/** Signature types: of a log, and of a witness. */
export const ED25519 = 1;
export const COSIGNATURE_V1 = 4;

const PREFIX = "\u2014 ";
const CONTROL = /[\x00-\x09\x0b-\x1f]/;
/** What Unicode calls white space; JavaScript's own class would add the byte order mark. */
const SPACE = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** A verifier key, read from its one-line form. */
export interface VerifierKey {
  readonly name: string;
  /** Four bytes: SHA-256(name ‖ 0A ‖ type ‖ key), cut. */
  readonly id: Uint8Array;
  readonly algorithm: number;
  /** 32 bytes of Ed25519. */
  readonly publicKey: Uint8Array;
  /** The one-line form. */
  readonly text: string;
}

/** One signature line. */
export interface NoteSignature {
  readonly name: string;
  readonly keyId: Uint8Array;
  /** What follows the key id. */
  readonly signature: Uint8Array;
}

/** A text with the signature lines under it; nothing about it is verified. */
export interface SignedNote {
  /** Ends in a line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Read a verifier key, `name+key id+base64(type ‖ key)`. */
export function parseVerifierKey(text: string): VerifierKey {
  if (toUtf8(text).length > MAX_NOTE_KEY_BYTES) throw new LimitExceededError("a verifier key is too long");
  const match = /^([^+]*)\+([^+]*)\+(.*)$/s.exec(text);
  if (!match) throw new FormatError("no verifier key: name+key id+base64 is wanted");
  const name = match[1]!;
  const id = parseHex(match[2]!, 4, "key id");
  const data = parseBase64(match[3]!, MAX_NOTE_KEY_BYTES, "verifier key");
  const algorithm = data[0];
  requireName(name);
  if (algorithm !== ED25519 && algorithm !== COSIGNATURE_V1)
    throw new FormatError("a verifier key of another signature type than 1 and 4");
  if (data.length !== 33) throw new FormatError("a verifier key has 32 bytes behind its type");
  const wanted = sha256(concat(toUtf8(name), Uint8Array.of(0x0a), data)).subarray(0, 4);
  if (!equal(id, wanted)) throw new FormatError(`key id ${toHex(id)} is not the key's, ${toHex(wanted)} is`);
  return { name, id, algorithm, publicKey: data.subarray(1), text };
}

function requireName(name: string): void {
  if (name === "" || name.includes("+") || SPACE.test(name) || CONTROL.test(name))
    throw new FormatError("a key name is empty or holds a space, plus or control character", "format.note.key_name");
}

/** Read a signed note. */
export function parseNote(note: string): SignedNote {
  if (LONE_SURROGATE.test(note)) throw new FormatError("the note is not UTF-8");
  if (toUtf8(note).length > MAX_NOTE_BYTES) throw new LimitExceededError("the note is too long");
  if (CONTROL.test(note)) throw new FormatError("the note holds a control character");
  // The text may hold empty lines: the last one separates it from the signatures.
  const end = note.lastIndexOf("\n\n");
  if (end < 0) throw new FormatError("the note has no empty line before its signatures");
  const block = note.slice(end + 2);
  if (!block.endsWith("\n")) throw new FormatError("the note does not end with a signature line");
  const lines = block.slice(0, -1).split("\n");
  if (lines.length > MAX_NOTE_SIGNATURES) throw new LimitExceededError("the note has too many signatures");
  return { text: note.slice(0, end + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): NoteSignature {
  const space = line.indexOf(" ", PREFIX.length);
  if (!line.startsWith(PREFIX) || space < 0) throw new FormatError("a line of the note is no signature line");
  const name = line.slice(PREFIX.length, space);
  requireName(name);
  const data = parseBase64(line.slice(space + 1), MAX_NOTE_BYTES, "note signature");
  if (data.length <= 4) throw new FormatError("a note signature has a key id and a signature");
  return { name, keyId: data.subarray(0, 4), signature: data.subarray(4) };
}

/** Return the note as text with these signature lines alone. */
export function noteText(text: string, signatures: readonly NoteSignature[]): string {
  const lines = signatures.map((s) => `${PREFIX}${s.name} ${toBase64(concat(s.keyId, s.signature))}\n`);
  return `${text}\n${lines.join("")}`;
}

/** Return the signature lines that carry a key's name and id, not yet verified. */
export function signaturesBy(note: SignedNote, key: VerifierKey): NoteSignature[] {
  return note.signatures.filter((s) => s.name === key.name && equal(s.keyId, key.id));
}

/** Verify every line that carries a key's name and id; there is at least one. */
export function verifyNote(note: SignedNote, key: VerifierKey): void {
  const message = toUtf8(note.text);
  for (const { signature } of signaturesBy(note, key)) verifyEd25519(key.publicKey, message, signature);
}

/**
 * Verify the cosignatures of a witness and return their earliest time other than 0, else 0.
 *
 * C2SP tlog-cosignature: 8 bytes of time, then a signature over a header of two lines and the text.
 */
export function verifyCosignature(note: SignedNote, key: VerifierKey): bigint {
  const lines = signaturesBy(note, key);
  if (lines.length === 0)
    throw new FalseError(`the note has no signature by ${key.name}`, "verify.signature.missing");
  const times = lines.map(({ signature }) => cosignedAt(note.text, signature, key)).filter((time) => time !== 0n);
  return times.reduce((least, time) => (least === 0n || time < least ? time : least), 0n);
}

function cosignedAt(text: string, signature: Uint8Array, key: VerifierKey): bigint {
  if (signature.length !== 72) throw new FalseError("a cosignature has 72 bytes", "verify.signature.length");
  const time = BigInt(`0x${toHex(signature.subarray(0, 8))}`);
  if (time >= 2n ** 63n) throw new FalseError("a cosignature's time is over 2^63 - 1", "verify.signature.time");
  verifyEd25519(key.publicKey, toUtf8(`cosignature/v1\ntime ${time}\n${text}`), signature.subarray(8));
  return time;
}
