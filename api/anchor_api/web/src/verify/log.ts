/** Steps 2 and 3: from the digest to root hashes, and what signed checkpoints add. */
import { equal, toHex } from "../bytes/bytes.ts";
import { FalseError } from "../errors.ts";
import { parseCheckpoint, type Checkpoint } from "../formats/checkpoint.ts";
import { inclusionSteps, leafHash, nodeHash, rootFromPath } from "../formats/merkle.ts";
import { parseNote, signaturesBy, verifyNote, type SignedNote } from "../formats/note.ts";
import type { LogKey, Policy } from "../proof/policy.ts";
import type { Inclusion } from "../proof/proof.ts";
import { guarded, type Judgement } from "./judgement.ts";
import type { LogVerdict, Status, Step } from "./verdict.ts";

/** A root hash that a digest was shown to lie under. */
export interface ReachedRoot {
  readonly inclusion: Inclusion;
  readonly rootHash: Uint8Array;
  /** The checkpoint of that root, or null where there is none. */
  readonly note: SignedNote | null;
  /** The checkpoint, if a key of the policy stands on it and verifies. */
  readonly signed: (Checkpoint & { readonly by: LogKey }) | null;
}

/** Recompute the root hash of one inclusion and check its checkpoint (2.1, 2.2). */
export function reachRoot(digest: Uint8Array, inclusion: Inclusion, policy: Policy): ReachedRoot {
  const path = inclusionSteps(inclusion.leafIndex, inclusion.treeSize, inclusion.hashes);
  const rootHash = rootFromPath(leafHash(digest), path);
  if (inclusion.checkpoint === null) return { inclusion, rootHash, note: null, signed: null };
  const note = parseNote(inclusion.checkpoint);
  const checkpoint = parseCheckpoint(note.text);
  const by = signer(note, checkpoint, policy);
  if (checkpoint.treeSize !== inclusion.treeSize)
    throw new FalseError(
      `the checkpoint is of size ${checkpoint.treeSize}, the inclusion proof of size ${inclusion.treeSize}`,
      "inclusion.size_mismatch",
    );
  if (!equal(checkpoint.rootHash, rootHash))
    throw new FalseError(
      `the inclusion proof leads to root hash ${toHex(rootHash)}, the checkpoint holds ${toHex(checkpoint.rootHash)}`,
      "inclusion.root_mismatch",
    );
  return { inclusion, rootHash, note, signed: by === null ? null : { ...checkpoint, by } };
}

/**
 * Return the policy's key that signed a checkpoint, or null where none stands on it.
 *
 * Every policy key of that origin that stands on it must verify; the tree at a closing size of that
 * origin must be the closing tree; and one of the keys must be allowed to sign that size.
 */
function signer(note: SignedNote, checkpoint: Checkpoint, policy: Policy): LogKey | null {
  const entries = policy.logs.filter(({ origin }) => origin === checkpoint.origin);
  const there = entries.filter(({ key }) => signaturesBy(note, key).length > 0);
  if (there.length === 0) return null;
  for (const { key } of there) verifyNote(note, key);
  const { treeSize, rootHash } = checkpoint;
  if (entries.some(({ closingRoot, lastSize }) => closingRoot !== null && lastSize === treeSize && !equal(closingRoot, rootHash)))
    throw new FalseError(`the root hash at the closing size ${treeSize} is not the policy's`, "checkpoint.closing_root_mismatch");
  const admitted = there.filter(({ firstSize, lastSize }) => firstSize <= treeSize && (lastSize === null || treeSize <= lastSize));
  if (admitted.length === 0)
    throw new FalseError(`size ${treeSize} is outside what the policy lets that key sign`, "checkpoint.outside_key_range");
  return admitted.reduce((least, entry) => (entry.key.text < least.key.text ? entry : least));
}

