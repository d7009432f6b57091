"""What the front keeps for others, and its bounds: budgets, the door, letters that wait, blobs."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.front import cutoff, door, guard
from saltern_master.front.blobs import BlobsError, open_blobs, read_part
from saltern_master.front.budget import Bucket, Rate, spend
from saltern_master.front.door import Door
from saltern_master.front.outgoing import MOST_MESSAGES, STUCK_SECONDS, Delivered, Outgoing
from saltern_master.front.process import Process
from saltern_master.front.sockets import Sent
from saltern_protocol import messages
from saltern_protocol.messages import MAX_PART, BlobAsk, BlobPart

BLOB = bytes(32)


@given(
    costs=st.lists(st.tuples(st.floats(0, 50), st.floats(0, 20))),
    burst=st.floats(1, 100),
    rate=st.floats(0, 10),
)
def test_never_more_is_spent_than_flowed_in(
    costs: list[tuple[float, float]], burst: float, rate: float
) -> None:
    bucket, now, total = Bucket(), 0.0, 0.0
    for cost, later in costs:
        now += later
        after = spend(bucket, Rate(burst, rate), cost, now)
        if after is not None:
            bucket, total = after, total + cost
        assert total <= burst + rate * now + 1e-6


def test_one_key_knocks_now_and_then_and_keeps_nobody_else_out() -> None:
    rule = Door()
    assert [rule.opens(b"k", "192.0.2.1", 0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert rule.opens(b"other", "192.0.2.1", 0)
    assert rule.opens(b"k", "192.0.2.1", 2)


def test_many_keys_of_one_address_have_one_budget() -> None:
    rule = Door()
    opened = sum(rule.opens(bytes([n]), "192.0.2.1", 0) for n in range(200))
    assert opened == door.ADDRESS.burst
    assert rule.opens(b"far", "192.0.2.2", 0)


def test_all_together_have_a_budget_and_the_door_remembers_so_many() -> None:
    rule = Door()
    opened = sum(rule.opens(n.to_bytes(4), f"address {n}", n / 1000) for n in range(10_000))
    assert door.ALL.burst + 9 * door.ALL.per_second <= opened
    assert opened <= door.ALL.burst + 10 * door.ALL.per_second


@dataclass(slots=True)
class Pipe:
    """Peers' queues of libzmq, as far as a sender sees them: so many messages each."""

    room: int = 16
    queues: dict[bytes, deque[bytes]] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)

    def send(self, route: bytes, data: bytes) -> Sent:
        queue = self.queues.setdefault(route, deque())
        if route in self.gone:
            return Sent.GONE
        if len(queue) >= self.room:
            return Sent.FULL
        queue.append(data)
        return Sent.SENT


def read(blob: bytes, offset: int) -> BlobPart | None:
    """A blob of ten parts."""
    data = bytes(min(MAX_PART, max(0, 10 * MAX_PART - offset)))
    return BlobPart(blob=blob, offset=offset, size=10 * MAX_PART, data=data)


def ask(offset: int, credit: int) -> BlobAsk:
    return BlobAsk(blob=BLOB, offset=offset, credit=credit)


