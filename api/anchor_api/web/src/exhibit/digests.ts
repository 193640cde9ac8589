/** SHA-256 and SHA-512 of files, by the browser's own code where it is offered. */
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { toHex } from "../bytes/bytes.ts";

/** Files above this are hashed piece by piece, so that they need not be in memory. */
const WHOLE_BYTES = 64 << 20;

/** Both digests of one file, in hex. */
export interface Digests {
  readonly sha256: string;
  readonly sha512: string;
}

/** Hash what comes in pieces; `passed` is told of each piece's length. */
export async function digestsOf(
  size: number,
  pieces: AsyncIterable<Uint8Array>,
  passed: (bytes: number) => void = () => undefined,
): Promise<Digests> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined || size > WHOLE_BYTES) return inPieces(pieces, passed);
  const whole = new Uint8Array(size);
  let at = 0;
  for await (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
    passed(piece.length);
  }
  const [short, long] = await Promise.all([
    subtle.digest("SHA-256", whole),
    subtle.digest("SHA-512", whole),
  ]);
  return { sha256: toHex(new Uint8Array(short)), sha512: toHex(new Uint8Array(long)) };
}

async function inPieces(
  pieces: AsyncIterable<Uint8Array>,
  passed: (bytes: number) => void,
): Promise<Digests> {
  const short = sha256.create();
  const long = sha512.create();
  for await (const piece of pieces) {
    short.update(piece);
    long.update(piece);
    passed(piece.length);
    await breath();
  }
  return { sha256: toHex(short.digest()), sha512: toHex(long.digest()) };
}

/** SHA-256 of a file of any size, in hex, with pauses in which the page can draw. */
export async function sha256Of(
  size: number,
  pieces: AsyncIterable<Uint8Array>,
  passed: (bytes: number) => void = () => undefined,
): Promise<string> {
  const subtle = globalThis.crypto?.subtle;
  const hash = sha256.create();
  const whole = subtle !== undefined && size <= WHOLE_BYTES ? new Uint8Array(size) : null;
  let at = 0;
  for await (const piece of pieces) {
    if (whole === null) hash.update(piece);
    else whole.set(piece, at);
    at += piece.length;
    passed(piece.length);
    if (whole === null) await breath();
  }
  if (whole === null) return toHex(hash.digest());
  return toHex(new Uint8Array(await subtle!.digest("SHA-256", whole)));
}

function breath(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
