/** Everything of a bag, read once: the digests of all files, and the bytes of those that are judged. */
import { type Digests, digestsOf } from "./digests.ts";
import { type Source, blobSource } from "./source.ts";
import { type Entry, MAX_ENTRIES, checkPlainNames, pieces, readZip, refused } from "./zip.ts";

const PIECE = 4 << 20;
const MAX_LIST_BYTES = 16 << 20;
const MAX_TAG_BYTES = 64 << 10;
const MAX_EVIDENCE_BYTES = 256 << 20;
const EVIDENCE_BYTES: Record<string, number> = { sdjwt: 24 << 20, proof: 8 << 20, ots: 1 << 20 };
const EVIDENCE = /^data\/(?:records\/\d{8}\.sdjwt|proofs\/\d{8}\.(?:proof|ots))$/;
const LISTS = ["data/exhibit.json", "manifest-sha256.txt", "manifest-sha512.txt"];

/** What a bag holds; paths are those within the bag. */
export interface Contents {
  /** Name of the top folder, where it is known. */
  readonly folder: string | null;
  readonly sizes: ReadonlyMap<string, number>;
  readonly digests: ReadonlyMap<string, Digests>;
  /** The bytes of the files that are judged. */
  readonly texts: ReadonlyMap<string, Uint8Array>;
  /** Where a file's bytes lie in the source; null where each has a source of its own, or is not there. */
  readonly place: (path: string) => { readonly start: number; readonly end: number } | null;
}

/** Told how many bytes of how many are hashed. */
export type Progress = (done: number, total: number) => void;

/** One file of a bag, wherever it lies. */
interface BagFile {
  readonly size: number;
  readonly pieces: () => AsyncIterable<Uint8Array>;
  readonly place: { readonly start: number; readonly end: number } | null;
}

/** Read an exhibit. Raises FormatError (`exhibit.…`) where the container is refused (step E1). */
export async function readContents(source: Source, progress: Progress = () => undefined): Promise<Contents> {
  const entries = await readZip(source);
  const folder = entries[0]!.name.split("/")[0]!;
  const files = new Map(entries.map((entry) => [entry.name.slice(folder.length + 1), zipped(source, entry)]));
  return readBag(folder, files, progress);
}

function zipped(source: Source, entry: Entry): BagFile {
  const place = { start: entry.start, end: entry.start + entry.size };
  return { size: entry.size, pieces: () => pieces(source, entry), place };
}

/** Read an exhibit that was unpacked, into a folder of any name; paths are those within the bag. */
export async function readFolder(
  blobs: ReadonlyMap<string, Blob>,
  progress: Progress = () => undefined,
): Promise<Contents> {
  if (blobs.size > MAX_ENTRIES) throw refused(`it has ${blobs.size} files, at most ${MAX_ENTRIES} are read`, "entries");
  checkPlainNames([...blobs.keys()]);
  const files = new Map([...blobs].map(([path, blob]) => [path, loose(blob)]));
  return readBag(null, files, progress);
}

function loose(blob: Blob): BagFile {
  const source = blobSource(blob);
  const read = async function* () {
    for (let at = 0; at < blob.size; at += PIECE) yield await source.read(at, Math.min(blob.size, at + PIECE));
  };
  return { size: blob.size, pieces: read, place: null };
}

async function readBag(
  folder: string | null,
  files: ReadonlyMap<string, BagFile>,
  progress: Progress,
): Promise<Contents> {
  const paths = [...files.keys()].sort();
  checkSizes(files);
  const total = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const passed = (bytes: number) => progress((done += bytes), total);
  const digests = new Map<string, Digests>();
  const texts = new Map<string, Uint8Array>();
  for (const path of paths) {
    const file = files.get(path)!;
    if (limitOf(path) === null) {
      digests.set(path, await digestsOf(file.size, file.pieces(), passed));
      continue;
    }
    const text = await wholeOf(file);
    texts.set(path, text);
    digests.set(path, await digestsOf(text.length, once(text), passed));
  }
  const sizes = new Map(paths.map((path) => [path, files.get(path)!.size]));
  return { folder, sizes, digests, texts, place: (path) => files.get(path)?.place ?? null };
}

async function wholeOf(file: BagFile): Promise<Uint8Array> {
  const whole = new Uint8Array(file.size);
  let at = 0;
  for await (const piece of file.pieces()) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** How long a file may be that is read whole; null for one that is only hashed. */
function limitOf(path: string): number | null {
  if (EVIDENCE.test(path)) return EVIDENCE_BYTES[path.slice(path.lastIndexOf(".") + 1)]!;
  if (LISTS.includes(path)) return MAX_LIST_BYTES;
  return path.includes("/") ? null : MAX_TAG_BYTES;
}

function checkSizes(entries: ReadonlyMap<string, BagFile>): void {
  let evidence = 0;
  for (const [path, { size }] of entries) {
    const limit = limitOf(path);
    if (limit !== null && size > limit)
      throw refused(`${path}: ${size} bytes, at most ${limit} are read`, "too_large");
    if (EVIDENCE.test(path)) evidence += size;
  }
  if (evidence > MAX_EVIDENCE_BYTES)
    throw refused(`records and proofs of over ${MAX_EVIDENCE_BYTES} bytes`, "too_large");
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
