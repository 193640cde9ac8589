"""``vestige serve``: what its flags say of themselves, and of secrets in them."""

from __future__ import annotations

import logging

import pytest

from anchor.errors import ConfigError
from anchor_api.cli import _warn_of_secrets, build_parser, serve


def test_help_gives_each_default():
    text = " ".join(build_parser().format_help().split())
    assert "Default: vestige-data." in text
    assert "Port to bind; 0 takes a free one. Default: 8460." in text


@pytest.mark.parametrize(
    ("words", "warned"),
    [
        (["--evm-rpc-url", "https://rpc.example/v2/s3cret"], True),
        (["--public-url", "https://ann:s3cret@log.example"], True),
        (["--evm-rpc-url", "http://127.0.0.1:8545/"], False),
        (["--public-url", "https://log.example/path", "--data", "a@b"], False),
    ],
)
def test_a_flag_that_others_can_read_is_warned_of(caplog, words, warned):
    with caplog.at_level(logging.WARNING, logger="vestige"):
        _warn_of_secrets(build_parser().parse_args(words))
    assert ("in the list of processes" in caplog.text) is warned
    assert "s3cret" not in caplog.text


def test_an_address_that_is_refused_is_not_repeated_with_its_key():
    with pytest.raises(ConfigError) as raised:
        serve(["--evm-rpc-url", "https://ann:s3cret@rpc.example:99999/v2"])
    assert "s3cret" not in raised.value.message
    assert "port" in raised.value.message
