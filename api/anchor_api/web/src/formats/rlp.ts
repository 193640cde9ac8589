/** Recursive Length Prefix (Yellow Paper, appendix B), read strictly: one encoding a value. */
import { concat, toBigInt } from "../bytes/bytes.ts";
import { FormatError, LimitExceededError } from "../errors.ts";
import { MAX_RLP_DEPTH } from "../limits.ts";

/** A byte string, or a list of values. */
export type Rlp = Uint8Array | Rlp[];

/** Return the one value that the data is the encoding of. */
export function decodeRlp(data: Uint8Array, maxBytes: number): Rlp {
  if (data.length > maxBytes) throw new LimitExceededError(`RLP of ${data.length} bytes, at most ${maxBytes} are read`);
  const { value, end } = decodeAt(data, 0, data.length, 0);
  if (end !== data.length) throw new FormatError("bytes after the RLP value", "format.rlp.trailing_data");
  return value;
}

/** Return the one encoding of a value. */
export function encodeRlp(value: Rlp): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    const body = concat(...value.map(encodeRlp));
    return concat(prefix(body.length, 0xc0), body);
  }
  return value.length === 1 && value[0]! < 0x80 ? value : concat(prefix(value.length, 0x80), value);
}

/** Return a natural number as RLP wants it: big-endian, no leading zero, 0 is empty. */
export function rlpInteger(value: number): Uint8Array {
  const digits: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return Uint8Array.from(digits);
}

function prefix(length: number, offset: number): Uint8Array {
  if (length <= 55) return Uint8Array.of(offset + length);
  const digits = rlpInteger(length);
  return concat(Uint8Array.of(offset + 55 + digits.length), digits);
}

/** Return a list, or say that it is none. */
export function asList(value: Rlp | undefined, what: string): Rlp[] {
  if (value === undefined || value instanceof Uint8Array) throw new FormatError(`${what}: a list is wanted`, "format.rlp.kind");
  return value;
}

/** Return a byte string, of just that length where one is given. */
export function asBytes(value: Rlp | undefined, what: string, length?: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new FormatError(`${what}: a byte string is wanted`, "format.rlp.kind");
  if (length !== undefined && value.length !== length)
    throw new FormatError(`${what}: ${value.length} bytes, ${length} wanted`, "format.rlp.length");
  return value;
}

/** Return a natural number of at most that many bytes. */
export function asInteger(value: Rlp | undefined, what: string, maxBytes: number): bigint {
  const bytes = asBytes(value, what);
  if (bytes.length > maxBytes) throw new FormatError(`${what}: over ${maxBytes} bytes`, "format.rlp.length");
  if (bytes[0] === 0) throw new FormatError(`${what}: a leading zero`, "format.rlp.leading_zero");
  return toBigInt(bytes);
}

function decodeAt(data: Uint8Array, start: number, limit: number, depth: number): { value: Rlp; end: number } {
  const first = start < limit ? data[start]! : -1;
  if (first < 0) throw new FormatError("RLP ends before a value", "format.rlp.truncated");
  if (first < 0x80) return { value: data.subarray(start, start + 1), end: start + 1 };
  const isList = first >= 0xc0;
  const { body, end } = bodyOf(data, start, limit, first - (isList ? 0xc0 : 0x80));
  if (!isList) {
    const value = data.subarray(body, end);
    if (value.length === 1 && value[0]! < 0x80)
      throw new FormatError("an RLP byte with a prefix that it does not need", "format.rlp.single_byte");
    return { value, end };
  }
  if (depth >= MAX_RLP_DEPTH) throw new LimitExceededError("RLP is nested too deep");
  const value: Rlp[] = [];
  for (let at = body; at < end; ) {
    const item = decodeAt(data, at, end, depth + 1);
    value.push(item.value);
    at = item.end;
  }
  return { value, end };
}

function bodyOf(data: Uint8Array, start: number, limit: number, short: number): { body: number; end: number } {
  let body = start + 1;
  let length = short;
  if (short > 55) {
    body += short - 55;
    if (body > limit) throw new FormatError("RLP ends within a length", "format.rlp.truncated");
    const digits = data.subarray(start + 1, body);
    length = digits.reduce((sum, digit) => sum * 256 + digit, 0);
    if (digits[0] === 0 || length <= 55) throw new FormatError("an RLP length in more bytes than needed", "format.rlp.length_form");
  }
  if (body + length > limit) throw new FormatError("an RLP value ends too early", "format.rlp.truncated");
  return { body, end: body + length };
}
