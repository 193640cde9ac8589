"""Every limit on what is read, in one place.

A limit is checked before the bytes it bounds are parsed or copied. Sizes are bytes unless the name
says otherwise. Crossing one raises :class:`anchor.errors.LimitExceededError`.
"""

from __future__ import annotations

from typing import Final

# Digests and openings
DIGEST_BYTES: Final = 32
MAX_OPENING_BYTES: Final = 64

# JSON of any kind (proof, policy, settings)
MAX_JSON_DEPTH: Final = 32
MAX_JSON_INTEGER: Final = 2**53 - 1
# Commas and opening brackets and braces outside of strings.
MAX_PROOF_JSON_VALUES: Final = 131_072

# The proof file
MAX_PROOF_BYTES: Final = 8 << 20
MAX_INCLUSIONS: Final = 64
MAX_ATTESTATIONS: Final = 256
MAX_POLICY_BYTES: Final = 4 << 20

# The log (C2SP tlog-tiles, tlog-checkpoint, signed-note)
MAX_TREE_SIZE: Final = 2**53 - 1
MAX_PATH_HASHES: Final = 63
MAX_NOTE_BYTES: Final = 64 << 10
MAX_NOTE_SIGNATURES: Final = 64
MAX_NOTE_KEY_BYTES: Final = 1024
MAX_TLOG_PROOF_BYTES: Final = 128 << 10
TILE_WIDTH: Final = 256

# OpenTimestamps (limits of the format's own reader, python-opentimestamps core/op.py, notary.py)
MAX_OTS_BYTES: Final = 1 << 20
MAX_OTS_MESSAGE_BYTES: Final = 4096
MAX_OTS_NESTED_OPERATIONS: Final = 255
MAX_OTS_OPERATIONS: Final = 20_000
# What one tree's operations may work on, all messages together, and into the slow digests alone.
MAX_OTS_TREE_MESSAGE_BYTES: Final = 4 << 20
MAX_OTS_SLOW_DIGEST_BYTES: Final = 64 << 10
MAX_OTS_PAYLOAD_BYTES: Final = 8192
# Each is judged along its whole path.
MAX_OTS_BITCOIN_ATTESTATIONS: Final = 16
MAX_OTS_URI_BYTES: Final = 1000
MAX_OTS_OWN_OPERATIONS: Final = 110
MAX_CALENDAR_RESPONSE_BYTES: Final = 10_000

# The work of one verification (docs/spec/verification.md, step W). A unit is about a microsecond of
# what CPython does on the slower of today's machines.
MAX_WORK_UNITS: Final = 600_000
UNITS_PER_OTS_BYTE: Final = 4
UNITS_PER_BITCOIN_HEADER: Final = 20
UNITS_PER_KECCAK_BLOCK: Final = 150
UNITS_PER_RIPEMD160_BLOCK: Final = 100
UNITS_PER_EVM_BYTE: Final = 3
UNITS_PER_TOKEN: Final = 2_000
UNITS_PER_CERTIFICATE: Final = 300
UNITS_PER_OCSP_ANSWER: Final = 1_000
UNITS_PER_CRL: Final = 500
TOKEN_BYTES_PER_UNIT: Final = 3
CRL_BYTES_PER_UNIT: Final = 64
UNITS_PER_COSIGNATURE: Final = 200
# Evidence that one judge or reader keeps, so as not to look at it twice.
MAX_REMEMBERED_BYTES: Final = 32 << 20

# RFC 3161
MAX_TSP_BYTES: Final = 256 << 10
MAX_DER_DEPTH: Final = 32
MAX_CERTIFICATES: Final = 32
MAX_CERTIFICATE_BYTES: Final = 32 << 10
MAX_CHAIN_LENGTH: Final = 8
# In one search for a chain; real ones take as many as the chain is long, and a few more.
MAX_CHAIN_SIGNATURE_CHECKS: Final = 10
MAX_REVOCATION_BYTES: Final = 2 << 20

# Bitcoin
BITCOIN_HEADER_BYTES: Final = 80
BITCOIN_SUCCESSORS: Final = 6
MAX_HEADER_ARCHIVE_BYTES: Final = 256 << 20

