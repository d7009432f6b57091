"""The guard: ends connections that fill our memory.

libzmq 4.3.5 bounds one frame by MAXMSGSIZE, and nothing else of what a peer sends: neither how many
frames one message has, nor, as we have to set it up (sockets.py), how many messages wait for us.
The door is open to every key. So: when this process grew by GROWTH, the connections that brought
most of late are shut, the greatest first, until what they brought is as much as the growth.
Shutting is harmless to an honest node: it says Hello again, and sends again what was not
acknowledged.

* Connections that brought less than MODEST of late are left alone, so that many new peers, or blobs
  on their way out, cost nobody a connection. Of late is since they were counted, RECENT ago at
  most: what a node brought in weeks does not make it guilty where those who filled us are gone.
* What shutting does not give back (libzmq never reads, nor forgets, what came over a connection
  that takes another's routing id) is given back by ending: GuardError, at MOST above the least
  that this process had and EACH for what is open, which an honest node takes that asked for blobs
  and reads slowly. Core starts another front, and the nodes say Hello to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from saltern_master.errors import MasterError
from saltern_master.front.process import Peer, Process

GROWTH: Final = 64 * 2**20
MODEST: Final = 2**20
MOST: Final = 512 * 2**20
RECENT: Final = 600.0
"""Seconds; what a node at rest brings in them is a small part of MODEST (`make bench-cluster`)."""
EACH: Final = 9 * 2**18
"""Bytes of a descriptor: sockets.HIGH_WATER parts of a blob on their way, and the connection."""


class GuardError(MasterError):
    """Memory was filled with what cannot be given back."""


class Guard:
    """Looks at memory, and, when it grew, at connections; whoever asks shuts those it names."""

    def __init__(self, process: Process, ports: frozenset[int]) -> None:
        self._process, self._ports = process, ports
        self._mark = self._least = process.resident()
        self._before: Mapping[Peer, int] = {}
        self._counted = -RECENT

    def look(self, now: float) -> tuple[Peer, ...]:
        """Name who filled us, to be shut; `now` in seconds. GuardError: shutting does not help."""
        resident = self._process.resident()
        self._least = min(self._least, resident)
        grown = resident - self._least
        if grown >= MOST and grown >= MOST + EACH * self._process.descriptors():
            raise GuardError(f"grew by {grown // 2**20} MiB, which no connection explains")
        growth = resident - self._mark
        if growth < GROWTH:
            self._mark += min(growth, 0)
            if now - self._counted >= RECENT:
                self._count(now)
            return ()
        before = self._before
        self._count(now)
        self._mark = resident
        return choose(before, self._before, growth)

    def _count(self, now: float) -> None:
        connections = self._process.connections(self._ports)
        self._before = {one.peer: one.received for one in connections}
        self._counted = now


def choose(before: Mapping[Peer, int], now: Mapping[Peer, int], growth: int) -> tuple[Peer, ...]:
    """Give the connections that brought most between two counts, until they make the growth."""
    brought = {peer: count - before.get(peer, 0) for peer, count in now.items()}
    chosen: list[Peer] = []
    covered = 0
    for peer in sorted(brought, key=lambda peer: -brought[peer]):
        if covered >= growth or brought[peer] < MODEST:
            break
        chosen.append(peer)
        covered += brought[peer]
    return tuple(chosen)
