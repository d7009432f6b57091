"""What core holds in memory: a view of the store, and who is connected.

* It is loaded at start and follows every commit. A commit that failed is taken back: snapshot()
  before, restore() after; what others changed in the store meanwhile is read by refresh().
* Values are frozen, so a snapshot is a copy of a few maps.
* Turns stay here while a node's word would still change them; the others are in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from saltern_master.core.kept_turns import recent_turns
from saltern_master.core.peer import Peer, Session
from saltern_master.core.turns import Turn, progressed, reset
from saltern_master.records import documents, nodes, reports
from saltern_master.records.codec import Held, holds
from saltern_master.records.condition import every_condition
from saltern_master.records.drift import Drift, open_drift
from saltern_master.records.restored import RESTORED, Restored, hold_restored
from saltern_master.store import Delete, Store, Write

RECENT_TURNS: Final = 50
"""Turns that are looked through at a start for nodes whose word they still want."""
RETURN: Final = 20.0
"""Seconds that nodes have to notice that there is a master again: they pause by chance before they
try. Patience with them begins only then."""
SPEAKING: Final = ("joined", "removing")
KEPT: Final = (*SPEAKING, "locked")
"""A locked node is not heard, and is one of the cluster all the same."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is restored after a commit that failed."""

    peers: Mapping[str, Peer]
    turns: Mapping[int, Turn]


class Known:
    """Peers by name, names by key, turns by number, and since when nodes are gone."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}
        self.names: dict[bytes, str] = {}
        self.turns: dict[int, Turn] = {}
        self.gone: dict[str, float] = {}
        self.newest_turn = 0
        self.restored: Restored | None = None

    def peer_of(self, key: bytes) -> Peer | None:
        """Give the node that a key stands for, if it may speak."""
        peer = self.peers.get(self.names.get(key, ""))
        return peer if peer is not None and peer.node.state in SPEAKING else None

    def speaking(self) -> tuple[bytes, ...]:
        """Give the keys that may speak."""
        return tuple(key for key in self.names if self.peer_of(key) is not None)

    def put(self, peer: Peer) -> None:
        """Take what a peer is now."""
        self.peers[peer.node.name] = peer

    def put_turn(self, turn: Turn, changed: Iterable[str]) -> None:
        """Take what a turn is now; the nodes that stand otherwise are waited for, or no longer."""
        self.newest_turn = max(self.newest_turn, turn.number)
        self.turns[turn.number] = turn
        for name in changed:
            peer = self.peers.get(name)
            if peer is None:
                continue
            if turn.asks(name) and peer.turn < turn.number:
                self.put(replace(peer, turn=turn.number))
            elif not turn.wants(name) and peer.turn == turn.number:
                self.put(replace(peer, turn=0))
        if turn.ended and not any(map(turn.wants, turn.nodes)):
            del self.turns[turn.number]

    def connected(self, name: str, now: float) -> None:
        """A node's session begins."""
        self.gone.pop(name, None)
        self.put(replace(self.peers[name], session=Session(), heard=now, wedged=0.0))

    def disconnected(self, names: Iterable[str], now: float) -> None:
        """These nodes' sessions ended."""
        for name in names:
            if name in self.peers:
                self.gone.setdefault(name, now)
                self.put(replace(self.peers[name], session=Session(), wedged=0.0))

    def spoke(self, name: str, at: float) -> None:
        """A node that is not connected any more was heard last then, by whatever it said."""
        self.put(replace(self.peers[name], spoke=at))

    def wedged(self, name: str, now: float) -> None:
        """A node's connection is up, and its agent has said nothing for long."""
        peer = self.peers[name]
        self.put(replace(peer, wedged=peer.heard or now))

    def reset_clock(self, later: float, now: float) -> None:
        """The clock was set, forward by `later` or back (0): nobody was longer away for that."""
        self.turns = {
            number: turn if turn.ended else reset(turn, later, now)
            for number, turn in self.turns.items()
        }
        self.gone = {name: min(at + later, now + RETURN) for name, at in self.gone.items()}

    def snapshot(self) -> Snapshot:
        """Give what restore() takes."""
        return Snapshot(dict(self.peers), dict(self.turns))

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to what was before a commit that failed."""
        self.peers = dict(snapshot.peers)
        self.turns = dict(snapshot.turns)

    def settled(self, writes: Iterable[Write], revision: int) -> None:
        """These were committed: nodes' records have this revision now."""
        for one in writes:
            peer = self.peers.get(one.key.removeprefix(nodes.PREFIX))
            if peer is not None and peer.held.key == one.key:
                self.put(replace(peer, held=replace(peer.held, revision=revision)))

    def load(self, store: Store, now: float) -> None:
        """Read everything; nobody is connected yet. StoreError."""
        self.peers, self.names, self.turns = {}, {}, {}
        self.refresh(store, now)
        self.gone = dict.fromkeys(self.peers, now + RETURN)
        conditions = {one.node: one for one in every_condition(store)}
        drifts: dict[str, dict[str, Drift]] = {}
        for drift in open_drift(store):
            drifts.setdefault(drift.node, {})[drift.resource] = drift
        for name, peer in list(self.peers.items()):
            held = reports.hold_reported(store, name, peer.node.incarnation).value
            reported = held.seq if held is not None else 0
            told = conditions.get(name)
            peer = replace(peer, condition=told, condition_kept=told)
            self.put(replace(peer, drift=drifts.get(name, {}), reported=reported))
        for turn in recent_turns(store, RECENT_TURNS):
            for name in turn.nodes:
                turn = progressed(turn, name, now)  # nobody could tell us anything until now
            self.put_turn(turn, turn.nodes)

        self.restored = hold_restored(store).value
        if self.restored is not None:
            self.newest_turn = max(self.newest_turn, self.restored.turn)

    def caught_up(self) -> tuple[Write, ...]:
        """Give the writes of who applies: a store that was a copy is no older than its nodes."""
        return (Delete(RESTORED),) if self.restored is not None else ()

    def refresh(self, store: Store, now: float) -> None:
        """Read nodes and documents anew: another process may have signed, or let one in."""
        issued = {
            one.value.node: one.value
            for one in holds(store, "documents/", documents.Issued)
            if one.value is not None
        }
        found: dict[str, Peer] = {}
        for held in holds(store, nodes.PREFIX, nodes.Node):
            node = held.value
            if node is None or node.state not in KEPT:
                continue
            document = issued.get(node.name)
            if document is not None and document.incarnation != node.incarnation:
                document = None
            found[node.name] = self._same_peer(held, document)
            if node.name not in self.peers:
                self.gone.setdefault(node.name, now)
        self.peers = found
        self.names = {bytes.fromhex(one.node.key): name for name, one in found.items()}
        self.gone = {name: since for name, since in self.gone.items() if name in found}

    def _same_peer(self, held: Held[nodes.Node], document: documents.Issued | None) -> Peer:
        """Give the peer with a newer record: what its session told stays, if it is the same."""
        before = self.peers.get(held.value.name) if held.value is not None else None
        if before is None or held.value is None:
            return Peer(held=held, document=document)
        if before.node.incarnation != held.value.incarnation:
            return Peer(held=held, document=document)
        return replace(before, held=held, document=document)