def test_never_more_is_sent_than_was_asked_for_and_all_of_it() -> None:
    pipe = Pipe()
    out = Outgoing(pipe.send, read)
    out.ask(b"k", b"r", ask(0, 3), 0)
    out.ask(b"k", b"r", ask(8 * MAX_PART, 64), 0)
    paid = sum(one.parts for now in range(20) for one in out.deliver(float(now)))

    offsets = [_part(data).offset // MAX_PART for data in pipe.queues[b"r"]]
    assert offsets == [0, 1, 2, 8, 9]
    assert (paid, out.next_at()) == (3 + 64, None)


def test_a_peer_that_does_not_read_holds_up_nobody_and_ends() -> None:
    pipe = Pipe(room=2)
    out = Outgoing(pipe.send, read)
    out.ask(b"slow", b"s", ask(0, 10), 0)
    got: dict[bytes, int] = {b"slow": 0, b"fast": 0}
    out.ask(b"fast", b"f", ask(0, 10), 0)
    for turn in range(40):
        for one in out.deliver(turn / 10):
            got[one.key] += one.parts
        pipe.queues[b"f"].clear()
    assert got == {b"slow": 2, b"fast": 10}
    assert Delivered(b"slow", 0, gone=True) in out.deliver(4 + STUCK_SECONDS)
    assert out.next_at() is None


def test_messages_wait_in_their_order_before_parts_and_not_without_end() -> None:
    pipe = Pipe(room=1)
    out = Outgoing(pipe.send, read)
    told = [out.tell(b"k", b"r", bytes([n]), 0) for n in range(MOST_MESSAGES + 2)]
    assert told == [Sent.SENT] + [Sent.FULL] * MOST_MESSAGES + [Sent.GONE]

    out.ask(b"k", b"r", ask(0, 1), 0)
    came: list[bytes] = []
    for now in range(200):
        came += pipe.queues[b"r"]
        pipe.queues[b"r"].clear()
        out.deliver(float(now))
    assert came[:-1] == [bytes([n]) for n in range(MOST_MESSAGES + 1)]
    assert _part(came[-1]).offset == 0


def test_who_is_gone_is_told_as_gone() -> None:
    pipe = Pipe(gone={b"r"})
    out = Outgoing(pipe.send, read)
    assert out.tell(b"k", b"r", b"x", 0) is Sent.GONE
    out.ask(b"k", b"r", ask(0, 5), 0)
    assert out.deliver(0) == [Delivered(b"k", 0, gone=True)]


def _part(data: bytes) -> BlobPart:
    part = messages.from_master(data)
    assert isinstance(part, BlobPart)
    return part


@pytest.mark.parametrize("what", ["missing", "link", "directory", "pipe"])
def test_what_is_no_file_is_no_blob_and_is_not_waited_for(tmp_path: Path, what: str) -> None:
    digest = hashlib.sha256(what.encode()).digest()
    path = tmp_path / digest.hex()
    (tmp_path / "secret").write_text("secret")
    if what == "link":
        path.symlink_to(tmp_path / "secret")
    elif what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    directory = open_blobs(str(tmp_path))
    try:
        assert read_part(directory, digest, 0) is None
    finally:
        os.close(directory)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BlobsError, match=f"cannot open .*{tmp_path}/none"):
        open_blobs(f"{tmp_path}/none")


def test_who_filled_us_is_chosen_and_who_brought_little_is_not() -> None:
    mib = 2**20
    before = {("a", 1): 500 * mib, ("b", 2): 0}
    now = {("a", 1): 501 * mib, ("b", 2): 40 * mib, ("c", 3): 50 * mib, ("d", 4): mib // 2}

    assert guard.choose(before, now, 64 * mib) == (("c", 3), ("b", 2))
    assert guard.choose(before, now, 900 * mib) == (("c", 3), ("b", 2), ("a", 1))
    assert guard.choose(now, now, 64 * mib) == ()


def test_what_a_node_brought_long_ago_does_not_make_it_guilty() -> None:
    mib = 2**20
    listener = socket.create_server(("127.0.0.1", 0))
    filled: list[bytearray] = []
    with listener, socket.create_connection(listener.getsockname()) as node:
        taken, _ = listener.accept()
        process = Process()
        with taken, closing(process):
            rule = guard.Guard(process, frozenset({listener.getsockname()[1]}))
            rule.look(0)

            def bring() -> None:
                sender = threading.Thread(target=node.sendall, args=(bytes(2 * mib),))
                sender.start()
                taken.recv(2 * mib, socket.MSG_WAITALL)
                sender.join()

            bring()
            assert rule.look(guard.RECENT) == ()
            filled.append(bytearray(b"x") * (2 * guard.GROWTH))
            assert rule.look(guard.RECENT + 1) == (), "of late it brought nothing"
            bring()
            filled.append(bytearray(b"x") * (2 * guard.GROWTH))
            assert rule.look(guard.RECENT + 2) == (node.getsockname(),)


def test_who_goes_on_to_deaf_ears_is_to_be_shut_and_not_at_once() -> None:
    rule = cutoff.Cutoff()
    assert not any(rule.dropped(b"loud", 0) for _ in range(10 * cutoff.MOST))  # it may not know yet
    assert rule.dropped(b"loud", cutoff.GRACE)


def test_who_comes_again_with_the_same_routing_id_is_to_be_shut_again() -> None:
    rule = cutoff.Cutoff()
    when = (n * cutoff.GRACE / (cutoff.MOST - 1) for n in range(3 * cutoff.MOST))
    assert sum(rule.dropped(b"same", now) for now in when) == 3


def test_few_dropped_messages_in_a_long_time_shut_nobody_and_are_forgotten() -> None:
    rule = cutoff.Cutoff()
    assert not any(rule.dropped(b"mild", n) for n in range(cutoff.MOST - 1))
    for n in range(cutoff.REMEMBERED):
        rule.dropped(n.to_bytes(4), 1000)
    assert not rule.dropped(b"mild", 1001)
