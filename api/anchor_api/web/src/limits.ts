/** Every limit on what is read. Sizes are bytes unless the name says otherwise; docs/spec states them. */

export const MAX_OPENING_BYTES = 64;

export const MAX_JSON_DEPTH = 32;

/** Commas and opening brackets and braces outside of strings. */
export const MAX_PROOF_JSON_VALUES = 131_072;

export const MAX_PROOF_BYTES = 8 << 20;
export const MAX_POLICY_BYTES = 4 << 20;
export const MAX_INCLUSIONS = 64;
export const MAX_ATTESTATIONS = 256;

export const MAX_TREE_SIZE = Number.MAX_SAFE_INTEGER;
export const MAX_PATH_HASHES = 63;
export const MAX_NOTE_BYTES = 64 << 10;
export const MAX_NOTE_SIGNATURES = 64;
export const MAX_NOTE_KEY_BYTES = 1024;

export const MAX_OTS_BYTES = 1 << 20;
export const MAX_OTS_MESSAGE_BYTES = 4096;
export const MAX_OTS_NESTED_OPERATIONS = 255;
export const MAX_OTS_OPERATIONS = 20_000;
export const MAX_OTS_TREE_MESSAGE_BYTES = 4 << 20;
export const MAX_OTS_SLOW_DIGEST_BYTES = 64 << 10;
export const MAX_OTS_PAYLOAD_BYTES = 8192;
export const MAX_OTS_BITCOIN_ATTESTATIONS = 16;
export const MAX_OTS_URI_BYTES = 1000;

export const MAX_TSP_BYTES = 256 << 10;
export const MAX_DER_DEPTH = 32;
export const MAX_DER_MEMBERS = 1024;
export const MAX_DER_INTEGER_BYTES = 64;
export const MAX_DER_OID_BYTES = 64;
export const MAX_CERTIFICATES = 32;
export const MAX_CERTIFICATE_BYTES = 32 << 10;
export const MAX_CHAIN_LENGTH = 8;
export const MAX_CHAIN_SIGNATURE_CHECKS = 10;
export const MAX_REVOCATION_BYTES = 2 << 20;
export const MAX_OCSP_RESPONDERS = 4;

export const BITCOIN_HEADER_BYTES = 80;
export const BITCOIN_SUCCESSORS = 6;

export const MAX_EVM_HEADER_BYTES = 4096;
export const MAX_EVM_HEADER_FIELDS = 64;
export const MAX_EVM_ITEM_BYTES = 1 << 20;
export const MAX_EVM_ACCOUNT_BYTES = 1024;
export const MAX_RLP_DEPTH = 16;
export const MAX_TRIE_NODES = 80;
export const MAX_TRIE_NODE_BYTES = 1 << 20;

/** Of a record's header, payload and disclosures together; of `exhibit.json`; counted as a proof's. */
export const MAX_RECORD_JSON_VALUES = 262_144;
export const MAX_EXHIBIT_LIST_JSON_VALUES = 786_432;
export const MAX_EXHIBIT_REASON_CHARACTERS = 1_000;
export const MAX_EXHIBIT_TITLE_CHARACTERS = 4_000;
export const MAX_EXHIBIT_GENERATOR_CHARACTERS = 200;

/** What the proofs of one exhibit get together, in the units of one verification. */
export const MAX_EXHIBIT_UNITS = 24_000_000;

/** The work of one verification (docs/spec/verification.md, step W). */
export const MAX_WORK_UNITS = 600_000;
export const UNITS_PER_OTS_BYTE = 4;
export const UNITS_PER_BITCOIN_HEADER = 20;
export const UNITS_PER_KECCAK_BLOCK = 150;
export const UNITS_PER_RIPEMD160_BLOCK = 100;
export const UNITS_PER_EVM_BYTE = 3;
export const UNITS_PER_TOKEN = 2_000;
export const UNITS_PER_CERTIFICATE = 300;
export const UNITS_PER_OCSP_ANSWER = 1_000;
export const UNITS_PER_CRL = 500;
export const TOKEN_BYTES_PER_UNIT = 4;
export const CRL_BYTES_PER_UNIT = 64;
export const UNITS_PER_COSIGNATURE = 200;
