/** Exhibits that were handed over: every later verifier finds in them what the first one found. */
import { readFileSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { readContents } from "../src/exhibit/contents.ts";
import { judgeExhibit } from "../src/exhibit/judge.ts";
import { bytesSource } from "../src/exhibit/source.ts";
import { readPolicy } from "../src/proof/policy.ts";

const FOLDER = new URL("../../../../tests/vectors/exhibits/", import.meta.url);
const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".exhibit.zip"))
  .map((name) => name.replace(".exhibit.zip", ""));

test("there is one", () => expect(NAMES.length).toBeGreaterThan(0));

test.each(NAMES)("%s", async (name) => {
  const wanted = JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8"));
  const policy = readPolicy(readFileSync(new URL(`${name}.policy.json`, FOLDER)));
  const contents = await readContents(bytesSource(readFileSync(new URL(`${name}.exhibit.zip`, FOLDER))));
  const { verdict } = judgeExhibit(contents, { policy, now: Date.parse(wanted.now) / 1000 });
  expect(verdict).toMatchObject({
    status: wanted.status,
    exit_status: wanted.exit_status,
    bundle: wanted.bundle,
    signed_by: wanted.signed_by,
    findings: wanted.findings,
  });
  const records = verdict.records!.records.map(({ record, status }) => ({ seq: record.seq, status }));
  expect(records).toEqual(wanted.records);
});
