"""Which key may sign where: binding, rotation, revocation, and whoever tries without the keys."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable

import pytest

from anchor.records.chain import ChainReport, verify_chain
from anchor.records.keys import key_thumbprint
from anchor.records.record import parse_record
from tests.recorder import CREATOR, RECOVERY, THIEF, Key, Project, stub

TOOL, NEXT, OTHER = Key("tool"), Key("next"), Key("other recovery")


def started() -> Project:
    project = Project()
    project.genesis()
    return project


def signature(report: ChainReport, seq: int) -> tuple[str, str]:
    finding = next(item.signature for item in report.records if item.record.seq == seq)
    return finding.word, finding.code


def last(project: Project) -> tuple[str, str]:
    return signature(verify_chain(project.records), len(project.records) - 1)


GOOD = ("verified", "record.signed")


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    # RFC 8037, appendix A.3
    x = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    wanted = base64.urlsafe_b64decode("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k=")
    assert key_thumbprint(x) == wanted
    jwk = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": "A" * 43}, separators=(",", ":"))
    assert key_thumbprint(bytes(32)) == hashlib.sha256(jwk.encode()).digest()


def test_the_creators_key_signs_from_genesis_on() -> None:
    project = started()
    project.note()
    project.note(role="tool")
    report = verify_chain(project.records)
    assert [signature(report, seq) for seq in range(3)] == [GOOD] * 3
    assert report.complete_up_to == 2


def test_a_key_that_nobody_bound_signs_nothing() -> None:
    project = started()
    project.note(key=THIEF)
    assert last(project) == ("failed", "record.key_unknown")


def test_a_bound_key_signs_in_its_role_alone() -> None:
    project = started()
    project.bind(TOOL, "tool")
    project.note(key=TOOL, role="tool")
    assert last(project) == GOOD
    project.note(key=TOOL, role="author")
    assert last(project) == ("failed", "record.role")


def test_a_key_signs_only_from_the_record_after_its_binding() -> None:
    project = started()
    project.note(key=TOOL, role="tool")
    project.bind(TOOL, "tool")
    project.note(key=TOOL, role="tool")
    report = verify_chain(project.records)
    assert [signature(report, seq)[0] for seq in range(4)] == [
        "verified", "failed", "verified", "verified",
    ]  # fmt: skip


def test_only_an_author_binds() -> None:
    project = started()
    project.bind(TOOL, "tool")
    project.bind(THIEF, "author", key=TOOL, role="tool")
    assert last(project) == ("failed", "record.role")
    project.note(key=THIEF)
    assert last(project) == ("failed", "record.key_unknown")


def test_an_author_that_was_bound_binds() -> None:
    project = started()
    project.bind(NEXT, "author")
    project.bind(TOOL, "tool", key=NEXT)
    project.note(key=TOOL, role="tool")
    assert last(project) == GOOD


def test_a_statement_of_whose_key_it_is_changes_nothing() -> None:
    project = started()
    project.bind(CREATOR, "author")
    assert last(project) == GOOD
    project.bind(CREATOR, "tool")
    assert last(project) == ("failed", "record.key_reused")


def test_rotation_needs_the_recovery_key_that_genesis_commits_to() -> None:
    project = started()
    project.rotate(CREATOR, NEXT)
    assert last(project) == GOOD
    project.note(key=NEXT)
    assert last(project) == GOOD
    project.note(key=CREATOR)
    assert last(project) == ("failed", "record.key_ended")


@pytest.mark.parametrize("thief", [THIEF, CREATOR])
def test_a_thief_can_not_rotate(thief: Key) -> None:
    project = started()
    project.rotate(CREATOR, THIEF, by=thief)
    assert last(project) == ("failed", "record.recovery")
    project.note(key=THIEF)
    assert last(project)[0] == "failed"
    project.note(key=CREATOR)
    assert last(project) == GOOD


def test_a_thief_can_not_sign_for_the_recovery_key() -> None:
    project = started()
    fields = {
        "recovery_key": RECOVERY.public.hex(),
        "public_key": THIEF.public.hex(),
        "replaced_key": CREATOR.thumbprint.hex(),
        "recovery": THIEF.thumbprint.hex(),
    }
    project.add("key_rotate", fields, key=CREATOR)
    assert last(project) == ("failed", "record.key_mismatch")
    project.records.pop()
    again = started()
    again.add("key_rotate", {**fields, "recovery_key": THIEF.public.hex()}, key=THIEF)
    assert last(again) == ("failed", "record.recovery")


def test_the_recovery_key_may_be_changed_and_the_old_one_is_then_nothing() -> None:
    project = started()
    project.rotate(CREATOR, NEXT, recovery=OTHER)
    project.rotate(NEXT, Key("third"), by=RECOVERY)
    assert last(project) == ("failed", "record.recovery")
    project = started()
    project.rotate(CREATOR, NEXT, recovery=OTHER)
    project.rotate(NEXT, Key("third"), by=OTHER, recovery=OTHER)
    assert last(project) == GOOD


def test_the_recovery_key_signs_nothing_else() -> None:
    project = started()
    project.note(key=RECOVERY)
    assert last(project) == ("failed", "record.key_unknown")


def test_the_recovery_key_is_no_signing_key() -> None:
    project = Project()
    project.genesis(recovery=CREATOR.thumbprint.hex())
    assert last(project) == ("failed", "record.key_reused")
    project = started()
    project.bind(RECOVERY, "author")
    assert last(project) == ("failed", "record.key_reused")
    project = started()
    project.rotate(CREATOR, NEXT, recovery=NEXT)
    assert last(project) == ("failed", "record.key_reused")
    project = started()
    project.rotate(CREATOR, NEXT, recovery=CREATOR)
    assert last(project) == ("failed", "record.key_reused")


def test_a_key_that_ended_does_not_come_back() -> None:
    project = started()
    project.bind(TOOL, "tool")
    project.revoke(TOOL)
    project.note(key=TOOL, role="tool")
    assert last(project) == ("failed", "record.key_ended")
    project.bind(TOOL, "tool")
    assert last(project) == ("failed", "record.key_reused")
    project = started()
    project.revoke(TOOL, "2026-01-01T00:00:00Z")
    project.bind(TOOL, "tool")
    assert last(project) == ("failed", "record.key_reused")


def test_a_revocation_by_the_creators_own_key_is_none() -> None:
    project = started()
    project.bind(TOOL, "tool")
    project.revoke(TOOL, "2020-01-01T00:00:00Z", by=CREATOR)
    assert last(project) == ("failed", "record.recovery")
    assert not verify_chain(project.records).compromised


def test_the_earliest_compromise_counts() -> None:
    project = started()
    project.revoke(CREATOR, "2026-11-20T00:00:00Z")
    project.revoke(CREATOR, "2026-11-10T00:00:00Z")
    project.revoke(CREATOR, "2026-11-30T00:00:00Z")
    since = verify_chain(project.records).compromised[CREATOR.thumbprint]
    assert since.day == 10


def test_a_second_genesis_is_none() -> None:
    project = started()
    project.key = THIEF
    project.genesis()
    report = verify_chain(project.records)
    assert signature(report, 1) == ("failed", "record.genesis")
    assert report.records[1].place.code == "record.genesis"


def test_a_genesis_behind_a_withheld_one_is_none() -> None:
    """A thief withholds the creator's genesis and goes on with one of its own."""
    honest = started()
    thief = Project(key=THIEF, records=list(honest.records))
    thief.genesis()
    thief.note()
    report = verify_chain([stub(honest.records[0]), *thief.records[1:]])
    assert signature(report, 1) == ("failed", "record.genesis")
    assert report.records[0].place.code == "record.genesis"
    assert signature(report, 2)[0] != "verified"
    assert report.complete_up_to is None


