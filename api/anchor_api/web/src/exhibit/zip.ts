/**
 * A zip file, read with suspicion (docs/spec/exhibit.md, step E1).
 *
 * Format: PKWARE's APPNOTE, sections 4.3 to 4.5. The directory at the end is the list; each local
 * header must say the same. Whatever could be read in two ways is refused.
 */
import { equal } from "../bytes/bytes.ts";
import { parseUtf8, toUtf8 } from "../bytes/text.ts";
import { FormatError } from "../errors.ts";
import type { Source } from "./source.ts";

export const MAX_ENTRIES = 20_000;
const MAX_NAME_BYTES = 255;
const MAX_DIRECTORY_BYTES = 32 << 20;
const PIECE = 4 << 20;

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const STORED = 0;
/** The bit that may be set: that names are UTF-8. */
const FLAGS_KNOWN = 0x0800;
const FILE_MODE = 0o100000;
const MODE_MASK = 0o170000;
const UNIX = 3;
const DOS_FOLDER = 0x10;
const FILL = 0xffffffff;
/** What the end of the directory says where a number stands in its Zip64 end. */
const FILLS = [0xffff, 0xffff, 0xffff, 0xffff, FILL, FILL];
const ZIP64 = 1;
const UNICODE_PATH = 0x7075;
/** This part, the directory's first, entries here, entries, size and place of the directory. */
type Numbers = [number, number, number, number, number, number];

/** One file of the container. */
export interface Entry {
  readonly name: string;
  readonly size: number;
  readonly flags: number;
  readonly crc: number;
  /** Where its local header stands. */
  readonly header: number;
  /** Where its bytes begin; known once the local headers are read. */
  readonly start: number;
}

/** A refusal of the whole container. */
export function refused(why: string, code = "zip"): FormatError {
  return new FormatError(why, `exhibit.${code}`);
}

/** Read the directory and every local header. */
export async function readZip(source: Source): Promise<Entry[]> {
  const { offset, size, count } = await findDirectory(source);
  if (count > MAX_ENTRIES) throw refused(`it has ${count} entries, at most ${MAX_ENTRIES} are read`, "entries");
  if (size > MAX_DIRECTORY_BYTES) throw refused("its directory is larger than it can be");
  const entries = readDirectory(await source.read(offset, offset + size), count);
  checkNames(entries.map((entry) => entry.name));
  return locateAll(source, entries, offset);
}

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
}

async function findDirectory(source: Source): Promise<Directory> {
  const at = source.size - 22;
  const view = viewOf(await source.read(Math.max(0, at), source.size));
  if (at < 0 || view.getUint32(0, true) !== END || view.getUint16(20, true) !== 0)
    throw refused("it is no zip file as exhibits are, or is cut short");
  const plain = [
    ...[4, 6, 8, 10].map((place) => view.getUint16(place, true)),
    ...[12, 16].map((place) => view.getUint32(place, true)),
  ];
  if (plain.some((number, i) => number === FILLS[i])) return findDirectory64(source, at - 20, plain);
  const [part, first, here, count, size, offset] = plain as Numbers;
  const before = await source.read(Math.max(0, at - 20), at);
  if (before.length === 20 && viewOf(before).getUint32(0, true) === LOCATOR64)
    throw refused("it has a second end of its directory (Zip64)");
  if (part !== 0 || first !== 0 || here !== count) throw refused("it is one of several parts");
  if (offset + size !== at) throw refused("its directory is not where its end says");
  return { count, size, offset };
}

