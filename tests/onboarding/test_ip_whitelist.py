"""Which addresses can stand in a key's list, and why the others cannot."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.keys.onboarding.ip_whitelist import check_address, check_addresses

REFUSED = {  # typed: a word of the reason
    "10.1.2.3": "private", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.1.0/24": "private",
    "fd00::1": "private", "127.0.0.1": "loopback", "::1": "loopback", "169.254.7.7": "link-local",
    "fe80::1": "link-local", "100.64.0.1": "carrier", "100.127.255.254": "carrier", "192.0.2.9": "documentation",
    "198.51.100.7": "documentation", "203.0.113.7": "documentation", "2001:db8::5": "documentation",
    "3fff::1": "documentation", "224.0.0.1": "multicast", "ff02::1": "multicast",
    "0.0.0.0": "any address",  # noqa: S104 - nothing binds to it
    "::": "any address", "240.0.0.1": "reserved", "255.255.255.255": "reserved", "4000::1": "reserved",
    "::ffff:8.8.8.8": "IPv4", "0.0.0.0/0": "contains", "::/0": "contains", "8.0.0.0/6": "contains",
    "fe80::1%eth0": "zone", "api.example.org": "name", "https://8.8.8.8/": "name", "8.8.8.8:443": "port",
    "[2001:4860::1]": "port", "8.8.8.0-8.8.8.9": "hyphen", "8.8.8.8/24": "8.8.8.0/24", "08.8.8.8": "not an IPv4",
    "8.8.8": "not an IPv4", "8.8.8.256": "not an IPv4", "\uff18.8.8.8": "not an address", "1" * 100: "not an address",
}  # fmt: skip


@pytest.mark.parametrize(("typed", "reason"), REFUSED.items())
def test_what_cannot_be_listed_is_refused_with_the_reason(typed: str, reason: str) -> None:
    one = check_address(typed)
    assert not one.is_good
    assert reason in one.words


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("8.8.8.8", "8.8.8.8"), (" 8.8.8.8/32 ", "8.8.8.8"), ("8.8.8.0/28", "8.8.8.0/28"), ("100.63.255.255",) * 2,
        ("172.15.0.1",) * 2, ("172.32.0.1",) * 2, ("2001:4860:0:0::8888", "2001:4860::8888"), ("2a00::/64",) * 2,
    ],
)  # fmt: skip
def test_what_the_internet_sees_can_be_listed_in_one_spelling(typed: str, text: str) -> None:
    assert (check_address(typed).text, check_address(typed).is_good) == (text, True)


@pytest.mark.parametrize(
    ("typed", "is_wide"), [("8.8.0.0/24", True), ("8.8.8.0/25", False), ("2a00::/64", True), ("2a00::/65", False)]
)
def test_a_wide_range_gets_a_word_of_caution(typed: str, is_wide: bool) -> None:
    assert bool(check_address(typed).words) is is_wide


def test_a_list_is_split_at_commas_blanks_and_lines_and_says_each_once() -> None:
    found = check_addresses(" 8.8.8.8,9.9.9.9;\n8.8.8.8\t10.0.0.1 ")
    assert [(one.typed, one.is_good) for one in found] == [("8.8.8.8", True), ("9.9.9.9", True), ("10.0.0.1", False)]
    assert check_addresses(" \n ") == ()


@given(st.ip_addresses())
def test_only_addresses_that_are_seen_on_the_internet_are_taken(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    one = check_address(str(address))
    assert bool(one.words) is not one.is_good
    if one.is_good:
        assert ipaddress.ip_address(one.text) == address
        assert address.is_global
        assert not address.is_multicast
    elif address.version == 4:
        assert not address.is_global or address.is_multicast or address in ipaddress.ip_network("192.0.0.0/24")


@given(st.text(max_size=80))
def test_any_text_is_answered_in_words_on_one_line(typed: str) -> None:
    one = check_address(typed)
    assert one.is_good or one.words
    assert one.words.isprintable()
