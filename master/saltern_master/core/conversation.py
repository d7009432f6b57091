"""What a node said -> what is stored, what it is answered, and what people are told. Pure.

* Who speaks is the peer that its key stands for; no message is asked for a name.
* Nothing but Hello is heard before a Hello that fits: the answer to all else is Again.
* Whatever is heard twice is written twice under the same key with the same value: the second
  time changes nothing. An Ack is an answer like others, and answers are sent after the commit.
* Facts, kinds and release are what the node says of itself. Facts that compile uses were pinned
  when it joined: others are shown, not taken.
* A node that is asked for a plan gets its document first, if there is a newer one; unless it has
  refused that, and nobody waits for its word on it. A Plan counts while it is asked for alone.
* Each lease says what holds the node, and the session remembers what it was told.
* A node has at most as much open drift as its document has resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from msgspec.structs import replace as replace_struct
from saltern_protocol.messages import (
    PROTOCOL,
    UPGRADING,
    Ack,
    Again,
    BlobAsk,
    Condition,
    Csr,
    Current,
    Doc,
    Fetch,
    FromNode,
    Health,
    Hello,
    Looked,
    Message,
    Plan,
    Poke,
    Proposal,
    Reading,
    Refused,
    Report,
)
from saltern_protocol.report import Applied, Outcome

from saltern_master.api.service import HindranceView
from saltern_master.core.conditions import taken, written
from saltern_master.core.instances import greeted as another
from saltern_master.core.peer import Peer, Session
from saltern_master.core.signer import Signer
from saltern_master.core.turns import Standing
from saltern_master.errors import MasterError
from saltern_master.records.codec import Held, put
from saltern_master.records.documents import document_key
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
AGAIN_SAFE: Final = "run the same apply again, it changes nothing twice"
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
    page: Plan | Reading | None = None  # of the plan, or the reading, that it was asked for
    progress: bool = False  # it is at work on what the turn asks
    upgrades: bool = False  # it goes away for that, to become another release
    locked: bool = False  # two machines have its key: it is not heard from here on


def hear(peer: Peer, message: FromNode, signer: Signer, now: float) -> Said:
    """Decide on one message. UnheardError: it costs its sender this message, and nobody else."""
    peer = replace(peer, heard=now)
    if isinstance(message, Hello):
        return _greeted(peer, message, signer, now)
    if not peer.session.greeted:
        return Said(peer, answers=(Again(),))
    match message:
        case Fetch():
            said = _fetch(peer, signer)
        case Looked():
            said = _looked(peer, message)
        case Report():
            said = _report(peer, message, signer, now)
        case Health():
            said = _health(peer, message, signer, now)
        case Plan() | Reading():
            said = _page(peer, message)
        case Condition():
            said = Said(*taken(peer, message, now))
        case Csr() | BlobAsk():
            raise UnheardError(f"cannot take a {type(message).__name__} here: others answer it")
    return _asked_now(said, peer, signer)


def _greeted(peer: Peer, message: Hello, signer: Signer, now: float) -> Said:
    peer = replace(peer, instances=another(peer.instances, message.instance))
    if peer.instances.cloned and message.incarnation == peer.node.incarnation:
        return _lock(peer, now)
    return _hello(peer, message, signer, now)


def _asked_now(said: Said, before: Peer, signer: Signer) -> Said:
    """Poke a node that has what went before the plan that it is asked for."""
    after = said.peer
    root = signer.root.version
    if after.offered is None or _has_newer(after, root) or not _has_newer(before, root):
        return said
    return replace(said, answers=(*said.answers, Poke()))


def _has_newer(peer: Peer, root: int) -> bool:
    """Tell whether there is a document or a root that this node has yet to take."""
    newer = peer.document is not None and (peer.is_behind or peer.lags(root))
    return newer and not (peer.offered is not None and peer.declines)


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
    greeted, lease = _lease(greeted, signer, hello.nonce, now)
    return Said(greeted, writes, (lease, *_poke(greeted, signer)))


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
    wanted = peer.is_behind or peer.turn or peer.offered or peer.lags(signer.root.version)
    return (Poke(),) if wanted else ()


def _lease(peer: Peer, signer: Signer, nonce: bytes, now: float) -> tuple[Peer, Message]:
    """Give a lease, and the peer that was told what is in it."""
    document, held = peer.document, peer.held_by(now)
    lease = signer.lease(
        peer.subject,
        0 if document is None else document.version,
        None if document is None else bytes.fromhex(document.document),
        nonce,
        int(now),
        None if held is None else held.told(now),
    )
    return replace(peer, session=replace(peer.session, hold=held)), lease


def _fetch(peer: Peer, signer: Signer) -> Said:
    document, newer = peer.document, _has_newer(peer, signer.root.version)
    waits = peer.turn and peer.is_behind  # a turn asks again for what it has refused
    if document is None or not (newer or waits):
        return Said(peer, answers=tuple(_nothing_newer(peer, signer)), progress=True)
    answer = Doc(
        turn=peer.turn,
        roots=signer.roots_after(peer.session.root),
        policy=signer.policy_envelope,
        document=document.envelope,
        body=bytes.fromhex(document.body),
        expects=bytes.fromhex(document.expects),
    )
    return Said(peer, answers=(answer,), progress=True)


def _nothing_newer(peer: Peer, signer: Signer) -> Iterator[Message]:
    """Give what a node is to plan, and whether a turn waits for a look; the proposal first: a node
    takes one as the answer to its Fetch, and a Current at any time."""
    offered = peer.offered
    if offered is not None:
        yield Proposal(
            turn=offered.turn,
            roots=signer.roots_after(peer.session.root),
            policy=signer.policy_envelope,
            proposal=offered.proposed.envelope,
            body=bytes.fromhex(offered.proposed.body),
        )
    if peer.turn or offered is None:
        yield Current(turn=peer.turn)


def _page(peer: Peer, page: Plan | Reading) -> Said:
    """Take a page of the plan that it was asked for; any other is dropped."""
    if isinstance(page, Reading):
        return Said(peer, page=page)  # whether anybody asked is known to surveys.py
    offered = peer.offered
    return Said(peer, page=page if offered is not None and offered.turn == page.turn else None)


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


def _report(peer: Peer, report: Report, signer: Signer, now: float) -> Said:
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
            said = _applied(said, item, signer.root.version)
    return said


def _applied(said: Said, item: Applied, root: int) -> Said:
    peer, writes = said.peer, said.writes
    told = (item.epoch, item.version)
    took = item.outcome not in {Outcome.REFUSED, Outcome.SUPERSEDED}
    if item.outcome == Outcome.REFUSED:
        peer = replace(peer, session=replace(peer.session, declined=told))
    elif took and told > (peer.session.epoch, peer.session.held):
        peer = _holding(peer, item.epoch, item.version)
    if took:
        peer, lifted = _lifted(peer, told)
        writes += lifted
    standing = _standing(item)
    if item.outcome == Outcome.SUPERSEDED and _says_again(said.peer, item):
        return replace(said, peer=peer, writes=writes)
    if item.outcome == Outcome.SUPERSEDED:
        standing = replace_struct(standing, why=_overtaken(said.peer, item, root))
    ends = (*said.ends, Ended(item.turn, standing))
    return replace(said, peer=peer, writes=writes, ends=ends)


def _says_again(peer: Peer, item: Applied) -> bool:
    """Tell whether a node that was overtaken is yet to say how the very same body went, for the
    same turn: its document was signed again meanwhile, and the turn waits for that one's end."""
    document = peer.document
    return (
        document is not None
        and document.body == item.body.hex()
        and (document.epoch, document.version) > (item.epoch, item.version)
        and item.turn == peer.turn > 0
    )


