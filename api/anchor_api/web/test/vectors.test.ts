import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { judgeVector, type Vector } from "./vector.ts";

const FOLDER = fileURLToPath(new URL("../../../../tests/vectors/verdicts/", import.meta.url));
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith(".json")).sort();

describe("verdict vectors", () => {
  test("are all there", () => {
    expect(NAMES.length).toBeGreaterThan(65);
  });

  test.each(NAMES)("%s", (name) => {
    const vector = JSON.parse(readFileSync(FOLDER + name, "utf8")) as Vector;
    const { rows, trust, refused, ...rest } = vector.expect;
    if (refused !== undefined) {
      expect(() => judgeVector(vector)).toThrow(expect.objectContaining({ code: refused }));
      return;
    }
    const verdict = judgeVector(vector);
    const flat: Record<string, unknown> = {
      status: verdict.status,
      exit_status: verdict.exit_status,
      headline: verdict.existed_before.headline,
      answer: verdict.answer ?? null,
      log: verdict.log.status,
      log_code: verdict.log.code,
      leaf_index: verdict.log.leaf_index,
    };
    for (const [field, wanted] of Object.entries(rest)) expect(flat[field], field).toBe(wanted);
    if (rows !== undefined) {
      const found = verdict.attestations.map(({ status, code }) => `${status} ${code}`).sort();
      expect(found).toEqual(rows.map(({ status, code }) => `${status} ${code}`).sort());
    }
    if (trust !== undefined) expect(verdict.headline?.trust).toContain(trust);
  });
});
