/**
 * The list of a project's records: whose each is, whether it stands where it says, what is missing.
 *
 * docs/spec/verification.md, steps 13.3, 13.5 and 13.6; no time is judged here.
 */
import type { Micros } from "../bytes/time.ts";
import { FormatError } from "../errors.ts";
import type { Finding } from "../verify/verdict.ts";
import { Heads } from "./heads.ts";
import { KeyBook } from "./keys.ts";
import { type RecordText, references } from "./record.ts";

/** A record that is withheld; its kind is only said. */
export interface Stub {
  readonly seq: number;
  readonly kind: string;
  /** Hex. */
  readonly digest: string;
}

/** What stands at one place of the list. */
export type Listed = RecordText | Stub;

/** A record of the list, with what its signature and its place are. */
export interface Chained {
  readonly record: RecordText;
  signature: Finding;
  readonly place: Finding;
  /** `seq` of the key_bind that its key depends on, or null. */
  readonly boundBy: number | null;
}

/** Two signed records for one place. */
export interface Fork {
  readonly listed: Listed;
  readonly other: RecordText;
  readonly oneKey: boolean;
}

/** What the list adds up to. */
export interface Chain {
  readonly project: string;
  /** By place; at least one. */
  readonly records: readonly Chained[];
  readonly stubs: readonly Stub[];
  /** How many places below the last record shown are not listed. */
  readonly notListed: number;
  readonly forks: readonly Fork[];
  readonly compromisedSince: ReadonlyMap<string, Micros>;
  /** The last record shown, if it and every place below it adds up; else null. */
  readonly completeUpTo: number | null;
  readonly closed: boolean;
}

/** Tell a record from a stub. */
export function isRecord(item: Listed): item is RecordText {
  return "sdJwt" in item;
}

/** Judge the list; `others` are records seen elsewhere. */
export function judgeChain(items: readonly Listed[], others: readonly RecordText[] = []): Chain {
  const places = new Map<number, Listed>();
  const second: RecordText[] = [];
  const order = (item: Listed) => [item.seq, isRecord(item) ? 0 : 1] as const;
  for (const item of [...items].sort((a, b) => order(a)[0] - order(b)[0] || order(a)[1] - order(b)[1])) {
    if (!places.has(item.seq)) places.set(item.seq, item);
    else if (isRecord(item)) second.push(item);
  }
  const listed = [...places.values()];
  const first = listed.find(isRecord);
  if (first === undefined) throw new FormatError("no record of the project is shown", "record.none_shown");
  const walk = new Walk(first.project);
  for (const item of listed) walk.pass(item);
  const elsewhere = [...second, ...others].filter(
    (record) => record.project === walk.project && walk.book.hear(record),
  );
  const forks = elsewhere.flatMap((other) => walk.forkWith(other, places.get(other.seq)));
  if (walk.keyRecordWithheld) walk.hedge();
  const last = walk.chained.at(-1)!;
  const below = listed.filter((item) => item.seq < last.record.seq).length;
  const whole =
    below === last.record.seq && last.signature.status === "verified" && last.place.status === "verified";
  return {
    project: walk.project,
    records: walk.chained,
    stubs: listed.filter((item): item is Stub => !isRecord(item)),
    notListed: last.record.seq - below,
    forks,
    compromisedSince: walk.book.compromisedSince,
    completeUpTo: whole ? last.record.seq : null,
    closed: whole && walk.closed,
  };
}

class Walk {
  readonly book = new KeyBook();
  readonly chained: Chained[] = [];
  closed = false;
  keyRecordWithheld = false;
  readonly #heads = new Heads();
  readonly #reproductions = new Set<number>();
  #before: Listed | null = null;
  #gapless = true;
  #stubs = 0;
  #keyRecordsShown = 0;

  constructor(readonly project: string) {}

