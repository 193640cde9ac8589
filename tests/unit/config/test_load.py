from __future__ import annotations

import pytest

from anchor.config.load import load_settings
from anchor.config.setting import settings_of
from anchor.config.settings import DEFAULT_PORT, Settings
from anchor.errors import ConfigError


def written(tmp_path, text):
    path = tmp_path / "vestige.toml"
    path.write_text(text)
    return path


def secret_file(tmp_path, text, mode=0o600):
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_defaults_without_any_source():
    assert load_settings({}, {}) == Settings()


def test_flags_win_over_environment_over_file(tmp_path):
    path = written(tmp_path, 'port = 1\nhost = "a"\nlog_level = "debug"\n')
    environment = {"VESTIGE_PORT": "2", "VESTIGE_HOST": "b"}
    settings = load_settings({"port": "3"}, environment, path)
    assert (settings.port, settings.host, settings.log_level) == (3, "b", "debug")


def test_one_source_does_not_wipe_another_key_of_its_group(tmp_path):
    path = written(tmp_path, "[evm]\nmax_fee_gwei = 7\n")
    settings = load_settings({}, {"VESTIGE_EVM_CONFIRMATIONS": "9"}, path)
    assert (settings.evm.max_fee_gwei, settings.evm.confirmations) == (7, 9)


def test_the_file_can_be_named_by_a_variable(tmp_path):
    path = written(tmp_path, "port = 77\n")
    assert load_settings({}, {"VESTIGE_CONFIG": str(path)}).port == 77


def test_other_variables_are_not_looked_at():
    environment = {"PATH": "/bin", "PORT": "1", "VESTIGE_VECTORS": "x", "VESTIGE_SERVER": "y"}
    assert load_settings({}, environment).port == DEFAULT_PORT


@pytest.mark.parametrize(
    ("text", "got", "nearest"),
    [
        ("prot = 1", "prot", "port"),
        ("[evm]\nrpcurl = 'http://x'", "evm.rpcurl", "evm.rpc_url"),
        ("[evn]\nrpc_url = 'http://x'", "evn", None),
        ("[http]\ndigest_per_day = 1", "http.digest_per_day", "http.digests_per_day"),
    ],
)
def test_unknown_key_of_the_file(tmp_path, text, got, nearest):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings({}, {}, path)
    assert got in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.code == "config.unknown"
    if nearest:
        assert nearest in caught.value.hint


def test_a_key_that_is_no_table_does_not_pass_as_one(tmp_path):
    with pytest.raises(ConfigError, match="port"):
        load_settings({}, {}, written(tmp_path, "[port]\nx = 1\n"))
    with pytest.raises(ConfigError, match="evm"):
        load_settings({}, {}, written(tmp_path, "evm = 3\n"))


def test_unknown_variable_names_the_nearest():
    with pytest.raises(ConfigError) as caught:
        load_settings({}, {"VESTIGE_EVM_RPC": "x"})
    assert "VESTIGE_EVM_RPC_URL" in caught.value.hint


def test_unknown_flag_key():
    with pytest.raises(ConfigError, match="on the command line"):
        load_settings({"evm.nothing": "x"}, {})


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("port", "80.0"),
        ("port", "٣"),
        ("port", ""),
        ("http.body_idle_s", "nan"),
        ("http.body_idle_s", "inf"),
        ("http.body_idle_s", "soon"),
        ("calendar_endpoint.enabled", "maybe"),
        ("calendars.urls", "ftp://x"),
        ("calendars.urls", "https://"),
        ("calendars.urls", "https://x:99999"),
        ("calendars.urls", "https://x/?a=b"),
        ("calendars.urls", "https://x/ , https://y z"),
        ("log_level", "loud"),
        ("log.origin", "a\nb"),
        ("data", ""),
    ],
)
def test_a_bad_value_names_its_key_and_place(key, text):
    with pytest.raises(ConfigError) as caught:
        load_settings({key: text}, {})
    assert key in caught.value.message
    assert "--" in caught.value.message
    assert caught.value.code == "config.value"


