/** The only code that goes online: it asks the built-in policy's sources, and only from a button. */
import { parseHex } from "../bytes/text.ts";
import { displayHex, parseHeader } from "../formats/bitcoin.ts";
import { readPolicy } from "../proof/policy.ts";
import type { KnownFacts } from "../verify/facts.ts";
import { BUILT_IN_POLICY } from "./built_in.ts";

const TIMEOUT_MS = 15_000;
const MAX_CHARACTERS = 1 << 20;
const SUCCESSORS = 6;
let sources: { bitcoin: readonly string[]; evm: readonly string[] } | null = null;

function allowed(): { bitcoin: readonly string[]; evm: readonly string[] } {
  if (sources === null) {
    const policy = readPolicy(BUILT_IN_POLICY);
    sources = { bitcoin: policy.bitcoin.sources, evm: policy.chains.flatMap((chain) => chain.sources) };
  }
  return sources;
}

/** Explorers that this page may ask of Bitcoin; its content policy lists the same. */
export function bitcoinSources(): readonly string[] {
  return allowed().bitcoin;
}

/** Sources that this page may ask of EVM chains. */
export function evmSources(): readonly string[] {
  return allowed().evm;
}

/** Ask for a block and the six after it; enough sources must give the same hash of each. */
export async function askBitcoin(height: number, from: readonly string[], agree: number, facts: KnownFacts): Promise<KnownFacts> {
  const bitcoin = new Map(facts.bitcoin);
  const headers: Uint8Array[] = [];
  for (let at = height; at <= height + SUCCESSORS; at++) {
    const answers = await answersOf(from, (source) => text(`${source}/block-height/${at}`));
    try {
      bitcoin.set(at, agreed(answers, agree));
    } catch (error) {
      if (at === height) throw error;
      break; // the chain is not that long yet, or only one source has it
    }
    headers.push(await headerOf(bitcoin.get(at)!.hash, from));
  }
  return { ...facts, bitcoin, headers: new Map(facts.headers).set(height, headers) };
}

async function headerOf(hash: string, from: readonly string[]): Promise<Uint8Array> {
  for (const { answer } of await answersOf(from, (source) => text(`${source}/block/${hash}/header`), /^[0-9a-f]{160}$/)) {
    const raw = parseHex(answer, 80);
    if (displayHex(parseHeader(raw).hash) === hash) return raw;
  }
  throw new SourcesError(0, 1);
}

/** Ask for a block's hash. */
export async function askEvm(chainId: number, number: number, from: readonly string[], agree: number, facts: KnownFacts): Promise<KnownFacts> {
  const body = { jsonrpc: "2.0", id: 1, method: "eth_getBlockByNumber", params: [`0x${number.toString(16)}`, false] };
  const answers = await answersOf(from, async (source) => {
    const answer: unknown = JSON.parse(await text(source, JSON.stringify(body)));
    const hash = (answer as { result?: { hash?: unknown } }).result?.hash;
    return typeof hash === "string" ? hash.replace(/^0x/, "") : "";
  });
  return { ...facts, evm: new Map(facts.evm).set(`${chainId}:${number}`, agreed(answers, agree)) };
}

/** The sources did not give one answer; `got` is null where they gave several. */
export class SourcesError extends Error {
  constructor(
    readonly got: number | null,
    readonly wanted: number,
  ) {
    super("the sources gave no one answer");
  }
}

interface Answer {
  readonly host: string;
  readonly answer: string;
}

async function answersOf(from: readonly string[], ask: (source: string) => Promise<string>, form = /^[0-9a-f]{64}$/): Promise<Answer[]> {
  const asked = await Promise.allSettled(from.map(ask));
  return asked.flatMap((result, i) => {
    const answer = result.status === "fulfilled" ? result.value.trim().toLowerCase() : "";
    return form.test(answer) ? [{ host: new URL(from[i]!).host, answer }] : [];
  });
}

function agreed(answers: readonly Answer[], wanted: number): { hash: string; confirmed_by: string } {
  const [first] = answers;
  if (first === undefined || answers.length < wanted) throw new SourcesError(answers.length, wanted);
  if (answers.some(({ answer }) => answer !== first.answer)) throw new SourcesError(null, wanted);
  return { hash: first.answer, confirmed_by: answers.map(({ host }) => host).join(" and ") };
}

async function text(address: string, body?: string): Promise<string> {
  const response = await fetch(address, {
    method: body === undefined ? "GET" : "POST",
    ...(body === undefined ? {} : { body, headers: { "Content-Type": "application/json" } }),
    credentials: "omit",
    referrerPolicy: "no-referrer",
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const answer = await response.text();
  if (answer.length > MAX_CHARACTERS) throw new Error("the answer is too long");
  return answer;
}
