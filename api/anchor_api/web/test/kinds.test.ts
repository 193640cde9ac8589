/** The table of kinds is that of docs/spec/record.md, row by row. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ENVELOPE, KINDS } from "../src/records/kinds.ts";
import { TYPES } from "../src/records/types.ts";

const PAGE = readFileSync(new URL("../../../../docs/spec/record.md", import.meta.url), "utf8");

function rowsOf(text: string): string[][] {
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  return rows.map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim().replaceAll("`", "")));
}

function between(start: string): string {
  return PAGE.split(`<!-- ${start} -->`)[1]!.split("<!-- end of")[0]!;
}

/** The specification writes types in words, the table in one word. */
function typeName(text: string): string {
  return text.replaceAll(" ", "_");
}

test("the open part", () => {
  const wanted = rowsOf(between("envelope")).map(([name, type]) => [name, typeName(type!)]);
  expect([...ENVELOPE]).toEqual(wanted);
});

test("every kind and its fields", () => {
  const common = rowsOf(between("common")).map(([name]) => name);
  const sections = between("kinds").split("\n### ").slice(1);
  expect(sections.map((section) => section.split("\n")[0]).sort()).toEqual([...KINDS.keys()].sort());
  for (const section of sections) {
    const kind = KINDS.get(section.split("\n")[0]!)!;
    expect(kind.original, kind.name).toBe(section.includes("Shows how the work came to be."));
    const rows = rowsOf(section).map(([name, type, there]) => ({
      name,
      type: typeName(type!),
      open: there!.includes("open"),
      required: there!.includes("required"),
    }));
    const fields = [...kind.fields.values()];
    expect(fields.slice(0, rows.length), kind.name).toEqual(rows);
    expect(fields.slice(rows.length).map(({ name }) => name)).toEqual(common);
  }
});

test("every type that a field has is one that is checked", () => {
  const types = [...ENVELOPE.values(), ...[...KINDS.values()].flatMap(({ fields }) => [...fields.values()].map(({ type }) => type))];
  for (const type of types) expect(TYPES[type], type).toBeTypeOf("function");
});
