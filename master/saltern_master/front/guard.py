"""The guard: ends connections that fill our memory with what never becomes a message.

libzmq 4.3.5 counts whole messages against its high-water mark, and bounds one frame by MAXMSGSIZE;
a message of endless frames is under neither, and the door is open to every key. So: when this
process grew by GROWTH since the last look, the connections that brought most since then are shut,
the greatest first, until what they brought is as much as the growth. Shutting is harmless to an
honest node: it says Hello again, and sends again what was not acknowledged.

* Connections that brought less than MODEST since the last look are left alone, so that many new
  peers, or blobs on their way out, cost nobody a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from saltern_master.front.process import Peer, Process

GROWTH: Final = 64 * 2**20
MODEST: Final = 2**20


class Guard:
    """Looks at memory, and, when it grew, at connections."""

    def __init__(self, process: Process, ports: frozenset[int]) -> None:
        self._process, self._ports = process, ports
        self._mark = process.resident()
        self._before: Mapping[Peer, int] = {}

    def look(self) -> tuple[Peer, ...]:
        """Shut who filled us; give their addresses."""
        growth = self._process.resident() - self._mark
        if growth < GROWTH:
            self._mark += min(growth, 0)
            return ()
        now = {one.peer: one.received for one in self._process.connections(self._ports)}
        guilty = choose(self._before, now, growth)
        self._process.shut(frozenset(guilty))
        self._before, self._mark = now, self._process.resident()
        return guilty


def choose(before: Mapping[Peer, int], now: Mapping[Peer, int], growth: int) -> tuple[Peer, ...]:
    """Give the connections that brought most since the last look, until they make the growth."""
    brought = {peer: count - before.get(peer, 0) for peer, count in now.items()}
    chosen: list[Peer] = []
    covered = 0
    for peer in sorted(brought, key=lambda peer: -brought[peer]):
        if covered >= growth or brought[peer] < MODEST:
            break
        chosen.append(peer)
        covered += brought[peer]
    return tuple(chosen)
