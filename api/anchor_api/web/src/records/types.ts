/** The types of a record's fields (docs/spec/record.md, "Types"): each says whether a value is one. */
import { type Json, type JsonObject, isObject } from "../bytes/json.ts";
import { parseUtc } from "../bytes/time.ts";

type Check = (value: Json) => boolean;

const HEX32 = /^[0-9a-f]{64}$/;
const HEX16 = /^[0-9a-f]{32}$/;
const WORD = /^[a-z][a-z0-9_]{0,39}$/;
const NUMBER = /^-?(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,40})?$/;
const REF = /^(?:0|[1-9][0-9]{0,14})(?:\.(?:0|[1-9][0-9]{0,3}))?$/;
const MAX_BEACONS = 8;
const MAX_OFFSET_MINUTES = 840;

const text: Check = (value) => typeof value === "string";
const integer: Check = (value) => typeof value === "number" && value >= 0;
const sha256 = matching(HEX32);
const ref = matching(REF);
const role = oneOf("author", "co-author", "assistant", "tool", "importer");

/** The fields of a beacon besides `source`, by source. */
const BEACONS: Record<string, Record<string, Check>> = {
  bitcoin: { height: integer, hash: sha256 },
  evm: { chain_id: integer, number: integer, hash: sha256 },
  drand: { round: integer, randomness: sha256 },
};
const SIGNATURE = matching(/^(?:[0-9a-f]{96}|[0-9a-f]{192})$/);
/** Those that may be there besides. */
const BEACON_EXTRAS: Record<string, Record<string, Check>> = {
  drand: { chain_hash: sha256, signature: SIGNATURE, previous_signature: SIGNATURE },
};

/** Every type by the name that `kinds.ts` uses. */
export const TYPES: Readonly<Record<string, Check>> = {
  text,
  texts: arrayOf(text),
  word: matching(WORD),
  integer,
  number: matching(NUMBER),
  boolean: (value) => typeof value === "boolean",
  time: isTime,
  sha256,
  sha256s: arrayOf(sha256),
  key: sha256,
  role,
  ref,
  refs: arrayOf(ref),
  pairs: arrayOf(isPair),
  maps: arrayOf((value) => isObject(value) && Object.values(value).every(text)),
  difference: arrayOf((value) => isPair(value) && ["=", "-", "+"].includes((value as string[])[0]!)),
  file: object(
    { role: matching(WORD), media_type: text, size: integer, sha256 },
    { name: text, sha3_256: sha256 },
  ),
  schema: (value) => value === "vestige-record/1",
  project_id: matching(HEX16),
  sha256_or_null: (value) => value === null || sha256(value),
  actor: object({ key: sha256, role }),
  capture: object({
    mode: oneOf("live_plugin", "watch_folder", "manual", "import"),
    client: text,
    lag_s: (value) => value === null || integer(value),
  }),
  tier: oneOf("T0", "T1", "T2", "T3", "T4"),
  offset: (value) => typeof value === "number" && Math.abs(value) <= MAX_OFFSET_MINUTES,
  beacons: (value) => arrayOf(isBeacon)(value) && (value as Json[]).length <= MAX_BEACONS,
};

function matching(pattern: RegExp): Check {
  return (value) => typeof value === "string" && pattern.test(value);
}

function oneOf(...words: string[]): Check {
  return (value) => typeof value === "string" && words.includes(value);
}

function arrayOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

function object(needed: Record<string, Check>, extra: Record<string, Check> = {}): Check {
  const known = new Map(Object.entries({ ...needed, ...extra }));
  return (value) =>
    isObject(value) &&
    Object.keys(needed).every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, item]) => known.get(name)?.(item) ?? false);
}

function isTime(value: Json): boolean {
  if (typeof value !== "string") return false;
  try {
    parseUtc(value);
    return true;
  } catch {
    return false;
  }
}

function isPair(value: Json): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(text);
}

function isBeacon(value: Json): boolean {
  if (!isObject(value) || typeof value["source"] !== "string") return false;
  const source = value["source"];
  if (!Object.hasOwn(BEACONS, source)) return false;
  const { source: _source, ...rest } = value as JsonObject;
  return object(BEACONS[source]!, BEACON_EXTRAS[source])(rest);
}
