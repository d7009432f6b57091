"""What a cluster file takes for an address and for a range: Python's own reader decides."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from saltern_master.cluster.model import Address, Cidr

TEXTS = st.text("0123456789./", max_size=22) | st.ip_addresses(v=4).map(str)


def is_read(text: str, kind: object) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True


def does(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


@given(TEXTS)
@example("10.9.0.21.0.21.0.21")
@example("10.9.0.21.")
@example("10.9.0.021")
def test_law_an_address_is_one(text: str) -> None:
    assert is_read(text, Address) == does(ipaddress.IPv4Address, text)


@given(st.builds("{}/{}".format, TEXTS, st.integers(0, 40)) | TEXTS)
@example("10/10.0.0/16")
@example("10.10.0.0/16/8")
def test_law_a_range_is_one_whatever_its_last_bits(text: str) -> None:
    if is_read(text, Cidr):
        assert does(lambda one: ipaddress.IPv4Network(one, strict=False), text)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "10.10.0.0/16", "255.255.255.255/32"])
def test_a_range_is_taken(text: str) -> None:
    assert is_read(text, Cidr)
