"""Who is turned away when connections get many, and that nodes behind one address are not."""

from __future__ import annotations

import io
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.core.alarms import DESCRIPTORS_PERCENT
from saltern_master.front.log import Log
from saltern_master.front.loop import ALARM_PERCENT
from saltern_master.front.process import Connection, Process
from saltern_master.front.sockets import Listener, ListenError, bind
from saltern_master.front.turnstile import (
    MOST_UNFINISHED,
    STAY,
    WELCOME,
    Bounds,
    Closed,
    Turn,
    bounds_of,
    surplus,
    turn,
    unfinished,
)
from saltern_master.front.usher import Usher

LINK, DOOR = 6555, 6556
BOUNDS = bounds_of(20_000)
SMALL = Bounds(unfinished=40, each=20, door=12, high=900, low=800, backlog=100)


def many(
    count: int, address: str = "192.0.2.1", *, finished: bool = False, port: int = LINK
) -> tuple[Connection, ...]:
    acked = WELCOME + 50 if finished else WELCOME
    return tuple(Connection(port, (address, 1024 + at), 0, acked) for at in range(count))


def turned(
    connections: tuple[Connection, ...], descriptors: int, bounds: Bounds = BOUNDS, now: float = 1e6
) -> Turn:
    since = {one.peer: float(at) for at, one in enumerate(connections)}
    return turn(connections, since, DOOR, descriptors, bounds, now)


def test_ten_thousand_nodes_behind_one_address_are_let_in() -> None:
    nodes = many(9_000, finished=True) + many(BOUNDS.each - 1, "192.0.2.1")
    assert turned(nodes, 10_100) == Turn()


def test_one_address_with_many_that_do_not_finish_is_not_heard_and_others_are() -> None:
    decided = turned(many(BOUNDS.each) + many(300, "192.0.2.2"), 2_000)
    assert decided == Turn(Closed(addresses=frozenset({"192.0.2.1"})))


def test_many_addresses_that_do_not_finish_close_both_ports_and_end_nobody() -> None:
    crowd = tuple(
        one for at in range(MOST_UNFINISHED) for one in many(1, f"198.51.{at // 256}.{at % 256}")
    )
    assert turned(crowd, 3_000) == Turn(Closed(ports=frozenset({LINK, DOOR})))


def test_the_door_has_its_share_and_shows_out_who_has_most_of_it() -> None:
    full = many(BOUNDS.door, "203.0.113.9", finished=True, port=DOOR)
    rack = many(40, "192.0.2.7", finished=True, port=DOOR)
    decided = turned(full + rack, 4_000)
    assert decided.closed == Closed(ports=frozenset({DOOR}))
    assert {address for address, _ in decided.shut} == {"203.0.113.9"}
    assert len(full) + len(rack) - len(decided.shut) == BOUNDS.door * 3 // 4
    newest = full[-1].peer
    assert newest not in decided.shut


def test_who_has_just_come_to_the_door_may_stay() -> None:
    full = many(BOUNDS.door, "203.0.113.9", finished=True, port=DOOR)
    assert turned(full, 4_000, now=STAY - 0.1).shut == frozenset()
    assert turned(full, 4_000, now=STAY).shut == {full[0].peer}


def test_where_descriptors_run_short_nodes_stay_and_strangers_go() -> None:
    nodes, strangers = many(700, finished=True), many(39, "198.51.100.1")
    decided = turned(nodes + strangers, SMALL.high, SMALL)
    assert decided.closed.ports == {LINK, DOOR}
    assert decided.shut == frozenset(one.peer for one in strangers)


@given(
    held=st.lists(st.integers(0, 60), max_size=12),
    most=st.integers(0, 200),
)
def test_surplus_leaves_no_more_than_it_may_and_takes_from_who_has_most(
    held: list[int], most: int
) -> None:
    everybody = tuple(one for at, count in enumerate(held) for one in many(count, f"192.0.2.{at}"))
    since = {one.peer: float(one.peer[1]) for one in everybody}
    gone = surplus(everybody, since, most)
    left = Counter(one.peer[0] for one in set(everybody) - set(gone))
    assert left.total() <= most
    assert left.total() >= min(most, len(everybody)) - len(held)  # no more than need be
    for address in {one.peer[0] for one in gone}:
        assert left[address] == max(left.values(), default=0) or left[address] == 0
        mine = [one.peer[1] for one in everybody if one.peer[0] == address]
        shut = [one.peer[1] for one in gone if one.peer[0] == address]
        assert sorted(shut) == sorted(mine)[: len(shut)]  # the oldest


