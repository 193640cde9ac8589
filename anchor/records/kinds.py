"""The kinds of record, each with its own fields: one table, which ``docs/spec/record.md`` repeats.

A field is hidden (salted, disclosable one by one) unless its row says ``open``. A writer must give
the fields that are required; a reader checks the type of whatever it is shown, wants the open ones,
and can not know whether a hidden one is there. Names that the table does not have are refused.

Specification: ``docs/spec/record.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from anchor.records.fields import Field


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    Attributes:
        name, meaning: as the table of the specification has them.
        fields: its own, besides those that every kind has.
        original: False where what it shows is not how the work came to be: what is said of it
            later, or made again.
    """

    name: str
    meaning: str
    fields: tuple[Field, ...]
    original: bool = True

    @cached_property
    def open_fields(self) -> tuple[Field, ...]:
        """Return its own fields that are never withheld."""
        return tuple(field for field in self.fields if field.open)

    @cached_property
    def hidden_fields(self) -> tuple[Field, ...]:
        """Return its fields that can be withheld, those of every kind included."""
        return (*(field for field in self.fields if not field.open), *COMMON)

    @cached_property
    def types(self) -> Mapping[str, str]:
        """Return the type of each field by name, those of every kind included."""
        return {field.name: field.type for field in (*self.fields, *COMMON)}


def _want(name: str, type_: str, meaning: str) -> Field:
    return Field(name, type_, meaning, required=True)


def _open(name: str, type_: str, meaning: str) -> Field:
    return Field(name, type_, meaning, required=True, open=True)


ENVELOPE: Final = (
    _open("schema", "schema", "`vestige-record/1`"),
    _open("project", "project id", "16 random bytes, made at genesis"),
    _open("seq", "integer", "place in the project, from 0, without a gap"),
    _open("prev", "sha256 or null", "digest of record `seq` − 1; null at 0"),
    _open("head", "sha256", "RFC 6962 root hash over the digests of records 0 … `seq` − 1"),
    _open("count", "integer", "number of records under `head`; equals `seq`"),
    _open("key_records", "integer", "how many of them are genesis or `key_…` records"),
    _open("kind", "word", "one of those below"),
    _open("actor", "actor", "`key` (thumbprint of the signing key) and `role` of who acted"),
    _open("claimed_time", "time", "what the clock said"),
    _open("clock_source", "word", "`system`, `ntp`, `stepped_back`, `none`, …"),
    _open("utc_offset_minutes", "offset", "of the place's clock from UTC"),
    _open("capture", "capture", "`mode`, `client` (program, version), `lag_s` (claimed, or null)"),
    _open("tier", "tier", "provenance, T0 to T4"),
    _open("late", "boolean", "made long after what it tells of; a claim"),
    _open("not_before", "beacons", "up to eight beacons"),
    _open("files", "integer", "number of file entries among the hidden fields"),
    _open("hidden", "integer", "number of hidden fields; equals the length of `_sd`"),
)

COMMON: Final = (
    Field("note", "text", "the creator's own words"),
    Field("parents", "refs", "what this came from, in the creative graph"),
)

