/** Every vector of records gives the verdict that it demands. */
import { describe, expect, test } from "vitest";
import { FalseError, FormatError } from "../src/errors.ts";
import type { RecordsVerdict } from "../src/records/judge.ts";
import { type Raw, judgeVector } from "./record_question.ts";
import { NAMES, vectorOf } from "./record_vectors.ts";

function checkRecord(report: RecordsVerdict, seq: number, row: Raw): void {
  const verdict = report.records.find(({ record }) => record.seq === seq)!;
  const { record } = verdict;
  for (const [name, wanted] of Object.entries(row)) {
    if (name === "findings") {
      const found = Object.fromEntries(record.findings.map(({ code, status }) => [code, status]));
      expect(found).toMatchObject(wanted);
    } else if (name === "beacons") {
      expect(record.beacons.map(({ status, code, not_before }) => [status, code, not_before])).toEqual(wanted);
    } else if (name === "lag_s" || name === "original" || name === "withheld_fields") {
      expect(record[name]).toEqual(wanted);
    } else if (name === "headline") {
      expect(verdict.existed_before.headline).toEqual(wanted);
    } else {
      expect((verdict as Raw)[name], `${name}: ${verdict.reason}`).toEqual(wanted);
    }
  }
}

describe("vectors of records", () => {
  test("there are vectors", () => expect(NAMES.length).toBeGreaterThan(70));

  test.each(NAMES)("%s", (name) => {
    const vector = vectorOf(name);
    const wanted: Raw = vector["expect"];
    if ("refused" in wanted) {
      expect(() => judgeVector(vector)).toThrow(wanted["refused"] === "format" ? FormatError : FalseError);
      return;
    }
    const report = judgeVector(vector);
    for (const [field, value] of Object.entries(wanted)) {
      if (field === "records") for (const [seq, row] of Object.entries(value as Raw)) checkRecord(report, Number(seq), row);
      else if (field === "forks") expect(report.forks.map(({ status, code }) => [status, code])).toEqual(value);
      else expect((report as Raw)[field], `${field}: ${report.reason}`).toEqual(value);
    }
  });
});
