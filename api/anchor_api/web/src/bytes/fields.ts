/** Reads a JSON object field by field, and refuses what is not expected. */
import { FormatError, LimitExceededError } from "../errors.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";
import { parseBase64, parseHex } from "./text.ts";

/** One JSON object being read; `where` is its place in the file, for messages. */
export class Fields {
  readonly where: string;
  private readonly object: JsonObject;
  private readonly left: Set<string>;

  constructor(value: Json | undefined, where: string) {
    if (!isObject(value)) throw new FormatError(`${where}: an object is wanted`);
    this.where = where;
    this.object = value;
    this.left = new Set(Object.keys(value));
  }

  /** Return the place of a field, for messages. */
  path(name: string): string {
    return `${this.where}.${name}`;
  }

  /** Tell whether a field is there. */
  has(name: string): boolean {
    return this.object[name] !== undefined;
  }

  /** Take a field out; undefined where it is missing. */
  take(name: string): Json | undefined {
    this.left.delete(name);
    return this.object[name];
  }

  private must(name: string, fallback?: Json): Json {
    const value = this.take(name);
    if (value !== undefined) return value;
    if (fallback === undefined) throw new FormatError(`${this.where}: the field ${name} is missing`);
    return fallback;
  }

  /** Read a field that may be missing or null. */
  optional<T>(name: string, read: (name: string) => T): T | null {
    if (this.object[name] === undefined || this.object[name] === null) {
      this.left.delete(name);
      return null;
    }
    return read(name);
  }

  /** Take an integer within bounds, both included. */
  integer(name: string, minimum = 0, maximum = Number.MAX_SAFE_INTEGER, fallback?: number): number {
    const value = this.must(name, fallback);
    if (typeof value !== "number") throw new FormatError(`${this.path(name)}: an integer is wanted`);
    if (value < minimum || value > maximum)
      throw new FormatError(`${this.path(name)}: ${value} is outside ${minimum} to ${maximum}`);
    return value;
  }

  /** Take a string of at most `maxCharacters` Unicode characters. */
  text(name: string, maxCharacters = 1000, fallback?: string): string {
    const value = this.must(name, fallback);
    if (typeof value !== "string") throw new FormatError(`${this.path(name)}: a string is wanted`);
    if (value.length > maxCharacters && [...value].length > maxCharacters)
      throw new LimitExceededError(`${this.path(name)}: over ${maxCharacters} characters`);
    return value;
  }

  /** Take a string that is one of a few. */
  choice<T extends string>(name: string, allowed: readonly T[], fallback?: T): T {
    const value = this.text(name, 1000, fallback);
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw new FormatError(`${this.path(name)}: none of ${allowed.join(", ")}`);
    return found;
  }

  /** Take true or false. */
  boolean(name: string, fallback?: boolean): boolean {
    const value = this.must(name, fallback);
    if (typeof value !== "boolean") throw new FormatError(`${this.path(name)}: true or false is wanted`);
    return value;
  }

  /** Take lower-case hex of exactly `length` bytes. */
  hex(name: string, length: number): Uint8Array {
    return parseHex(this.text(name, 2 * length), length, this.path(name));
  }

  /** Take lower-case hex of at most `maxBytes`. */
  hexUpTo(name: string, maxBytes: number): Uint8Array {
    return parseHex(this.text(name, 2 * maxBytes), undefined, this.path(name));
  }

  /** Take padded standard base64. */
  base64(name: string, maxBytes: number): Uint8Array {
    return parseBase64(this.text(name, 2 * maxBytes + 8), maxBytes, this.path(name));
  }

  /** Take an array of at most `maxItems`; where it is missing, an empty one if that is allowed. */
  array(name: string, maxItems: number, optional = false): Json[] {
    const value = this.must(name, optional ? [] : undefined);
    if (!Array.isArray(value)) throw new FormatError(`${this.path(name)}: an array is wanted`);
    if (value.length > maxItems) throw new LimitExceededError(`${this.path(name)}: over ${maxItems} items`);
    return value;
  }

  /** Take an array of objects and read each. */
  objects<T>(name: string, maxItems: number, read: (fields: Fields) => T, optional = false): T[] {
    return this.array(name, maxItems, optional).map((item, i) => {
      const fields = new Fields(item, `${this.path(name)}[${i}]`);
      const value = read(fields);
      fields.done();
      return value;
    });
  }

  /** Take an array of strings and read each. */
  texts<T>(name: string, maxItems: number, read: (text: string, where: string) => T, optional = false): T[] {
    return this.array(name, maxItems, optional).map((item, i) => {
      const where = `${this.path(name)}[${i}]`;
      if (typeof item !== "string") throw new FormatError(`${where}: a string is wanted`);
      return read(item, where);
    });
  }

  /** Take an object and read it. */
  inner<T>(name: string, read: (fields: Fields) => T): T {
    const fields = new Fields(this.take(name), this.path(name));
    const value = read(fields);
    fields.done();
    return value;
  }

  /** Refuse fields that nobody asked for. */
  done(): void {
    for (const name of this.left) throw new FormatError(`${this.where}: unknown field ${JSON.stringify(name)}`);
  }
}
