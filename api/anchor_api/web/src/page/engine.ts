/** Judges what was dropped. Runs in a worker where there is one; nothing here touches the page. */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, toHex } from "../bytes/bytes.ts";
import { parseHex, parseUtf8 } from "../bytes/text.ts";
import { FalseError, FormatError } from "../errors.ts";
import { type Contents, readContents, readFolder } from "../exhibit/contents.ts";
import { judgeExhibit } from "../exhibit/judge.ts";
import type { Listing } from "../exhibit/list.ts";
import { blobSource } from "../exhibit/source.ts";
import { readDetached } from "../formats/ots.ts";
import { type Policy, readPolicy } from "../proof/policy.ts";
import { type Proof, readProof } from "../proof/proof.ts";
import { judgeRecords } from "../records/judge.ts";
import { type RecordText, readRecord } from "../records/record.ts";
import { judgeOts, judgeProof } from "../verify/judge.ts";
import type { Circumstances } from "../verify/question.ts";
import { beaconBlocks, blocksOf } from "./blocks.ts";
import { BUILT_IN_POLICY } from "./built_in.ts";
import { type Material, bagsAmong, materialOf } from "./material.ts";
import type { Block, Item, Message, Problem, Result, ShownFile, ShownRecord, Task } from "./protocol.ts";

type Tell = (message: Message) => void;
type Of<Type> = Extract<Material, { type: Type }>;

const exhibits = new Map<string, Contents>();

/** Judge everything in a task; problems of single files are told, not thrown. */
export async function judgeTask(task: Task, tell: Tell): Promise<Result> {
  const problems: Problem[] = [];
  const found = await materials(task, tell, problems);
  const newPolicy = policyAmong(found, problems);
  const bytes = newPolicy ?? task.policy;
  const policy = readPolicy(bytes ?? BUILT_IN_POLICY);
  const circumstances: Circumstances = {
    policy,
    now: task.now,
    facts: task.facts,
    steps: true,
    ...(task.before === null ? {} : { before: task.before }),
  };
  tell({ type: "judging" });
  const bench = new Bench(policy, circumstances, problems);
  bench.sort(found);
  bench.judgeLoose();
  for (const item of found)
    if (item.type === "exhibit" || item.type === "bag") await bench.judgeExhibit(item, tell);
  return {
    items: bench.items,
    problems,
    blocks: bench.blocks(),
    policy: {
      name: policy.name,
      sha256: toHex(policy.sha256),
      class: policy.class,
      builtIn: bytes === null,
    },
    sources: {
      bitcoin: policy.bitcoin.sources,
      evm: policy.chains.map(({ chainId, sources }) => [chainId, sources] as const),
    },
    agree: {
      bitcoin: policy.bitcoin.agree,
      evm: policy.chains.map(({ chainId, agree }) => [chainId, agree] as const),
    },
    newPolicy,
  };
}

async function materials(task: Task, tell: Tell, problems: Problem[]): Promise<Material[]> {
  const { bags, rest } = bagsAmong(task.dropped);
  const names = new Set(rest.map(({ name }) => name));
  const found = [...bags];
  for (const dropped of rest) {
    const { name } = dropped;
    if (name.endsWith(".bak") && names.has(name.slice(0, -4))) continue; // what upgrade kept of an older proof
    try {
      const progress = (done: number, total: number) => tell({ type: "progress", name, done, total });
      found.push(await materialOf(dropped, names, progress));
    } catch (error) {
      problems.push(problemOf(name, error));
    }
  }
  return found;
}

function policyAmong(found: readonly Material[], problems: Problem[]): Uint8Array | null {
  let bytes: Uint8Array | null = null;
  for (const item of found) {
    if (item.type !== "policy") continue;
    try {
      readPolicy(item.bytes);
      bytes = item.bytes;
    } catch (error) {
      problems.push(problemOf(item.name, error));
    }
  }
  return bytes;
}

interface LooseProof {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly proof: Proof;
  used: boolean;
}

