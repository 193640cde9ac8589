/**
 * JSON, read so that every reader understands it in the same way, or not at all.
 *
 * RFC 8259 with the rules of `docs/spec/proof.md`: UTF-8, no byte order mark, no member name twice,
 * integers alone and below 2^53 either way, no half of a surrogate pair, a bounded depth.
 */
import { FormatError, LimitExceededError } from "../errors.ts";
import { MAX_JSON_DEPTH } from "../limits.ts";
import { parseUtf8 } from "./text.ts";

/** A JSON object; it has no prototype, so that every name in it is a name of the document. */
export interface JsonObject {
  [name: string]: Json;
}

/** Any JSON value that is read here. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** Tell whether a value is a JSON object. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** How many commas and opening brackets and braces outside of strings may still be read; documents can share one. */
export interface ValuesLeft {
  left: number;
}

/** Read one JSON document of at most `maxBytes`, and of at most as many values as are left. */
export function parseJson(
  data: Uint8Array | string,
  maxBytes: number,
  what: string,
  values: ValuesLeft = { left: Infinity },
): Json {
  const length = typeof data === "string" ? new TextEncoder().encode(data).length : data.length;
  if (length > maxBytes) throw new LimitExceededError(`${what} is longer than ${maxBytes} bytes`);
  const text = typeof data === "string" ? data : parseUtf8(data, what);
  return new Parser(text, what, values).document();
}

const INTEGER = /-?(?:0|[1-9][0-9]*)/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Record<string, string> = {
  '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t",
};
const WORDS: readonly [string, boolean | null][] = [["true", true], ["false", false], ["null", null]];

class Parser {
  private at = 0;
  private readonly text: string;
  private readonly what: string;
  private readonly values: ValuesLeft;

  constructor(text: string, what: string, values: ValuesLeft) {
    this.text = text;
    this.what = what;
    this.values = values;
  }

  private count(): void {
    if (--this.values.left < 0) throw new LimitExceededError(`${this.what} holds too many values`);
  }

  document(): Json {
    this.blank();
    const value = this.value(0);
    this.blank();
    if (this.at !== this.text.length) throw this.error("something after its end");
    return value;
  }

  private error(why: string): FormatError {
    return new FormatError(`${this.what} is not JSON that is read here: ${why} (character ${this.at})`);
  }

  private blank(): void {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at++;
  }

  private value(depth: number): Json {
    const first = this.text[this.at];
    if (first === "{" || first === "[") {
      if (depth >= MAX_JSON_DEPTH) throw new LimitExceededError(`${this.what} is nested too deep`);
      this.count();
      return first === "{" ? this.object(depth + 1) : this.array(depth + 1);
    }
    if (first === '"') return this.string();
    for (const [word, value] of WORDS)
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    return this.integer();
  }

  private object(depth: number): JsonObject {
    const object: JsonObject = Object.create(null);
    this.at++;
    this.blank();
    if (this.text[this.at] === "}") {
      this.at++;
      return object;
    }
    for (;;) {
      if (this.text[this.at] !== '"') throw this.error("a member name is wanted");
      const name = this.string();
      if (name in object) throw this.error("a member name twice");
      this.blank();
      if (this.text[this.at++] !== ":") throw this.error("a colon is wanted");
      this.blank();
      object[name] = this.value(depth);
      if (this.ends("}")) return object;
    }
  }

  private array(depth: number): Json[] {
    const items: Json[] = [];
    this.at++;
    this.blank();
    if (this.text[this.at] === "]") {
      this.at++;
      return items;
    }
    for (;;) {
      items.push(this.value(depth));
      if (this.ends("]")) return items;
    }
  }

  /** Take a comma and go on, or take the closing bracket and end. */
  private ends(bracket: string): boolean {
    this.blank();
    const next = this.text[this.at++];
    if (next === bracket) return true;
    if (next !== ",") throw this.error(`a comma or ${bracket} is wanted`);
    this.count();
    this.blank();
    return false;
  }

  private string(): string {
    let value = "";
    this.at++;
    for (;;) {
      PLAIN.lastIndex = this.at;
      const plain = PLAIN.exec(this.text)![0];
      value += plain;
      this.at += plain.length;
      const next = this.text[this.at++];
      if (next === '"') break;
      if (next !== "\\") throw this.error("a string that does not end, or a control character in it");
      value += this.escape();
    }
    if (/[\ud800-\udfff]/.test(value) && !wellFormed(value)) throw this.error("half of a surrogate pair");
    return value;
  }

  private escape(): string {
    const kind = this.text[this.at++] ?? "";
    if (kind !== "u") {
      const value = ESCAPES[kind];
      if (value === undefined) throw this.error("an unknown escape");
      return value;
    }
    const digits = this.text.slice(this.at, this.at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.error("an escape of other than four digits");
    this.at += 4;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  private integer(): number {
    INTEGER.lastIndex = this.at;
    const digits = INTEGER.exec(this.text)?.[0];
    if (digits === undefined) throw this.error("no value");
    this.at += digits.length;
    const value = Number(digits);
    if (".eE".includes(this.text[this.at] ?? "x")) throw this.error("a number with fraction or exponent");
    if (digits === "-0") throw this.error("-0");
    if (!Number.isSafeInteger(value)) throw new LimitExceededError(`${this.what}: an integer past 2^53 - 1`);
    return value;
  }
}

function wellFormed(text: string): boolean {
  return !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}
