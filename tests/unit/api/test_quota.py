from __future__ import annotations

import pytest

from anchor.errors import ConfigError, QuotaExceededError
from anchor_api.quota import LOCAL_CLIENT, Buckets, ClientNames, Quotas


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def client(address, forwarded=None, proxies=()):
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    return ClientNames(proxies).client_of({"client": (address, 1), "headers": headers})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.99", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine_is_one_client(address):
    assert client(address) == LOCAL_CLIENT


def test_an_address_is_a_client():
    assert client("192.0.2.1") == "192.0.2.1"
    assert client("::ffff:192.0.2.1") == "192.0.2.1"


def test_the_first_64_bits_of_ipv6_are_one_client():
    assert client("2001:db8::1") == client("2001:db8::ffff:1:2:3%eth0")
    assert client("2001:db8::1") != client("2001:db8:0:1::1")


def test_what_a_client_says_of_itself_is_not_believed():
    assert client("192.0.2.1", "198.51.100.9") == "192.0.2.1"


def test_what_a_trusted_proxy_says_is_believed():
    proxies = ("192.0.2.1", "10.0.0.0/8")
    assert client("192.0.2.1", "198.51.100.9", proxies) == "198.51.100.9"
    assert client("192.0.2.1", "1.1.1.1, 198.51.100.9, 10.1.2.3", proxies) == "198.51.100.9"
    # What stands left of the first stranger was written by that stranger.
    assert client("192.0.2.1", "127.0.0.1, 198.51.100.9", proxies) == "198.51.100.9"
    assert client("192.0.2.1", None, proxies) == "192.0.2.1"
    assert client("192.0.2.2", "198.51.100.9", proxies) == "192.0.2.2"


def test_a_proxy_that_is_no_address():
    with pytest.raises(ConfigError, match="trusted_proxies"):
        ClientNames(("proxy.example",))


def test_a_bucket_fills_evenly_up_to_its_size():
    clock = Clock()
    buckets = Buckets(2.0, 10.0, "things", clock)
    for _ in range(10):
        buckets.take("a", 1)
    with pytest.raises(QuotaExceededError) as caught:
        buckets.take("a", 1)
    assert caught.value.retry_after_s == pytest.approx(0.5)
    buckets.take("b", 10)
    clock.now += 1.0
    buckets.take("a", 2)
    with pytest.raises(QuotaExceededError):
        buckets.take("a", 1)
    clock.now += 1000
    buckets.take("a", 10)
    with pytest.raises(QuotaExceededError):
        buckets.take("a", 1)


def test_what_does_not_fit_takes_nothing():
    buckets = Buckets(1.0, 10.0, "things", Clock())
    with pytest.raises(QuotaExceededError):
        buckets.take("a", 11)
    buckets.take("a", 10)


def test_zero_is_no_limit():
    quotas = Quotas(monotonic=Clock())
    for _ in range(1000):
        quotas.take_request("a")
        quotas.take_digests("a", 10**9)


def test_local_clients_are_counted_for_the_sum_alone():
    quotas = Quotas(
        requests_per_s=1, digests_per_client_per_day=5, digests_per_day=100, monotonic=Clock()
    )
    for _ in range(50):
        quotas.take_request(LOCAL_CLIENT)
    quotas.take_digests(LOCAL_CLIENT, 100)
    with pytest.raises(QuotaExceededError):
        quotas.take_digests("a", 1)


def test_quotas_with_other_requests_share_the_digests():
    quotas = Quotas(requests_per_s=100, digests_per_client_per_day=5, monotonic=Clock())
    other = quotas.with_requests_per_s(0.1)
    other.take_request("a")
    with pytest.raises(QuotaExceededError):
        other.take_request("a")
    quotas.take_request("a")
    other.take_digests("a", 5)
    with pytest.raises(QuotaExceededError):
        quotas.take_digests("a", 1)


def test_clients_beyond_memory_are_forgotten_oldest_first():
    buckets = Buckets(1.0, 1.0, "things", Clock())
    buckets.take("first", 1)
    for number in range(70_000):
        buckets.take(str(number), 1)
    buckets.take("first", 1)