/** Everything of one task on one table: what belongs to what. */
class Bench {
  readonly items: Item[] = [];
  readonly #blocks = new Map<string, Block>();
  readonly #files: Of<"file">[] = [];
  readonly #proofs: LooseProof[] = [];
  readonly #ots: Of<"ots">[] = [];
  readonly #records: RecordText[] = [];
  readonly #proven = new Set<string>();

  constructor(
    private readonly policy: Policy,
    private readonly circumstances: Circumstances,
    private readonly problems: Problem[],
  ) {}

  /** Put each thing on its heap. */
  sort(found: readonly Material[]): void {
    for (const item of found)
      this.#attempt(item.name, () => {
        if (item.type === "file") this.#files.push(item);
        if (item.type === "ots") this.#ots.push(item);
        if (item.type === "record") this.#records.push(readRecord(parseUtf8(item.bytes, item.name)));
        if (item.type === "proof")
          this.#proofs.push({ name: item.name, bytes: item.bytes, proof: readProof(item.bytes), used: false });
      });
  }

  /** Judge records, proofs and `.ots` files with the files they belong to. */
  judgeLoose(): void {
    for (const project of new Set(this.#records.map(({ project: id }) => id))) this.#judgeProject(project);
    for (const proof of this.#proofs) if (!proof.used) this.#attempt(proof.name, () => this.#judgeProof(proof));
    for (const ots of this.#ots) this.#attempt(ots.name, () => this.#judgeOts(ots));
    const about = (item: Item) => (item.type === "proof" ? (item.file ?? item.name) : "");
    this.items.sort((a, b) => (about(a) < about(b) ? -1 : about(a) > about(b) ? 1 : 0));
    for (const { name } of this.#files)
      if (!this.#proven.has(name)) this.problems.push({ name, code: "page.no_proof", reason: "" });
  }

  #judgeProject(project: string): void {
    const records = this.#records.filter(({ project: id }) => id === project);
    const items = records.map((record) => {
      const held = this.#proofs.find(({ proof }) => leadsTo(record.digest, proof));
      if (held !== undefined) {
        held.used = true;
        this.#note(blocksOf(held.proof, this.policy));
      }
      this.#note(beaconBlocks(record.notBefore));
      return { record, proof: held?.bytes ?? null };
    });
    const verdict = judgeRecords({ ...this.circumstances, items });
    const files = new Map(this.#files.map((file) => [file.sha256, file.name]));
    for (const record of records)
      for (const { sha256: digest } of record.files.values()) {
        const name = files.get(digest);
        if (name !== undefined) this.#proven.add(name);
      }
    this.items.push({ type: "records", verdict, shown: records.map((record) => shownRecord(record, () => null)) });
  }

  #judgeProof({ name, bytes, proof }: LooseProof): void {
    const file =
      this.#files.find(({ sha256: digest }) => leadsTo(digest, proof)) ?? this.#fileNamed(name, ".proof");
    if (file !== undefined) this.#proven.add(file.name);
    const fileDigest = file === undefined ? {} : { fileDigest: parseHex(file.sha256, 32) };
    const verdict = judgeProof({ ...this.circumstances, ...fileDigest, proof: bytes });
    this.#note(blocksOf(proof, this.policy));
    this.items.push({ type: "proof", name, file: file?.name ?? null, verdict });
  }

  #judgeOts({ name, bytes }: Of<"ots">): void {
    const detached = readDetached(bytes);
    const digest = toHex(detached.digest);
    const file = this.#files.find((one) => one.sha256 === digest) ?? this.#fileNamed(name, ".ots");
    if (file !== undefined) this.#proven.add(file.name);
    const fileDigest =
      file === undefined || detached.fileOp !== "sha256" ? {} : { fileDigest: parseHex(file.sha256, 32) };
    const verdict = judgeOts({ ...this.circumstances, ...fileDigest, ots: bytes });
    for (const { end } of detached.paths)
      if (end.kind === "bitcoin") this.#note([{ chain: "bitcoin", height: end.height, hash: null }]);
    this.items.push({ type: "proof", name, file: file?.name ?? null, verdict });
  }

  /** The file that a proof is named after; or the only one, with the only proof. */
  #fileNamed(name: string, suffix: string): Of<"file"> | undefined {
    const named = this.#files.find((file) => name === `${file.name}${suffix}`);
    const alone = this.#files.length === 1 && this.#proofs.length + this.#ots.length === 1;
    return named ?? (alone && this.#records.length === 0 ? this.#files[0] : undefined);
  }

  async judgeExhibit(item: Of<"exhibit"> | Of<"bag">, tell: Tell): Promise<void> {
    const { name } = item;
    try {
      const contents = await contentsOf(item, (done, total) => tell({ type: "progress", name, done, total }));
      tell({ type: "judging" });
      const { verdict, list, records } = judgeExhibit(contents, this.circumstances);
      for (const [path, text] of contents.texts) if (path.endsWith(".proof")) this.#noteText(text);
      for (const record of records.values()) this.#note(beaconBlocks(record.notBefore));
      const shown = [...records.values()].map((record) =>
        shownRecord(record, (number) => bytesOf(contents, list, record.seq, number, item)),
      );
      const entries = contents.sizes.size;
      this.items.push({ type: "exhibit", name, title: list?.title ?? name, verdict, shown, entries, list });
    } catch (error) {
      this.problems.push(problemOf(name, error));
    }
  }

  #noteText(text: Uint8Array): void {
    try {
      this.#note(blocksOf(readProof(text), this.policy));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error; // the verdict names a proof that can not be read
    }
  }

  #note(blocks: readonly Block[]): void {
    for (const block of blocks) {
      const key = block.chain === "bitcoin" ? `bitcoin ${block.height}` : `evm ${block.chainId} ${block.number}`;
      if ((this.#blocks.get(key)?.hash ?? null) === null) this.#blocks.set(key, block);
    }
  }

  blocks(): Block[] {
    return [...this.#blocks.values()];
  }

  #attempt(name: string, judge: () => void): void {
    try {
      judge();
    } catch (error) {
      this.problems.push(problemOf(name, error));
    }
  }
}

/** Whether a digest (hex) is what a proof is about, by its opening if it has one. */
function leadsTo(digest: string, proof: Proof): boolean {
  const own = parseHex(digest, 32);
  return toHex(proof.opening === null ? own : sha256(concat(own, proof.opening))) === toHex(proof.digest);
}

function shownRecord(record: RecordText, bytes: (number: number) => Blob | null): ShownRecord {
  const files: ShownFile[] = [...record.files].map(([number, entry]) => ({
    number,
    role: entry.role,
    name: entry.name ?? null,
    mediaType: entry.media_type,
    size: entry.size,
    sha256: entry.sha256,
    bytes: bytes(number),
  }));
  const { seq, kind, digest, role, key, late } = record;
  const claimed = record.sdJwt.payload["claimed_time"] as string;
  return { seq, kind: kind.name, digest, role, key, late, claimed, fields: [...record.fields], files };
}

/** Read an exhibit; one that was read in an earlier task is not read again. */
async function contentsOf(
  item: Of<"exhibit"> | Of<"bag">,
  progress: (done: number, total: number) => void,
): Promise<Contents> {
  if (item.type === "bag") return readFolder(item.files, progress);
  const { name, file } = item;
  const key = `${name} ${file.size} ${file instanceof File ? file.lastModified : ""}`;
  const contents = exhibits.get(key) ?? (await readContents(blobSource(file), progress));
  if (file instanceof File) exhibits.set(key, contents);
  return contents;
}

function bytesOf(
  contents: Contents,
  list: Listing | null,
  seq: number,
  number: number,
  item: Of<"exhibit"> | Of<"bag">,
): Blob | null {
  const path = list?.files.find((one) => one.record === seq && one.number === number)?.path;
  if (!path) return null;
  if (item.type === "bag") return item.files.get(`data/${path}`) ?? null;
  const place = contents.place(`data/${path}`);
  return place === null ? null : item.file.slice(place.start, place.end);
}

function problemOf(name: string, error: unknown): Problem {
  if (error instanceof FormatError || error instanceof FalseError)
    return { name, code: error.code, reason: error.message };
  if (error instanceof DOMException) return { name, code: "page.unreadable", reason: error.message };
  throw error;
}
