from __future__ import annotations

import copy
import pickle

import pytest

from anchor.config.secret import Secret


def test_it_is_not_shown():
    secret = Secret("hunter2")
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), f"{secret!r}"):
        assert "hunter2" not in shown


def test_it_is_not_pickled_or_copied_into_a_pickle():
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret("hunter2"))


def test_equality():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("a"))
