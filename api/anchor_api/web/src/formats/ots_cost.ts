/**
 * What it costs to apply a tree's operations, found without applying them: the length of each message
 * follows from the lengths and operations before it. `docs/spec/verification.md`, step W.2.
 */
import { FormatError } from "../errors.ts";
import * as limits from "../limits.ts";
import { MORE, Reader, readEnd, readOp, type OpKind } from "./ots.ts";

/** Return the units that a tree's slow digests cost; where it cannot be read to its end, those before. */
export function slowDigestUnits(data: Uint8Array, messageBytes: number): number {
  const walk = new CostWalk(data, messageBytes);
  try {
    while (walk.next());
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  return walk.units;
}

class CostWalk {
  units = 0;
  private operations = 0;
  private readonly reader: Reader;
  private readonly open: { readonly length: number; readonly depth: number }[];

  constructor(data: Uint8Array, messageBytes: number) {
    this.reader = new Reader(data);
    this.open = [{ length: messageBytes, depth: 0 }];
  }

  /** Read one item; false at the end, or at what no reader would go on from. */
  next(): boolean {
    const top = this.open.at(-1);
    if (top === undefined) return false;
    let tag = this.reader.byte();
    if (tag === MORE) tag = this.reader.byte();
    else this.open.pop();
    if (tag === 0) {
      readEnd(this.reader);
      return true;
    }
    const { kind, argument } = readOp(tag, this.reader);
    const length = lengthAfter(kind, top.length, argument.length);
    this.operations += 1;
    if (
      top.depth >= limits.MAX_OTS_NESTED_OPERATIONS ||
      this.operations > limits.MAX_OTS_OPERATIONS ||
      length > limits.MAX_OTS_MESSAGE_BYTES
    )
      return false;
    this.units += unitsOf(kind, top.length);
    this.open.push({ length, depth: top.depth + 1 });
    return true;
  }
}

function lengthAfter(kind: OpKind, length: number, added: number): number {
  if (kind.digestBytes !== undefined) return kind.digestBytes;
  return kind.name === "hexlify" ? 2 * length : length + added;
}

function unitsOf(kind: OpKind, length: number): number {
  if (kind.name === "keccak256") return limits.UNITS_PER_KECCAK_BLOCK * (Math.floor(length / 136) + 1);
  if (kind.name === "ripemd160") return limits.UNITS_PER_RIPEMD160_BLOCK * (Math.floor((length + 8) / 64) + 1);
  return 0;
}
