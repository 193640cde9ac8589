/** The page: takes what is dropped, shows what was found out. As a worker, this script only judges. */
import "./style.css";
import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../bytes/bytes.ts";
import { readPolicy } from "../proof/policy.ts";
import type { KnownFacts } from "../verify/facts.ts";
import { LANGUAGES, type Language, type Words, languageFor } from "../words/words.ts";
import { BUILT_IN_POLICY } from "./built_in.ts";
import { confirmForm } from "./confirm_view.ts";
import { foreign, h, unfolding } from "./dom.ts";
import { chosenIn, droppedIn } from "./intake.ts";
import type { Dropped, Item, Message, Result } from "./protocol.ts";
import { bodyOf, plainSentence, policyOf, problemsOf, sentenceOf } from "./result_view.ts";
import { harmless, word } from "./status.ts";
import { type Judge, type WorkerScope, serve, startJudge } from "./worker.ts";

class Page {
  readonly #judge: Judge;
  readonly #root: HTMLElement;
  readonly #live: HTMLElement;
  readonly #builtIn: Result["policy"];
  #language: Language = languageFor(navigator.languages);
  #dropped: readonly Dropped[] = [];
  #policy: Uint8Array | null = null;
  #facts: KnownFacts = {};
  #before: number | null = null;
  #result: Result | null = null;
  #busy: Extract<Message, { type: "progress" | "judging" }> | null = null;
  #broken = false;
  #turn = 0;

  constructor(root: HTMLElement, live: HTMLElement, judge: Judge) {
    this.#root = root;
    this.#live = live;
    this.#judge = judge;
    const { name, class: kind } = readPolicy(BUILT_IN_POLICY);
    this.#builtIn = { name, class: kind, sha256: toHex(sha256(BUILT_IN_POLICY)), builtIn: true };
    this.#listen();
    this.#draw();
  }

  get #words(): Words {
    return LANGUAGES[this.#language];
  }

