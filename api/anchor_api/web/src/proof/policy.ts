/** What one verifier trusts (`docs/spec/policy.md`), as read. Bytes are bytes, hex is gone. */

/** A log's key and the sizes that it may sign. */
export interface LogKey {
  readonly origin: string;
  /** Key name, id (4 bytes) and 32 bytes of Ed25519. */
  readonly key: VerifierKey;
  readonly firstSize: number;
  readonly lastSize: number | null;
  readonly closingRoot: Uint8Array | null;
}

/** A C2SP signed-note verifier key, read. */
export interface VerifierKey {
  readonly name: string;
  /** First four bytes of the key's hash, as a signature line carries them. */
  readonly id: Uint8Array;
  /** Signature type byte: 1 Ed25519, 4 cosignature/v1. */
  readonly algorithm: number;
  readonly publicKey: Uint8Array;
}

/** A time stamping authority. */
export interface Authority {
  readonly name: string;
  /** DER certificates. */
  readonly roots: readonly Uint8Array[];
  /** What a token without an accuracy is given, in seconds. */
  readonly accuracyS: number;
  readonly qualified: boolean;
  readonly headline: boolean;
}

/** A contract that the policy knows on a chain. */
export interface Contract {
  readonly address: Uint8Array;
  readonly codeHash: Uint8Array;
  readonly mapSlot: number;
}

/** A block that the policy pins. */
export interface PinnedBlock {
  readonly number: number;
  readonly hash: Uint8Array;
}

/** An EVM chain. */
export interface Chain {
  readonly chainId: number;
  readonly name: string;
  readonly class: "l1" | "l2" | "test";
  readonly toleranceS: number;
  readonly sequencer: string;
  readonly headline: boolean;
  readonly contracts: readonly Contract[];
  readonly pinned: readonly PinnedBlock[];
  readonly sources: readonly string[];
  readonly agree: number;
}

/** A Bitcoin block that the policy knows. */
export interface Checkpoint {
  readonly height: number;
  /** Internal byte order. */
  readonly hash: Uint8Array;
  readonly chainWork: bigint | null;
}

/** Bitcoin as the policy knows it. */
export interface BitcoinPolicy {
  readonly network: string;
  readonly checkpoints: readonly Checkpoint[];
  readonly minimumChainWork: bigint;
  readonly sources: readonly string[];
  readonly agree: number;
  readonly headline: boolean;
}

/** A witness of the policy. */
export interface WitnessKey {
  readonly key: VerifierKey;
  readonly related: boolean;
}

/** The policy. */
export interface Policy {
  readonly name: string;
  readonly class: "production" | "test";
  /** SHA-256 of the policy's bytes. */
  readonly sha256: Uint8Array;
  readonly familiesWanted: number;
  readonly headlineFamilies: ReadonlySet<string>;
  readonly logs: readonly LogKey[];
  readonly authorities: readonly Authority[];
  readonly chains: readonly Chain[];
  readonly bitcoin: BitcoinPolicy;
  readonly witnesses: readonly WitnessKey[];
  readonly calendars: readonly string[];
}
