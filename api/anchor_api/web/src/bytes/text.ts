/** Bytes as text: hex, base64, base64url, UTF-8. Each value has one spelling; others are refused. */
import { FormatError, LimitExceededError } from "../errors.ts";

export { toHex } from "./bytes.ts";

const HEX_TEXT = /^(?:[0-9a-f]{2})*$/;

/** Read lower-case hex, of exactly `length` bytes where one is given. */
export function parseHex(text: string, length?: number, what = "hex"): Uint8Array {
  if (!HEX_TEXT.test(text)) throw new FormatError(`${what}: not lower-case hex`);
  if (length !== undefined && text.length !== 2 * length)
    throw new FormatError(`${what}: ${text.length / 2} bytes where ${length} are wanted`);
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

const STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE = `${STANDARD.slice(0, 62)}-_`;
const BASE64_TEXT = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const BASE64URL_TEXT = /^[A-Za-z0-9_-]*$/;

/** Read standard base64, padded and canonical. */
export function parseBase64(text: string, maxBytes: number, what = "base64"): Uint8Array {
  if (text.length > 4 * Math.ceil(maxBytes / 3))
    throw new LimitExceededError(`${what}: over ${maxBytes} bytes`);
  if (!BASE64_TEXT.test(text)) throw new FormatError(`${what}: not padded standard base64`);
  const bytes = decode64(text.replace(/=+$/, ""), STANDARD, what);
  if (bytes.length > maxBytes) throw new LimitExceededError(`${what}: over ${maxBytes} bytes`);
  return bytes;
}

/** Read base64url without padding; bits that no byte takes must be zero. */
export function parseBase64Url(text: string, what = "base64url"): Uint8Array {
  if (!BASE64URL_TEXT.test(text) || text.length % 4 === 1)
    throw new FormatError(`${what}: not unpadded base64url`, "format.non_canonical");
  return decode64(text, URL_SAFE, what);
}

/** Write standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  const text = encode64(bytes, STANDARD);
  return text + "=".repeat((4 - (text.length % 4)) % 4);
}

/** Write base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return encode64(bytes, URL_SAFE);
}

function decode64(text: string, alphabet: string, what: string): Uint8Array {
  const values = valuesOf(alphabet);
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    held = ((held << 6) | values[text.charCodeAt(i)]!) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >> bits) & 0xff;
    }
  }
  if ((held & ((1 << bits) - 1)) !== 0)
    throw new FormatError(`${what}: bits that no byte takes are not zero`, "format.non_canonical");
  return bytes;
}

function encode64(bytes: Uint8Array, alphabet: string): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += alphabet[(held >> bits) & 63];
    }
  }
  return bits > 0 ? text + alphabet[(held << (6 - bits)) & 63] : text;
}

const tables = new Map<string, Uint8Array>();

function valuesOf(alphabet: string): Uint8Array {
  let table = tables.get(alphabet);
  if (table === undefined) {
    table = new Uint8Array(128);
    for (let i = 0; i < alphabet.length; i++) table[alphabet.charCodeAt(i)] = i;
    tables.set(alphabet, table);
  }
  return table;
}

/** Read UTF-8, strictly; a byte-order mark stays where it is. */
export function parseUtf8(bytes: Uint8Array, what = "text"): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FormatError(`${what}: not UTF-8`);
  }
}

/** Write UTF-8. */
export function toUtf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
