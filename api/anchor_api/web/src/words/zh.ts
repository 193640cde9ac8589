/** 页面上的全部文字（简体中文）。 */
import type { Row, Status, Verdict } from "../verify/verdict.ts";
import { REASONS_ZH, STEPS_ZH, WARNINGS_ZH } from "./codes_zh.ts";
import type { Words } from "./en.ts";
import { shownTime } from "./shown.ts";

const status: Record<Status, string> = {
  verified: "已验证",
  failed: "不成立",
  pending: "待完成",
  not_checked: "未核验",
};

const reason = (code: string, original: string): string => REASONS_ZH[code] ?? original;

export const zh: Words = {
  lang: "zh-CN",
  ownName: "中文",
  title: "核验证明 — Vestige",
  heading: "核验文件在何时之前已经存在",
  lead: "全部计算都在本机完成，不上传任何内容；断网亦可使用。",
  status,

  drop: {
    what: "把文件连同它的证明拖到这里",
    or: "也可以是装有两者的文件夹、单独的证明或 .ots、记录（.sdjwt）、证据包（.exhibit.zip），或者您自己的信任策略",
    files: "选择文件……",
    folder: "选择文件夹……",
    now: "松开即开始核验",
    again: "核验其他文件",
  },
  busy: {
    reading: (name) => `正在读取 ${name}`,
    judging: "正在核验",
    of: (done, total) => `${done} / ${total}`,
  },
  problem: {
    heading: "未能读取",
    noProof: "没有找到这个文件的证明；请把文件和证明一起拖入",
    nothing: "拖入的内容中没有可以核验的。",
    unreadable: "无法读取",
    broken: "本页面自身出错，与您的文件无关。",
  },

  sentence: {
    existed: (time) => `在 ${time} 之前已经存在`,
    digestOnly: "没有提供与该哈希值相符的文件，因此结论只针对哈希值本身。",
    otherFile: "以下针对证明中的哈希值，它属于另一个文件。",
    failed: "其中有内容不成立",
    pending: "尚无已验证的时间，也没有不成立的内容",
    notChecked: "尚不能证明在任何时间之前已经存在",
    manyFiles: (n) => `已核验 ${n} 个文件`,
    records: (n) => `同一项目的 ${n} 条记录`,
    newest: (seq, time) => `记录 ${seq} 在 ${time} 之前已经存在`,
    test: "所用信任策略属测试类，其结论对他人不证明任何事项。",
  },
  ladder: {
    heading: "证据（按时间上限排列）",
    before: (time) => `${time} 之前`,
    none: "无时间",
    tolerance: (s) => `已计入误差 ${tolerance(s)}`,
    day: "精确到日",
    family: {
      rfc3161: "可信时间戳（RFC 3161）",
      bitcoin: "比特币区块链",
      evm: "EVM 区块链",
      witness: "见证方",
      expected: "预期",
      other: "其他",
    },
    notBefore: "不早于",
    noNotBefore: "没有可证明最早时间的内容",
    notBeforeBounds: "限定的是记录，不是文件内容",
    log: "在日志中的位置",
    logAt: (leaf, size) => `共 ${size} 项，序号 ${leaf}`,
    policy: "信任策略",
    usually: {
      rfc3161: "通常在一分钟内",
      witness: "通常在一分钟内",
      evm: "通常在一小时内",
      bitcoin: "通常在 12 小时内",
    },
  },
  trust: (row: Row) => {
    const quoted = /\((.*)\)/.exec(row.trust)?.[1] ?? "";
    const number = /block (\d+)/.exec(row.trust)?.[1] ?? "";
    const test = row.trust.includes("test") ? "；测试网络，对他人不证明任何事项" : "";
    if (row.trust === "") return "";
    if (row.family === "rfc3161")
      return `需要相信时间戳机构 ${row.by}${quoted === "" ? "" : `（${quoted.replace("root", "根证书")}）`}`;
    if (row.family === "bitcoin") return `需要相信区块 ${number} 在比特币区块链上（${source(quoted)}）${test}`;
    if (row.family === "evm") return `需要相信 ${row.by} 的区块 ${number} 属于该链（${source(quoted)}）${test}`;
    if (row.family === "witness") return `需要相信见证方 ${row.by} 的时钟和密钥`;
    return row.trust;
  },
  reason,
  warning: (text) => WARNINGS_ZH.find(([start]) => text.startsWith(start))?.[1] ?? text,
  steps: {
    heading: "逐步核验，可自行重做",
    copy: "复制",
    copied: "已复制",
    copyStep: (number) => `复制第 ${number} 步`,
    title: (number, title) => STEPS_ZH[number] ?? title,
    digest: "哈希值",
    json: "结论（JSON）",
  },
  ask: {
    heading: "在某一时间之前是否已经存在？",
    label: "时间（UTC）",
    button: "提问",
    clear: "撤回问题",
    yes: "是",
    no: "否：证据真实，但不能证明这一点",
    unknown: "不确定：未核验或待完成的证据也许可以证明",
    none: "无法回答：其中有内容不成立",
    before: (time) => `在 ${time} 之前？`,
  },
  confirm: {
    heading: "结论所依据的区块",
    text: "区块头本身不证明任何事项，任何人都可以写一个。请与您信任的来源（例如区块浏览器）核对哈希值，并在此填入该来源显示的内容。",
    bitcoin: (height) => `比特币区块 ${height}`,
    evm: (chain, number) => `${chain} 区块 ${number}`,
    inEvidence: "证据中的值",
    noHash: "证据中没有该区块的区块头",
    label: (block) => `${block}：哈希值，或 80 字节的区块头（十六进制）`,
    hashLabel: (block) => `${block}：哈希值（十六进制）`,
    use: "采用",
    notHex: "请填入 64 位十六进制哈希值；比特币也可填入 160 位的区块头。",
    person: "由您填入的哈希值",
    fetch: (hosts) => `向 ${hosts} 查询`,
    fetchText: "只有按下按钮才会查询；对方只知道您查询了哪个区块，不会得到文件的任何内容。",
    asking: "正在查询……",
    failed: (why) => `没有得到可用的答复：${why}`,
    disagree: "各来源的答复不一致",
    tooFew: (got, wanted) => `得到 ${got} 个答复，至少需要 ${wanted} 个`,
    done: "已确认，并重新核验。",
  },
  policy: {
    heading: "信任的依据",
    builtIn: "本页面内置",
    own: "由您提供",
    back: "恢复内置策略",
    text: "信任只来自这份策略，绝不来自证据本身。拖入策略文件即可更换。",
    sha256: "SHA-256",
    class: "类别",
    taken: "已采用该策略。",
  },

  records: {
    heading: "记录",
    seq: "序号",
    kind: "类型",
    content: "出示的内容",
    claimed: "自称时间",
    existed: "在此之前已存在",
    notBefore: "不早于",
    verdict: "结论",
    withheld: "未出示",
    withheldWhy: (why) => `未出示；当事人称：${why}`,
    fieldsWithheld: (n) => `${n} 个字段未出示`,
    noContent: "未披露任何内容",
    findings: "签名、密钥与位置",
    fields: "披露的内容（当事人自述）",
    role: "角色",
    key: "密钥",
    lag: "上限减去自称时间",
    late: "注明为事后记录",
    digest: "哈希值",
    beacon: "时间下限所依据的数值",
    forks: "另有历史",
    claimOnly: "当事人的时钟，属主张",
  },
  kind: {
    genesis: "项目开始", key_bind: "密钥绑定", key_rotate: "密钥更换", key_revoke: "密钥终止",
    idea: "创作构思", note: "备注", sketch: "草图", reference: "参考素材", prompt: "提示词",
    generation: "生成", candidate_set: "候选集", selection: "选择", region_edit: "局部修改",
    manual_edit: "手工修改", composite: "合成", recording: "录屏", tool_export: "平台日志",
    metadata: "元数据", final: "最终作品", publication: "发表", rights: "权利事项",
    custody: "保管", import: "补录（事后）", correction: "更正", reproduction_test: "复现测试",
    branch: "分支", close: "项目结束",
  },

  exhibit: {
    proved: "已证明",
    asserted: "当事人主张，未经证明",
    notChecked: "未核验，或不能证明",
    nothingProved: "在不成立的内容解决之前，没有已证明的内容。",
    findings: "发现的问题",
    finding: reason,
    files: "文件",
    file: (record, number) => `记录 ${record}，文件 ${number}`,
    all: (n) => `显示全部 ${n} 张图片`,
    bundle: "证据包摘要",
    signedBy: "签名密钥",
    project: "项目",
    unsigned: "未签名",
    title: "名称（当事人自述）",
    step: { E1: "容器", E2: "封装", E3: "清单", E4: "签名", E5: "记录", E6: "文本与 .ots" },
    take: "请从项目的正式发布处取得本页面，不要使用证据包内所附的一份：随证据而来的页面可以显示任何内容。",
    assertedItems: [
      "记录所写的内容：提示词、理由、姓名、工具和参数",
      "创作者时钟的时间，以及行为人是谁：签名只表明密钥，不表明人",
      "标题、说明文字、描述（RO-Crate）、核验报告和 PDF：均为当事人自述",
    ],
    neverShown: "作品是否独创、构思最初出自何人、此前是否已有相同内容：此类证据均不能证明",
    filesWhole: (n) => `包内 ${n} 个文件与清单所列逐字节一致`,
    signed: (key, bundle) => `本项目的密钥 ${key} 对该文件清单签名（证据包摘要 ${bundle}）`,
    filesNamed: (n) => `${n} 个文件经哈希值校验，即记录所指的文件`,
    recordsSigned: (n) => `${n} 条记录由本项目的密钥签名`,
    recordsTimed: (n, seq, time, row) =>
      `${n} 条记录在下列时间之前已经存在；其中最新的记录 ${seq} 在 ${shownTime(time)} 之前已经存在（${zh.trust(row)}）`,
    complete: (records) => completeness(records),
    recordsWithheld: (n, numbers) => `${n} 条记录未出示：${numbers}`,
    fieldsWithheld: (n) => `所出示的记录中有 ${n} 个字段未出示`,
    filesWithheld: (n) => `记录所指的 ${n} 个文件未出示`,
    unsure: (verdict: Verdict) => `${status[verdict.status]}：${unsureWhy(verdict)}`,
    recordsUnsure: (numbers, why) => `记录 ${numbers}：${why}`,
  },

  about: {
    heading: "本核验不能证明",
    items: [
      "作者是谁、是否独创，或者是否受法律保护。",
      "此前没有他人持有：所示时间只是上限。",
      "图片或文字所表达的内容真实。",
    ],
  },
  settings: { language: "语言" },
};

