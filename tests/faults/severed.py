"""A conversation of one node and one master (talking.py) whose wire is cut for as long as it takes.

Virtual time. What TCP would do is done here:

* A message that meets the cut is held, as the kernel holds and sends it again, and comes some time
  after the cut: in order, and only over a connection that is still the node's.
* A SYN is sent four times in the 10 seconds that the agent waits for a connection, and needs both
  ways. A connection of which nothing was confirmed for 60 seconds is closed (link_socket.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.talk_ether import Proxy
from tests.faults.talk_master import Stage
from tests.faults.talking import Conversation

SYN: Final = (0.0, 1.0, 3.0, 7.0)  # seconds; tcp(7), tcp_syn_retries
CONNECTING: Final = 10.0
UNCONFIRMED: Final = 60.0
FIRST: Final = 300.0  # when the cut begins: the first document has come
WAYS: Final = ("both ways", "to the master only", "to the node only")


class Severed(Conversation):
    """A conversation with one cut."""

    def __init__(self, stage: Stage, directory: Path, seed: int, way: str, minutes: float) -> None:
        super().__init__(stage, directory, seed)
        self.chance = Random(seed)
        self.cut, self.healed = FIRST, FIRST + minutes * 60
        self.proxy = Proxy(self.ether, self.chance, 0.0, 0.0, 0.0, self.healed)
        self._shut = {"up": way != WAYS[2], "down": way != WAYS[1]}
        self._free_at = {"up": 0.0, "down": 0.0}
        self.agent.dial = self._dial
        self.ether.after(FIRST + UNCONFIRMED, self._unconfirmed)

    def plan(self) -> None:
        """Draw what happens before the cut, while it lasts, and shortly before it ends."""
        self.ether.after(1.0, self._publish)
        for _ in range(self.chance.randint(1, 2)):
            self.ether.after(self.chance.uniform(self.cut - 5, self.healed), self._publish)
        for _ in range(self.chance.randint(2, 8)):
            self.ether.after(self.chance.uniform(10, self.healed), self.agent.edit)

    @property
    def _is_cut(self) -> bool:
        return self.cut <= self.ether.now < self.healed

    def _to_master(self, route: bytes, data: bytes) -> None:
        self._carry("up", lambda: self.master.hear(route, data))

    def _to_node(self, route: bytes, data: bytes) -> bool:
        if route != self.agent.route:
            return False
        self._carry("down", lambda: self.agent.came(route, data))
        return True

    def _carry(self, way: str, give: Callable[[], None]) -> None:
        now = self.ether.now
        at = now + 0.001
        if self._is_cut and self._shut[way]:
            self.proxy.done["held"] += 1
            again = min(self.healed - now, 120.0)  # what lies between two of TCP's attempts
            at = self.healed + self.chance.uniform(0.0, again)
        at = self._free_at[way] = max(at, self._free_at[way])  # in order
        self.ether.after(at - now, give)

    def _dial(self, route: bytes) -> None:
        now = self.ether.now
        tries = (now + each for each in SYN)
        open_at = next((at for at in tries if not self.cut <= at < self.healed), None)
        if open_at is None:
            self.ether.after(CONNECTING, lambda: self.agent.lost(route))
            return
        self._free_at = {"up": 0.0, "down": 0.0}  # another connection
        self.ether.after(open_at - now + 0.01, lambda: self.agent.opened(route))

    def _unconfirmed(self) -> None:
        if self._is_cut:
            self.agent.lost(self.agent.route)
