/** What the page and its worker say to each other: plain values that can be copied. */
import type { Json } from "../bytes/json.ts";
import type { Listing } from "../exhibit/list.ts";
import type { ExhibitVerdict } from "../exhibit/verdict.ts";
import type { RecordsVerdict } from "../records/judge.ts";
import type { KnownFacts } from "../verify/facts.ts";
import type { PolicyName, Verdict } from "../verify/verdict.ts";

/** A file that was dropped or chosen. */
export interface Dropped {
  /** Its path within what was dropped. */
  readonly name: string;
  readonly file: Blob;
}

/** What is to be judged, and with what. */
export interface Task {
  readonly dropped: readonly Dropped[];
  /** A policy of the person's own; null: the built-in one. */
  readonly policy: Uint8Array | null;
  readonly facts: KnownFacts;
  /** Seconds since 1970 UTC. */
  readonly now: number;
  /** The time asked about, or null. */
  readonly before: number | null;
}

/** A block that evidence rests on, which a person can look up elsewhere. */
export type Block =
  | { readonly chain: "bitcoin"; readonly height: number; readonly hash: string | null }
  | { readonly chain: "evm"; readonly chainId: number; readonly name: string; readonly number: number; readonly hash: string };

/** A file entry of a record. */
export interface ShownFile {
  readonly number: number;
  readonly role: string;
  readonly name: string | null;
  readonly mediaType: string;
  readonly size: number;
  readonly sha256: string;
  /** Where its bytes lie, within what was dropped; null where they are not shown. */
  readonly bytes: Blob | null;
}

/** What a record discloses, for people. */
export interface ShownRecord {
  readonly seq: number;
  readonly kind: string;
  readonly digest: string;
  readonly role: string;
  readonly key: string;
  readonly late: boolean;
  readonly claimed: string;
  readonly fields: readonly (readonly [name: string, value: Json])[];
  readonly files: readonly ShownFile[];
}

/** What was found out about one thing that was dropped. */
export type Item =
  | { readonly type: "proof"; readonly name: string; readonly file: string | null; readonly verdict: Verdict }
  | { readonly type: "records"; readonly verdict: RecordsVerdict; readonly shown: readonly ShownRecord[] }
  | {
      readonly type: "exhibit";
      readonly name: string;
      readonly title: string;
      readonly verdict: ExhibitVerdict;
      readonly shown: readonly ShownRecord[];
      /** How many files there are. */
      readonly entries: number;
      readonly list: Listing | null;
    };

/** A file that could not be judged. */
export interface Problem {
  readonly name: string;
  readonly code: string;
  readonly reason: string;
}

/** Everything that was found out. */
export interface Result {
  readonly items: readonly Item[];
  readonly problems: readonly Problem[];
  readonly blocks: readonly Block[];
  readonly policy: PolicyName & { readonly builtIn: boolean };
  /** The policy's own sources, as far as it names any: of Bitcoin, and of EVM chains by id. */
  readonly sources: { readonly bitcoin: readonly string[]; readonly evm: readonly (readonly [number, readonly string[]])[] };
  readonly agree: { readonly bitcoin: number; readonly evm: readonly (readonly [number, number])[] };
  /** A policy that was among what was dropped. */
  readonly newPolicy: Uint8Array | null;
}

/** What the worker sends. */
export type Message =
  | { readonly type: "ready" }
  | { readonly type: "progress"; readonly name: string; readonly done: number; readonly total: number }
  | { readonly type: "judging" }
  | { readonly type: "result"; readonly result: Result }
  | { readonly type: "broken"; readonly reason: string };