@pytest.mark.parametrize(
    "text",
    [
        'port = "80"',
        "port = 80.5",
        "port = true",
        "host = 1",
        "[calendars]\nurls = 'https://x'",
        "[calendar_endpoint]\nenabled = 1",
        "[http]\nbody_idle_s = true",
    ],
)
def test_toml_types_are_not_bent(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        load_settings({}, {}, written(tmp_path, text))
    assert caught.value.code == "config.value"


def test_lists():
    settings = load_settings({"calendars.urls": " https://a , https://b/x "}, {})
    assert settings.calendars.urls == ("https://a", "https://b/x")
    assert load_settings({"calendars.urls": ""}, {}).calendars.urls == ()


@pytest.mark.parametrize("data", [b"port = ", b"\xff", b"port = 1\n" * 2, b"x" * (1 << 20) + b"x"])
def test_a_file_that_is_no_toml(tmp_path, data):
    path = tmp_path / "bad.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_settings({}, {}, path)
    assert caught.value.code == "config.file"
    assert str(path) in caught.value.message


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_settings({}, {}, tmp_path / "none.toml")


# -- secrets ---------------------------------------------------------------------------------------

KEY = "5f" * 32


def test_a_secret_from_the_environment_is_not_shown():
    settings = load_settings({}, {"VESTIGE_EVM_PRIVATE_KEY": KEY})
    assert settings.evm.private_key.reveal() == KEY
    assert KEY not in repr(settings) + str(settings.evm.private_key) + f"{settings.evm}"


def test_an_rpc_address_is_not_shown_since_it_may_hold_a_key():
    settings = load_settings({"evm.rpc_url": "https://rpc.example/v3/deadbeef"}, {})
    assert settings.evm.rpc_url == "https://rpc.example/v3/deadbeef"
    assert "deadbeef" not in repr(settings)


def test_a_secret_from_a_file(tmp_path):
    path = secret_file(tmp_path, KEY + "\n")
    settings = load_settings({"evm.private_key_file": str(path)}, {})
    assert settings.evm.private_key.reveal() == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_secret_file_open_to_others_is_refused(tmp_path, mode):
    path = secret_file(tmp_path, KEY, mode)
    with pytest.raises(ConfigError) as caught:
        load_settings({}, {"VESTIGE_EVM_PRIVATE_KEY_FILE": str(path)})
    assert caught.value.code == "config.secret.mode"
    assert KEY not in caught.value.message
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_secret_file_is_refused(tmp_path, text):
    path = secret_file(tmp_path, text)
    with pytest.raises(ConfigError, match="nothing"):
        load_settings({"evm.private_key_file": str(path)}, {})


def test_a_secret_file_that_is_a_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"evm\.private_key_file"):
        load_settings({"evm.private_key_file": str(tmp_path)}, {})


def test_a_secret_in_toml_is_refused_and_not_repeated(tmp_path):
    path = written(tmp_path, f'[evm]\nprivate_key = "{KEY}"\n')
    with pytest.raises(ConfigError) as caught:
        load_settings({}, {}, path)
    assert KEY not in caught.value.message
    assert "VESTIGE_EVM_PRIVATE_KEY" in caught.value.hint


def test_a_secret_as_a_flag_is_refused():
    with pytest.raises(ConfigError, match="no flag") as caught:
        load_settings({"evm.private_key": KEY}, {})
    assert KEY not in caught.value.message


def test_a_secret_set_twice_is_refused(tmp_path):
    path = secret_file(tmp_path, KEY)
    with pytest.raises(ConfigError) as caught:
        load_settings({"evm.private_key_file": str(path)}, {"VESTIGE_EVM_PRIVATE_KEY": KEY})
    assert caught.value.code == "config.secret.twice"


# -- every setting ---------------------------------------------------------------------------------

ALL = list(settings_of(Settings))


def test_keys_variables_and_flags_are_unique():
    for names in (
        [s.key for s in ALL],
        [s.variable for s in ALL],
        [s.flag for s in ALL if s.flag],
    ):
        assert len(names) == len(set(names))


@pytest.mark.parametrize("setting", ALL, ids=lambda s: s.key)
def test_every_setting_is_described(setting):
    assert setting.meaning.rstrip().endswith(".")
    assert setting.trust.rstrip().endswith(".")
    numeric = isinstance(setting.default, int | float) and not isinstance(setting.default, bool)
    # Seconds carry their unit in the name too.
    assert not numeric or setting.unit or setting.key == "port"
    assert not setting.key.endswith("_s") or setting.unit in ("s", "requests/s")


@pytest.mark.parametrize(
    "setting", [s for s in ALL if s.default is not None and not s.reads_file], ids=lambda s: s.key
)
def test_every_default_is_a_value_that_the_setting_takes(setting):
    value = setting.default
    as_toml = list(value) if isinstance(value, tuple) else value
    as_toml = str(as_toml) if setting.key == "data" else as_toml
    assert setting.kind.from_toml(as_toml) == value
