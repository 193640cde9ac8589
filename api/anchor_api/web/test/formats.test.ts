import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { sha256 } from "@noble/hashes/sha2.js";
import { fromBER, type AsnType } from "asn1js";
import { describe, expect, test } from "vitest";
import { concat, toHex } from "../src/bytes/bytes.ts";
import { parseJson } from "../src/bytes/json.ts";
import { parseBase64, parseHex, toUtf8 } from "../src/bytes/text.ts";
import { ceilSecond, parseUtc, utcText } from "../src/bytes/time.ts";
import { compactOf, targetOf } from "../src/formats/bitcoin.ts";
import { parseDer, tlv, type Element } from "../src/formats/der.ts";
import { inclusionSteps, leafHash, nodeHash, rootFromPath } from "../src/formats/merkle.ts";
import { readTree } from "../src/formats/ots.ts";
import { decodeRlp, encodeRlp, type Rlp } from "../src/formats/rlp.ts";
import type { Vector } from "./vector.ts";

const FOLDER = fileURLToPath(new URL("../../../../tests/vectors/verdicts/", import.meta.url));

describe("JSON", () => {
  const read = (text: string) => parseJson(text, 10_000, "it");

  test.each(["0", "-1", "9007199254740991", '""', '"\\ud83d\\ude00é"', "[]", "{}", '{"a":[1,{"b":null}],"c":true}', " [ 1 , 2 ] "])(
    "%s is read as everybody reads it",
    (text) => expect(JSON.stringify(read(text))).toBe(JSON.stringify(JSON.parse(text))),
  );

  test.each([
    "", "01", "+1", "-0", "1.0", "1e3", "9007199254740992", "-9007199254740992", "NaN", "Infinity", "tru", "nul", "'a'", '"a', '"\n"',
    '"\\x"', '"\\u12"', '"\\ud800"', '"\\udc00\\ud800"', "[1,]", "[,]", "{,}", '{"a":1,}', '{"a" 1}', "{a:1}", '{"a":1,"a":1}', '{"\\u0061":1,"a":1}', "1 2", "\ufeff1", "[1", "]", "\u00a01",
  ])("%j is refused", (text) => expect(() => read(text)).toThrow());

  test("names are names of the document alone", () => {
    const value = read('{"__proto__":{"a":1},"constructor":2}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(value["toString"]).toBeUndefined();
    expect(value["a"]).toBeUndefined();
  });

  test("depth, length and number of values are limited", () => {
    const nested = (n: number) => "[".repeat(n) + "]".repeat(n);
    expect(() => read(nested(32))).not.toThrow();
    expect(() => read(nested(33))).toThrow(/deep/);
    expect(() => parseJson('"éé"', 6, "it")).not.toThrow();
    expect(() => parseJson('"éé"', 5, "it")).toThrow(/longer/);
    expect(() => parseJson('[1,"[,{",{}]', 100, "it", { left: 4 })).not.toThrow();
    expect(() => parseJson('[1,"[,{",{}]', 100, "it", { left: 3 })).toThrow(/too many/);
  });
});

describe("times", () => {
  test.each(["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "2024-02-29T00:00:00Z", "9999-12-31T23:59:59.999999Z"])("%s", (text) => {
    expect(utcText(parseUtc(text))).toBe(text);
  });

  test.each(["2023-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00.50Z", "2026-01-01T00:00:00+00:00", "2026-01-01 00:00:00Z", "2026-13-01T00:00:00Z"])(
    "%s is refused",
    (text) => expect(() => parseUtc(text)).toThrow(),
  );

  test("fractions round up, before 1970 too", () => {
    expect(ceilSecond(1n)).toBe(1_000_000n);
    expect(ceilSecond(-1n)).toBe(0n);
    expect(ceilSecond(2_000_000n)).toBe(2_000_000n);
  });
});

describe("Merkle trees", () => {
  const entry = (i: number) => sha256(Uint8Array.of(i));
  const root = (from: number, to: number): Uint8Array => {
    if (to - from === 1) return leafHash(entry(from));
    const split = from + 2 ** Math.floor(Math.log2(to - from - 1));
    return nodeHash(root(from, split), root(split, to));
  };
  /** The path as RFC 6962, 2.1.1 defines it. */
  const path = (leaf: number, from: number, to: number): Uint8Array[] => {
    if (to - from === 1) return [];
    const split = from + 2 ** Math.floor(Math.log2(to - from - 1));
    return leaf < split ? [...path(leaf, from, split), root(split, to)] : [...path(leaf, split, to), root(from, split)];
  };

  test("each leaf of each tree leads to its root, and only with a path of its length", () => {
    for (let size = 1; size < 20; size++)
      for (let leaf = 0; leaf < size; leaf++) {
        const hashes = path(leaf, 0, size);
        expect(rootFromPath(leafHash(entry(leaf)), inclusionSteps(leaf, size, hashes))).toEqual(root(0, size));
        expect(() => inclusionSteps(leaf, size, [...hashes, entry(0)])).toThrow(expect.objectContaining({ code: "verify.inclusion.length" }));
      }
  });

  test("sizes past 2^32 have paths, too", () => {
    expect(() => inclusionSteps(2 ** 53 - 2, 2 ** 53 - 1, new Array(52).fill(entry(0)))).not.toThrow();
    expect(() => inclusionSteps(5, 5, [])).toThrow(expect.objectContaining({ code: "verify.inclusion.index" }));
  });
});

describe("DER", () => {
  /** Every element's tag and length, as another library reads them. */
  const theirs = (value: AsnType): string => {
    const inner = (value.valueBlock as { value?: unknown }).value;
    const members = Array.isArray(inner) && value.idBlock.isConstructed ? (inner as AsnType[]).map(theirs) : [];
    return `${value.idBlock.tagClass}/${value.idBlock.tagNumber}/${value.valueBeforeDecodeView.length}(${members.join(",")})`;
  };
  const ours = (element: Element): string => {
    const members = (element.tag & 0x20) !== 0 ? element.members(element.tag).rest().map(ours) : [];
    return `${(element.tag >> 6) + 1}/${element.tag & 0x1f}/${element.raw.length}(${members.join(",")})`;
  };

  test("is read as asn1js reads it, in every token and certificate of the vectors", () => {
    let read = 0;
    for (const name of readdirSync(FOLDER).filter((file) => file.startsWith("tsp_"))) {
      const { proof } = JSON.parse(readFileSync(FOLDER + name, "utf8")) as Vector & { proof: { attestations: Record<string, string | string[]>[] } };
      for (const row of proof.attestations)
        for (const text of [row["token"] ?? [], row["certificates"] ?? [], row["crls"] ?? []].flat()) {
          const data = parseBase64(text, 1 << 20);
          const { result, offset } = fromBER(data);
          if (offset !== data.length) continue;
          expect(ours(parseDer(data, 1 << 20))).toBe(theirs(result));
          read += 1;
        }
    }
    expect(read).toBeGreaterThan(40);
  });

  test.each(["3080", "308100", "30820001aa", "1f0100", "3004020100", "02", "0202", "", "30850000000000"])("%s is refused", (hex) => {
    expect(() => parseDer(parseHex(hex), 100)).toThrow();
  });

  test.each(["0200", "02020001", "0202ff80", "010101", "0600", "0601ff", "06028001", "0300", "030108"])("%s has no value", (hex) => {
    const element = parseDer(parseHex(hex), 100);
    const readers: Record<number, () => unknown> = {
      1: () => element.boolean(),
      2: () => element.integer(),
      3: () => element.bits(),
      6: () => element.oid(),
    };
    expect(readers[element.tag]).toThrow();
  });

  test("lengths are written in the shortest form", () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_536]) {
      const element = parseDer(tlv(4, new Uint8Array(length)), 1 << 20);
      expect(element.octets()).toHaveLength(length);
    }
  });
});

