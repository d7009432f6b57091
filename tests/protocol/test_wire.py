"""Bytes and values: deterministic one way, closed the other."""

from collections.abc import Mapping
from contextlib import suppress

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct
from saltern_protocol.errors import MalformedError
from saltern_protocol.wire import MAX_DEPTH, MAX_ITEMS, Plain, pack, unpack, unpack_plain

LIMIT = 1024 * 1024

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
plain_values: st.SearchStrategy[Plain] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


class Thing(Struct, frozen=True, tag_field="type", tag="thing/1"):
    data: bytes
    names: Mapping[str, int]


@given(plain_values)
def test_what_was_packed_is_read_back(value: Plain) -> None:
    assert unpack_plain(pack(value), LIMIT) == value


@given(st.dictionaries(st.text(max_size=4), st.integers(0, 9)))
def test_equal_values_have_equal_bytes(names: dict[str, int]) -> None:
    backwards = dict(reversed(names.items()))
    assert pack(Thing(b"x", names)) == pack(Thing(b"x", backwards))


def nested(levels: int) -> bytes:
    return b"\x91" * levels + b"\xc0"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(b"", "incomplete", id="nothing"),
        pytest.param(b"\xc0\xc0", "extra", id="something after the end"),
        pytest.param(b"\x82\xa1a\x01\xa1a\x02", "same key twice", id="a key twice"),
        pytest.param(b"\x81\x01\x02", "not allowed", id="a number as key"),
        pytest.param(b"\x81\xc4\x01a\x02", "key that is a bytes", id="bytes as key"),
        pytest.param(msgpack.packb(1.0), "a float", id="a float"),
        pytest.param(msgpack.packb(msgpack.ExtType(5, b"x")), "extension type 5", id="extension"),
        pytest.param(msgpack.packb(msgpack.Timestamp(1)), "a Timestamp", id="timestamp"),
        pytest.param(b"\xa1\xff", "utf-8", id="text that is no UTF-8"),
        pytest.param(nested(MAX_DEPTH), "deeper than 16", id="one level too deep"),
        pytest.param(b"\x91" * 100_000, "", id="deeper than the machine's stack"),
        pytest.param(msgpack.packb([None] * MAX_ITEMS), "more than 20000", id="an item too many"),
        pytest.param(b"\xdd\xff\xff\xff\xff", "", id="a length that is a lie"),
    ],
)
def test_what_is_no_plain_value_is_malformed(data: bytes, found: str) -> None:
    with pytest.raises(MalformedError, match=r"^cannot read") as caught:
        unpack_plain(data, LIMIT)
    assert found in str(caught.value)


@pytest.mark.parametrize(
    "data", [nested(MAX_DEPTH - 1), msgpack.packb([None] * (MAX_ITEMS - 1))], ids=["deep", "many"]
)
def test_the_bounds_themselves_are_allowed(data: bytes) -> None:
    assert pack(unpack_plain(data, LIMIT)) == data


def test_one_byte_over_the_limit_is_refused_unparsed() -> None:
    assert unpack_plain(b"\xa1a", 2) == "a"
    with pytest.raises(MalformedError, match="limit is 1"):
        unpack_plain(b"\xa1a", 1)


@pytest.mark.parametrize(
    "value",
    [1.0, {1: 2}, {b"a": 1}, 2**64, "\ud800", object(), bytearray(b"x"), [[None] * MAX_ITEMS]],
    ids=["float", "number key", "bytes key", "2^64", "surrogate", "object", "bytearray", "many"],
)
def test_what_could_not_be_read_is_not_packed(value: object) -> None:
    with pytest.raises(MalformedError, match=r"^cannot pack"):
        pack(value)


@pytest.mark.parametrize(
    "plain",
    [
        {"type": "thing/1", "data": "eA==", "names": {}},  # msgspec would take base64 for bytes
        {"type": "thing/2", "data": b"x", "names": {}},
        {"type": "thing/1", "data": b"x", "names": {"a": True}},
        {"type": "thing/1", "data": b"x", "names": {"a": "1"}},
        {"type": "thing/1", "data": b"x"},
        {"data": b"x", "names": {}, "type": None},
        [],
    ],
)
def test_what_has_another_type_is_malformed(plain: Plain) -> None:
    with pytest.raises(MalformedError, match=r"^cannot read a Thing"):
        unpack(pack(plain), Thing, LIMIT)


def test_fields_that_we_do_not_know_are_ignored() -> None:
    newer: Plain = {"type": "thing/1", "data": b"x", "names": {}, "colour": "blue"}
    assert unpack(pack(newer), Thing, LIMIT) == Thing(b"x", {})


def test_an_error_is_fit_for_a_terminal() -> None:
    with pytest.raises(MalformedError) as caught:
        unpack(pack({"type": "\x1b[2J\n", "data": b"", "names": {}}), Thing, LIMIT)
    assert str(caught.value).isprintable()


@given(st.binary(max_size=200))
@example(b"\xd7\xff" + b"\xff" * 8)  # a timestamp with too many nanoseconds
@example(b"\xc7\x0c\xff" + b"\xff" * 12)
@example(b"\x82\xa4type\xa7thing/1\xa1x" + b"\x91" * 100_000)
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    with suppress(MalformedError):
        unpack(data, Thing, LIMIT)
    with suppress(MalformedError):
        unpack_plain(data, LIMIT)
