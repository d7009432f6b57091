"""The values that hostile text is put into have a place for every string that their types know."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from msgspec import inspect
from saltern_states.contract import Spec
from saltern_states.kinds import KINDS

from tests.faults.every_field import FULL, At, at_place, places, plain, put


class Inner(msgspec.Struct):
    """A value in a list."""

    deep: str


class Outer(msgspec.Struct):
    """A value with strings in several ways."""

    one: str
    many: tuple[Inner, ...]
    none: str | None = None
    number: int = 0


def strings(kind: inspect.Type, at: At = ()) -> Iterator[At]:
    """Give where a type has strings, every list's items as item 0."""
    match kind:
        case inspect.StrType():
            yield at
        case inspect.LiteralType(values=values) if isinstance(values[0], str):
            yield at
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from strings(field.type, (*at, field.encode_name))
        case inspect.ListType() | inspect.VarTupleType():
            yield from strings(kind.item_type, (*at, 0))
        case inspect.UnionType(types=types):
            for one in types:
                yield from strings(one, at)


def first_of_each(at: At) -> At:
    return tuple(0 if isinstance(step, int) else step for step in at)


@pytest.mark.parametrize("spec", FULL, ids=lambda spec: type(spec).__name__)
def test_no_string_of_a_spec_is_left_out(spec: Spec) -> None:
    found = {first_of_each(at) for at in places(plain(spec))}

    assert set(strings(inspect.type_info(type(spec)))) <= found


def test_no_kind_is_left_out() -> None:
    assert {type(spec) for spec in FULL} == {kind.spec for kind in KINDS}


def test_a_place_is_changed_and_nothing_else() -> None:
    value = {"a": [{"b": "x"}, {"b": "y"}], "c": "z"}
    assert list(places(value)) == [("a", 0, "b"), ("a", 1, "b"), ("c",)]
    changed = put(value, ("a", 1, "b"), "new")
    assert changed == {"a": [{"b": "x"}, {"b": "new"}], "c": "z"}
    assert value["a"][1] == {"b": "y"}
    assert at_place(changed, ("a", 1, "b")) == "new"


def test_the_types_are_read() -> None:
    assert set(strings(inspect.type_info(Outer))) == {("one",), ("many", 0, "deep"), ("none",)}
