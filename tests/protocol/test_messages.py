"""Messages: released bytes, the closed table of who may say what, and no bytes that do harm.

SALTERN_GOLDEN=write makes the files of tests/golden/messages anew: see test_golden.py.
SALTERN_FUZZ=300000 tries so many hostile frames in place of the 50,000 of a plain run.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from textwrap import fill
from typing import get_args

import pytest
from msgspec.structs import replace
from saltern_protocol import messages, wire
from saltern_protocol.documents import MAX_ROOTS
from saltern_protocol.errors import MalformedError
from saltern_protocol.messages import (
    MAX_ITEMS,
    MAX_MESSAGE,
    MAX_PART,
    BlobPart,
    Enrol,
    FromDoor,
    FromMaster,
    FromNode,
    Message,
    Refused,
    Report,
    encode,
    from_door,
    from_master,
    from_node,
    from_stranger,
)

from tests.protocol.examples import (
    ALL,
    APPLIED,
    DIGEST,
    FROM_DOOR,
    FROM_MASTER,
    FROM_NODE,
    FROM_STRANGER,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "messages"
FUZZ = int(os.environ.get("SALTERN_FUZZ", "50000"))

Read = Callable[[bytes], Message]
TABLE: dict[str, tuple[Read, tuple[type[Message], ...], dict[str, Message]]] = {
    "node": (from_node, get_args(FromNode), FROM_NODE),
    "master": (from_master, get_args(FromMaster), FROM_MASTER),
    "stranger": (from_stranger, (Enrol,), FROM_STRANGER),
    "door": (from_door, get_args(FromDoor), FROM_DOOR),
}


@pytest.mark.parametrize("name", ALL)
def test_released_bytes_never_change(name: str) -> None:
    data = encode(ALL[name])
    path = GOLDEN / f"{name}.hex"
    if os.environ.get("SALTERN_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fill(data.hex(), 96) + "\n")
    assert data == bytes.fromhex(path.read_text())


def test_every_golden_file_is_looked_at() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(ALL)


def every_type() -> set[type[Message]]:
    classes = (one for one in vars(messages).values() if inspect.isclass(one))
    return {one for one in classes if issubclass(one, Message) and one is not Message}


def test_every_message_has_one_speaker_and_a_number_of_its_own() -> None:
    said = [one for _, types, _ in TABLE.values() for one in types]
    assert set(said) == every_type()
    assert [one for one in said if said.count(one) > 1] == [Refused, Refused]  # master and door
    numbers = [one.__struct_config__.tag for one in every_type()]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))  # type: ignore[type-var]


def test_every_message_has_an_example() -> None:
    for _, types, examples in TABLE.values():
        assert {type(example) for example in examples.values()} == set(types)


@pytest.mark.parametrize("reader", TABLE)
@pytest.mark.parametrize("name", ALL)
def test_each_type_is_read_from_its_speaker_and_from_nobody_else(name: str, reader: str) -> None:
    read, types, _ = TABLE[reader]
    message = ALL[name]
    data = encode(message)
    if type(message) in types:
        assert read(data) == message
    else:
        with pytest.raises(MalformedError):
            read(data)


@pytest.mark.parametrize("name", ALL)
def test_a_field_that_nobody_knows_is_malformed(name: str) -> None:
    """Closed in both directions: no sender can say who it is, or hide what others pass over."""
    plain = wire.unpack_plain(encode(ALL[name]), MAX_MESSAGE)
    assert isinstance(plain, dict)
    for read, types, _ in TABLE.values():
        if type(ALL[name]) in types:
            with pytest.raises(MalformedError):
                read(wire.pack(plain | {"node": "w2", "sender": "w2"}))


@pytest.mark.parametrize("number", [0, 23, -1, 2**63, "hello", None, True, [1], b"\1"])
def test_a_number_that_is_not_in_the_table_is_malformed(number: wire.Plain) -> None:
    try:
        data = wire.pack({"t": number})
    except MalformedError:
        return  # no bytes say it
    for read, _, _ in TABLE.values():
        with pytest.raises(MalformedError):
            read(data)


HELLO = FROM_NODE["hello"]
PART = BlobPart(blob=DIGEST, offset=0, size=MAX_PART, data=bytes(MAX_PART))


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (HELLO, {"incarnation": "W1"}),
        (HELLO, {"nonce": bytes(15)}),
        (HELLO, {"nonce": bytes(17)}),
        (HELLO, {"root": 0}),
        (HELLO, {"version": -1}),
        (HELLO, {"version": 2**63}),
        (HELLO, {"kinds": ("file/1\n",)}),
        (HELLO, {"kinds": ("../file/1",)}),
        (HELLO, {"kinds": ("file/1",) * 201}),
        (HELLO, {"facts": bytes(8 * 1024 + 1)}),
        (FROM_NODE["blob-ask"], {"credit": 0}),
        (FROM_NODE["blob-ask"], {"credit": 65}),
        (FROM_NODE["blob-ask"], {"blob": b"../../etc/passwd".ljust(33)}),
        (FROM_NODE["report"], {"items": ()}),
        (FROM_NODE["report"], {"items": (APPLIED,) * (MAX_ITEMS + 1)}),
        (FROM_NODE["report"], {"first": 0}),
        (FROM_NODE["looked"], {"outcome": "fine"}),
        (FROM_MASTER["doc"], {"roots": (b"",) * (MAX_ROOTS + 1)}),
        (FROM_MASTER["doc"], {"body": bytes(31)}),
        (PART, {"data": bytes(MAX_PART + 1)}),
        (FROM_STRANGER["enrol"], {"node": "../w1"}),
        (FROM_STRANGER["enrol"], {"secret": bytes(33)}),
        (FROM_STRANGER["enrol"], {"sealing": bytes(31)}),
    ],
    ids=str,
)
def test_what_nobody_could_read_is_not_sent(message: Message, fields: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        encode(replace(message, **fields))


def test_the_largest_part_and_the_largest_report_fit_a_frame() -> None:
    assert from_master(encode(PART)) == PART
    report = Report(first=1, items=(APPLIED,) * MAX_ITEMS)
    assert len(encode(report)) < MAX_MESSAGE
    with pytest.raises(MalformedError, match="limit"):
        from_node(bytes(MAX_MESSAGE + 1))


@pytest.mark.parametrize("name", ALL)
def test_what_is_cut_short_is_malformed(name: str) -> None:
    data = encode(ALL[name])
    for size in range(0, len(data), max(1, len(data) // 50)):
        for read, _, _ in TABLE.values():
            with pytest.raises(MalformedError):
                read(data[:size])


def mutations(chance: Random) -> Iterator[bytes]:
    """Give frames without end: examples that were changed in places, and bytes by chance."""
    whole = [encode(message) for message in ALL.values()]
    small = [data for data in whole if len(data) < 600]
    while True:
        if chance.random() < 0.1:
            yield chance.randbytes(chance.randrange(40))
            continue
        data = bytearray(chance.choice(small if chance.random() < 0.95 else whole))
        for _ in range(chance.randint(1, 4)):
            _change(data, chance, small)
        yield bytes(data)


def _change(data: bytearray, chance: Random, others: list[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(5):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1 if at < len(data):
            data[at] = chance.choice(b"\x00\x7f\x80\x90\xc0\xc1\xc4\xc6\xca\xd4\xd9\xdc\xdf\xff")
        case 2:
            del data[at : at + chance.randrange(1, 9)]
        case 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        case _:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            data[at : at + chance.randrange(9)] = other[start : start + chance.randrange(1, 40)]


def _message_or_why(read: Read, data: bytes) -> Message | str:
    try:
        return read(data)
    except MalformedError as error:
        return str(error)


@pytest.mark.timeout(600)
def test_no_frame_does_more_than_be_malformed() -> None:
    """What is read all the same is a message like any other: it can be sent and read again."""
    chance, read_all = Random(3), 0
    readers = [read for read, _, _ in TABLE.values()]
    for _, data in zip(range(FUZZ), mutations(chance), strict=False):
        for read in readers:
            found = _message_or_why(read, data)
            if isinstance(found, str):
                assert found.isprintable()
                continue
            read_all += 1
            assert read(encode(found)) == found
    assert read_all > FUZZ / 1000, "no frame was near enough to a good one to tell anything"


@pytest.mark.parametrize(
    "data",
    [
        b"\x91" * 200_000,
        b"\x81\xa1t\x01" + b"\x91" * 100_000,
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff" + b"\x80" * 200_000,
        b"\x80" * MAX_MESSAGE,
        b"\x82\xa1t\x01\xa1t\x03",
        b"\x82\xa1t\x03\xa1t\x03",
    ],
    ids=["lists", "lists in a field", "map of 2^32", "list of maps", "maps", "two types", "twice"],
)
def test_frames_that_were_made_to_cost_are_malformed(data: bytes) -> None:
    for read, _, _ in TABLE.values():
        with pytest.raises(MalformedError):
            read(data)
