/** From when on could a record's beacon be known? Step 13.7 of docs/spec/verification.md. */
import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../bytes/bytes.ts";
import { type Micros, seconds, utcText } from "../bytes/time.ts";
import { FalseError, FormatError } from "../errors.ts";
import { displayHex, parseHeader } from "../formats/bitcoin.ts";
import { type DrandNetwork, QUICKNET, isRound, isSignedRound, parseSignature } from "../formats/drand.ts";
import { parseEvmHeader } from "../formats/evm.ts";
import { type FoundBlock, bitcoinClaims, findBlock } from "../verify/bitcoin.ts";
import type { Circumstances } from "../verify/question.ts";
import type { BeaconVerdict, Status } from "../verify/verdict.ts";
import type { Beacon } from "./record.ts";

const BITCOIN_TOLERANCE_S = 7200;
const L1_TOLERANCE_S = 12;
const TEST = "; a test network shows nothing to anybody else";

type Of<Source> = Extract<Beacon, { source: Source }>;

/** What is believed of a value: the value in hex, and who says so. */
interface Claim {
  readonly value: string;
  readonly by: string;
}

/** Judge one beacon. */
export function judgeBeacon(beacon: Beacon, question: Circumstances): BeaconVerdict {
  if (beacon.source === "bitcoin") return bitcoin(beacon, question);
  return beacon.source === "evm" ? evm(beacon, question) : drand(beacon, question);
}

function bitcoin(beacon: Of<"bitcoin">, question: Circumstances): BeaconVerdict {
  const { height, hash } = beacon;
  const policy = question.policy.bitcoin;
  const facts = question.facts ?? {};
  const what = `Bitcoin block ${height}`;
  const found = namedBlock(beacon, question);
  const claims: Claim[] = bitcoinClaims(height, 1, policy, facts).map((claim) => ({
    value: displayHex(claim.hash),
    by: claim.who,
  }));
  if (found !== null && found.confirmedBy !== null)
    claims.push({ value: displayHex(found.headers[0]!.hash), by: found.confirmedBy });
  for (const { value, by } of claims)
    if (value !== hash) return verdict(beacon, "failed", "beacon.not_on_chain", `${what} is ${value} (${by})`);
  const [claim] = claims;
  if (found === null || claim === undefined) return unsure(beacon, what, claim !== undefined);
  const time = seconds(found.headers[0]!.time - BITCOIN_TOLERANCE_S);
  return verified(beacon, time, `${what} was mined (${claim.by})`, policy.network !== "main");
}

/** The block with its header; headers supplied that are of another block do not count. */
function namedBlock(beacon: Of<"bitcoin">, question: Circumstances): FoundBlock | null {
  const policy = question.policy.bitcoin;
  const facts = question.facts ?? {};
  const run = facts.headers?.get(beacon.height);
  try {
    if (run?.[0] !== undefined && displayHex(parseHeader(run[0]).hash) === beacon.hash)
      return findBlock(beacon.height, run, policy, facts);
  } catch (error) {
    // What was supplied does not hold together, or is not on the chain that is known.
    if (!(error instanceof FormatError || error instanceof FalseError)) throw error;
  }
  return findBlock(beacon.height, undefined, policy, facts);
}

function evm(beacon: Of<"evm">, question: Circumstances): BeaconVerdict {
  const { chain_id, number, hash } = beacon;
  const chain = question.policy.chains.find(({ chainId }) => chainId === chain_id);
  if (chain === undefined)
    return verdict(beacon, "not_checked", "beacon.chain_unknown", `the policy does not know chain ${chain_id}`);
  if (chain.class === "l2") {
    const why = `the sequencer ${chain.sequencer} chooses the hashes and times of ${chain.name}`;
    return verdict(beacon, "not_checked", "beacon.sequencer", why);
  }
  const what = `block ${number} of ${chain.name}`;
  const claims: Claim[] = chain.pinned
    .filter((block) => block.number === number)
    .map((block) => ({ value: toHex(block.hash), by: "pinned by the policy" }));
  const confirmed = question.facts?.evm?.get(`${chain_id}:${number}`);
  if (confirmed) claims.push({ value: confirmed.hash, by: `confirmed by ${confirmed.confirmed_by}` });
  for (const { value, by } of claims)
    if (value !== hash) return verdict(beacon, "failed", "beacon.not_on_chain", `${what} is ${value} (${by})`);
  const time = evmTime(beacon, question);
  const [claim] = claims;
  if (time === null || claim === undefined) return unsure(beacon, what, claim !== undefined);
  const tolerance = chain.class === "l1" ? L1_TOLERANCE_S : chain.toleranceS;
  return verified(beacon, time - seconds(tolerance), `${what} was made (${claim.by})`, chain.class === "test");
}

