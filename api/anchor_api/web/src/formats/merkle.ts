/** Merkle trees of RFC 6962, section 2.1: the way from a leaf to the root. */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../bytes/bytes.ts";
import { FalseError } from "../errors.ts";

/** One step up: the sibling and the side on which it stands. */
export interface PathStep {
  readonly side: "left" | "right";
  readonly sibling: Uint8Array;
}

/** Return SHA-256(00 ‖ entry). */
export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(0), entry));
}

/** Return SHA-256(01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(1), left, right));
}

/**
 * Return the sides on which a path's siblings stand, the leaf's first.
 *
 * On each level the tree has `width` nodes. A node with an odd index has its sibling on the left, one
 * with an even index on the right, but for the last node of an odd width: it has none and is carried up.
 * Indexes may be past 2^32, so that there is division and no shifting.
 */
export function inclusionSteps(leafIndex: number, treeSize: number, hashes: readonly Uint8Array[]): PathStep[] {
  if (leafIndex >= treeSize)
    throw new FalseError(`leaf index ${leafIndex} is not in a tree of size ${treeSize}`, "verify.inclusion.index");
  const sides: ("left" | "right")[] = [];
  for (let index = leafIndex, width = treeSize; width > 1; width = Math.ceil(width / 2)) {
    if (index % 2 === 1) sides.push("left");
    else if (index + 1 < width) sides.push("right");
    index = Math.floor(index / 2);
  }
  if (sides.length !== hashes.length)
    throw new FalseError(
      `an inclusion proof of ${hashes.length} hashes, leaf ${leafIndex} of ${treeSize} wants ${sides.length}`,
      "verify.inclusion.length",
    );
  return sides.map((side, i) => ({ side, sibling: hashes[i]! }));
}

/** Return the root hash that a path leads to from a leaf hash. */
export function rootFromPath(leaf: Uint8Array, steps: readonly PathStep[]): Uint8Array {
  return steps.reduce(
    (node, { side, sibling }) => (side === "left" ? nodeHash(sibling, node) : nodeHash(node, sibling)),
    leaf,
  );
}
