import { describe, expect, test } from "vitest";
import { concat, contains, fromBigInt, toBigInt } from "../src/bytes/bytes.ts";
import { parseBase64, parseBase64Url, parseHex, parseUtf8, toBase64, toBase64Url, toHex } from "../src/bytes/text.ts";

const bytes = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 37 + n) & 0xff);

describe("text of bytes", () => {
  test("is what node writes and leads back, at every length", () => {
    for (let n = 0; n < 70; n++) {
      const value = bytes(n);
      const node = Buffer.from(value);
      expect(toHex(value)).toBe(node.toString("hex"));
      expect(toBase64(value)).toBe(node.toString("base64"));
      expect(toBase64Url(value)).toBe(node.toString("base64url"));
      expect(parseHex(toHex(value))).toEqual(value);
      expect(parseBase64(toBase64(value), 100)).toEqual(value);
      expect(parseBase64Url(toBase64Url(value))).toEqual(value);
    }
  });

  test.each(["AB", "0", "0x00", "zz", "00 "])("hex %j is refused", (text) => {
    expect(() => parseHex(text)).toThrow(/hex/);
  });

  test.each(["AB==", "AAB=", "A", "AA", "AAA", "A===", "AA=A", "AA==\n", " AAAA", "AA-_"])("base64 %j is refused", (text) => {
    expect(() => parseBase64(text, 100)).toThrow();
  });

  test.each(["AB", "AAB", "A", "AA==", "AA+/", "AAAA "])("base64url %j is refused", (text) => {
    expect(() => parseBase64Url(text)).toThrow();
  });

  test("base64 over its limit is refused", () => {
    expect(parseBase64(toBase64(bytes(5)), 5)).toEqual(bytes(5));
    expect(() => parseBase64(toBase64(bytes(6)), 5)).toThrow(/over 5 bytes/);
  });

  test("UTF-8 that is none is refused", () => {
    expect(() => parseUtf8(Uint8Array.of(0xc0, 0x80))).toThrow(/UTF-8/);
    expect(parseUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
  });
});

describe("byte strings", () => {
  test("hold each other", () => {
    expect(contains(bytes(20), bytes(20).subarray(3, 9))).toBe(true);
    expect(contains(bytes(3), bytes(4))).toBe(false);
    expect(contains(bytes(3), new Uint8Array())).toBe(true);
  });

  test("are numbers", () => {
    expect(toBigInt(Uint8Array.of(1, 0))).toBe(256n);
    expect(fromBigInt(256n, 4)).toEqual(Uint8Array.of(0, 0, 1, 0));
    expect(() => fromBigInt(256n, 1)).toThrow();
    expect(concat(bytes(2), bytes(3))).toHaveLength(5);
  });
});
