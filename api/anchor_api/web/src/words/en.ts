/** Everything that the page says, in English. Texts are whole sentences; signs are not in here. */
import type { RecordsVerdict } from "../records/judge.ts";
import type { Row, Status, Verdict } from "../verify/verdict.ts";
import { count, shownTime } from "./shown.ts";

const status: Record<Status, string> = {
  verified: "verified",
  failed: "failed",
  pending: "pending",
  not_checked: "not checked",
};

export const en = {
  lang: "en",
  ownName: "English",
  title: "Check a proof — Vestige",
  heading: "Check when a file existed",
  lead: "Everything is worked out on this device, and nothing is sent. It works with the network off.",
  status,

  drop: {
    what: "Drop a file together with its proof",
    or: "a folder of both, a proof or .ots alone, records (.sdjwt), an exhibit (.exhibit.zip), or a policy of your own",
    files: "Choose files…",
    folder: "Choose a folder…",
    now: "Let go to check",
    again: "Check something else",
  },
  busy: {
    reading: (name: string) => `Reading ${name}`,
    judging: "Judging",
    of: (done: string, total: string) => `${done} of ${total}`,
  },
  problem: {
    heading: "Not read",
    noProof: "no proof of this file was dropped; drop the file and its proof together",
    nothing: "Nothing that can be checked was dropped.",
    unreadable: "could not be read",
    broken: "Something went wrong in this page itself; it is not about your file.",
  },

  sentence: {
    existed: (time: string) => `existed before ${time}`,
    digestOnly: "Nothing was dropped that hashes to this digest, so this is about the digest alone.",
    otherFile: "What follows is about the digest in the proof, which is another file's.",
    failed: "something in this is false",
    pending: "nothing is verified yet, nothing is false",
    notChecked: "nothing here shows that it existed before any time",
    manyFiles: (n: number) => `${count(n, "file")} checked`,
    records: (n: number) => `${count(n, "record")} of one project`,
    newest: (seq: number, time: string) => `record ${seq} existed before ${time}`,
    test: "Under a policy of class test, this shows nothing to anybody else.",
  },
  ladder: {
    heading: "Evidence, earliest first",
    before: (time: string) => `before ${time}`,
    none: "no time",
    tolerance: (s: number) => `${tolerance(s)} of tolerance included`,
    day: "honest to the day",
    family: {
      rfc3161: "Time stamp (RFC 3161)",
      bitcoin: "Bitcoin",
      evm: "EVM chain",
      witness: "Witness",
      expected: "Expected",
      other: "Other",
    } as Record<string, string>,
    notBefore: "Not before",
    noNotBefore: "nothing here shows an earliest time",
    notBeforeBounds: "bounds the record, not what a file shows",
    log: "Place in the log",
    logAt: (leaf: number, size: number) => `entry ${leaf} of ${size}`,
    policy: "Policy",
    usually: {
      rfc3161: "usually within a minute",
      witness: "usually within a minute",
      evm: "usually within an hour",
      bitcoin: "usually within 12 hours",
    } as Record<string, string>,
  },
  trust: (row: Row): string => row.trust,
  reason: (_code: string, reason: string): string => reason,
  warning: (text: string): string => text,
  steps: {
    heading: "Steps, to be redone by hand",
    copy: "Copy",
    copied: "Copied",
    copyStep: (number: string) => `Copy step ${number}`,
    title: (_number: string, title: string): string => title,
    digest: "Digest",
    json: "The verdict as JSON",
  },
  ask: {
    heading: "Did it exist before a certain time?",
    label: "Time (UTC)",
    button: "Ask",
    clear: "Take the question back",
    yes: "yes",
    no: "no: the evidence is genuine and does not show it",
    unknown: "unknown: what is not checked or pending may show it",
    none: "no answer: something is false",
    before: (time: string) => `Before ${time}?`,
  },
  confirm: {
    heading: "Blocks that this rests on",
    text: "A block header proves nothing by itself: anybody can write one. Compare the hash with a source that you trust, such as a block explorer, and enter what it shows there.",
    bitcoin: (height: number) => `Bitcoin block ${height}`,
    evm: (chain: string, number: number) => `${chain} block ${number}`,
    inEvidence: "in the evidence",
    noHash: "the evidence does not hold this block's header",
    label: (block: string) => `${block}: hash, or the 80 bytes of the header, in hex`,
    hashLabel: (block: string) => `${block}: hash in hex`,
    use: "Use",
    notHex: "Enter 64 digits of hex (a hash) or, for Bitcoin, 160 (a header).",
    person: "the hash that you entered",
    fetch: (hosts: string) => `Ask ${hosts}`,
    fetchText: "The page asks these only when you press the button; they learn which block you look for, and nothing of your file.",
    asking: "Asking…",
    failed: (why: string) => `No answer that can be used: ${why}`,
    disagree: "the sources do not agree",
    tooFew: (got: number, wanted: number) => `${got} answered, ${wanted} are wanted`,
    done: "Confirmed; judged anew.",
  },
  policy: {
    heading: "What is trusted",
    builtIn: "built into this page",
    own: "dropped by you",
    back: "Use the built-in policy again",
    text: "Trust comes from this policy alone, never from the evidence. Drop a policy file to use another.",
    sha256: "SHA-256",
    class: "class",
    taken: "The policy was taken.",
  },

  records: {
    heading: "Records",
    seq: "No.",
    kind: "Kind",
    content: "Shown",
    claimed: "Claimed time",
    existed: "Existed before",
    notBefore: "Not before",
    verdict: "Verdict",
    withheld: "withheld",
    withheldWhy: (why: string) => `withheld; the party says: ${why}`,
    fieldsWithheld: (n: number) => `${count(n, "field")} withheld`,
    noContent: "nothing of it is disclosed",
    findings: "Signature, key and place",
    fields: "Disclosed, in the party's own words",
    role: "role",
    key: "key",
    lag: "existed-before less claimed time",
    late: "says that it is late",
    digest: "digest",
    beacon: "Beacon",
    forks: "Other histories",
    claimOnly: "the party's clock; a claim",
  },
  kind: {
    genesis: "beginning", key_bind: "key bound", key_rotate: "key changed", key_revoke: "key ended",
    idea: "idea", note: "note", sketch: "sketch", reference: "reference", prompt: "prompt",
    generation: "generation", candidate_set: "candidates", selection: "selection",
    region_edit: "region edit", manual_edit: "manual edit", composite: "composite",
    recording: "recording", tool_export: "platform's log", metadata: "metadata",
    final: "finished work", publication: "publication", rights: "rights", custody: "custody",
    import: "import (late)", correction: "correction", reproduction_test: "reproduction test",
    branch: "branch", close: "close",
  } as Record<string, string>,

  exhibit: {
    proved: "Proved",
    asserted: "Asserted by the party, not proved",
    notChecked: "Not checked, not shown",
    nothingProved: "Nothing counts as proved while something is false.",
    findings: "What is wrong",
    finding: (_code: string, reason: string) => reason,
    files: "Files",
    file: (record: number, number: number) => `record ${record}, file ${number}`,
    all: (n: number) => `Show all ${n} pictures`,
    bundle: "Bundle digest",
    signedBy: "Signed by key",
    project: "Project",
    unsigned: "not signed",
    title: "Title, in the party's words",
    step: {
      E1: "container", E2: "bag", E3: "list", E4: "signature", E5: "records", E6: "texts and .ots",
    } as Record<string, string>,
    take: "Take this page from the project's release, not from an exhibit: a page that comes with the evidence can say anything.",
    assertedItems: [
      "what the records say in words: prompts, reasons, names, tools and settings",
      "the times of the creator's clock, and who acted: a signature shows a key, not a person",
      "the title, the texts, the description (RO-Crate), the report and the PDF: the party's own words",
    ],
    neverShown:
      "that the work is original, who first thought of it, and whether there are earlier copies: no evidence of this kind shows that",
    filesWhole: (n: number) => `the ${count(n, "file")} are those that its manifests name, byte for byte`,
    signed: (key: string, bundle: string) => `the key ${key} of the project signed this list of files (bundle ${bundle})`,
    filesNamed: (n: number) => `${count(n, "file")} ${are(n)} what the records name, by SHA-256`,
    recordsSigned: (n: number) => `${count(n, "record")} ${are(n)} signed by a key of the project`,
    recordsTimed: (n: number, seq: number, time: string, row: Row) =>
      `${count(n, "record")} existed before the times below; the newest of them, record ${seq}, before ${shownTime(time)} (${row.trust})`,
    complete: (records: RecordsVerdict) => records.statement,
    recordsWithheld: (n: number, numbers: string) => `${count(n, "record")} withheld: ${numbers}`,
    fieldsWithheld: (n: number) => `${count(n, "field")} withheld in the records shown`,
    filesWithheld: (n: number) => `${count(n, "named file")} withheld`,
    unsure: (verdict: Verdict) => `${status[verdict.status]}: ${verdict.reason}`,
    recordsUnsure: (numbers: string, why: string) => `${/[-,]/.test(numbers) ? "records" : "record"} ${numbers}: ${why}`,
  },

  about: {
    heading: "What this does not show",
    items: [
      "Who made something, whether it is original, or whether the law protects it.",
      "That nobody had it earlier: the time is an upper bound.",
      "What a picture or a text says is true.",
    ],
  },
  settings: { language: "Language" },
};

function are(n: number): string {
  return n === 1 ? "is" : "are";
}

function tolerance(s: number): string {
  if (s < 120 || s % 60 !== 0) return `${s} s`;
  return s < 7200 || s % 3600 !== 0 ? `${s / 60} min` : `${s / 3600} h`;
}

/** The shape that each language has. */
export type Words = typeof en;
