/** Does the list say what is there? Step E3; and the `.ots` files, step E6. */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, toHex } from "../bytes/bytes.ts";
import { parseHex, parseUtf8 } from "../bytes/text.ts";
import { FalseError, FormatError } from "../errors.ts";
import { type OtsPath, readDetached, readTree } from "../formats/ots.ts";
import { type Proof, readProof } from "../proof/proof.ts";
import type { Stub } from "../records/chain.ts";
import type { ProvenRecord } from "../records/judge.ts";
import { type RecordText, readRecord } from "../records/record.ts";
import type { Contents } from "./contents.ts";
import type { ListedFile, ListedRecord, Listing } from "./list.ts";
import { type ExhibitFinding, failed } from "./verdict.ts";

/** What the list and the bag say together. */
export interface Agreement {
  /** One for each place, in order: what step E5 judges. */
  readonly items: readonly (ProvenRecord | Stub)[];
  readonly records: ReadonlyMap<number, RecordText>;
  readonly findings: readonly ExhibitFinding[];
  /** By number of the record. */
  readonly proofs: ReadonlyMap<number, Proof>;
}

/** Compare the list with what is there. */
export function compareList(contents: Contents, list: Listing): Agreement {
  const comparison = new Comparison(contents, list);
  const items = list.records.map((listed) => comparison.item(listed));
  comparison.files();
  comparison.claims();
  comparison.strays();
  const { records, findings, proofs } = comparison;
  return { items, records, findings, proofs };
}

class Comparison {
  readonly records = new Map<number, RecordText>();
  readonly findings: ExhibitFinding[] = [];
  readonly proofs = new Map<number, Proof>();
  readonly #listed = new Set<string>();

  constructor(
    private readonly contents: Contents,
    private readonly list: Listing,
  ) {}

  item(listed: ListedRecord): ProvenRecord | Stub {
    const { seq, kind, digest } = listed;
    const record = listed.shown ? this.#record(listed) : null;
    if (record === null) return { seq, kind, digest };
    this.records.set(seq, record);
    return { record, proof: listed.proof ? this.#proof(seq, record) : null };
  }

  #fail(code: string, path: string, reason: string): null {
    this.findings.push(failed("E3", code, path, reason));
    return null;
  }

