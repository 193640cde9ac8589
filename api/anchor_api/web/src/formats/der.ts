/**
 * DER (ITU-T X.690), read strictly where two readings could differ: definite lengths in the shortest
 * form, identifiers of one octet, whole inputs, shortest integers. The members of a SET may come in any
 * order, since real authorities need that. Every element keeps its own bytes, so that signatures are
 * checked over what was sent.
 */
import { toBigInt } from "../bytes/bytes.ts";
import { calendarTime, type Micros } from "../bytes/time.ts";
import { FormatError, LimitExceededError } from "../errors.ts";
import * as limits from "../limits.ts";

export const TAG = {
  boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, null: 0x05, oid: 0x06, enumerated: 0x0a,
  utf8: 0x0c, printable: 0x13, utcTime: 0x17, generalizedTime: 0x18, universal: 0x1c, bmp: 0x1e,
  sequence: 0x30, set: 0x31,
} as const;

/** One DER value. */
export class Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Identifier, length and content, as they came. */
  readonly raw: Uint8Array;
  private readonly depth: number;

  constructor(tag: number, content: Uint8Array, raw: Uint8Array, depth: number) {
    this.tag = tag;
    this.content = content;
    this.raw = raw;
    this.depth = depth;
  }

  /** Return this element if it has that tag. */
  expect(tag: number): this {
    if (this.tag !== tag) throw new FormatError(`tag ${this.tag.toString(16)}, ${tag.toString(16)} wanted`, "der.tag");
    return this;
  }

  /** Return the members of a constructed element that has that tag. */
  members(tag: number): Members {
    this.expect(tag);
    if (this.depth >= limits.MAX_DER_DEPTH) throw new LimitExceededError("DER is nested too deep");
    const found: Element[] = [];
    for (let at = 0; at < this.content.length; at += found.at(-1)!.raw.length) {
      if (found.length >= limits.MAX_DER_MEMBERS) throw new LimitExceededError("too many DER members");
      found.push(readElement(this.content, at, this.depth + 1));
    }
    return new Members(found);
  }

  /** Go through the members of a SEQUENCE that may be very long, such as a revocation list. */
  *each(): Generator<Element> {
    this.expect(TAG.sequence);
    if (this.depth >= limits.MAX_DER_DEPTH) throw new LimitExceededError("DER is nested too deep");
    for (let at = 0; at < this.content.length; ) {
      const member = readElement(this.content, at, this.depth + 1);
      at += member.raw.length;
      yield member;
    }
  }

  /** Return the members of a SEQUENCE. */
  sequence(): Members {
    return this.members(TAG.sequence);
  }

  /** Return the one element inside an explicitly tagged one. */
  inner(tag: number): Element {
    const members = this.members(tag);
    const element = members.take();
    members.end();
    return element;
  }

  /** Return the same bytes under another tag, as implicit tagging wants. */
  as(tag: number): Element {
    return new Element(tag, this.content, this.raw, this.depth);
  }

  /** Return an INTEGER of at most 64 octets. */
  integer(): bigint {
    const { content } = this.expect(TAG.integer);
    if (content.length < 1 || content.length > limits.MAX_DER_INTEGER_BYTES)
      throw new FormatError(`an integer of ${content.length} octets`, "der.integer");
    return signedInteger(content);
  }

  /** Return an INTEGER that is a natural number of any length, as RSA's are. */
  natural(): bigint {
    const { content } = this.expect(TAG.integer);
    if (content.length < 1) throw new FormatError("an integer without octets", "der.integer");
    const value = signedInteger(content);
    if (value < 0n) throw new FormatError("a negative integer", "der.integer");
    return value;
  }

  /** Return a BOOLEAN. */
  boolean(): boolean {
    const [octet] = this.expect(TAG.boolean).content;
    if (this.content.length !== 1 || (octet !== 0 && octet !== 0xff))
      throw new FormatError("a boolean is 00 or ff", "der.boolean");
    return octet === 0xff;
  }

  /** Return an OBJECT IDENTIFIER as dotted decimals. */
  oid(): string {
    return dotted(this.expect(TAG.oid).content);
  }

  /** Return the octets of an OCTET STRING. */
  octets(): Uint8Array {
    return this.expect(TAG.octetString).content;
  }

  /** Return the octets of a BIT STRING of whole octets. */
  bits(): Uint8Array {
    const { content } = this.expect(TAG.bitString);
    if (content[0] !== 0) throw new FormatError("not a bit string of whole octets", "der.bit_string");
    return content.subarray(1);
  }

  /** Return which bits of a named BIT STRING are set. */
  namedBits(): Set<number> {
    const { content } = this.expect(TAG.bitString);
    const unused = content[0] ?? 8;
    const last = content.at(-1)!;
    if (unused > 7 || (content.length === 1 && unused !== 0) || (unused > 0 && (last & ((1 << unused) - 1)) !== 0))
      throw new FormatError("not a bit string", "der.bit_string");
    const set = new Set<number>();
    for (let bit = 0; bit < (content.length - 1) * 8; bit++)
      if ((content[1 + (bit >> 3)]! & (0x80 >> (bit & 7))) !== 0) set.add(bit);
    return set;
  }

  /** Return a GeneralizedTime with seconds, in UTC; a fraction finer than a microsecond is rounded up. */
  generalizedTime(): Micros {
    const text = latin1(this.expect(TAG.generalizedTime).content);
    const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,12}))?Z$/.exec(text);
    if (!match) throw new FormatError("not a time such as 20261123100208Z", "der.time");
    const fraction = BigInt((match[7] ?? "").padEnd(12, "0"));
    return dateOf(match.slice(1, 7)) + (fraction + 999_999n) / 1_000_000n;
  }

  /** Return the time of a certificate or CRL: UTCTime or GeneralizedTime, to the second, in UTC. */
  time(): Micros {
    const text = latin1(this.content);
    const pattern = this.tag === TAG.utcTime ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
    const match = pattern.exec(text);
    if (!match || (this.tag !== TAG.utcTime && this.tag !== TAG.generalizedTime))
      throw new FormatError("not a time of a certificate", "der.time");
    const parts = match.slice(1, 7);
    if (this.tag === TAG.utcTime) parts[0] = (Number(parts[0]) < 50 ? "20" : "19") + parts[0];
    return dateOf(parts);
  }
}

