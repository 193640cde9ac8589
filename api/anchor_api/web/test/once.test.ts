/** What is remembered of a check is remembered for its inputs alone. */
import { expect, test } from "vitest";
import { once } from "../src/formats/once.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

test("a check is asked once for the same inputs", () => {
  let asked = 0;
  const check = () => {
    asked += 1;
    return true;
  };
  expect(once("a test", [bytes(1), bytes(2)], check)).toBe(true);
  expect(once("a test", [bytes(1), bytes(2)], check)).toBe(true);
  expect(asked).toBe(1);
});

test.each([
  ["another name", "another test", [bytes(1), bytes(2)]],
  ["another value", "a test", [bytes(1), bytes(3)]],
  ["another cut", "a test", [bytes(1, 2)]],
  ["another order", "a test", [bytes(2), bytes(1)]],
])("and again for %s", (_name, what, inputs) => {
  once("a test", [bytes(1), bytes(2)], () => true);
  expect(once(what, inputs, () => false)).toBe(false);
});

test("no is remembered, too", () => {
  expect(once("a false one", [bytes(9)], () => false)).toBe(false);
  expect(once("a false one", [bytes(9)], () => true)).toBe(false);
});
