"""What comes before what: laws of the order, and the name of a cycle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_states.order import CycleError, dependents, in_order

NAMES = st.integers(0, 9).map(str)
ACYCLIC = st.dictionaries(NAMES, st.lists(NAMES, max_size=4).map(tuple), max_size=10).map(
    lambda after: {
        name: tuple(one for one in before if one < name and one in after)
        for name, before in after.items()
    }
)


@given(ACYCLIC)
def test_each_stands_behind_all_that_it_waits_for(after: dict[str, tuple[str, ...]]) -> None:
    order = in_order(after)

    assert sorted(order) == sorted(after)
    assert all(order.index(one) < order.index(name) for name in after for one in after[name])


@given(st.lists(NAMES, unique=True))
def test_what_waits_for_nothing_stays_where_it_was_declared(names: list[str]) -> None:
    assert in_order(dict.fromkeys(names, ())) == tuple(names)


def test_a_cycle_is_named_and_not_what_merely_waits_for_it() -> None:
    with pytest.raises(CycleError) as raised:
        in_order({"a": ("b",), "b": ("c",), "c": ("b",), "d": ()})

    assert set(raised.value.cycle) == {"b", "c"}
    assert raised.value.cycle[0] == raised.value.cycle[-1]


def test_dependents_are_those_behind_directly_or_not() -> None:
    after = {"a": (), "b": ("a",), "c": ("b",), "d": ()}

    assert dependents(after, frozenset({"a"})) == {"b", "c"}
    assert dependents(after, frozenset({"d"})) == frozenset()