  #record(listed: ListedRecord): RecordText | null {
    const path = `data/records/${numbered(listed.seq)}.sdjwt`;
    this.#listed.add(path);
    const data = this.contents.texts.get(path);
    if (data === undefined) return this.#fail("record", path, "it is listed as shown, and is not there");
    const record = attempt(() => readRecord(parseUtf8(data, "record")));
    if (typeof record === "string") return this.#fail("record", path, record);
    if (record.digest !== listed.digest) this.#fail("record", path, "its digest is not the one that is listed");
    if (record.seq !== listed.seq || record.kind.name !== listed.kind) {
      const found = `record ${record.seq} of kind ${record.kind.name}`;
      return this.#fail("record", path, `it is ${found}, not ${listed.seq} of kind ${listed.kind}`);
    }
    if (record.project !== this.list.project) this.#fail("record", path, "it is of another project");
    return record;
  }

  #proof(seq: number, record: RecordText): Uint8Array | null {
    const path = `data/proofs/${numbered(seq)}.proof`;
    this.#listed.add(path).add(otsPathOf(seq));
    const data = this.contents.texts.get(path);
    if (data === undefined) return this.#fail("proof", path, "it is listed, and is not there");
    const proof = attempt(() => readProof(data));
    if (typeof proof === "string") return this.#fail("proof", path, proof);
    const own = parseHex(record.digest, 32);
    const entry = proof.opening === null ? own : sha256(concat(own, proof.opening));
    if (toHex(proof.digest) !== toHex(entry))
      return this.#fail("proof", path, "it is of another digest than the record's");
    this.proofs.set(seq, proof);
    return data;
  }

  files(): void {
    const key = (record: number, number: number) => `${record} ${number}`;
    const listed = new Set(this.list.files.map((file) => key(file.record, file.number)));
    for (const [seq, record] of this.records)
      for (const number of record.files.keys())
        if (!listed.has(key(seq, number)))
          this.#fail("list", "data/exhibit.json", `record ${seq} names file.${number}, which is not listed`);
    for (const file of this.list.files) this.#file(file);
  }

  #file(file: ListedFile): void {
    const entry = this.records.get(file.record)?.files.get(file.number);
    const path = file.path === null ? null : `data/${file.path}`;
    const where = path ?? "data/exhibit.json";
    if (entry === undefined)
      this.#fail("file", where, `record ${file.record} does not show that it names a file.${file.number}`);
    else if (entry.sha256 !== file.sha256 || entry.size !== file.size)
      this.#fail("file", where, `record ${file.record} names another file.${file.number}`);
    if (path === null) return;
    this.#listed.add(path);
    const size = this.contents.sizes.get(path);
    if (size === undefined) this.#fail("file", path, "it is listed, and is not there");
    else if (this.contents.digests.get(path)!.sha256 !== file.sha256)
      this.#fail("file", path, "it is not the file that the record names");
    else if (size !== file.size) this.#fail("file", path, "it has another size than the record says");
  }

  /** Name and date of the list are those of the folder and of the newest record shown. */
  claims(): void {
    const { list, contents } = this;
    if (contents.folder !== null && contents.folder !== `${list.name}.exhibit`)
      this.#fail("list", "data/exhibit.json", `its name is not that of the folder ${contents.folder}`);
    const newest = list.records.findLast(({ shown }) => shown)!.seq;
    const claimed = this.records.get(newest)?.sdJwt.payload["claimed_time"];
    if (claimed !== undefined && claimed !== list.date)
      this.#fail("list", "data/exhibit.json", `its date is not the claimed time of record ${newest}`);
  }

  strays(): void {
    for (const path of this.contents.sizes.keys()) {
      const code = /^data\/(record|proof|file)s\//.exec(path)?.[1];
      if (code !== undefined && !this.#listed.has(path)) this.#fail(code, path, "exhibit.json does not list it");
    }
  }
}

/** Step E6: find each `.ots` file that its record and proof do not bear out; those of unpaid records are not looked at. */
export function judgeOtsFiles(
  contents: Contents,
  { records, proofs }: Agreement,
  unpaid: ReadonlySet<string>,
): ExhibitFinding[] {
  const findings: ExhibitFinding[] = [];
  for (const [seq, proof] of proofs) {
    const path = otsPathOf(seq);
    const [data, digest] = [contents.texts.get(path), records.get(seq)!.digest];
    if (data === undefined || unpaid.has(digest)) continue;
    const fault = attempt(() => otsFault(data, digest, proof));
    if (fault !== null) findings.push(failed("E6", "ots", path, fault));
  }
  return findings;
}

/** Where the `.ots` file of a record stands. */
export function otsPathOf(seq: number): string {
  return `data/proofs/${numbered(seq)}.ots`;
}

/** Why an `.ots` file is not borne out by its record and proof, or null. */
function otsFault(ots: Uint8Array, digest: string, proof: Proof): string | null {
  const detached = readDetached(ots);
  if (detached.fileOp !== "sha256" || toHex(detached.digest) !== digest)
    return "it is of another digest than the record's";
  const held = new Set(
    proof.attestations.flatMap((row) =>
      row.kind === "opentimestamps" ? readTree(row.tree, row.rootHash).map((path) => leadsTo(path, row.rootHash)) : [],
    ),
  );
  if (detached.paths.some((path) => !held.has(leadsTo(path, detached.digest))))
    return "it leads to something that the proof does not hold";
  return null;
}

/** The last message of a path and what attests it. */
function leadsTo(path: OtsPath, start: Uint8Array): string {
  return `${toHex(path.messages.at(-1) ?? start)} ${JSON.stringify(path.end)}`;
}

function attempt<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError || error instanceof FalseError) return error.message;
    throw error;
  }
}

function numbered(seq: number): string {
  return String(seq).padStart(8, "0");
}
