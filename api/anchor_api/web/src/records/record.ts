/** A record as read: well-formed, its disclosures genuine, its signature not yet verified. */
import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../bytes/bytes.ts";
import type { Json, JsonObject } from "../bytes/json.ts";
import { toUtf8 } from "../bytes/text.ts";
import { type Micros, parseUtc } from "../bytes/time.ts";
import { FalseError, FormatError } from "../errors.ts";
import { ENVELOPE, KEY_KINDS, KINDS, type Kind } from "./kinds.ts";
import { type SdJwt, readSdJwt } from "./sdjwt.ts";
import { TYPES } from "./types.ts";

const FILE = /^file\.(0|[1-9][0-9]{0,3})$/;

/** A value that nobody could know before a time, as a record states it. */
export type Beacon =
  | { readonly source: "bitcoin"; readonly height: number; readonly hash: string }
  | { readonly source: "evm"; readonly chain_id: number; readonly number: number; readonly hash: string }
  | {
      readonly source: "drand";
      readonly round: number;
      readonly randomness: string;
      readonly chain_hash?: string;
      readonly signature?: string;
      readonly previous_signature?: string;
    };

/** A file as a record describes it. */
export interface FileEntry {
  readonly role: string;
  readonly media_type: string;
  readonly size: number;
  readonly sha256: string;
  readonly name?: string;
  readonly sha3_256?: string;
}

/** One record. Digests and keys are lower-case hex. */
export interface RecordText {
  readonly sdJwt: SdJwt;
  /** SHA-256 of `header.payload.signature`. */
  readonly digest: string;
  readonly kind: Kind;
  readonly isKeyRecord: boolean;
  readonly project: string;
  readonly seq: number;
  readonly prev: string | null;
  readonly head: string;
  readonly keyRecords: number;
  /** Thumbprint of the key that signs. */
  readonly key: string;
  readonly role: string;
  readonly claimedTime: Micros;
  readonly late: boolean;
  readonly notBefore: readonly Beacon[];
  /** Its kind's own fields that are open or disclosed; no file entries. */
  readonly fields: ReadonlyMap<string, Json>;
  /** File entries disclosed, by their number. */
  readonly files: ReadonlyMap<number, FileEntry>;
  /** How many hidden fields are not disclosed. */
  readonly withheld: number;
}

/** Read a record. Raises FormatError where it is none, FalseError where it contradicts itself. */
export function readRecord(text: string): RecordText {
  const sdJwt = readSdJwt(text);
  const { payload } = sdJwt;
  if (sdJwt.mediaType !== "vestige-record+sd-jwt" || payload["schema"] !== "vestige-record/1")
    throw new FormatError("this is not a vestige-record/1 record", "format.unsupported_version");
  const kind = typeof payload["kind"] === "string" ? KINDS.get(payload["kind"]) : undefined;
  if (kind === undefined) throw new FormatError("the kind of the record is not known", "record.kind");
  const fields = openFields(payload, kind);
  const files = new Map<number, FileEntry>();
  for (const { name, value } of sdJwt.disclosures) {
    const file = FILE.exec(name);
    if (file !== null) {
      wantType(name, "file", value);
      files.set(Number(file[1]), value as unknown as FileEntry);
      continue;
    }
    const field = kind.fields.get(name);
    if (field === undefined || field.open) throw unknown(name);
    wantType(name, field.type, value);
    fields.set(name, value);
  }
  const actor = payload["actor"] as { key: string; role: string };
  const record: RecordText = {
    sdJwt,
    digest: toHex(sha256(toUtf8(sdJwt.jwt))),
    kind,
    isKeyRecord: KEY_KINDS.has(kind.name),
    project: payload["project"] as string,
    seq: payload["seq"] as number,
    prev: payload["prev"] as string | null,
    head: payload["head"] as string,
    keyRecords: payload["key_records"] as number,
    key: actor.key,
    role: actor.role,
    claimedTime: parseUtc(payload["claimed_time"] as string),
    late: payload["late"] as boolean,
    notBefore: payload["not_before"] as unknown as Beacon[],
    fields,
    files,
    withheld: sdJwt.hiddenDigests.length - sdJwt.disclosures.length,
  };
  checkStatements(record, payload);
  return record;
}

/** The `seq` of each record that a field shown here refers to. */
export function references(record: RecordText): number[] {
  const found: number[] = [];
  for (const [name, value] of record.fields) {
    const type = record.kind.fields.get(name)?.type;
    const texts = type === "ref" ? [value] : type === "refs" ? (value as Json[]) : [];
    for (const text of texts) found.push(Number.parseInt(text as string, 10));
  }
  return found;
}

function openFields(payload: JsonObject, kind: Kind): Map<string, Json> {
  const own = new Map<string, Json>();
  for (const [name, value] of Object.entries(payload)) {
    if (name === "_sd" || name === "_sd_alg") continue;
    const envelope = ENVELOPE.get(name);
    const field = kind.fields.get(name);
    const type = envelope ?? (field?.open ? field.type : undefined);
    if (type === undefined) throw unknown(name);
    wantType(name, type, value);
    if (envelope === undefined) own.set(name, value);
  }
  const needed = [...kind.fields.values()].filter((field) => field.open && field.required);
  for (const name of [...ENVELOPE.keys(), ...needed.map((field) => field.name)])
    if (!Object.hasOwn(payload, name))
      throw new FormatError(`the record's ${name} is missing`, "record.field");
  return own;
}

function wantType(name: string, type: string, value: Json): void {
  if (!TYPES[type]!(value)) throw new FormatError(`the record's ${name} is no ${type}`, "record.type");
}

function unknown(name: string): FormatError {
  return new FormatError(`unknown field ${name.slice(0, 80)} in the record`, "record.field");
}

/** What a record says about itself (step 13.2). */
function checkStatements(record: RecordText, payload: JsonObject): void {
  const files = payload["files"] as number;
  const entries = [...record.files.keys()];
  const faults: [boolean, string, string][] = [
    [
      payload["count"] !== record.seq || record.keyRecords > record.seq,
      "record.count",
      "the number of records before it is not its place",
    ],
    [
      payload["hidden"] !== record.sdJwt.hiddenDigests.length,
      "record.hidden_count",
      "the number of hidden fields is not the one that it states",
    ],
    [
      entries.some((number) => number >= files) || entries.length + record.withheld < files,
      "record.file_count",
      "the number of files is not the one that it states",
    ],
    [
      record.kind.name === "import" && !record.late,
      "record.import_not_late",
      "an import is always late",
    ],
    [
      references(record).some((seq) => seq >= record.seq),
      "record.forward_reference",
      "it refers to itself or to a later record",
    ],
  ];
  for (const [fault, code, why] of faults)
    if (fault) throw new FalseError(`record ${record.seq}: ${why}`, code);
}