async function findDirectory64(source: Source, locatorAt: number, plain: readonly number[]): Promise<Directory> {
  const broken = refused("its Zip64 directory is not where its end says");
  const at = locatorAt - 56;
  if (at < 0) throw broken;
  const view = viewOf(await source.read(at, locatorAt + 20));
  const located = view.getUint32(60, true) === 0 && wide(view, 64) === at && view.getUint32(72, true) === 1;
  if (view.getUint32(56, true) !== LOCATOR64 || !located) throw broken;
  // 44: of what follows the length, without anything more.
  if (view.getUint32(0, true) !== END64 || wide(view, 4) !== 44) throw broken;
  const numbers = [
    ...[16, 20].map((place) => view.getUint32(place, true)),
    ...[24, 32, 40, 48].map((place) => wide(view, place)),
  ] as Numbers;
  // Readers differ in which end they take: each plain number is the wide one, or says none.
  if (plain.some((number, i) => number !== numbers[i] && number !== FILLS[i]))
    throw refused("the two ends of its directory differ");
  const [part, first, here, count, size, offset] = numbers;
  if (part !== 0 || first !== 0 || here !== count) throw refused("it is one of several parts");
  if (offset + size !== at) throw broken;
  return { count, size, offset };
}

function readDirectory(bytes: Uint8Array, count: number): Entry[] {
  const view = viewOf(bytes);
  const entries: Entry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== CENTRAL)
      throw refused("its directory is not as it says");
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (view.getUint16(at + 32, true) !== 0) throw refused("an entry has a comment");
    if (next > bytes.length) throw refused("its directory is cut short");
    if (view.getUint16(at + 34, true) !== 0) throw refused("it is one of several parts");
    const raw = bytes.subarray(at + 46, at + 46 + nameLength);
    const name = nameOf(raw);
    checkPlain(view, at, name);
    const extra = bytes.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    const [size, compressed, header] = zip64(
      extra,
      [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)],
      name,
    );
    if (size !== compressed)
      throw refused(`${name}: it is stored in another size than it says`, "size");
    const flags = view.getUint16(at + 8, true);
    entries.push({ name, size, flags, crc: view.getUint32(at + 16, true), header, start: 0 });
    at = next;
  }
  if (at !== bytes.length) throw refused("its directory holds more than it says");
  return entries;
}

function checkPlain(view: DataView, at: number, name: string): void {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  if (flags & 1) throw refused(`${name}: it is encrypted`, "method");
  if (flags & ~FLAGS_KNOWN) throw refused(`${name}: it is written in a way that is not read`, "method");
  if (method !== STORED) throw refused(`${name}: it is compressed, by method ${method}`, "method");
  const mode = (view.getUint32(at + 38, true) >>> 16) & MODE_MASK;
  const unix = view.getUint16(at + 4, true) >>> 8 === UNIX;
  const folder = name.endsWith("/") || (view.getUint32(at + 38, true) & DOS_FOLDER) !== 0;
  if (folder || (unix && mode !== 0 && mode !== FILE_MODE))
    throw refused(`${name}: it is no plain file`, "kind");
}

/** Take sizes and place out of the Zip64 field, which holds those that have no room elsewhere and no others. */
function zip64(
  extra: Uint8Array,
  plain: readonly [number, number, number],
  name: string,
): [number, number, number] {
  const wanted = plain.filter((value) => value === FILL).length;
  if (extra.length === 0 && wanted === 0) return [...plain];
  if (extra.length < 4) throw refused(`${name}: an extra field is missing or cut short`);
  const view = viewOf(extra);
  const kind = view.getUint16(0, true);
  if (kind === UNICODE_PATH) throw refused(`${name}: it has a second name`, "name");
  const length = view.getUint16(2, true);
  if (kind !== ZIP64 || wanted === 0 || length !== 8 * wanted || extra.length !== 4 + length)
    throw refused(`${name}: an extra field that is not Zip64's, or not as it is needed`);
  let at = -4;
  return plain.map((value) => (value === FILL ? wide(view, (at += 8)) : value)) as [number, number, number];
}

function nameOf(bytes: Uint8Array): string {
  if (bytes.some((byte) => byte > 0x7f)) throw refused("a name holds a character that is not ASCII", "name");
  return parseUtf8(bytes);
}

