/** Runs the judgement on a vector of records, wherever it comes from. */
import { parseHex, toUtf8 } from "../src/bytes/text.ts";
import { parseUtc } from "../src/bytes/time.ts";
import { readPolicy } from "../src/proof/policy.ts";
import { type ProvenRecord, type RecordsVerdict, judgeRecords } from "../src/records/judge.ts";
import { readRecord } from "../src/records/record.ts";
import type { KnownFacts } from "../src/verify/facts.ts";

/** The vector's own JSON. */
export type Raw = Record<string, any>;

/** Return what a vector says is known. */
export function factsOf(known: Raw): KnownFacts {
  const list = (name: string): Raw[] => (known[name] ?? []) as Raw[];
  const confirmed = (item: Raw, name = "hash") => ({ hash: item[name], confirmed_by: item["confirmed_by"] });
  const round = (item: Raw) => `${item["chain_hash"]}:${item["round"]}`;
  const block = (item: Raw) => `${item["chain_id"]}:${item["number"]}`;
  return {
    bitcoin: new Map(list("bitcoin").map((item) => [item["height"], confirmed(item)])),
    evm: new Map(list("evm").map((item) => [block(item), confirmed(item)])),
    drand: new Map(list("drand").map((item) => [round(item), confirmed(item, "randomness")])),
    drand_rounds: new Map(
      list("drand_rounds").map((item) => [
        round(item),
        {
          signature: parseHex(item["signature"]),
          previous_signature: item["previous_signature"] ? parseHex(item["previous_signature"]) : null,
        },
      ]),
    ),
    headers: new Map(
      list("headers").map((item) => [item["height"], item["headers"].map((hex: string) => parseHex(hex))]),
    ),
    evm_headers: new Map(list("evm_headers").map((item) => [block(item), parseHex(item["header"])])),
  };
}

/** Judge a vector. */
export function judgeVector(vector: Raw, steps = true): RecordsVerdict {
  const seconds = (text: string) => Number(parseUtc(text) / 1_000_000n);
  const proven = (item: Raw): ProvenRecord => ({
    record: readRecord(item["record"]),
    proof: item["proof"] === null ? null : JSON.stringify(item["proof"]),
  });
  return judgeRecords({
    policy: readPolicy(toUtf8(JSON.stringify(vector["policy"]))),
    now: seconds(vector["now"]),
    facts: factsOf(vector["known"]),
    steps,
    items: vector["items"].map((item: Raw) =>
      "record" in item ? proven(item) : { seq: item["seq"], kind: item["kind"], digest: item["digest"] },
    ),
    others: vector["others"].filter((item: Raw) => "record" in item).map(proven),
    ...(vector["before"] ? { before: seconds(vector["before"]) } : {}),
  });
}
