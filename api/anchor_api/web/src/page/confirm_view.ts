/** Blocks that evidence rests on: a person compares them, or asks explorers with a button. */
import { parseHex } from "../bytes/text.ts";
import { displayHex, parseHeader } from "../formats/bitcoin.ts";
import type { ConfirmedBlock, KnownFacts } from "../verify/facts.ts";
import type { Words } from "../words/words.ts";
import { digest, h } from "./dom.ts";
import { SourcesError, bitcoinSources, askBitcoin, askEvm, evmSources } from "./explorers.ts";
import type { Block, Result } from "./protocol.ts";

/** Facts that a person gave, which grow by one at a time. */
export type Confirmed = (facts: KnownFacts) => void;

/** The form; null where nothing rests on a block. */
export function confirmForm(result: Result, facts: KnownFacts, words: Words, take: Confirmed): HTMLElement | null {
  if (result.blocks.length === 0) return null;
  const open = result.items.some((item) => item.verdict.exit_status === 4);
  const list = h("ul", { class: "blocks" }, result.blocks.map((block) => blockItem(block, result, facts, words, take)));
  const details = h("details", { class: "confirm", open }, h("summary", {}, words.confirm.heading), h("p", {}, words.confirm.text), list);
  return details;
}

function blockItem(block: Block, result: Result, facts: KnownFacts, words: Words, take: Confirmed): HTMLElement {
  const name = nameOf(block, words);
  const state = h("p", { role: "status", class: "note" });
  const label = block.chain === "bitcoin" ? words.confirm.label(name) : words.confirm.hashLabel(name);
  const input = h("input", { type: "text", spellcheck: "false", autocomplete: "off", "aria-label": label });
  const form = h(
    "form",
    {
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        const added = entered(block, input.value, facts, words);
        if (added === null) state.textContent = words.confirm.notHex;
        else take(added);
      },
    },
    input,
    h("button", { type: "submit" }, words.confirm.use),
  );
  const known = confirmedOf(block, facts);
  return h(
    "li",
    {},
    h("strong", {}, name),
    " ",
    block.hash === null ? h("span", { class: "note" }, words.confirm.noHash) : h("span", {}, h("span", { class: "note" }, words.confirm.inEvidence, ": "), digest(block.hash)),
    known === undefined ? form : h("p", { class: "note" }, `${words.confirm.done} `, digest(known.hash), ` (${known.confirmed_by})`),
    known === undefined ? asking(block, result, facts, words, take, state) : null,
    state,
  );
}

function asking(block: Block, result: Result, facts: KnownFacts, words: Words, take: Confirmed, state: HTMLElement): HTMLElement | null {
  const named = block.chain === "bitcoin" ? result.sources.bitcoin : (result.sources.evm.find(([id]) => id === block.chainId)?.[1] ?? []);
  const agree = block.chain === "bitcoin" ? result.agree.bitcoin : (result.agree.evm.find(([id]) => id === block.chainId)?.[1] ?? 1);
  const sources = named.filter((source) => (block.chain === "bitcoin" ? bitcoinSources() : evmSources()).includes(source));
  if (sources.length < agree) return null;
  const hosts = sources.map((source) => new URL(source).host);
  const button = h(
    "button",
    {
      type: "button",
      onclick: () => {
        state.textContent = words.confirm.asking;
        const asked = block.chain === "bitcoin" ? askBitcoin(block.height, sources, agree, facts) : askEvm(block.chainId, block.number, sources, agree, facts);
        asked.then(take, (error: unknown) => (state.textContent = words.confirm.failed(whyNot(error, words))));
      },
    },
    words.confirm.fetch(hosts.join(", ")),
  );
  return h("p", {}, button, " ", h("span", { class: "note" }, words.confirm.fetchText));
}

function whyNot(error: unknown, words: Words): string {
  if (!(error instanceof SourcesError)) return String(error);
  return error.got === null ? words.confirm.disagree : words.confirm.tooFew(error.got, error.wanted);
}

function nameOf(block: Block, words: Words): string {
  return block.chain === "bitcoin" ? words.confirm.bitcoin(block.height) : words.confirm.evm(block.name, block.number);
}

function confirmedOf(block: Block, facts: KnownFacts): ConfirmedBlock | undefined {
  return block.chain === "bitcoin" ? facts.bitcoin?.get(block.height) : facts.evm?.get(`${block.chainId}:${block.number}`);
}

/** Take what a person entered: a hash, or a Bitcoin header, whose hash is worked out here. */
function entered(block: Block, text: string, facts: KnownFacts, words: Words): KnownFacts | null {
  const hex = text.trim().toLowerCase().replace(/^0x/, "");
  const confirmed_by = words.confirm.person;
  if (block.chain === "evm") {
    if (!/^[0-9a-f]{64}$/.test(hex)) return null;
    return { ...facts, evm: new Map(facts.evm).set(`${block.chainId}:${block.number}`, { hash: hex, confirmed_by }) };
  }
  if (/^[0-9a-f]{64}$/.test(hex)) return { ...facts, bitcoin: new Map(facts.bitcoin).set(block.height, { hash: hex, confirmed_by }) };
  if (!/^[0-9a-f]{160}$/.test(hex)) return null;
  try {
    const raw = parseHex(hex, 80);
    const hash = displayHex(parseHeader(raw).hash);
    return {
      ...facts,
      bitcoin: new Map(facts.bitcoin).set(block.height, { hash, confirmed_by }),
      headers: new Map(facts.headers).set(block.height, [raw]),
    };
  } catch {
    return null;
  }
}