# EVM
MAX_EVM_HEADER_BYTES: Final = 4096
MAX_EVM_HEADER_FIELDS: Final = 64
MAX_EVM_ITEM_BYTES: Final = 1 << 20
MAX_RLP_DEPTH: Final = 16
MAX_TRIE_NODES: Final = 80
MAX_TRIE_NODE_BYTES: Final = 1 << 20
MAX_RPC_RESPONSE_BYTES: Final = 32 << 20

# The service
MAX_JSON_DIGESTS: Final = 1_000
MAX_RAW_DIGESTS: Final = 1_000_000
SEQUENCER_SLICE_DIGESTS: Final = 65_536
MAX_VERIFY_BYTES: Final = 16 << 20
MAX_SUBMISSION_JSON_BYTES: Final = 256 << 10
MAX_IDEMPOTENCY_KEY_CHARACTERS: Final = 255
# What a calendar takes as a digest (opentimestamps-server, MAX_DIGEST_LENGTH).
MAX_CALENDAR_DIGEST_BYTES: Final = 64

# Records
MAX_RECORD_BYTES: Final = 24 << 20
MAX_RECORD_DISCLOSURES: Final = 4096
# In header, payload and disclosures together, counted as a proof's.
MAX_RECORD_JSON_VALUES: Final = 262_144
MAX_PROJECT_RECORDS: Final = 1_000_000

# The exhibit
MAX_EXHIBIT_ENTRIES: Final = 20_000
MAX_EXHIBIT_NAME_BYTES: Final = 255
MAX_EXHIBIT_DIRECTORY_BYTES: Final = 32 << 20
# The list of records and files, and each manifest.
MAX_EXHIBIT_LIST_BYTES: Final = 16 << 20
# Of exhibit.json, counted as a proof's.
MAX_EXHIBIT_LIST_JSON_VALUES: Final = 786_432
# bagit.txt, bag-info.txt, signature.json, the manifests of tag files.
MAX_EXHIBIT_TAG_BYTES: Final = 64 << 10
# Records and proofs, all together: they are held in memory at once.
MAX_EXHIBIT_EVIDENCE_BYTES: Final = 256 << 20
MAX_EXHIBIT_RECORDS: Final = 100_000
MAX_EXHIBIT_REASON_CHARACTERS: Final = 1_000
MAX_EXHIBIT_TITLE_CHARACTERS: Final = 4_000
MAX_EXHIBIT_GENERATOR_CHARACTERS: Final = 200
# What the proofs of one exhibit get together, in the units of one verification.
MAX_EXHIBIT_UNITS: Final = 24_000_000
# What the service unpacks of one.
# What the service spends on its proofs, in the units of one verification.
MAX_EXHIBIT_SERVICE_UNITS: Final = 20_000_000

# Capture: what is read of one image file, and kept of it. A person's file is not refused for its
# size: what crosses a limit is noted and left where it is, in the file.
MAX_CAPTURE_PARTS: Final = 1 << 18
MAX_CAPTURE_READ_BYTES: Final = 64 << 20
MAX_CAPTURE_RAW_BYTES: Final = 32 << 20
MAX_CAPTURE_TEXT_BYTES: Final = 8 << 20
MAX_CAPTURE_TEXTS: Final = 1024
MAX_CAPTURE_NOTES: Final = 64
MAX_CAPTURE_SETTINGS: Final = 512
MAX_EXIF_ENTRIES: Final = 512
MAX_EXIF_DIRECTORIES: Final = 4
MAX_XMP_PROPERTIES: Final = 512
MAX_XMP_ELEMENTS: Final = 1 << 16
MAX_XMP_DEPTH: Final = 64
MAX_BOX_DEPTH: Final = 8
MAX_ITEM_EXTENTS: Final = 64
MAX_C2PA_BYTES: Final = 16 << 20
MAX_C2PA_CHECKED_BYTES: Final = 64 << 20
MAX_GRAPH_NODES: Final = 8192
MAX_GRAPH_STEPS: Final = 1 << 18
MAX_HIDDEN_TEXT_BYTES: Final = 128 << 10
MAX_HIDDEN_IMAGE_BYTES: Final = 256 << 20
# What of it goes into a record, written as JSON; a record has room for half as much again.
MAX_GENERATION_FIELD_BYTES: Final = 12 << 20
# The sandbox that capture runs in
CAPTURE_MEMORY_BYTES: Final = 256 << 20
CAPTURE_TIME_S: Final = 5
MAX_CAPTURE_ANSWER_BYTES: Final = 96 << 20
