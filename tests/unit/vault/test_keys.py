"""Keys: in the keyring or under a passphrase, replaced and ended by the recovery key alone."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import (
    ConfigError,
    FormatError,
    NotFoundError,
    StoreConflictError,
    StoreUnavailableError,
    UsageError,
)
from anchor.vault import Draft, KeyStore, Vault
from anchor.vault.encrypted_key import decrypt_key, encrypt_key
from anchor.vault.key_records import (
    adopt,
    committed_recovery,
    revoke_key,
    rotate_key,
    signing_key,
)
from anchor.vault.key_store import keys_folder
from anchor.vault.recovery_key import (
    load_recovery,
    parse_recovery,
    recovery_text,
    store_recovery,
)
from anchor.vault.signer import Signer
from anchor.vault.system_keyring import SystemKeyring
from tests.unit.vault.conftest import START, FakeKeyring, Project

PASSPHRASE = b"correct horse battery"


def file_store(**more) -> KeyStore:
    more.setdefault("ask", lambda _which: PASSPHRASE)
    return KeyStore(place="file", **more)


# -- where keys are --------------------------------------------------------------------------------


def test_a_key_in_the_keyring_leaves_nothing_secret_on_disk(store: KeyStore, keyring: FakeKeyring):
    signer = store.make()
    assert store.signer(signer.thumbprint).seed == signer.seed
    files = list(keys_folder().iterdir())
    assert [path.suffix for path in files] == [".json"]
    assert signer.seed.hex() not in files[0].read_text()
    assert [name for _, name in keyring.secrets] == [signer.thumbprint.hex()]


def test_a_key_in_a_file_is_under_the_passphrase(tmp_path: Path):
    asked = []
    store = file_store(ask=lambda which: (asked.append(which), PASSPHRASE)[1])
    signer = store.make()
    assert store.signer(signer.thumbprint).seed == signer.seed
    assert asked == ["new", "known"]
    (pem,) = keys_folder().glob("*.pem")
    assert pem.stat().st_mode & 0o777 == 0o600
    assert keys_folder().stat().st_mode & 0o777 == 0o700
    assert signer.seed not in pem.read_bytes()
    with pytest.raises(UsageError) as caught:
        file_store(ask=lambda _which: b"wrong horse battery").signer(signer.thumbprint)
    assert caught.value.code == "keys.passphrase"


def test_without_anybody_to_ask_the_way_out_is_named():
    with pytest.raises(ConfigError) as caught:
        KeyStore(place="file").make()
    assert "VESTIGE_PASSPHRASE_FILE" in caught.value.hint
    assert list(keys_folder().glob("*.json")) == []


@pytest.mark.parametrize("priority", [0, 0.5, 0.9])
def test_a_keyring_that_keeps_nothing_or_plain_text_is_not_used(monkeypatch, priority: float):
    import keyring

    backend = FakeKeyring(priority=priority)
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    assert SystemKeyring.usable() is None
    backend.priority = 1
    assert SystemKeyring.usable() is not None


def test_a_keyring_that_is_not_installed_or_fails_is_no_keyring(monkeypatch):
    import keyring

    def failing():
        raise RuntimeError("no desktop")

    monkeypatch.setattr(keyring, "get_keyring", failing)
    assert SystemKeyring.usable() is None
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    assert SystemKeyring.usable() is None


class LockedKeyring(FakeKeyring):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"cannot store {password}")

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError("locked")


class ForgetfulKeyring(FakeKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        return None


@pytest.mark.parametrize("backend", [LockedKeyring(), ForgetfulKeyring()])
def test_a_keyring_that_does_not_keep_the_key_gives_way_to_a_file(backend):
    store = KeyStore(keyring=lambda: SystemKeyring(backend), ask=lambda _which: PASSPHRASE)
    signer = store.make()
    assert [key.place for key in store.stored()] == ["file"]
    assert store.signer(signer.thumbprint).seed == signer.seed
    wanted = KeyStore(keyring=lambda: SystemKeyring(backend), place="keyring")
    with pytest.raises(StoreUnavailableError) as caught:
        wanted.make()
    assert caught.value.__cause__ is None, "the cause may hold the secret"


def test_a_key_that_left_the_keyring_is_missing(store: KeyStore, keyring: FakeKeyring):
    signer = store.make()
    keyring.secrets.clear()
    with pytest.raises(NotFoundError) as caught:
        store.signer(signer.thumbprint)
    assert caught.value.code == "keys.missing"


@pytest.mark.parametrize("secret", ["", "ed25519:", "ed25519:zz", "ed25519:" + "00" * 32, "x"])
def test_what_stands_in_the_keyring_must_be_the_key(
    store: KeyStore, keyring: FakeKeyring, secret: str
):
    signer = store.make()
    keyring.secrets["vestige", signer.thumbprint.hex()] = secret
    with pytest.raises(FormatError) as caught:
        store.signer(signer.thumbprint)
    assert caught.value.code == "keys.format"


def test_a_damaged_key_file_hides_no_other(store: KeyStore):
    first, second = store.make(), store.make()
    (keys_folder() / f"{first.thumbprint.hex()}.json").write_text("{")
    assert [key.thumbprint for key in store.stored()] == [second.thumbprint]
    assert store.newest().thumbprint == second.thumbprint


def test_a_signer_shows_nothing_of_its_key():
    signer = Signer.generate()
    assert signer.seed.hex() not in repr(signer)
    assert repr(signer) == f"Signer({signer.thumbprint.hex()[:8]}…)"


# -- the encrypted file ----------------------------------------------------------------------------


def test_stock_openssl_reads_the_file(tmp_path: Path, require):
    require(shutil.which("openssl"), "no openssl command")
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "key.pem"
    path.write_bytes(encrypt_key(key, PASSPHRASE))
    answer = subprocess.run(
        ["openssl", "pkey", "-in", path, "-passin", f"pass:{PASSPHRASE.decode()}", "-text"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    words = answer.stdout.partition("priv:")[2].partition("pub:")[0]
    assert bytes.fromhex("".join(words.split()).replace(":", "")) == key.private_bytes_raw()


def test_the_same_key_is_never_written_alike_twice():
    key = Ed25519PrivateKey.generate()
    first, second = encrypt_key(key, PASSPHRASE), encrypt_key(key, PASSPHRASE)
    assert first != second
    assert decrypt_key(first, PASSPHRASE).private_bytes_raw() == key.private_bytes_raw()


def test_short_passphrases_and_other_files_are_refused():
    key = Ed25519PrivateKey.generate()
    with pytest.raises(UsageError) as caught:
        encrypt_key(key, b"1234567")
    assert caught.value.code == "keys.passphrase_short"
    for pem in (
        b"",
        b"not a key",
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        encrypt_key(X25519PrivateKey.generate(), PASSPHRASE),
    ):
        with pytest.raises(FormatError) as refused:
            decrypt_key(pem, PASSPHRASE)
        assert refused.value.code == "keys.format"


# -- the recovery key ------------------------------------------------------------------------------


def test_the_recovery_key_survives_paper():
    signer = Signer.generate()
    text = recovery_text(signer)
    assert parse_recovery(text).seed == signer.seed
    assert parse_recovery(text.lower()).seed == signer.seed
    assert parse_recovery(f"# a remark\n\n  {text.replace('-', ' ', 0)}\n").seed == signer.seed
    head, _, rest = text.partition(" ")
    assert parse_recovery(f"{head} {rest.replace('-', ' ')}").seed == signer.seed


@given(seed=st.binary(min_size=32, max_size=32), data=st.data())
def test_a_recovery_key_that_was_copied_wrongly_is_refused(seed: bytes, data):
    text = recovery_text(Signer.of_seed(seed))
    head = len("vestige-recovery-1 ")
    places = [i for i in range(head, len(text)) if text[i] != "-"]
    place = data.draw(st.sampled_from(places))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
    wrong = text[:place] + letter + text[place + 1 :]
    if wrong == text:
        return
    with pytest.raises(FormatError) as caught:
        parse_recovery(wrong)
    assert seed.hex() not in caught.value.message


@given(st.text(max_size=200))
def test_any_other_text_is_no_recovery_key(text: str):
    with pytest.raises(FormatError):
        parse_recovery(text)
    with pytest.raises(FormatError):
        parse_recovery(f"vestige-recovery-1 {text}")


def test_the_recovery_file_is_private_and_never_written_over(tmp_path: Path):
    signer, path = Signer.generate(), tmp_path / "recovery.txt"
    store_recovery(path, signer)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_recovery(path).seed == signer.seed
    with pytest.raises(StoreConflictError) as caught:
        store_recovery(path, Signer.generate())
    assert caught.value.code == "keys.recovery_exists"
    assert load_recovery(path).seed == signer.seed


def test_the_recovery_key_is_not_kept_anywhere(project: Project, home: Path):
    secret = project.recovery.seed
    for path in home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert secret not in data
            assert secret.hex().encode() not in data
    assert project.store.recovery() == project.recovery.thumbprint


# -- key records -----------------------------------------------------------------------------------


def test_a_rotated_key_goes_on_and_the_old_one_does_not(project: Project):
    project.note("with the first key")
    record, signer = rotate_key(project.vault, project.store, project.recovery, reason="lost")
    assert record.fields["reason"] == "lost"
    with pytest.raises(StoreConflictError) as caught:
        project.note("with the first key again")
    assert caught.value.code == "keys.not_in_force"
    assert signing_key(project.vault, project.store).thumbprint == signer.thumbprint
    project.recorder(signer=signer).append(Draft("note", {"text": "with the second"}))
    project.assert_sound()


def test_only_the_recovery_key_of_the_project_rotates_and_revokes(project: Project):
    stranger = Signer.generate()
    for act in (
        lambda: rotate_key(project.vault, project.store, stranger),
        lambda: rotate_key(project.vault, project.store, project.signer),
        lambda: revoke_key(project.vault, stranger, project.signer.thumbprint),
    ):
        with pytest.raises(UsageError) as caught:
            act()
        assert caught.value.code == "keys.recovery"
    assert project.vault.size == 1


def test_a_new_recovery_key_takes_the_place_of_the_old_one(project: Project):
    new = Signer.generate()
    rotate_key(project.vault, project.store, project.recovery, new_recovery=new.thumbprint)
    assert committed_recovery(project.vault) == new.thumbprint
    with pytest.raises(UsageError):
        rotate_key(project.vault, project.store, project.recovery)
    rotate_key(project.vault, project.store, new)
    project.assert_sound()


def test_a_revocation_states_since_when(project: Project):
    project.note("before")
    since = START - timedelta(days=3)
    revoke_key(project.vault, project.recovery, project.signer.thumbprint, compromised_at=since)
    report = project.assert_sound()
    assert report.compromised == {project.signer.thumbprint: since}
    with pytest.raises(StoreConflictError) as caught:
        signing_key(project.vault, project.store)
    assert caught.value.code == "keys.not_in_force"
    _, signer = rotate_key(project.vault, project.store, project.recovery)
    project.recorder(signer=signer).append(Draft("note", {"text": "after"}))
    project.assert_sound()


def test_a_closed_project_can_still_revoke_a_key(project: Project):
    project.recorder().append(Draft("close"))
    revoke_key(project.vault, project.recovery, project.signer.thumbprint)
    assert project.assert_sound().closed


def test_an_unknown_key_can_not_be_revoked(project: Project):
    with pytest.raises(NotFoundError):
        revoke_key(project.vault, project.recovery, bytes(32))


def test_a_second_project_takes_the_rotated_key_of_the_first(begin):
    first = begin("first")
    second = begin("second", recovery=first.recovery)
    assert second.signer.thumbprint == first.signer.thumbprint
    _, one = rotate_key(first.vault, first.store, first.recovery)
    _, two = rotate_key(second.vault, second.store, second.recovery)
    assert one.thumbprint == two.thumbprint
    first.assert_sound()
    second.assert_sound()


def test_a_project_tells_which_of_the_creators_it_is(begin):
    indices = [begin(name).vault.read(0).fields["project_index"] for name in "abc"]
    assert indices == [0, 1, 2]


# -- copies ----------------------------------------------------------------------------------------


def other_machine() -> KeyStore:
    backend = FakeKeyring()
    return KeyStore(keyring=lambda: SystemKeyring(backend))


@pytest.fixture
def elsewhere(project: Project, tmp_path: Path, monkeypatch):
    """A copy of the vault on another machine, with its own state and keys."""
    project.note("one")
    shutil.copytree(project.work, tmp_path / "copy")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine2" / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "machine2" / "data"))
    with Vault.open(tmp_path / "copy") as vault:
        yield vault


def test_a_copy_goes_on_as_a_branch_with_a_key_of_its_own(project: Project, elsewhere: Vault):
    store = other_machine()
    made = adopt(elsewhere, store, "a new laptop", instance="laptop", recovery=project.recovery)
    assert [record.kind.name for record in made] == ["key_rotate", "branch"]
    assert made[1].fields == {"reason": "a new laptop", "instance": "laptop"}
    assert elsewhere.read_only_reason is None
    signer = signing_key(elsewhere, store)
    project.recorder(elsewhere, signer).append(Draft("note", {"text": "in the copy"}))
    copy = Project(elsewhere, store, project.recovery, signer, project.clock)
    copy.assert_sound()


def test_a_copy_without_the_key_says_how_to_go_on(project: Project, elsewhere: Vault):
    store = KeyStore(keyring=lambda: None)
    with pytest.raises(NotFoundError) as caught:
        adopt(elsewhere, store, "a new laptop")
    assert caught.value.code == "keys.missing"
    assert "--recovery" in caught.value.hint
    assert elsewhere.size == 2
    assert elsewhere.read_only_reason is not None


def test_an_adoption_that_breaks_off_leaves_the_copy_read_only(
    project: Project, elsewhere: Vault, monkeypatch
):
    """The key was rotated, and no branch record says that this is a copy."""
    store = other_machine()
    rotate_key(elsewhere, store, project.recovery, adopting=True)
    assert elsewhere.read_only_reason is not None
    adopt(elsewhere, store, "again")
    assert elsewhere.read_only_reason is None


def test_a_vault_that_is_no_copy_is_not_adopted(project: Project):
    with pytest.raises(StoreConflictError) as caught:
        adopt(project.vault, project.store, "for fun")
    assert caught.value.code == "vault.not_a_copy"


def test_adopting_an_older_state_takes_its_place(project: Project, tmp_path: Path):
    project.note("one")
    shutil.copytree(project.work, tmp_path / "backup")
    project.note("two")
    project.vault.close()
    shutil.rmtree(project.work)
    shutil.copytree(tmp_path / "backup", project.work)
    with Vault.open(project.work) as vault:
        adopt(vault, project.store, "the disk died")
        project.recorder(vault).append(Draft("note", {"text": "after"}))
        assert vault.index.entries()[-2].kind == "branch"
    project.assert_sound()
