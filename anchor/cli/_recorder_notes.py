"""What the guide to the commands says of the recorder's verbs, besides their options."""

from __future__ import annotations

from typing import Final

_RECORDS: Final = """\
`--json`: `records` (as in `log`, with `path` and `not_before`), `errors`, `sent`, `queued`,
`exit_status`.
"""

RECORDER_NOTES: Final = {
    "init": f"""\
Makes `.vestige/` in the folder ([recorder.md](recorder.md)), the signing key if you have none yet,
and the first record, which names that key and commits to a recovery key. The recovery key is handed
over once, on the terminal or in `--recovery FILE`, and kept nowhere; the next project commits to
the same one unless told otherwise. `--server` is remembered in the vault.

{_RECORDS}""",
    "add": f"""\
Originals are kept byte for byte before anything else. What a generator wrote into an image is read
in a process that can do no harm; what can not be read is recorded all the same. A symbolic link
that leaves the working folder, a file that changes while it is read, and one without a byte are
refused; one file's failure stops no other.

{_RECORDS}""",
    "watch": """\
Every image that is written or moved into the folders becomes a `generation` record, once it held
still: 0.2 s after it was closed, 0.6 s where that can not be told. An image is what its first bytes
say, else its name. What is there at the start is left alone without `--existing`; what came while a
watcher was dead that did not end in order (`SIGKILL`, a power cut) is taken up by the next one.
Content that has a record gets no second one. Hidden files and folders, names of something half
written (`.tmp`, `.part`, `.crdownload`, `~`, …) and folders behind symbolic links are passed over;
a symbolic link that leads out is refused. A file that can not be read is tried three times more,
and again when it changes; a full disk makes everything wait. One process watches for a vault.

SIGINT and SIGTERM end it: what is whole by then is recorded. `--daemon` returns when it works, with
`watch.log` and `watch.pid` in `.vestige/`. For a unit of systemd:
`vestige watch DIR --systemd > ~/.config/systemd/user/vestige-watch.service`, then
`systemctl --user enable --now vestige-watch`.

`--json` writes a line for each event instead of one object: `event` is `watching`, `recorded` (with
`path`, `record`), `known`, `refused` and `delayed` (with `path`, `error`), `sent` (`count`) or
`stopped` (how many of each, `queued`, `unfinished`, `exit_status`).
""",
    "prompt": f"""\
The difference from the prompt before is recorded with it. Text that is not UTF-8 is recorded with
its unreadable parts replaced, and its bytes beside it as a file of the record.

{_RECORDS}""",
    "idea": f"""\
Takes words, `-` or `--file`, as `prompt` does.

{_RECORDS}""",
    "note": f"""\
Takes words, `-` or `--file`, as `prompt` does.

{_RECORDS}""",
    "sketch": _RECORDS,
    "select": f"""\
`vestige select 3 --from 1 2 3 4 --why "the light"`. A record is named by its number, one of its
files by `3.0`, `3.1`, ….

{_RECORDS}""",
    "edit": f"""\
`BEFORE` is a record or a file; a file that was recorded before is found by its content. Naming a
region (`--mask`, `--box`, `--element`, `--prompt`) makes it a `region_edit`, else it is a
`manual_edit`.

{_RECORDS}""",
    "final": _RECORDS,
    "publish": _RECORDS,
    "record": f"""\
- `vestige record candidate_set --on 4 5 6 7`
- `vestige record composite --on 3 5.0 --file joined.png`
- `vestige record reproduction_test --on 6 --file again.png --set result="the same pixels"`
- `vestige record metadata --on 6.0 --set parser="exiftool 13" --set values="Software: …"`
- `vestige record rights --file contract.pdf --set act=licence`
- `vestige record custody --set event="moved to a new disk"`

The fields of each kind: [record.md](../spec/record.md). Genesis, keys, copies and the close have
verbs that do more.

{_RECORDS}""",
    "correct": f"""\
Nothing that was recorded is ever changed; this says in a record of its own what was wrong.

{_RECORDS}""",
    "close": f"""\
What comes before a closed project's last record is shown to be complete. Only `keys revoke` may
follow.

{_RECORDS}""",
    "log": """\
Newest first, with rails that lead from each record down to what it came from. `--html` writes one
page with pictures, the differences of prompts, choices and what the proofs show; it runs nothing,
asks nobody, and shows everything that was recorded, so it is not for handing out.

`--json`: `project`, `count`, `records` (`seq`, `kind`, `digest`, `claimed_time`, `clock_source`,
`role`, `mode`, `tier`, `late`, `summary`, `parents`, `files`, `proof`), `exit_status`.
""",
    "show": """\
`--json`: as a row of `log`, with `path`, `open` (what can never be withheld) and `fields`.
""",
    "status": """\
Asks nobody. `--json`: `project`, `folder`, `server`, `records`, `kinds`, `newest`, `closed`,
`queued`, `oldest_queued`, `proofs` (how many of each word), `out_of_reach`
(parties that the service could not reach, and why), `open_proofs`, `missing_records`,
`keys`, `beacons`, `read_only` (why, or null), `exit_status`.
""",
    "export": """\
Writes `NAME.exhibit.zip` ([exhibit.md](exhibit.md)). Everything is shown unless you choose
otherwise; genesis and key records always are. A withheld record stays in the list as a numbered
stub with its digest. The list of files is signed with your signing key. The same vault, choice and
policy give the same bytes. `VESTIGE_PDF_PASSPHRASE_FILE` names a file with the passphrase of
`--pdf-certificate`; on a terminal you are asked.

`--json`: `path`, `bundle`, `size`, `files`, `signed_by`, `signed_pdf`, `status` (of the records
under the policy), `shown`, `withheld`, `withheld_fields`, `files_withheld`, `open_proofs`,
`exit_status`.
""",
    "send": """\
Every verb that records sends what waits as well, unless `--offline` is given or `VESTIGE_OFFLINE`
is set, or the service did not answer within the last minute. A proof is written after its receipt
was verified, and replaced only by one that says more.

`--json`: `sent`, `queued`, `upgraded`, `out_of_reach`, `errors`, `exit_status`.
""",
    "keys": """\
Signing keys are in the keyring of the system where one can be used, else in
`$XDG_DATA_HOME/vestige/keys` under a passphrase (PKCS#8, scrypt); `VESTIGE_KEYS` decides otherwise.
`bind` lets a second person sign in this project, in a role: a co-author, an assistant. That person
makes a key (`keys new`) and gives its public part; records made with `--role co-author` where that
key is are signed with it. The binding says whose key it is and how you know, in your words. `new`
makes a key, and new projects on this machine use it from then on.
`rotate` and `revoke` take the recovery key; `--compromised-at` says since when the old key is not
to be believed: a record counts as the creator's if it is shown to have existed before that.
""",
    "adopt": f"""\
A vault that was copied to another machine or folder, or put back to an older state, is read-only:
it would give numbers to records that other records have. `adopt` writes a `branch` record and goes
on. With `--recovery` a new signing key is taken first, so that records of the other copy and of
this one show two histories, not a creator who says two things.

{_RECORDS}""",
    "rebuild": """\
Reads every record from its file, verifies signatures and chain, looks at the originals (reads them
whole with `--originals`), judges every proof, and makes the index anew. The exit status is 1 if
anything is wrong.

`--json`: `records`, `originals`, `read_whole`, `complete_up_to`, `closed`, `proofs`, `problems`,
`exit_status`.
""",
}
