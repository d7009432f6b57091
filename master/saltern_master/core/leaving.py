"""Nodes that leave: drained, emptied, forgotten; the others are told.

    joined -> removing -> (drained) -> a document without resources -> its word -> removed

* Each step can be done again: a core that was started in the midst begins the removal anew.
* A node that is removed is told so: its agent, which has taken everything back, is then no node
  any more, and may join anew. Where that word is lost, the machine's operator says it by a join.
* A node that could not take everything back stays as `removing`: it can be removed again, or
  revoked. Nothing is forgotten of a node on which something of ours may still stand, but for one
  that was revoked or locked (nothing that it says is heard) and by `force` (an operator has
  decided).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec

from saltern_master.api.service import ServiceError
from saltern_master.core.front import Line, Log
from saltern_master.core.known import Known
from saltern_master.core.kube import Kubernetes
from saltern_master.core.members import Members
from saltern_master.core.rolling import Rolling
from saltern_master.core.turns import Standing, Turn
from saltern_master.errors import MasterError
from saltern_master.front.frames import Expel
from saltern_master.kube.api import KubernetesError
from saltern_master.records.nodes import hold_node
from saltern_master.store import Store

End = Callable[[int, str, Standing], None]
EMPTY = ("converged", "changed")
LEAVES = ("joined", "removing", "locked", "revoked")
LEFT = "it is forgotten, and what stands on the machine is left there"


class Leaving:
    """Removes nodes."""

    def __init__(
        self,
        store: Store,
        known: Known,
        line: Line,
        members: Members,
        rolling: Rolling,
        kubernetes: Kubernetes,
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        self._store, self._known, self._line = store, known, line
        self._members, self._rolling, self._kubernetes = members, rolling, kubernetes
        self._clock, self._log = clock, log

    def at_once(self, name: str, force: bool) -> str:
        """Say why a node is to be forgotten at once, or "". ServiceError: there is none."""
        node = hold_node(self._store, name).value
        if node is None or node.state not in LEAVES:
            text = f"cannot remove {name}: no node of that name has joined; see: saltern status"
            raise ServiceError("not-found", text)
        if node.state in ("revoked", "locked"):
            return f"it was {node.state}; {LEFT}"
        return LEFT if force else ""

    def begin(self, name: str) -> Turn:
        """Let a node leave from now on; gives the turn. StoreError."""
        peer = self._known.peers[name]
        if self._waiting(name) is not None:
            raise ServiceError("conflict", f"cannot remove {name}: it is being removed already")
        node = msgspec.structs.replace(peer.node, state="removing")
        revision = self._store.commit(*peer.held.replaced(node))
        held = replace(peer.held, value=node, revision=revision)
        self._known.put(replace(self._known.peers[name], held=held))
        return self._rolling.start_removal(name)

    async def empty(self, name: str, number: int, end: End) -> None:
        """Drain a node, then ask it to take everything back."""
        try:
            undrained = await self._kubernetes.drain(name)
            if undrained:
                self._log(undrained)
            await self._rolling.empty(name, number, undrained)
        except (KubernetesError, MasterError) as error:
            self._log(f"{name} is not removed: {error}")
            end(number, name, Standing(result="failed", why=str(error)))

    async def finish(self, name: str) -> None:
        """Forget a node on which nothing of ours stands any more, and tell the others."""
        try:
            key = bytes.fromhex(self._members.forget(name, self._clock()))
        except MasterError as error:
            self._log(f"{name} is empty and not forgotten: {error}")
            return
        self._line.send([expel(key)])
        self._known.refresh(self._store, self._clock())
        self._log(f"{name} is removed")
        await self._kubernetes.forget(name)

    def unfinished(self) -> tuple[tuple[str, int], ...]:
        """Give the nodes that were not asked yet when core ended, and their turns. StoreError."""
        asked = {name for turn in self._open() for name in turn.nodes if turn.asks(name)}
        leaving = [name for name, one in self._known.peers.items() if one.node.state == "removing"]
        turns = {name: self._waiting(name) for name in leaving if name not in asked}
        return tuple((name, (turn or self.begin(name)).number) for name, turn in turns.items())

    def _waiting(self, name: str) -> Turn | None:
        """Give the removal that waits for a node."""
        removals = (turn for turn in self._open() if turn.purpose == "remove")
        return next((turn for turn in removals if turn.waits_for(name)), None)

    def _open(self) -> tuple[Turn, ...]:
        return tuple(self._known.turns.values())


def expel(key: bytes) -> Expel:
    """Shut out a node that was removed. Told so, its agent is no node any more, if it is bare."""
    return Expel(key=key, reason="removed", why="this node was removed")


def is_empty(turn: Turn, name: str) -> bool:
    """Tell whether a node has said that nothing of ours is left on it."""
    return turn.purpose == "remove" and turn.nodes[name].result in EMPTY
