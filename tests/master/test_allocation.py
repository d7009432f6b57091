"""A node's range of pod addresses stays its own."""

from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st
from saltern_master.compile.allocation import Allocation, allocate

PODS = "10.10.0.0/20"  # sixteen of /24
names = st.lists(
    st.sampled_from([f"n{number}" for number in range(20)]), min_size=1, max_size=16, unique=True
)


def test_the_first_node_has_the_first_range() -> None:
    assert allocate(PODS, 24, ["b", "a"], Allocation()).ranges == {
        "a": "10.10.1.0/24",
        "b": "10.10.0.0/24",
    }


@given(first=names, then=names)
def test_who_stays_keeps_its_range(first: list[str], then: list[str]) -> None:
    before = allocate(PODS, 24, first, Allocation())
    after = allocate(PODS, 24, then, before)
    kept = set(first) & set(then)
    assert {name: after.ranges[name] for name in kept} == {
        name: before.ranges[name] for name in kept
    }


@given(st.lists(names, min_size=1, max_size=5))
def test_no_two_nodes_share_an_address(changes: list[list[str]]) -> None:
    allocation = Allocation()
    for wanted in changes:
        allocation = allocate(PODS, 24, wanted, allocation)
        assert set(wanted) <= set(allocation.ranges)
        ranges = [IPv4Network(one) for one in allocation.ranges.values()]
        assert len(set(ranges)) == len(ranges)
        assert all(one.prefixlen == 24 and one.subnet_of(IPv4Network(PODS)) for one in ranges)


def test_the_range_of_who_left_is_held_while_another_is_free() -> None:
    before = allocate("10.10.0.0/23", 24, ["a"], Allocation())
    held = allocate("10.10.0.0/23", 24, ["b"], before)
    assert held.ranges == {"a": "10.10.0.0/24", "b": "10.10.1.0/24"}
    taken = allocate("10.10.0.0/23", 24, ["b", "c"], held)
    assert taken.ranges == {"b": "10.10.1.0/24", "c": "10.10.0.0/24"}


def test_a_range_that_the_file_no_longer_allows_is_cut_anew() -> None:
    before = Allocation({"a": "10.10.0.0/24", "b": "10.20.0.0/24", "c": "10.10.0.0/24"})
    after = allocate("10.10.0.0/16", 24, ["a", "b", "c"], before)
    assert after.ranges["a"] == "10.10.0.0/24"
    assert len(set(after.ranges.values())) == 3
    smaller = allocate("10.10.0.0/16", 26, ["a"], before)
    assert smaller.ranges == {"a": "10.10.0.0/26"}