/** Judge every inclusion: what is known of the log, and the root hashes that were reached. */
export function judgeLog(
  digest: Uint8Array, inclusions: readonly Inclusion[], policy: Policy,
): { log: LogVerdict; reached: ReachedRoot[] } {
  const reached: ReachedRoot[] = [];
  for (const inclusion of inclusions) {
    const root: ReachedRoot | Judgement = guarded(() => reachRoot(digest, inclusion, policy));
    if ("status" in root) return { log: logVerdict("failed", root.code, root.reason), reached };
    reached.push(root);
  }
  return { log: equivocation(reached) ?? place(reached), reached };
}

function logVerdict(status: Status, code: string, reason: string): LogVerdict {
  return { status, reason, code, origin: null, leaf_index: null, tree_size: null };
}

/** The log's place where there is no log. */
export const NO_LOG = logVerdict("not_checked", "log.none", "an .ots file names no log");

/** Step 3: two signed trees of one origin and size with different root hashes. */
function equivocation(reached: readonly ReachedRoot[]): LogVerdict | null {
  const seen = new Map<string, Uint8Array>();
  for (const { signed } of reached) {
    if (signed === null) continue;
    const key = `${signed.treeSize} ${signed.origin}`;
    const known = seen.get(key);
    if (known !== undefined && !equal(known, signed.rootHash))
      return logVerdict(
        "failed", "log.equivocated",
        `log equivocated: ${signed.origin} signed two root hashes for size ${signed.treeSize}`,
      );
    seen.set(key, signed.rootHash);
  }
  return null;
}

function place(reached: readonly ReachedRoot[]): LogVerdict {
  const signed = reached.filter((root) => root.signed !== null);
  if (signed.length === 0)
    return logVerdict(
      "not_checked", "log.key_unknown",
      "no checkpoint is signed by a log key of the policy; index and order are not shown",
    );
  const places = new Map<string, number>();
  for (const { signed: tree, inclusion } of signed) {
    const known = places.get(tree!.origin);
    if (known !== undefined && known !== inclusion.leafIndex)
      return logVerdict("failed", "log.two_places", "the inclusions give the digest two places in one log");
    places.set(tree!.origin, inclusion.leafIndex);
  }
  const first = signed.reduce((least, root) => (root.inclusion.treeSize < least.inclusion.treeSize ? root : least));
  const { leafIndex, treeSize } = first.inclusion;
  const { origin } = first.signed!;
  const reason = `entry ${leafIndex} of the log ${origin}`;
  return { status: "verified", reason, code: "log.verified", origin, leaf_index: leafIndex, tree_size: treeSize };
}

/** Return every hash step from the digest to the root hashes that were reached. */
export function logSteps(digest: Uint8Array, reached: readonly ReachedRoot[]): Step[] {
  const leaf = `SHA-256(00 ‖ ${toHex(digest)}) = ${toHex(leafHash(digest))}`;
  return [{ number: "2.1", title: "leaf hash", lines: [leaf] }, ...reached.flatMap((root) => pathSteps(digest, root))];
}

function pathSteps(digest: Uint8Array, { inclusion, rootHash, note, signed }: ReachedRoot): Step[] {
  let current = leafHash(digest);
  const lines = inclusionSteps(inclusion.leafIndex, inclusion.treeSize, inclusion.hashes).map(({ side, sibling }) => {
    const [left, right] = side === "left" ? [sibling, current] : [current, sibling];
    current = nodeHash(left, right);
    return `SHA-256(01 ‖ ${toHex(left)} ‖ ${toHex(right)}) = ${toHex(current)}`;
  });
  lines.push(`root hash of the first ${inclusion.treeSize} entries: ${toHex(rootHash)}`);
  const steps: Step[] = [{ number: "2.1", title: `path of leaf ${inclusion.leafIndex} to the root`, lines }];
  if (note !== null) {
    const who = signed ? `signed by ${signed.by.key.name}` : "signed by no policy key";
    steps.push({ number: "2.2", title: `checkpoint of size ${inclusion.treeSize}`, lines: [who] });
  }
  return steps;
}
