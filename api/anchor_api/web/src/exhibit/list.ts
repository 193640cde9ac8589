/** `exhibit.json` as read (docs/spec/exhibit.md). */
import { Fields } from "../bytes/fields.ts";
import { parseJson } from "../bytes/json.ts";
import { parseHex, toHex } from "../bytes/text.ts";
import { parseUtc } from "../bytes/time.ts";
import { FormatError } from "../errors.ts";
import * as limits from "../limits.ts";
import { KEY_KINDS, KINDS } from "../records/kinds.ts";
import { checkPlainNames } from "./zip.ts";

const MAX_BYTES = 16 << 20;
const MAX_ITEMS = 100_000;
const FIELD = /^file\.(0|[1-9][0-9]{0,3})$/;
/** Controls, separators of lines, what turns text round, a byte order mark: the same in every version of Unicode. */
const NO_WORDS = /[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]/;
const GENERATOR = /^[ -~]+$/;
const PATH = /^files\/([0-9a-f]{64})(?:\.[a-z0-9]{1,8})?$/;

/** One place of the project. Digests are hex. */
export interface ListedRecord {
  readonly seq: number;
  readonly kind: string;
  readonly digest: string;
  readonly shown: boolean;
  readonly proof: boolean;
  /** Why it is withheld: the party's own words. */
  readonly reason: string | null;
}

/** A file that a shown record discloses. */
export interface ListedFile {
  readonly record: number;
  /** N of `file.N`. */
  readonly number: number;
  readonly sha256: string;
  readonly size: number;
  /** Within `data/`; null where the bytes are withheld. */
  readonly path: string | null;
}

/** The list of an exhibit. */
export interface Listing {
  readonly name: string;
  readonly project: string;
  readonly title: string;
  readonly languages: readonly string[];
  readonly date: string;
  readonly generator: string;
  readonly records: readonly ListedRecord[];
  readonly files: readonly ListedFile[];
}

/** Read the list; FormatError where it is none. */
export function readList(data: Uint8Array): Listing {
  const values = { left: limits.MAX_EXHIBIT_LIST_JSON_VALUES };
  const fields = new Fields(parseJson(data, MAX_BYTES, "exhibit.json", values), "exhibit.json");
  fields.integer("version", 1, 1);
  const list: Listing = {
    name: plainName(fields),
    project: toHex(parseHex(fields.text("project"), 16, "project in exhibit.json")),
    title: words(fields, "title", limits.MAX_EXHIBIT_TITLE_CHARACTERS),
    languages: languages(fields),
    date: fields.text("date", 40),
    generator: generator(fields),
    records: fields.objects("records", MAX_ITEMS, readRow),
    files: fields.objects("files", MAX_ITEMS, readFile),
  };
  fields.done();
  parseUtc(list.date, "date in exhibit.json");
  list.records.forEach(({ seq }, place) => {
    if (seq !== place) throw new FormatError(`record ${place} is wanted where record ${seq} is listed`);
  });
  if (!list.records.some(({ shown }) => shown)) throw new FormatError("exhibit.json shows no record");
  list.files.forEach((file, i) => {
    const last = list.files[i - 1];
    if (last && (last.record > file.record || (last.record === file.record && last.number >= file.number)))
      throw new FormatError("exhibit.json.files: not in the order of records and fields, each once");
  });
  return list;
}

function plainName(fields: Fields): string {
  const name = fields.text("name", 255);
  if (name.includes("/")) throw new FormatError("exhibit.json.name: it names a folder in a folder");
  checkPlainNames([`${name}.exhibit`]);
  return name;
}

/** A party's own words. */
function words(fields: Fields, name: string, most: number): string {
  const text = fields.text(name, most);
  if (NO_WORDS.test(text)) throw new FormatError(`${fields.path(name)}: a character that controls, and is not printed`);
  return text;
}

function generator(fields: Fields): string {
  const text = fields.text("generator", limits.MAX_EXHIBIT_GENERATOR_CHARACTERS);
  if (!GENERATOR.test(text))
    throw new FormatError("exhibit.json.generator: one or more printable characters of ASCII");
  return text;
}

function languages(fields: Fields): string[] {
  const found = fields.texts("languages", 2, (text) => text);
  if (found.length === 0 || new Set(found).size !== found.length || found.some((one) => one !== "en" && one !== "zh"))
    throw new FormatError("exhibit.json.languages: one or more of en, zh");
  return found;
}

function readRow(fields: Fields): ListedRecord {
  const seq = fields.integer("seq");
  const kind = fields.text("kind", 40);
  if (!KINDS.has(kind)) throw new FormatError(`${fields.where}: there is no such kind of record`);
  const digest = toHex(fields.hex("digest", 32));
  const shown = fields.boolean("shown");
  const proof = shown && fields.boolean("proof");
  const reason = shown ? null : fields.optional("reason", (name) => words(fields, name, limits.MAX_EXHIBIT_REASON_CHARACTERS));
  if (!shown && KEY_KINDS.has(kind)) throw new FormatError(`${fields.where}: a ${kind} record is always shown`);
  return { seq, kind, digest, shown, proof, reason };
}

function readFile(fields: Fields): ListedFile {
  const record = fields.integer("record");
  const match = FIELD.exec(fields.text("field", 40));
  const sha256 = toHex(fields.hex("sha256", 32));
  const size = fields.integer("size");
  const path = fields.optional("path", (name) => fields.text(name));
  if (match === null) throw new FormatError(`${fields.where}.field: file.N is wanted`);
  if (path !== null && PATH.exec(path)?.[1] !== sha256)
    throw new FormatError(`${fields.where}.path: files/SHA256.EXT of its sha256 is wanted`);
  return { record, number: Number(match[1]), sha256, size, path };
}