@given(limit=st.integers(256, 2_000_000))
def test_the_bounds_leave_room_for_what_waits_in_the_kernel(limit: int) -> None:
    bounds = bounds_of(limit)
    assert bounds.unfinished + bounds.door < bounds.low < bounds.high
    assert bounds.high + 2 * bounds.backlog <= limit


@pytest.fixture
def process() -> Iterator[Process]:
    one = Process()
    yield one
    one.close()


def comes_in(listener: Listener, address: str, stack: ExitStack) -> bool:
    """Connect from an address of loopback, and see whether it comes to the entrance."""
    one = stack.enter_context(socket.socket())
    one.settimeout(0.3)
    one.bind((address, 0))
    with suppress(TimeoutError):
        one.connect(listener.entrance.getsockname())
    if not select.select([listener.entrance], [], [], 0)[0]:
        return False
    stack.enter_context(listener.entrance.accept()[0])
    return True


def test_the_usher_turns_away_one_address_then_all_and_then_nobody(process: Process) -> None:
    said = io.StringIO()
    with ExitStack() as stack:
        link = stack.enter_context(closing(bind("127.0.0.1", 0, 100)))
        door = stack.enter_context(closing(bind("127.0.0.1", 0, 100)))
        ports = (link.port, door.port)
        bounds = Bounds(unfinished=130, each=60, door=500, high=10**6, low=10**6, backlog=100)
        log = Log(said, time.monotonic)
        usher = Usher(process, link, door, bounds, log)
        with ExitStack() as strangers:
            for _ in range(bounds.each):
                assert comes_in(link, "127.0.0.2", strangers)
            usher.look(0, 1.0)
            assert not comes_in(link, "127.0.0.2", stack)
            assert not comes_in(door, "127.0.0.2", stack)
            assert comes_in(link, "127.0.0.3", stack)
            for _ in range(bounds.unfinished - bounds.each):
                comes_in(door, "127.0.0.4", strangers)
            usher.look(0, 100.0)
            assert not comes_in(door, "127.0.0.3", stack)
        usher.look(0, 200.0)
        assert comes_in(link, "127.0.0.2", stack)
        assert comes_in(door, "127.0.0.3", stack)
    many = "front: too many connections do not say who they are: no new connections, "
    assert said.getvalue().splitlines() == [
        f"{many}from 127.0.0.2",
        f"{many}port {min(ports)}, port {max(ports)}, from 127.0.0.2, from 127.0.0.4",
    ]


def test_the_usher_shuts_who_is_shown_out_and_nobody_else(process: Process) -> None:
    with ExitStack() as stack:
        link = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        ends = []
        for _ in range(3):
            one = stack.enter_context(socket.create_connection(link.getsockname()))
            stack.enter_context(link.accept()[0])
            ends.append(one)
        port = link.getsockname()[1]
        found = process.connections(frozenset({port}))
        assert {one.peer for one in found} == {one.getsockname() for one in ends}
        assert unfinished(found) == found
        process.shut(frozenset({ends[1].getsockname()}))
        assert ends[1].recv(1) == b""
        assert select.select([ends[0], ends[2]], [], [], 0)[0] == []


def test_another_master_on_the_port_is_told() -> None:
    with (
        closing(bind("127.0.0.1", 0, 100)) as first,
        pytest.raises(ListenError, match="is another master running"),
    ):
        bind("127.0.0.1", first.port, 100)


@pytest.mark.parametrize("descriptors", [256, 1024, 20_000, 65_536, 1_048_576])
def test_people_are_told_of_descriptors_before_nobody_new_is_heard(descriptors: int) -> None:
    high = bounds_of(descriptors).high * 100 // descriptors
    assert DESCRIPTORS_PERCENT == ALARM_PERCENT < high