function evmTime(beacon: Of<"evm">, question: Circumstances): Micros | null {
  const raw = question.facts?.evm_headers?.get(`${beacon.chain_id}:${beacon.number}`);
  if (raw === undefined) return null;
  try {
    const header = parseEvmHeader(raw);
    const named = toHex(header.hash) === beacon.hash && Number(header.number) === beacon.number;
    return named ? seconds(header.time) : null;
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

function drand(beacon: Of<"drand">, question: Circumstances): BeaconVerdict {
  const { round, randomness } = beacon;
  const chainHash = beacon.chain_hash ?? QUICKNET;
  const network = question.policy.drand.find((one) => one.chainHash === chainHash);
  if (network === undefined) {
    const why = `the policy does not know the drand network ${chainHash}`;
    return verdict(beacon, "not_checked", "beacon.chain_unknown", why);
  }
  const signature = beacon.signature === undefined ? null : parseSignature(beacon.signature);
  if (signature !== null && toHex(sha256(signature)) !== randomness) {
    const why = "the beacon's value is not the SHA-256 of its signature";
    return verdict(beacon, "failed", "beacon.randomness", why);
  }
  const previous = beacon.previous_signature === undefined ? null : parseSignature(beacon.previous_signature);
  const claim = signedClaim(beacon, network, signature, previous, question);
  if (claim === false) {
    const why = `the signature of round ${round} is not by drand ${network.name}`;
    return verdict(beacon, "failed", "beacon.signature", why);
  }
  const what = `drand ${network.name} round ${round}`;
  if (claim !== null && claim.value !== randomness)
    return verdict(beacon, "failed", "beacon.not_on_chain", `${what} is ${claim.value} (${claim.by})`);
  if (claim !== null) {
    const time = seconds(network.genesis + (round - 1) * network.periodS);
    return verified(beacon, time, `${what} was published (${claim.by})`, false);
  }
  if (signature === null) return unsure(beacon, what, false);
  const why = "its signature can not be checked without the one of the round before";
  return verdict(beacon, "not_checked", "beacon.signature_unchecked", why);
}

/** What is known of the round, a signature first; false where the beacon's own is none. */
function signedClaim(
  beacon: Of<"drand">,
  network: DrandNetwork,
  signature: Uint8Array | null,
  previous: Uint8Array | null,
  question: Circumstances,
): Claim | false | null {
  const { round } = beacon;
  if (!isRound(round)) return null;
  const by = "signed by the key that the policy names";
  const place = `${network.chainHash}:${round}`;
  const supplied = question.facts?.drand_rounds?.get(place);
  if (supplied && isSignedRound(network, round, supplied.signature, supplied.previous_signature) === true)
    return { value: toHex(sha256(supplied.signature)), by };
  if (signature !== null) {
    const signed = isSignedRound(network, round, signature, previous);
    if (signed === false) return false;
    if (signed) return { value: beacon.randomness, by };
  }
  const confirmed = question.facts?.drand?.get(place);
  return confirmed === undefined ? null : { value: confirmed.hash, by: `confirmed by ${confirmed.confirmed_by}` };
}

// -- verdicts -------------------------------------------------------------------------------------

function verdict(beacon: Beacon, status: Status, code: string, reason: string): BeaconVerdict {
  return { ...beacon, status, reason, code, not_before: null, trust: "" };
}

function verified(beacon: Beacon, time: Micros, event: string, test: boolean): BeaconVerdict {
  const trust = `believe that nobody knew that value before ${event}${test ? TEST : ""}`;
  const what = `names ${beacon.source}`;
  return { ...verdict(beacon, "verified", "beacon.verified", what), not_before: utcText(time), trust };
}

function unsure(beacon: Beacon, what: string, known: boolean): BeaconVerdict {
  if (!known) return verdict(beacon, "not_checked", "beacon.unconfirmed", `nothing here says that ${what} has that value`);
  const why = `the value of ${what} is the one known, but its header, with the time, was not given`;
  return verdict(beacon, "not_checked", "beacon.header_missing", why);
}
