"""A node in memory that is watched as the loop does it, by a clock that a test turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from saltern_agent.noticing import Notices, watched
from saltern_protocol.report import Item
from saltern_states.contract import WatchPath

from tests.agent.test_keeper import Node

STEP = 1e-4  # seconds that a look takes at least


@dataclass
class Watching:
    """Turns the clock from one thing that is due to the next."""

    node: Node
    notices: Notices = field(default_factory=Notices)
    looks: int = 0

    def __post_init__(self) -> None:
        self.follow()

    def follow(self) -> None:
        """Watch what the node holds now."""
        self.notices.follow(watched(self.node.keeper.body), self.node.now)

    def touched(self, path: str, by: str = "") -> None:
        """An event tells of a path."""
        self.notices.touch((WatchPath(Path(path)),), "event", self.node.now, by)

    def run(self, seconds: float, job: Callable[[], None], every: float, path: str) -> None:
        """Let time go by; `job` changes what stands at `path`, `every` so many seconds."""
        node, end = self.node, self.node.now + seconds
        due = node.now
        while node.now < end:
            wait = min(self.notices.wait(node.now), self.notices.rested(node.now))
            node.now = max(min(due, node.now + wait), node.now + STEP)
            while due <= node.now:
                job()
                self.touched(path)
                due += every
            self.turn()

    def rest(self, seconds: float) -> None:
        """Let time go by in which nobody does anything."""
        self.run(seconds, lambda: None, seconds + 1, "/nowhere")

    def turn(self) -> None:
        """Look, if something is due; what a repair writes is an event too."""
        node = self.node
        self.notices.tick(node.now, node.now)
        if self.notices.rested(node.now):
            return
        whole, self.notices.full = self.notices.full, False
        made, noticed = node.keeper.made, self.notices.take(node.now)
        node.keeper.look(noticed, whole)
        self.looks += 1
        self.notices.looked(noticed, node.keeper.retries(), node.now)
        if node.keeper.made > made:
            for watch in self.notices.watched.watches:
                self.notices.touch((watch,), "event", node.now)


def told(node: Node) -> list[Item]:
    """Take everything out that the master is to be told."""
    journal, items = node.keeper.journal, list[Item]()
    while (batch := journal.untold()).first:
        items += batch.items
        journal.told(batch.first + len(batch.items) - 1)
    return items
