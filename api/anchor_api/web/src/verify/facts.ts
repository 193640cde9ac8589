/**
 * What the verifier was told besides the proof: what sources confirmed, what a person supplied.
 *
 * Nothing in here comes from the proof. `docs/spec/verification.md`, steps 6.4, 7.3 and 13.7.
 */

/** A block hash, or a drand value, that sources of the policy or of the person agree on. */
export interface ConfirmedBlock {
  /** 32 bytes in hex: of EVM the Keccak-256, of Bitcoin as explorers show it. */
  readonly hash: string;
  /** Who confirmed it, for the trust sentence: "example.org and example.net". */
  readonly confirmed_by: string;
}

/** A drand round's signature as somebody gave it. */
export interface SuppliedRound {
  readonly signature: Uint8Array;
  /** Of the round before, in a network that chains its rounds. */
  readonly previous_signature: Uint8Array | null;
}

/** Consecutive Bitcoin headers from a checkpoint of the policy on. */
export interface HeaderArchive {
  /** Height of the first header. */
  readonly first_height: number;
  /** 80 bytes each, one after the other. */
  readonly headers: Uint8Array;
}

/** Everything that was confirmed or supplied. */
export interface KnownFacts {
  /** Confirmed, by `${chain_id}:${number}`. */
  readonly evm?: ReadonlyMap<string, ConfirmedBlock>;
  /** Confirmed, by height. */
  readonly bitcoin?: ReadonlyMap<number, ConfirmedBlock>;
  /** Confirmed values of drand, by `${chain_hash}:${round}`. */
  readonly drand?: ReadonlyMap<string, ConfirmedBlock>;
  /** Supplied signatures of drand rounds, by the same; not believed before they verify. */
  readonly drand_rounds?: ReadonlyMap<string, SuppliedRound>;
  /** Supplied Bitcoin headers by height: the block's own 80 bytes, then successors; not believed. */
  readonly headers?: ReadonlyMap<number, readonly Uint8Array[]>;
  /** Supplied EVM headers (RLP), by `${chain_id}:${number}`; not believed. */
  readonly evm_headers?: ReadonlyMap<string, Uint8Array>;
  /** Believed only as far as links, work and the policy's checkpoints reach. */
  readonly archive?: HeaderArchive;
}