function source(quoted: string): string {
  return quoted
    .replace("pinned by the policy", "由信任策略固定")
    .replace("checkpoint of the policy", "信任策略的检查点")
    .replace("confirmed by", "确认来源：")
    .replace("the hash that you entered", "由您填入的哈希值");
}

function unsureWhy(verdict: Verdict): string {
  const finding = verdict.record?.findings.find((found) => found.reason === verdict.reason);
  const row = verdict.attestations.find((found) => found.reason === verdict.reason);
  return reason(finding?.code ?? row?.code ?? "", verdict.reason);
}

function completeness(records: import("../records/judge.ts").RecordsVerdict): string {
  if (records.complete_up_to === null)
    return records.not_listed > 0
      ? `项目 ${records.project} 的完整性未得到证明：有 ${records.not_listed} 条记录未列出`
      : `项目 ${records.project} 的完整性未得到证明：最后一条记录的位置未经验证，或者存在两套历史`;
  const later = records.closed ? "项目已结束。" : "不涉及其后的记录；";
  return (
    `项目 ${records.project} 至记录 ${records.complete_up_to} 为止是完整的，` +
    `其中 ${records.withheld_records} 条未出示；${later}不涉及其他项目和其他密钥`
  );
}

function tolerance(s: number): string {
  if (s < 120 || s % 60 !== 0) return `${s} 秒`;
  return s < 7200 || s % 3600 !== 0 ? `${s / 60} 分钟` : `${s / 3600} 小时`;
}
