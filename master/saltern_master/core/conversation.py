"""What a node said -> what is stored, what it is answered, and what people are told. Pure.

* Who speaks is the peer that its key stands for; no message is asked for a name.
* Nothing but Hello is heard before a Hello that fits: the answer to all else is Again.
* Whatever is heard twice is written twice under the same key with the same value: the second
  time changes nothing. An Ack is an answer like others, and answers are sent after the commit.
* Facts, kinds and release are what the node says of itself. Facts that compile uses were pinned
  when it joined: others are shown, not taken.
* A node has at most as much open drift as its document has resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from msgspec.structs import replace as replace_struct
from saltern_protocol.messages import (
    PROTOCOL,
    Ack,
    Again,
    Applied,
    BlobAsk,
    Csr,
    Current,
    Doc,
    Fetch,
    FromNode,
    Health,
    Hello,
    Looked,
    Message,
    Outcome,
    Plan,
    Poke,
    Refused,
    Report,
)

from saltern_master.api.service import HindranceView
from saltern_master.core.instances import greeted as another
from saltern_master.core.peer import Peer, Session
from saltern_master.core.signer import Signer
from saltern_master.core.turns import Standing
from saltern_master.errors import MasterError
from saltern_master.records.codec import Held
from saltern_master.records.drift import Drift
from saltern_master.records.health import health_of, put_health
from saltern_master.records.nodes import Node, read_facts
from saltern_master.records.reports import Reported, last_number, reported_key, take
from saltern_master.store import Expect, Write

MOST_HINDRANCES: Final = 16
"""Of one node in a turn; its result has all that it told."""
HEALTH_KEPT: Final = 600.0
"""Seconds between two notes in the store of a health that stays the same."""
AHEAD: Final = (
    "it has a newer document than this master's store, which was brought back from an older copy; "
    "do the same again, while it is connected: its next document will be newer than both"
)
LOCKED: Final = (
    "two machines speak with this node's key, so neither is heard; what they have stays as it is. "
    "On the one that is the copy: stop saltern-agent and delete /etc/saltern/link.key. Then on the "
    "master: saltern node unlock NAME"
)
WORKING: Final = frozenset({"working", "fetching", "planning", "applying"})


class UnheardError(MasterError):
    """A message that a node may not say, or not now."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A node's word on how its part of a turn ended."""

    turn: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class Said:
    """What comes of a message."""

    peer: Peer
    writes: tuple[Write, ...] = ()
    answers: tuple[Message, ...] = ()
    ends: tuple[Ended, ...] = ()
    drift: tuple[Drift, ...] = ()
    progress: bool = False  # it is at work on what the turn asks
    locked: bool = False  # two machines have its key: it is not heard from here on


def hear(peer: Peer, message: FromNode, signer: Signer, now: float) -> Said:
    """Decide on one message. UnheardError: it costs its sender this message, and nobody else."""
    peer = replace(peer, heard=now)
    if isinstance(message, Hello):
        peer = replace(peer, instances=another(peer.instances, message.instance))
        if peer.instances.cloned and message.incarnation == peer.node.incarnation:
            return _lock(peer, now)
        return _hello(peer, message, signer, now)
    if not peer.session.greeted:
        return Said(peer, answers=(Again(),))
    match message:
        case Fetch():
            said = _fetch(peer, signer)
        case Looked():
            said = _looked(peer, message)
        case Report():
            said = _report(peer, message, now)
        case Health():
            said = _health(peer, message, signer, now)
        case Plan():  # nobody asks for plans yet, so nobody waits for one
            said = Said(peer)
        case Csr() | BlobAsk():
            raise UnheardError(f"cannot take a {type(message).__name__} here: others answer it")
    return said


def _hello(peer: Peer, hello: Hello, signer: Signer, now: float) -> Said:
    why = _misfit(peer, hello)
    if why is not None:
        return Said(replace(peer, session=Session()), answers=(why,))
    session = Session(
        greeted=True,
        root=hello.root,
        held=hello.version,
        epoch=hello.epoch,
        document=hello.document,
        boot=hello.boot,
    )
    node = replace_struct(
        peer.node,
        kinds=hello.kinds,
        release=hello.release,
        facts_now=_facts(hello.facts, peer.node),
    )
    writes = () if node == peer.node else peer.held.replaced(node)
    greeted = replace(peer, session=session, held=replace(peer.held, value=node))
    return Said(
        greeted, writes, (_lease(greeted, signer, hello.nonce, now), *_poke(greeted, signer))
    )


def _lock(peer: Peer, now: float) -> Said:
    node = replace_struct(peer.node, state="locked", locked_at=now)
    locked = replace(peer, session=Session(), held=replace(peer.held, value=node))
    return Said(
        locked, peer.held.replaced(node), (Refused(reason="locked", why=LOCKED),), locked=True
    )