def _overtaken(peer: Peer, item: Applied, root: int) -> str:
    """Say what took the place of a document before its node was through it, and what to do."""
    document = peer.document
    if document is not None and document.body == item.body.hex():
        return f"signed again under root {root}; {AGAIN_SAFE}"
    return f"a newer document took its place; {AGAIN_SAFE}"


def _lifted(peer: Peer, told: tuple[int, int]) -> tuple[Peer, tuple[Write, ...]]:
    """Drop the condition under which a document was given, once its node has taken it.

    From there on the document is the node's state, whatever plan leads to it.
    """
    document = peer.document
    if document is None or not document.expects or told != (document.epoch, document.version):
        return peer, ()
    lifted = replace_struct(document, expects="")
    writes = (*peer.held.replaced(peer.node), put(document_key(peer.node.name), lifted))
    return replace(peer, document=lifted), writes


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
    writes: tuple[Write, ...] = ()
    if keep:
        writes = (put_health(health_of(peer.node.name, health, now)),)
    peer = replace(peer, health=health, health_kept=now if keep else peer.health_kept)
    peer, left = written(peer, now)
    writes += left
    works = health.state.split(" ")[0] in WORKING
    at_rest = not works and health.state != "stuck"  # who works tells what it had before
    if health.version > peer.session.held and at_rest:
        peer = _holding(peer, peer.session.epoch or signer.root.epoch, health.version)
    answers: tuple[Message, ...] = ()
    if health.nonce:
        peer, lease = _lease(peer, signer, health.nonce, now)
        answers = (lease,)
    upgrades = health.state == UPGRADING
    return Said(peer, writes, answers, progress=works, upgrades=upgrades)