  pass(item: Listed): void {
    this.#gapless &&= item.seq === this.#heads.size;
    if (isRecord(item)) this.#take(item);
    else this.#stubs += 1;
    if (this.#gapless) this.#heads.append(item.digest);
    this.#before = item;
  }

  #take(record: RecordText): void {
    const place = this.#placeOf(record);
    const inPlace = place.status !== "failed";
    const signature = this.#signatureOf(record, inPlace);
    const boundBy = this.book.keys.get(record.key)?.boundBy ?? null;
    this.chained.push({ record, signature, place, boundBy });
    if (record.isKeyRecord) this.#keyRecordsShown += 1;
    if (!inPlace || signature.status === "failed") return;
    if (record.kind.name === "close") this.closed = true;
    if (record.kind.name === "reproduction_test") this.#reproductions.add(record.seq);
  }

  /** Step 13.3. */
  #signatureOf(record: RecordText, inPlace: boolean): Finding {
    if (record.project !== this.project)
      return finding("13.3", "not_checked", "record.project", "it is of another project");
    const withheld = record.keyRecords > this.#keyRecordsShown;
    const found = this.book.judge(record, inPlace);
    if (found === null) {
      if (record.isKeyRecord && inPlace) this.book.learn(record);
      this.keyRecordWithheld ||= withheld;
      return finding("13.3", "verified", "record.signed", `signed by the key ${record.key}`);
    }
    // A rotation that is withheld may have named another recovery key.
    const excused = withheld && found !== "unknown" && found.code === "record.recovery";
    if (found !== "unknown" && !excused) return finding("13.3", "failed", found.code, found.reason);
    if (withheld || this.book.keys.size === 0)
      return finding("13.3", "not_checked", "record.key_unknown", "the record that names its key is not shown");
    return finding("13.3", "failed", "record.key_unknown", "no record of the project names its key");
  }

  /** Step 13.5. */
  #placeOf(record: RecordText): Finding {
    const fault = this.#misplaced(record);
    if (fault !== null) return finding("13.5", "failed", ...fault);
    if (this.#gapless)
      return finding("13.5", "verified", "record.in_place", `record ${record.seq} of the project`);
    const why = "not every record before it is listed, so that its head can not be rebuilt";
    return finding("13.5", "not_checked", "record.place_unknown", why);
  }

  #misplaced(record: RecordText): [code: string, reason: string] | null {
    const shown = this.#keyRecordsShown;
    const stated = record.keyRecords;
    const before = this.#before;
    if (record.project !== this.project) return ["record.project", "it is of another project"];
    if ((record.kind.name === "genesis") !== (record.seq === 0))
      return ["record.genesis", "the first record of a project, and no other, is its genesis"];
    if (before !== null && before.seq === record.seq - 1 && record.prev !== before.digest)
      return ["record.prev", "it does not follow the record listed before it"];
    if (this.#gapless && (record.prev !== this.#heads.last || record.head !== this.#heads.root()))
      return ["record.head", "the records listed before it do not add up to its head"];
    if (shown > stated || (this.#gapless && this.#stubs === 0 && shown < stated))
      return ["record.key_records", `it states ${stated} key records before it, not ${shown}`];
    if (this.closed && record.kind.name !== "key_revoke")
      return ["record.after_close", "the project was closed before it"];
    if (record.kind.original && references(record).some((seq) => this.#reproductions.has(seq)))
      return ["record.reproduction_as_original", "it takes a reproduction for an original"];
    return null;
  }

  /** Step 13.6: two signing inputs for one place; stubs after the last record count for nothing. */
  forkWith(other: RecordText, listed: Listed | undefined): Fork[] {
    if (listed === undefined) return [];
    if (!isRecord(listed)) {
      const counts = listed.digest !== other.digest && listed.seq < this.chained.at(-1)!.record.seq;
      return counts ? [{ listed, other, oneKey: false }] : [];
    }
    const signed = this.chained.some(
      ({ record, signature }) => record === listed && signature.status === "verified",
    );
    if (!signed || listed.sdJwt.signingInput === other.sdJwt.signingInput) return [];
    return [{ listed, other, oneKey: listed.key === other.key }];
  }

  /** A record that says which keys may sign is withheld: no signature of the list is sure. */
  hedge(): void {
    const why = "a record that says which keys may sign is withheld";
    for (const item of this.chained)
      if (item.signature.status === "verified")
        item.signature = finding("13.3", "not_checked", "record.key_record_withheld", why);
  }
}

function finding(step: string, status: Finding["status"], code: string, reason: string): Finding {
  return { step, status, code, reason };
}