def _facts(data: bytes, node: Node) -> Mapping[str, object]:
    """Give what it says of its machine; what was known before where that is no JSON object."""
    try:
        return read_facts(data)
    except ValueError:
        return node.facts_now


def _misfit(peer: Peer, hello: Hello) -> Refused | None:
    if hello.protocol != PROTOCOL:
        text = f"this master speaks protocol {PROTOCOL}, not {hello.protocol}; install its release"
        return Refused(reason="protocol", why=text)
    if hello.incarnation != peer.node.incarnation:
        text = "this key joined as another incarnation; join again with a new token"
        return Refused(reason="wrong-incarnation", why=text)
    return None


def _poke(peer: Peer, signer: Signer) -> tuple[Poke, ...]:
    wanted = peer.is_behind or peer.turn or peer.lags(signer.root.version)
    return (Poke(),) if wanted else ()


def _lease(peer: Peer, signer: Signer, nonce: bytes, now: float) -> Message:
    document = peer.document
    if document is None:
        return signer.lease(peer.subject, 0, None, nonce, int(now))
    return signer.lease(
        peer.subject, document.version, bytes.fromhex(document.document), nonce, int(now)
    )


def _fetch(peer: Peer, signer: Signer) -> Said:
    document = peer.document
    if document is None or not (peer.is_behind or peer.lags(signer.root.version)):
        return Said(peer, answers=(Current(turn=peer.turn),), progress=True)
    answer = Doc(
        turn=peer.turn,
        roots=signer.roots_after(peer.session.root),
        policy=signer.policy_envelope,
        document=document.envelope,
        body=bytes.fromhex(document.body),
    )
    return Said(peer, answers=(answer,), progress=True)


def _looked(peer: Peer, looked: Looked) -> Said:
    """Take a look's end; what it found says nothing of a document that this store never had."""
    standing = _standing(looked)
    if peer.is_ahead:
        standing = replace_struct(standing, result="blocked", why=AHEAD)
    return Said(peer, ends=(Ended(looked.turn, standing),))


def _standing(told: Applied | Looked) -> Standing:
    return Standing(
        result=told.outcome.value,
        version=told.version,
        changes=told.changes,
        why=told.why,
        hindrances=tuple(
            HindranceView(resource=one.resource, outcome=one.outcome, why=one.why)
            for one in told.hindrances[:MOST_HINDRANCES]
        ),
    )


def _report(peer: Peer, report: Report, now: float) -> Said:
    """Take what is new. That nobody else writes a node's numbers, the one core there is sees to."""
    node = peer.node
    before = Held(reported_key(node.name, node.incarnation), Reported(seq=peer.reported), 0)
    taken = take(node.name, node.incarnation, report, before, peer.drift, now)
    said = Said(
        replace(peer, reported=taken.reported.seq, drift=taken.opened),
        writes=tuple(one for one in taken.writes if not isinstance(one, Expect)),
        answers=(Ack(seq=last_number(report)),),
        drift=taken.drift,
    )
    for item in taken.items:
        if isinstance(item, Applied):
            said = _applied(said, item)
    return said


def _applied(said: Said, item: Applied) -> Said:
    peer = said.peer
    took = item.outcome not in {Outcome.REFUSED, Outcome.SUPERSEDED}
    if took and (item.epoch, item.version) > (peer.session.epoch, peer.session.held):
        peer = _holding(peer, item.epoch, item.version)
    return replace(said, peer=peer, ends=(*said.ends, Ended(item.turn, _standing(item))))


def _holding(peer: Peer, epoch: int, version: int) -> Peer:
    """Note what is on its disk, as far as its word for the version tells."""
    document, name = peer.document, b""
    if document is not None and (document.epoch, document.version) == (epoch, version):
        name = bytes.fromhex(document.document)
    session = replace(peer.session, held=version, epoch=epoch, document=name)
    return replace(peer, session=session)


def _health(peer: Peer, health: Health, signer: Signer, now: float) -> Said:
    known = peer.health
    is_news = known is None or (known.state, known.drift) != (health.state, health.drift)
    keep = is_news or now - peer.health_kept >= HEALTH_KEPT
    writes = (put_health(health_of(peer.node.name, health, now)),) if keep else ()
    peer = replace(peer, health=health, health_kept=now if keep else peer.health_kept)
    works = health.state.split(" ")[0] in WORKING
    at_rest = not works and health.state != "stuck"  # who works tells what it had before
    if health.version > peer.session.held and at_rest:
        peer = _holding(peer, peer.session.epoch or signer.root.epoch, health.version)
    answers = (_lease(peer, signer, health.nonce, now),) if health.nonce else ()
    return Said(peer, writes, answers, progress=works)