/** What is no plain name on some system: more than printable ASCII, reserved characters, odd ends. */
const PRINTABLE = /^[ -~]*$/;
const RESERVED = /[\\:*?"<>|]/;

function checkNames(names: readonly string[]): void {
  checkPlainNames(names);
  const tops = new Set(names.map((name) => (name.includes("/") ? name.split("/")[0]! : "")));
  const [top = ""] = tops;
  if (tops.size !== 1 || !top.endsWith(".exhibit"))
    throw refused("it is not one folder called NAME.exhibit: this is no exhibit", "folder");
}

/** Refuse names that are not plain, or of which two are one on some system. */
export function checkPlainNames(names: readonly string[]): void {
  const seen = new Map<string, string>();
  const key = (name: string) => name.toLowerCase();
  for (const name of names) {
    const plain =
      name.length <= MAX_NAME_BYTES &&
      PRINTABLE.test(name) &&
      !RESERVED.test(name) &&
      name.split("/").every((part) => part !== "" && part !== "." && part !== ".." && !/[. ]$/.test(part));
    if (!plain) throw refused(`${JSON.stringify(name.slice(0, 80))}: a name that is not plain`, "name");
    if (seen.has(key(name))) throw refused(`${name}: two names that are the same, or but for case`, "duplicate");
    seen.set(key(name), name);
  }
  for (const folded of seen.keys())
    for (let at = folded.lastIndexOf("/"); at > 0; at = folded.lastIndexOf("/", at - 1))
      if (seen.has(folded.slice(0, at)))
        throw refused(`${seen.get(folded.slice(0, at))}: a file, and the folder of another`, "duplicate");
}

/** Read an entry's local header, which must say what the directory says. */
async function locate(source: Source, entry: Entry): Promise<Entry> {
  const differs = refused(`${entry.name}: its header says another thing than the directory`, "header");
  const fixed = await source.read(entry.header, entry.header + 30);
  const view = viewOf(fixed);
  if (fixed.length !== 30 || view.getUint32(0, true) !== LOCAL) throw differs;
  const nameLength = view.getUint16(26, true);
  const extraLength = view.getUint16(28, true);
  const start = entry.header + 30 + nameLength + extraLength;
  const rest = await source.read(entry.header + 30, start);
  if (rest.length !== nameLength + extraLength) throw differs;
  const [size, compressed] = zip64(
    rest.subarray(nameLength),
    [view.getUint32(22, true), view.getUint32(18, true), 0],
    entry.name,
  );
  const same =
    equal(rest.subarray(0, nameLength), toUtf8(entry.name)) &&
    view.getUint16(6, true) === entry.flags &&
    view.getUint16(8, true) === STORED &&
    view.getUint32(14, true) === entry.crc &&
    size === entry.size &&
    compressed === entry.size;
  if (!same) throw differs;
  return { ...entry, start };
}

/** Find each entry's bytes; they fill the file up to the directory, with nothing between. */
async function locateAll(source: Source, entries: readonly Entry[], directory: number): Promise<Entry[]> {
  const located: Entry[] = [];
  let end = 0;
  for (const entry of [...entries].sort((a, b) => a.header - b.header)) {
    if (entry.header < end) throw refused(`${entry.name}: it lies over another entry`, "overlap");
    if (entry.header > end) throw refused(`${entry.name}: bytes before it belong to no entry`, "overlap");
    const found = await locate(source, entry);
    located.push(found);
    end = found.start + found.size;
  }
  if (end !== directory) throw refused("bytes before its directory belong to no entry, or to two", "overlap");
  return located;
}

/** Yield an entry's bytes in pieces. */
export async function* pieces(source: Source, entry: Entry): AsyncGenerator<Uint8Array> {
  const end = entry.start + entry.size;
  for (let at = entry.start; at < end; at += PIECE) yield await source.read(at, Math.min(end, at + PIECE));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function wide(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw refused("a number in it is too large");
  return Number(value);
}