  #listen(): void {
    addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("over");
    });
    addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) document.body.classList.remove("over");
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("over");
      if (event.dataTransfer) void droppedIn(event.dataTransfer).then((files) => this.#take(files));
    });
  }

  /** Judge other files; facts about blocks stay, the question goes. */
  #take(dropped: readonly Dropped[]): void {
    if (dropped.length === 0) return;
    this.#dropped = dropped;
    this.#before = null;
    this.#run();
  }

  #run(): void {
    const turn = ++this.#turn;
    this.#broken = false;
    const { name, file } = this.#dropped[0]!;
    this.#busy = { type: "progress", name, done: 0, total: file.size };
    this.#draw();
    const task = {
      dropped: this.#dropped,
      policy: this.#policy,
      facts: this.#facts,
      now: Math.floor(Date.now() / 1000),
      before: this.#before,
    };
    this.#judge.judge(task, (message) => {
      if (turn === this.#turn) this.#hear(message);
    });
  }

  #hear(message: Message): void {
    if (message.type === "ready") return;
    if (message.type === "progress" || message.type === "judging") {
      this.#busy = message;
      this.#drawProgress();
      return;
    }
    this.#busy = null;
    this.#broken = message.type === "broken";
    if (message.type === "result") this.#settle(message.result);
    this.#draw();
    this.#root.querySelector<HTMLElement>("h1")?.focus();
  }

  #settle(result: Result): void {
    const policyAlone = result.newPolicy !== null && result.items.length === 0 && result.problems.length === 0;
    if (result.newPolicy !== null) this.#policy = result.newPolicy;
    if (policyAlone && this.#result !== null && this.#result.items.length > 0) {
      this.#dropped = this.#lastJudged;
      this.#run();
      return;
    }
    this.#result = result;
    if (result.items.length > 0) this.#lastJudged = this.#dropped;
  }

  #lastJudged: readonly Dropped[] = [];

  // -- drawing ------------------------------------------------------------------------------------

  #draw(): void {
    const words = this.#words;
    document.documentElement.lang = words.lang;
    const result = this.#busy === null && !this.#broken ? this.#result : null;
    const sentence = result === null ? "" : plainSentence(result, words);
    document.title = sentence === "" || result?.items.length === 0 ? words.title : sentence;
    this.#live.textContent = result !== null && result.items.length > 0 ? sentence : "";
    this.#root.replaceChildren(this.#header(), this.#main(result));
    this.#drawProgress();
  }

  #header(): HTMLElement {
    const buttons = Object.entries(LANGUAGES).map(([name, { ownName, lang }]) =>
      h(
        "button",
        {
          type: "button",
          lang,
          "aria-pressed": String(name === this.#language),
          onclick: () => {
            this.#language = name as Language;
            this.#draw();
            this.#root.querySelector<HTMLElement>(`header button[lang="${lang}"]`)?.focus();
          },
        },
        ownName,
      ),
    );
    const group = h("div", { role: "group", "aria-label": this.#words.settings.language }, buttons);
    return h("header", {}, h("span", { class: "brand" }, "Vestige"), group);
  }

  #main(result: Result | null): HTMLElement {
    const words = this.#words;
    const back = this.#policy === null ? null : () => this.#usePolicy(null);
    const policy = policyOf(result, this.#builtIn, words, back);
    const about = h("section", { class: "about" }, h("h2", {}, words.about.heading), h("ul", {}, words.about.items.map((item) => h("li", {}, item))));
    if (this.#busy !== null) return h("main", { "aria-busy": "true" }, h("h1", { tabindex: "-1" }, words.heading), h("div", { id: "progress" }));
    const judged = result !== null && result.items.length > 0 ? this.#judged(result) : [];
    const again = judged.length > 0;
    return h(
      "main",
      {},
      again ? judged : h("h1", { tabindex: "-1" }, words.heading),
      this.#broken ? h("p", { class: "failed" }, words.problem.broken) : null,
      result === null ? null : this.#news(result),
      this.#intake(again),
      policy,
      about,
    );
  }

  #news(result: Result): (HTMLElement | null)[] {
    const words = this.#words;
    const taken = result.newPolicy !== null && result.items.length === 0;
    const nothing = result.items.length === 0 && result.problems.length === 0 && !taken;
    return [
      taken ? h("p", { role: "status" }, words.policy.taken) : null,
      nothing ? h("p", {}, words.problem.nothing) : null,
      problemsOf(result.problems, words),
    ];
  }

  #usePolicy(policy: Uint8Array | null): void {
    this.#policy = policy;
    if (this.#lastJudged.length === 0) {
      this.#result = null;
      this.#draw();
      return;
    }
    this.#dropped = this.#lastJudged;
    this.#run();
  }

  #judged(result: Result): (HTMLElement | null)[] {
    const words = this.#words;
    const confirm = confirmForm(result, this.#facts, words, (facts) => {
      this.#facts = facts;
      this.#run();
    });
    const [only] = result.items;
    const test = result.policy.class === "test" ? h("p", { class: "pending" }, words.sentence.test) : null;
    if (result.items.length === 1 && only !== undefined)
      return [
        h("h1", { tabindex: "-1", class: "sentence" }, sentenceOf(only, words)),
        test,
        h("article", {}, bodyOf(only, words)),
        confirm,
        this.#question(),
      ];
    const rows = result.items.map((item) => {
      const details = h("details", {}, h("summary", {}, sentenceOf(item, words), fromOf(item)));
      details.addEventListener("toggle", () => details.append(h("article", {}, ...bodyOf(item, words))), { once: true });
      return h("li", {}, details);
    });
    return [
      h("h1", { tabindex: "-1", class: "sentence" }, words.sentence.manyFiles(result.items.length)),
      this.#tally(result),
      test,
      h("ol", { class: "many" }, rows),
      confirm,
      this.#question(),
    ];
  }

  #tally(result: Result): HTMLElement {
    const parts = (["failed", "not_checked", "pending", "verified"] as const).flatMap((status) => {
      const n = result.items.filter(({ verdict }) => verdict.status === status).length;
      return n === 0 ? [] : [h("li", {}, `${n} × `, word(status, this.#words))];
    });
    return h("ul", { class: "tally" }, parts);
  }

  /** "Did it exist before T?" */
  #question(): HTMLElement {
    const words = this.#words;
    const value = this.#before === null ? "" : new Date(this.#before * 1000).toISOString().slice(0, 19);
    const input = h("input", { type: "datetime-local", step: "1", required: true, value, id: "before" });
    const ask = (event: SubmitEvent) => {
      event.preventDefault();
      const time = Date.parse(`${input.value}Z`);
      if (Number.isNaN(time)) return;
      this.#before = time / 1000;
      this.#run();
    };
    const clear = () => {
      this.#before = null;
      this.#run();
    };
    const form = h(
      "form",
      { onsubmit: ask },
      h("label", { for: "before" }, words.ask.label),
      input,
      h("button", { type: "submit" }, words.ask.button),
      this.#before === null ? null : h("button", { type: "button", onclick: clear }, words.ask.clear),
    );
    const details = unfolding(words.ask.heading, form);
    details.className = "ask";
    details.open = this.#before !== null;
    return details;
  }

  #intake(again: boolean): HTMLElement {
    const { drop, lead } = this.#words;
    const take = (event: Event) => {
      const input = event.target as HTMLInputElement;
      const files = chosenIn(input.files);
      input.value = "";
      this.#take(files);
    };
    const files = h("input", { type: "file", multiple: true, class: "hidden", id: "files", onchange: take });
    const folder = h("input", { type: "file", webkitdirectory: true, class: "hidden", id: "folder", onchange: take });
    return h(
      "section",
      { class: again ? "drop again" : "drop", "aria-label": again ? drop.again : drop.what },
      h("p", { class: "what" }, again ? drop.again : drop.what),
      again ? null : h("p", { class: "note" }, drop.or),
      h("p", { class: "choose" }, files, h("label", { for: "files", class: "button" }, drop.files), " ", folder, h("label", { for: "folder", class: "button" }, drop.folder)),
      again ? null : h("p", { class: "note" }, lead),
    );
  }

  #drawProgress(): void {
    const place = this.#root.querySelector("#progress");
    if (place === null || this.#busy === null) return;
    const { busy } = this.#words;
    if (this.#busy.type === "judging") {
      place.replaceChildren(h("p", {}, busy.judging), h("progress", { "aria-label": busy.judging }));
      return;
    }
    const { name, done, total } = this.#busy;
    const mb = (n: number) => `${(n / 1e6).toFixed(1)} MB`;
    const bar = h("progress", { max: String(Math.max(total, 1)), value: String(done), "aria-label": busy.reading(name) });
    place.replaceChildren(h("p", {}, foreign(busy.reading(harmless(name)))), bar, h("p", { class: "note" }, busy.of(mb(done), mb(total))));
  }
}

/** Which proof a row of many is of, where a file has several. */
function fromOf(item: Item): HTMLElement | null {
  return item.type === "proof" && item.file !== null ? h("span", { class: "note from" }, foreign(harmless(item.name, 80))) : null;
}

if (typeof document === "undefined") {
  serve(globalThis as unknown as WorkerScope);
} else {
  const script = document.getElementById("verifier")?.textContent ?? "";
  const root = document.getElementById("page")!;
  const live = document.getElementById("live")!;
  new Page(root, live, startJudge(script));
}