function dateOf(parts: readonly string[]): Micros {
  const time = calendarTime(...(parts.map(Number) as [number, number, number, number, number, number]));
  if (time === null) throw new FormatError("no such time", "der.time");
  return time;
}

function signedInteger(content: Uint8Array): bigint {
  const [first, second] = content;
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
    throw new FormatError("an integer that is longer than needed", "der.integer");
  const value = toBigInt(content);
  return first! < 0x80 ? value : value - (1n << BigInt(8 * content.length));
}

/** Members of a constructed element, taken one after the other. */
export class Members {
  private next = 0;
  private readonly found: readonly Element[];

  constructor(found: readonly Element[]) {
    this.found = found;
  }

  /** Return the next member, which must be there and have the tag if one is given. */
  take(tag?: number): Element {
    const element = this.found[this.next];
    if (element === undefined) throw new FormatError("a DER member is missing", "der.missing");
    if (tag !== undefined) element.expect(tag);
    this.next += 1;
    return element;
  }

  /** Return the next member if it has that tag. */
  takeIf(tag: number): Element | null {
    return this.found[this.next]?.tag === tag ? this.take() : null;
  }

  /** Return all members that were not taken. */
  rest(): readonly Element[] {
    const rest = this.found.slice(this.next);
    this.next = this.found.length;
    return rest;
  }

  /** Refuse members that nobody took. */
  end(): void {
    if (this.next < this.found.length) throw new FormatError("a DER member too many", "format.trailing_data");
  }
}

/** Return the one element that the data is, to its last byte. */
export function parseDer(data: Uint8Array, maxBytes: number): Element {
  if (data.length > maxBytes) throw new LimitExceededError(`${data.length} bytes of DER, at most ${maxBytes} are read`);
  const element = readElement(data, 0, 0);
  if (element.raw.length !== data.length) throw new FormatError("bytes after the end of DER", "format.trailing_data");
  return element;
}

function readElement(data: Uint8Array, at: number, depth: number): Element {
  const tag = data[at];
  let length = data[at + 1];
  if (tag === undefined || length === undefined) throw new FormatError("DER ends inside an element", "format.truncated");
  if ((tag & 0x1f) === 0x1f) throw new FormatError("a DER tag number over 30", "der.tag");
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count < 1 || count > 4) throw new FormatError("an indefinite or huge DER length", "der.length");
    const octets = data.subarray(start, start + count);
    length = octets.reduce((sum, octet) => sum * 256 + octet, 0);
    if (octets.length < count || length < 0x80 || octets[0] === 0)
      throw new FormatError("a DER length in more octets than needed", "der.length");
    start += count;
  }
  if (length > data.length - start) throw new FormatError("DER ends too early", "format.truncated");
  return new Element(tag, data.subarray(start, start + length), data.subarray(at, start + length), depth);
}

function dotted(content: Uint8Array): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  let fresh = true;
  const { length } = content;
  if (length < 1 || length > limits.MAX_DER_OID_BYTES || content[length - 1]! >= 0x80)
    throw new FormatError("not an object identifier", "der.oid");
  for (const octet of content) {
    if (fresh && octet === 0x80) throw new FormatError("not an object identifier", "der.oid");
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    fresh = octet < 0x80;
    if (fresh) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const [head, ...tail] = arcs as [bigint, ...bigint[]];
  const first = head < 40n ? 0n : head < 80n ? 1n : 2n;
  return [first, head - 40n * first, ...tail].join(".");
}

/** Read bytes as characters of the same numbers. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Write one element around its content. */
export function tlv(tag: number, content: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = content.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256);
  const head = content.length < 0x80 ? [tag, content.length] : [tag, 0x80 | length.length, ...length];
  const whole = new Uint8Array(head.length + content.length);
  whole.set(head);
  whole.set(content, head.length);
  return whole;
}
