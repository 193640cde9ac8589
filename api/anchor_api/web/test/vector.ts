/** Reads a verdict vector and runs the judgement on it. */
import { parseBase64, parseHex, toUtf8 } from "../src/bytes/text.ts";
import { parseUtc } from "../src/bytes/time.ts";
import { judgeOts, judgeProof, readPolicy, type KnownFacts, type Verdict } from "../src/verify/index.ts";

/** What a vector holds; times are UTC text, bytes hex or base64. */
export interface Vector {
  readonly policy: unknown;
  readonly proof?: unknown;
  /** A detached file, base64. */
  readonly ots?: string;
  readonly now: string;
  readonly before: string | null;
  readonly file_digest: string | null;
  readonly known: VectorFacts;
  readonly expect: {
    readonly rows?: readonly { readonly status: string; readonly code: string }[];
    readonly trust?: string;
    readonly [field: string]: unknown;
  };
}

/** What was confirmed or supplied. */
export interface VectorFacts {
  readonly evm?: readonly { chain_id: number; number: number; hash: string; confirmed_by: string }[];
  readonly bitcoin?: readonly { height: number; hash: string; confirmed_by: string }[];
  readonly headers?: readonly { height: number; headers: readonly string[] }[];
  readonly archive?: { first_height: number; headers: readonly string[] };
}

/** Return the facts of a vector. */
export function factsOf({ evm = [], bitcoin = [], headers = [], archive }: VectorFacts): KnownFacts {
  return {
    evm: new Map(evm.map((one) => [`${one.chain_id}:${one.number}`, one])),
    bitcoin: new Map(bitcoin.map((one) => [one.height, one])),
    headers: new Map(headers.map((one) => [one.height, one.headers.map((header) => parseHex(header, 80))])),
    ...(archive ? { archive: { first_height: archive.first_height, headers: parseHex(archive.headers.join("")) } } : {}),
  };
}

/** Return a time's seconds since 1970. */
export function secondsOf(text: string): number {
  return Number(parseUtc(text)) / 1_000_000;
}

/** Judge a vector. */
export function judgeVector(vector: Vector): Verdict {
  const circumstances = {
    policy: readPolicy(toUtf8(JSON.stringify(vector.policy))),
    now: secondsOf(vector.now),
    facts: factsOf(vector.known),
    ...(vector.before ? { before: secondsOf(vector.before) } : {}),
    ...(vector.file_digest ? { fileDigest: parseHex(vector.file_digest) } : {}),
  };
  if (vector.ots !== undefined) return judgeOts({ ...circumstances, ots: parseBase64(vector.ots, 1 << 20) });
  return judgeProof({ ...circumstances, proof: JSON.stringify(vector.proof) });
}
