"""One apply as who asks for it lives it: from the request to each node's word."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from saltern_master.api.client import Client
from saltern_master.api.requests import NodeEvent
from saltern_master.api.service import TurnNode
from saltern_master.lab.errors import LabError


@dataclass(frozen=True, slots=True)
class Followed:
    """Seconds from the request to its answer, and to the word of the last node."""

    nodes: Mapping[str, TurnNode]
    answered: float
    last: float

    def must_be(self, result: str, changes: int | None = None) -> None:
        """Refuse to count a turn that came to something else; LabError tells which nodes."""
        for one in self.nodes.values():
            if one.result != result or changes not in (None, one.changes):
                found = f"{one.result}, {one.changes} changes: {one.why}"
                raise LabError(f"cannot measure: {one.node} was to be {result}, and is {found}")


def follow(client: Client, cluster: bytes) -> Followed:
    """Apply a cluster file over the API and wait for all its nodes; ServiceError."""
    nodes, last, began = dict[str, TurnNode](), 0.0, time.perf_counter()
    number = client.apply(cluster).turn
    answered = time.perf_counter() - began
    with client.follow_turn(number) as events:
        for event in events:
            if isinstance(event, NodeEvent):
                nodes[event.node.node], last = event.node, time.perf_counter() - began
    return Followed(nodes, answered, last)
