/** What a caller asks, and with what. */
import type { Policy } from "../proof/policy.ts";
import type { KnownFacts } from "./facts.ts";

/** What every judgement needs besides the evidence. */
export interface Circumstances {
  /** What is trusted: `readPolicy(bytes)`. */
  readonly policy: Policy;
  /** The time of the judgement, in seconds since 1970 UTC. */
  readonly now: number;
  /** SHA-256 of the file at hand, 32 bytes; left out: the verdict speaks of the digest alone. */
  readonly fileDigest?: Uint8Array;
  /** "Did it exist before T?", in seconds since 1970 UTC. */
  readonly before?: number;
  /** What was confirmed or supplied from outside. */
  readonly facts?: KnownFacts;
  /** Whether the verdict carries every step that a person can redo. */
  readonly steps?: boolean;
}

/** `judgeProof`: a proof file and its circumstances. */
export interface ProofQuestion extends Circumstances {
  /** The file as it is, or its text. */
  readonly proof: Uint8Array | string;
  /** The exhibit has no units of work left for its attestations. */
  readonly unpaid?: boolean;
}

/** `judgeOts`: a detached OpenTimestamps file and its circumstances. */
export interface OtsQuestion extends Circumstances {
  readonly ots: Uint8Array;
}