def test_a_genesis_that_names_another_key_than_it_is_signed_with() -> None:
    project = Project(key=THIEF)
    project.genesis(public_key=CREATOR.public.hex())
    assert last(project) == ("failed", "record.key_mismatch")


# -- what is withheld ------------------------------------------------------------------------------


def test_without_genesis_no_signature_is_checked() -> None:
    project = started()
    project.note()
    report = verify_chain([stub(project.records[0]), project.records[1]])
    assert signature(report, 1) == ("not_checked", "record.key_unknown")
    assert report.complete_up_to is None
    assert signature(verify_chain([project.records[1]]), 1)[0] == "not_checked"


def _hide(hidden: Callable[[Project], object]) -> tuple[Project, ChainReport]:
    project = started()
    project.note()
    hidden(project)
    project.note(key=project.key)
    items = [*project.records]
    items[2] = stub(items[2], kind="idea")
    return project, verify_chain(items)


def test_a_revocation_can_not_be_withheld_as_something_else() -> None:
    _, report = _hide(lambda project: project.revoke(TOOL, "2026-01-01T00:00:00Z"))
    for seq in (0, 1, 3):
        assert signature(report, seq) == ("not_checked", "record.key_record_withheld")
    assert report.complete_up_to is None


def test_what_is_no_key_record_may_be_withheld() -> None:
    _, report = _hide(lambda project: project.note("private"))
    assert [signature(report, seq) for seq in (0, 1, 3)] == [GOOD] * 3
    assert report.complete_up_to == 3


