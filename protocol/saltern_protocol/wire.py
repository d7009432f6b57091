"""Values to bytes and back: msgpack for the bytes, msgspec for the types.

* pack() gives equal bytes for equal values of one type: keys of maps are sorted,
  fields stand in the order of their class.
* unpack() raises MalformedError and nothing else, whatever the bytes.
* Only null, booleans, integers, text, bytes, lists and maps with text keys exist.
  No floats (1.0 equals 1), no extension types, no timestamps (msgpack makes them
  before it asks), no key twice (the last would win unseen).
* Size is bounded before parsing, since a megabyte of empty maps takes 73 to hold;
  depth and the number of items after it, also in fields that nobody reads.
* pack() keeps the same bounds, so what was packed can be read.

msgpack has many forms for one number. Nothing here is canonical for that reason,
and nothing needs to be: signatures cover bytes as received (envelope.py).
"""

from typing import Any, Never, TypeVar

import msgpack
import msgspec

from saltern_protocol.errors import MalformedError

MAX_DEPTH = 16
MAX_ITEMS = 20_000
LEAVES = frozenset({bool, int, str, bytes, type(None)})
BINARY = (bytes, bytearray)  # as they are: msgspec would make base64 text of them

Plain = None | bool | int | str | bytes | list["Plain"] | dict[str, "Plain"]
T = TypeVar("T")


def pack(value: object) -> bytes:
    """Give the bytes of a value; MalformedError if they could not be read again."""
    try:
        plain = msgspec.to_builtins(value, builtin_types=BINARY, order="deterministic")
        _refuse_strange(plain)
        return bytes(msgpack.packb(plain))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MalformedError(f"cannot pack a {type(value).__name__}: {error}") from error


def pack_checked(value: object, limit: int) -> bytes:
    """Give the bytes of a value that its own type and limit let pass; MalformedError if not.

    msgspec checks what is read, not what is made, and nobody shall sign what no node can read.
    """
    data = pack(value)
    unpack(data, type(value), limit)
    return data


def unpack(data: bytes, type: type[T], limit: int) -> T:  # noqa: A002  the word is the right one
    """Read a value of one type from at most `limit` bytes that we do not trust."""
    plain = unpack_plain(data, limit)
    try:
        return msgspec.convert(plain, type, builtin_types=BINARY)
    except ValueError as error:
        what = getattr(type, "__name__", "message")  # a union of types has no name
        raise MalformedError(f"cannot read a {what}: {error}") from error


def unpack_plain(data: bytes, limit: int) -> Plain:
    """Read plain values from at most `limit` bytes; their types are somebody else's to check."""
    if len(data) > limit:
        raise MalformedError(f"cannot read {len(data)} bytes: the limit is {limit}")
    try:
        plain: Plain = msgpack.unpackb(
            data,
            object_pairs_hook=_once,
            ext_hook=_refuse_ext,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
        )
        _refuse_strange(plain)
    except (ValueError, RecursionError) as error:  # msgpack's errors are ValueErrors
        raise MalformedError(f"cannot read {len(data)} bytes: {error}") from error
    return plain


def _once(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) != len(pairs):
        raise ValueError("the same key twice in one map")
    return plain


def _refuse_ext(code: int, _data: bytes) -> Never:
    raise ValueError(f"extension type {code}")


def _refuse_strange(plain: object) -> None:
    """Bound depth and number, layer by layer, and let only our types pass."""
    layer, items = [plain], 1
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for value in layer:
            if type(value) not in LEAVES:  # most are
                below.extend(_members(value))
        items += len(below)
        if items > MAX_ITEMS:
            raise ValueError(f"more than {MAX_ITEMS} items")
        if not below:
            return
        layer = below
    raise ValueError(f"deeper than {MAX_DEPTH}")


def _members(value: object) -> list[object]:
    """Give what one value holds."""
    if isinstance(value, list | tuple):  # a tuple when packing, never when reading
        return list(value)
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):  # msgpack lets bytes pass as well
                raise ValueError(f"a key that is a {type(key).__name__}")
        return list(value.values())
    if value is not None and not isinstance(value, bool | int | str | bytes):
        raise ValueError(f"a {type(value).__name__}")
    return []