describe("RLP", () => {
  const values: Rlp[] = [new Uint8Array(), Uint8Array.of(0), Uint8Array.of(0x7f), Uint8Array.of(0x80), new Uint8Array(55), new Uint8Array(56), [], [[], [Uint8Array.of(1)]], [new Uint8Array(300), new Uint8Array(60)]];

  test.each(values.map((value) => [toHex(encodeRlp(value)).slice(0, 20), value] as const))("%s", (_name, value) => {
    expect(decodeRlp(encodeRlp(value), 1000)).toEqual(value);
  });

  test.each(["", "8100", "817f", "b800", "b90001", "c1", "c180ff", "b8", "f800", "8201", "c28100"])("%s is refused", (hex) => {
    expect(() => decodeRlp(parseHex(hex), 100)).toThrow();
  });
});

describe("Bitcoin", () => {
  test.each([0x1d00ffff, 0x207fffff, 0x1b0404cb, 0x03123456, 0x02123400, 0x170331db])("compact target %i", (bits) => {
    expect(compactOf(targetOf(bits))).toBe(bits);
  });

  test.each([0, 0x1d80ffff, 0x01003456, 0x23000001, 0xff123456, 0x1e0000ff])("compact target %i is refused", (bits) => {
    expect(() => targetOf(bits)).toThrow(expect.objectContaining({ code: "bitcoin.bits" }));
  });
});

describe("OpenTimestamps", () => {
  const message = sha256(toUtf8("message"));
  const bitcoin = (height: number) => concat(parseHex("000588960d73d7190101"), Uint8Array.of(height));

  test("two equal operations under one node are one, and lose nothing", () => {
    const tree = concat(Uint8Array.of(0xff, 0x08), bitcoin(2), Uint8Array.of(0x08), bitcoin(1));
    const paths = readTree(tree, message);
    expect(paths.map(({ end }) => end)).toEqual([{ kind: "bitcoin", height: 1 }, { kind: "bitcoin", height: 2 }]);
    for (const { messages } of paths) expect(messages.at(-1)).toEqual(sha256(message));
  });

  test("limits are those of its readers", () => {
    const nested = (n: number) => concat(new Uint8Array(n).fill(0x08), bitcoin(1));
    expect(readTree(nested(255), message)[0]!.ops).toHaveLength(255);
    expect(() => readTree(nested(256), message)).toThrow(/nested/);
    expect(() => readTree(concat(nested(1), Uint8Array.of(0)), message)).toThrow(/after the end/);
    expect(() => readTree(parseHex("f000"), message)).toThrow();
    expect(() => readTree(parseHex("99"), message)).toThrow(expect.objectContaining({ code: "ots.unknown_op" }));
    const slow = concat(new Uint8Array(20).fill(0xf3).fill(0x67), bitcoin(1));
    expect(() => readTree(slow, message)).not.toThrow();
    expect(() => readTree(concat(new Uint8Array(8).fill(0xf3), bitcoin(1)), message)).toThrow(/too long/);
  });
});