def test_a_key_whose_binding_is_withheld_is_unknown_not_false() -> None:
    project = started()
    project.bind(TOOL, "tool")
    project.note(key=TOOL, role="tool")
    report = verify_chain([project.records[0], stub(project.records[1]), project.records[2]])
    assert signature(report, 2) == ("not_checked", "record.key_unknown")


def test_a_gap_without_key_records_leaves_the_signature_checked() -> None:
    project = started()
    for _ in range(5):
        project.note()
    report = verify_chain([project.records[0], project.records[5]])
    assert signature(report, 5) == GOOD
    assert report.records[1].place.word == "not_checked"
    assert report.missing == 4
    assert report.complete_up_to is None


def test_a_false_signature_stays_false_where_a_key_record_is_withheld() -> None:
    project = started()
    project.revoke(TOOL)
    project.note(key=TOOL, role="tool")
    project.note()
    project.note()
    jwt, rest = project.records[4].sd_jwt.serialize().split("~", 1)
    other = project.records[3].sd_jwt.jwt.rpartition(".")[2]
    project.records[4] = parse_record(f"{jwt.rpartition('.')[0]}.{other}~{rest}")
    items = [project.records[0], stub(project.records[1]), *project.records[2:]]
    report = verify_chain(items)
    assert signature(report, 2) == ("not_checked", "record.key_unknown")
    assert signature(report, 3) == ("not_checked", "record.key_record_withheld")
    assert signature(report, 4) == ("failed", "record.signature")


def test_a_rotation_by_a_recovery_key_whose_naming_is_withheld_is_not_false() -> None:
    project = started()
    project.rotate(CREATOR, NEXT, recovery=OTHER)
    project.rotate(NEXT, Key("third"), by=OTHER, recovery=OTHER)
    items = [project.records[0], stub(project.records[1]), project.records[2]]
    assert signature(verify_chain(items), 2) == ("not_checked", "record.key_unknown")
    assert last(project) == GOOD


def test_a_revocation_elsewhere_counts_if_a_recovery_key_signed_it() -> None:
    project = started()
    project.note()
    other = project.copy()
    revocation = other.revoke(CREATOR, "2026-11-20T00:00:00Z")
    report = verify_chain(project.records, [revocation])
    assert list(report.compromised) == [CREATOR.thumbprint]
    jwt, rest = revocation.sd_jwt.serialize().split("~", 1)
    signed_by_another = project.records[1].sd_jwt.jwt.rpartition(".")[2]
    false = parse_record(f"{jwt.rpartition('.')[0]}.{signed_by_another}~{rest}")
    assert not verify_chain(project.records, [false]).compromised
    fields = {
        "recovery_key": THIEF.public.hex(),
        "revoked_key": CREATOR.thumbprint.hex(),
        "compromised_at": "2026-11-20T00:00:00Z",
    }
    thief = project.copy()
    named = Named(THIEF.name, RECOVERY.thumbprint)
    claimed = thief.add("key_revoke", fields, key=named)
    assert claimed.actor.key == RECOVERY.thumbprint
    assert not verify_chain(project.records, [claimed]).compromised


class Named(Key):
    """A key that goes under another key's name."""

    def __init__(self, name: str, thumbprint: bytes) -> None:
        super().__init__(name)
        object.__setattr__(self, "_thumbprint", thumbprint)

    @property
    def thumbprint(self) -> bytes:
        return self._thumbprint
