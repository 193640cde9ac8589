/** The kinds of record and their fields, as docs/spec/record.md has them; a test compares the two. */

/** A field: its type's name, whether it is open (never withheld), whether a writer must give it. */
export interface Field {
  readonly name: string;
  readonly type: string;
  readonly open: boolean;
  readonly required: boolean;
}

/** A kind: whether it shows how the work came to be, and its fields. */
export interface Kind {
  readonly name: string;
  readonly original: boolean;
  readonly fields: ReadonlyMap<string, Field>;
}

/** The open part that every record has: field and type. */
export const ENVELOPE: ReadonlyMap<string, string> = new Map(
  `schema:schema project:project_id seq:integer prev:sha256_or_null head:sha256 count:integer
   key_records:integer kind:word actor:actor claimed_time:time clock_source:word
   utc_offset_minutes:offset capture:capture tier:tier late:boolean not_before:beacons
   files:integer hidden:integer`
    .split(/\s+/)
    .map((pair) => pair.split(":") as [string, string]),
);

/** One kind a line: name, then fields as `name:type`; `+` open and required, `*` open, `!` required. */
const ORIGINALS = `
genesis public_key:key+ recovery:sha256+ title:text! work:text author:text tools:texts project_index:integer agreement_sha256:sha256 terms_sha256:sha256
idea text:text! composition:text references:texts
sketch medium:text device:text layers:integer
reference source:text author:text licence:text use:text
prompt positive:text! negative:text language:text syntax:text system:text previous:ref difference:difference purpose:text
generation tool:text tool_version:text account:text job:text positive:text negative:text models:maps sampler:text scheduler:text steps:integer guidance:number denoise:number seed:number seed_origin:word width:integer height:integer outputs:integer failures:integer environment:pairs started:time ended:time cost:text settings:pairs parser:text
candidate_set candidates:refs!
selection chosen:refs! rejected:refs criteria:texts why:text by:text
region_edit before:ref box:texts element:text positive:text negative:text settings:pairs
manual_edit before:ref app:text operations:texts minutes:integer
composite sources:refs! layers:maps
recording app:text started:time ended:time segments:sha256s
final derivation:refs human:text generated:text source_type:text label:text`;

const SAID_OF_IT = `
key_bind public_key:key+ key_role:role+ name:text method:text level:text evidence_sha256:sha256 valid_until:time
key_rotate recovery_key:key+ public_key:key+ replaced_key:sha256+ recovery:sha256+ compromised_at:time* reason:text
key_revoke recovery_key:key+ revoked_key:sha256+ compromised_at:time* reason:text
note text:text!
tool_export service:text! account:text method:text exported_at:time
metadata of:ref! parser:text! values:pairs signer:text
publication where:text! platform:text published_at:time archived_at:text
rights act:word! parties:texts number:text
custody event:text! from:text to:text checked:text
import made_at:text evidence:text
correction target:ref! reason:text!
reproduction_test of:ref! executor:text environment:pairs seed:number result:text
branch reason:text! instance:text
close statement:text`;

const COMMON: readonly Field[] = [field("note:text"), field("parents:refs")];

function field(text: string): Field {
  const mark = text.at(-1) ?? "";
  const marked = "+*!".includes(mark);
  const [name = "", type = ""] = (marked ? text.slice(0, -1) : text).split(":");
  return { name, type, open: mark === "+" || mark === "*", required: mark === "+" || mark === "!" };
}

function kinds(text: string, original: boolean): [string, Kind][] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [name = "", ...rest] = line.split(" ");
      const fields = [...rest.map(field), ...COMMON].map((each) => [each.name, each] as const);
      return [name, { name, original, fields: new Map(fields) }];
    });
}

/** Every kind by its name. */
export const KINDS: ReadonlyMap<string, Kind> = new Map([
  ...kinds(ORIGINALS, true),
  ...kinds(SAID_OF_IT, false),
]);

/** Kinds that make, bind or end keys. */
export const KEY_KINDS: ReadonlySet<string> = new Set(["genesis", "key_bind", "key_rotate", "key_revoke"]);

/** Kinds that the recovery key signs. */
export const RECOVERY_KINDS: ReadonlySet<string> = new Set(["key_rotate", "key_revoke"]);