_ROWS: Final = (
    Kind("genesis", "opens the project and commits to its keys", (
        _open("public_key", "key", "the creator's key"),
        _open("recovery", "sha256", "thumbprint of the recovery key, which is kept offline"),
        _want("title", "text", "what the project is called"),
        Field("work", "text", "the work intended"),
        Field("author", "text", "who the creator says to be"),
        Field("tools", "texts", "tools expected"),
        Field("project_index", "integer", "which project of this creator it is, from 0"),
        Field("agreement_sha256", "sha256", "of an agreement between co-authors"),
        Field("terms_sha256", "sha256", "of the terms of a tool, as they stood"),
    )),
    Kind("key_bind", "binds a key, or an identity, to the project", (
        _open("public_key", "key", "the key bound"),
        _open("key_role", "role", "the role that it may sign in"),
        Field("name", "text", "whose key it is"),
        Field("method", "text", "how that was established"),
        Field("level", "text", "how well"),
        Field("evidence_sha256", "sha256", "of the evidence for it"),
        Field("valid_until", "time", "how long it is meant to be used"),
    ), original=False),
    Kind("key_rotate", "puts a new key in the place of one; signed by the recovery key", (
        _open("recovery_key", "key", "the recovery key itself"),
        _open("public_key", "key", "the new key"),
        _open("replaced_key", "sha256", "thumbprint of the key that it replaces"),
        _open("recovery", "sha256", "thumbprint of the recovery key from now on"),
        Field("compromised_at", "time", "from when that key is not to be believed", open=True),
        Field("reason", "text", "why"),
    ), original=False),
    Kind("key_revoke", "ends a key; signed by the recovery key", (
        _open("recovery_key", "key", "the recovery key itself"),
        _open("revoked_key", "sha256", "thumbprint of the key that ends"),
        Field("compromised_at", "time", "from when it is not to be believed", open=True),
        Field("reason", "text", "why"),
    ), original=False),
    Kind("idea", "creative thinking", (
        _want("text", "text", "what was thought"),
        Field("composition", "text", "the composition aimed at"),
        Field("references", "texts", "moods and models, with their rights"),
    )),
    Kind("note", "a remark", (
        _want("text", "text", "the remark"),
    ), original=False),
    Kind("sketch", "a draft by hand", (
        Field("medium", "text", "paper, tablet, …"),
        Field("device", "text", "what it was drawn with"),
        Field("layers", "integer", "number of layers"),
    )),
    Kind("reference", "something used that was there before", (
        Field("source", "text", "where it is from"),
        Field("author", "text", "who made it"),
        Field("licence", "text", "under which terms it is used"),
        Field("use", "text", "`init`, `controlnet`, `style`, `face`, …"),
    )),
    Kind("prompt", "an instruction", (
        _want("positive", "text", "the instruction"),
        Field("negative", "text", "what is not wanted"),
        Field("language", "text", "of the instruction (BCP 47)"),
        Field("syntax", "text", "how weights are written"),
        Field("system", "text", "the system prompt, or the turns of the chat"),
        Field("previous", "ref", "the prompt before"),
        Field("difference", "difference", "word by word from the prompt before; a convenience"),
        Field("purpose", "text", "why it was changed"),
    )),
    Kind("generation", "a run of a generator, with every output and failure", (
        Field("tool", "text", "program or service"),
        Field("tool_version", "text", "its version or commit"),
        Field("account", "text", "account at the service"),
        Field("job", "text", "the service's number of the job"),
        Field("positive", "text", "the instruction, as the tool had it"),
        Field("negative", "text", "what is not wanted"),
        Field("models", "maps", "`role`, `name`, `sha256`, `weight` of model, VAE, LoRA, …"),
        Field("sampler", "text", "as the tool calls it"),
        Field("scheduler", "text", "as the tool calls it"),
        Field("steps", "integer", "sampling steps"),
        Field("guidance", "number", "CFG scale"),
        Field("denoise", "number", "strength of denoising"),
        Field("seed", "number", "decimal, of any size"),
        Field("seed_origin", "word", "`random`, `chosen`, `beacon`"),
        Field("width", "integer", "pixels"),
        Field("height", "integer", "pixels"),
        Field("outputs", "integer", "how many came out"),
        Field("failures", "integer", "how many failed"),
        Field("environment", "pairs", "GPU, driver, libraries, flags"),
        Field("started", "time", "by the clock"),
        Field("ended", "time", "by the clock"),
        Field("cost", "text", "credits or money"),
        Field("settings", "pairs", "what else the tool said"),
        Field("parser", "text", "what read the settings out of the file, or why nothing could"),
    )),
    Kind("candidate_set", "what there was to choose from", (
        _want("candidates", "refs", "all of them"),
    )),
    Kind("selection", "a choice", (
        _want("chosen", "refs", "what was chosen"),
        Field("rejected", "refs", "what was not"),
        Field("criteria", "texts", "what was looked at"),
        Field("why", "text", "the reason"),
        Field("by", "text", "who chose"),
    )),
    Kind("region_edit", "inpainting or outpainting", (
        Field("before", "ref", "what was edited"),
        Field("box", "texts", "left, top, width, height in pixels"),
        Field("element", "text", "what stands there"),
        Field("positive", "text", "the instruction"),
        Field("negative", "text", "what is not wanted"),
        Field("settings", "pairs", "of the tool"),
    )),
    Kind("manual_edit", "a change by hand", (
        Field("before", "ref", "what was edited"),
        Field("app", "text", "program and version"),
        Field("operations", "texts", "what was done"),
        Field("minutes", "integer", "of work"),
    )),
    Kind("composite", "an arrangement of several", (
        _want("sources", "refs", "what was put together"),
        Field("layers", "maps", "`source`, `position`, … of each layer"),
    )),
    Kind("recording", "of the screen or the canvas", (
        Field("app", "text", "what recorded it"),
        Field("started", "time", "by the clock"),
        Field("ended", "time", "by the clock"),
        Field("segments", "sha256s", "each over the one before and its own bytes"),
    )),
    Kind("tool_export", "a platform's own log", (
        _want("service", "text", "the platform"),
        Field("account", "text", "whose"),
        Field("method", "text", "how it was got"),
        Field("exported_at", "time", "when, as the platform says"),
    ), original=False),
    Kind("metadata", "what was read out of a file later", (
        _want("of", "ref", "the file"),
        _want("parser", "text", "program and version"),
        Field("values", "pairs", "what was found"),
        Field("signer", "text", "who signed it, and under which list that was checked"),
    ), original=False),
    Kind("final", "the finished work", (
        Field("derivation", "refs", "the way to it"),
        Field("human", "text", "which parts people made"),
        Field("generated", "text", "which parts a generator made"),
        Field("source_type", "text", "IPTC digital source type"),
        Field("label", "text", "AI label, as found in the file"),
    )),
    Kind("publication", "a first showing", (
        _want("where", "text", "address or place"),
        Field("platform", "text", "whose"),
        Field("published_at", "time", "when, as the platform says"),
        Field("archived_at", "text", "address of an archived copy"),
    ), original=False),
    Kind("rights", "a licence, assignment or registration", (
        _want("act", "word", "`licence`, `assignment`, `registration`"),
        Field("parties", "texts", "between whom"),
        Field("number", "text", "of the register"),
    ), original=False),
    Kind("custody", "a change of keeper or medium", (
        _want("event", "text", "what happened"),
        Field("from", "text", "from whom or where"),
        Field("to", "text", "to whom or where"),
        Field("checked", "text", "how the bytes were compared"),
    ), original=False),
    Kind("import", "old work, brought in afterwards; always late", (
        Field("made_at", "text", "when it is said to be made"),
        Field("evidence", "text", "for that"),
    ), original=False),
    Kind("correction", "an earlier record was wrong", (
        _want("target", "ref", "which"),
        _want("reason", "text", "what was wrong, and what is right"),
    ), original=False),
    Kind("reproduction_test", "a run made again; never an original", (
        _want("of", "ref", "the run that was repeated"),
        Field("executor", "text", "who ran it"),
        Field("environment", "pairs", "GPU, driver, libraries, flags"),
        Field("seed", "number", "decimal, of any size"),
        Field("result", "text", "how it compares"),
    ), original=False),
    Kind("branch", "the project goes on in a copy", (
        _want("reason", "text", "why"),
        Field("instance", "text", "name of the copy"),
    ), original=False),
    Kind("close", "the project ends; only `key_revoke` may follow", (
        Field("statement", "text", "in words"),
    ), original=False),
)  # fmt: skip

KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in _ROWS}
KEY_KINDS: Final = frozenset(("genesis", "key_bind", "key_rotate", "key_revoke"))
RECOVERY_KINDS: Final = frozenset(("key_rotate", "key_revoke"))
