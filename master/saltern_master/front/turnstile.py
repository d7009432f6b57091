"""The turnstile: how many connections strangers may have, so that descriptors never run out.

At the limit of open files libzmq's thread spins, for accept() fails and the one that waits stays
readable; nobody new gets in then. So the limit is never reached. Pure; usher.py does it.

* A connection is finished when the other side has more than WELCOME from us: on the link it knows
  a node's key then. Finished ones of the link are never touched.
* Of unfinished ones there may be so many in all, and of one address half as many. Above that what
  asks anew is not heard (the kernel drops its SYN, and the client asks again after a second).
  libzmq itself ends what is unfinished after HANDSHAKE_IVL, so there is room all the time.
* Nodes behind one address finish within milliseconds: there may be any number of them.
* The door is open to every key, so all of its connections together have a share. Above it the
  oldest of the address that has most are shut; who waits for an operator there comes again.
  Each stays for STAY seconds at least: a token needs less, and who is shut costs a handshake more.
* Should descriptors run short all the same, nobody new is heard, and unfinished connections are
  shut in that order too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct

from saltern_master.front.process import Connection, Peer

WELCOME: Final = 260
"""Bytes. ZMTP 3.0's greeting (64) and CURVE's WELCOME (170) or ERROR (12) are fewer, READY (69) is
more (RFC 23, RFC 26)."""
MOST_UNFINISHED: Final = 2048
MOST_BACKLOG: Final = 4096
STAY: Final = 5.0


class Bounds(Struct, frozen=True):
    """Connections and descriptors."""

    unfinished: int  # of all addresses
    each: int  # of one address
    door: int  # at the door, finished or not
    high: int  # descriptors at which nobody new is heard
    low: int  # that are left after what is unfinished was shut
    backlog: int  # connections that wait in one listener's queue


class Closed(Struct, frozen=True):
    """Who is not heard when he asks for a connection."""

    ports: frozenset[int] = frozenset()  # at which nobody is
    addresses: frozenset[str] = frozenset()


class Turn(Struct, frozen=True):
    """What is to be done."""

    closed: Closed = Closed()
    shut: frozenset[Peer] = frozenset()


def bounds_of(descriptors: int) -> Bounds:
    """Give the bounds for a process that may open so many."""
    unfinished = min(MOST_UNFINISHED, descriptors // 4)
    return Bounds(
        unfinished=unfinished,
        each=unfinished // 2,
        door=descriptors // 8,
        high=descriptors * 3 // 4,
        low=descriptors * 5 // 8,
        backlog=min(MOST_BACKLOG, descriptors // 8),
    )


def unfinished(connections: Collection[Connection]) -> tuple[Connection, ...]:
    """Give those of whom we do not know yet who they are."""
    return tuple(one for one in connections if one.acked <= WELCOME)


def turn(
    connections: Collection[Connection],
    since: Mapping[Peer, float],
    door: int,
    descriptors: int,
    bounds: Bounds,
    now: float,
) -> Turn:
    """Decide. `since`: when each was first seen; `door`: its port; `descriptors`: open now."""
    ports = frozenset(one.port for one in connections) | {door}
    waiting = unfinished(connections)
    at_door = tuple(one for one in connections if one.port == door)
    short = descriptors >= bounds.high
    full = short or len(waiting) >= bounds.unfinished
    beyond = surplus(at_door, since, bounds.door * 3 // 4) if len(at_door) >= bounds.door else ()
    shut = tuple(one for one in beyond if now - since.get(one.peer, now) >= STAY)
    if short:
        shut += surplus(waiting, since, max(0, len(waiting) - (descriptors - bounds.low)))
    of_each = Counter(one.peer[0] for one in waiting)
    return Turn(
        Closed(
            ports if full else frozenset({door}) if len(at_door) >= bounds.door else frozenset(),
            frozenset(address for address, count in of_each.items() if count >= bounds.each),
        ),
        frozenset(one.peer for one in shut),
    )


def surplus(
    connections: Collection[Connection], since: Mapping[Peer, float], most: int
) -> tuple[Connection, ...]:
    """Give what is beyond `most`: of the address that has most in each case, its oldest."""
    by_age = sorted(connections, key=lambda one: since.get(one.peer, 0.0))
    of_each: dict[str, list[Connection]] = {}
    for one in by_age:
        of_each.setdefault(one.peer[0], []).append(one)
    level = _level([len(held) for held in of_each.values()], most)
    beyond = [one for held in of_each.values() for one in held[: max(0, len(held) - level)]]
    return tuple(beyond)


def _level(counts: list[int], most: int) -> int:
    """Give the most that each may keep so that all together keep no more than `most`."""
    left, keepers = most, len(counts)
    for count in sorted(counts):
        if count * keepers > left:
            return left // keepers
        left, keepers = left - count, keepers - 1
    return max(counts, default=0)
