"""How connections are counted, in all and for each client."""

from __future__ import annotations

import pytest

from anchor_api.connection import Admission, ConnectionLimits, Door
from anchor_api.quota import ClientNames


def limits(**changed):
    values = {
        "max_connections": 10,
        "per_client": 3,
        "head_s": 5.0,
        "keep_alive_s": 5.0,
        "body_s": 5.0,
        "answer_idle_s": 5.0,
        "answer_total_s": 5.0,
        "client_of": lambda address: address,
    }
    return ConnectionLimits(**(values | changed))


def test_past_the_limit_refused_and_past_twice_cut():
    door = Door(limits(max_connections=2, per_client=0))
    found = [door.enter(None) for _ in range(5)]
    assert found == [
        Admission.SERVED,
        Admission.SERVED,
        Admission.REFUSED,
        Admission.REFUSED,
        Admission.CUT,
    ]


def test_one_client_does_not_take_the_place_of_another():
    door = Door(limits(max_connections=100, per_client=3))
    assert [door.enter("a") for _ in range(7)] == (
        [Admission.SERVED] * 3 + [Admission.REFUSED] * 3 + [Admission.CUT]
    )
    assert door.enter("b") is Admission.SERVED
    assert door.enter(None) is Admission.SERVED


def test_who_leaves_makes_room():
    door = Door(limits(max_connections=2, per_client=1))
    assert door.enter("a") is Admission.SERVED
    assert door.enter("a") is Admission.REFUSED
    door.leave("a")
    door.leave("a")
    assert door.enter("a") is Admission.SERVED
    assert door.enter("b") is Admission.SERVED
    assert door.enter(None) is Admission.REFUSED


def test_the_worse_of_the_two_limits_decides():
    door = Door(limits(max_connections=2, per_client=1))
    assert [door.enter("a"), door.enter("a"), door.enter("a")] == [
        Admission.SERVED,
        Admission.REFUSED,
        Admission.CUT,
    ]
    full = Door(limits(max_connections=1, per_client=9))
    assert [full.enter(name) for name in "abc"] == [
        Admission.SERVED,
        Admission.REFUSED,
        Admission.CUT,
    ]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("127.0.0.1", None),
        ("::1", None),
        ("", None),
        ("192.0.2.9", None),
        ("192.0.2.200", None),
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::2", "2001:db8::/64"),
    ],
)
def test_whose_connection_it_is(address, counted):
    names = ClientNames(("192.0.2.0/24",))
    assert names.counted(address) == counted
