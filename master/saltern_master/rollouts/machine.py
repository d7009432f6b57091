"""A rollout's next value, from what happened and the time. Pure.

* Nothing begins that could make a group's `max_unavailable` be passed; what is down already, or is
  not harmed, does not count.
* A wave is over when each of its nodes, and of those before, has ended, and none is cordoned in
  vain. Between two waves the gates are looked at for the time of the soak.
* The budget is looked at after every step: when it is spent, nothing more begins, whose drain is
  under way is given back, and what has its document already goes on to its end.
* What cannot be (a word from a node that has no turn, a pause of what is over) changes nothing.
* The same rollout and the same events give the same nodes in the same waves: the waves were cut
  once, at the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from saltern_master.rollouts.model import (
    ENDED,
    IN_HAND,
    OVER,
    Abort,
    Back,
    Checked,
    Drained,
    DrainRefused,
    Event,
    Gone,
    Node,
    Pause,
    Quorum,
    Resume,
    Rollout,
    Said,
    Skip,
    Stage,
    Uncordoned,
    Undo,
    UndoBegun,
)
from saltern_master.rollouts.patience import impatient
from saltern_master.rollouts.strategy import DEFAULT_UNAVAILABLE, number
from saltern_master.rollouts.waves import DRAINS, HARMS

GOOD = frozenset({"converged", "changed"})
OVERTAKEN = "another document took the place of this one"
UNSEEN = "it was not waited until it is good"
TAKEN_BACK = "it is taken back"
OURS = frozenset({"waiting", "unreachable", "expired"})  # the master's own impatience: ours counts
ACTIVE = frozenset({"running", "soaking"})
STILL_TAKEN = (Uncordoned, Undo, UndoBegun, Abort)
"""What counts also after the end."""


def step(rollout: Rollout, event: Event, now: float) -> Rollout:
    """Give what becomes of it."""
    return steps(rollout, (event,), now)


def steps(rollout: Rollout, events: Iterable[Event], now: float) -> Rollout:
    """Give what becomes of it by events that came together: nothing begins before all are taken."""
    after, time_passes = rollout, False
    for event in events:
        if after.phase in OVER and not isinstance(event, STILL_TAKEN):
            after = _late_comer(after, event, now)
        else:
            after, time_passes = _take(after, event, now), True
    if time_passes:
        after = _go_on(_spent(impatient(after, now), now), now)
    return rollout if after == rollout else after


def is_news(rollout: Rollout, event: Event, now: float) -> bool:
    """Tell whether an event changes anything by itself; cheap, for what is looked at often."""
    if rollout.phase in OVER and not isinstance(event, STILL_TAKEN):
        return _late_comer(rollout, event, now) is not rollout
    return _take(rollout, event, now) is not rollout


def _late_comer(rollout: Rollout, event: Event, now: float) -> Rollout:
    """Note who took its document after all had ended: it was set aside, or still at it."""
    node = rollout.nodes.get(event.node) if isinstance(event, Said) else None
    if not isinstance(event, Said) or node is None or event.result in OURS:
        return rollout
    if node.stage != ("aside" if rollout.phase == "done" else "applying"):
        return rollout
    if event.result == "superseded":
        return _with(rollout, {event.node: _at(node, "skipped", now, OVERTAKEN)})
    stage: Stage = "done" if event.result in GOOD else "failed"
    if stage == "done" and node.stage == "applying":
        return _with(rollout, {event.node: _at(node, stage, now, UNSEEN)})
    why = event.why or ("" if stage == "done" else event.result)
    return _with(rollout, {event.node: _at(node, stage, now, why)})


def _take(rollout: Rollout, event: Event, now: float) -> Rollout:
    match event:
        case Said() | Checked() | Gone() | Back() | Quorum() | Drained() | DrainRefused():
            return _of_node(rollout, event, now)
        case Uncordoned():
            return _put(rollout, event.node, cordoned=False)
        case Skip():
            return _skip(rollout, event, now)
        case Pause() | Resume() | Abort() | Undo() | UndoBegun():
            return _of_operator(rollout, event, now)
        case _:
            return rollout


def _of_operator(
    rollout: Rollout, event: Pause | Resume | Abort | Undo | UndoBegun, now: float
) -> Rollout:
    match event:
        case Pause() if rollout.phase in ACTIVE:
            return replace(rollout, phase="paused", why=f"paused by {event.by}")
        case Resume() if rollout.phase in {"paused", "stopped"} and not rollout.undo:
            phase = "soaking" if rollout.soak_until else "running"
            return replace(_patient_again(rollout, now), phase=phase, why="")
        case Abort():
            undo = "" if rollout.undo == "wanted" else rollout.undo
            return replace(_ended(rollout, f"aborted by {event.by}", now), undo=undo)
        case Undo() if not rollout.undo:
            return replace(_ended(rollout, f"taken back by {event.by}", now), undo="wanted")
        case UndoBegun() if rollout.undo == "wanted":
            over = rollout.phase if rollout.phase in OVER else "aborted"
            return replace(_left_to_undo(rollout, now), phase=over, undo="begun")
    return rollout


def _patient_again(rollout: Rollout, now: float) -> Rollout:
    """Wait anew for what a person was asked about, and go on in spite of who failed."""
    failed = {
        name: replace(node, forgiven=True)
        for name, node in rollout.nodes.items()
        if node.stage == "failed"
    }
    waiting = {
        name: replace(node, since=now)
        for name, node in rollout.nodes.items()
        if node.stage in {"asking", "draining"}
    }
    return _with(rollout, failed | waiting)


def _ended(rollout: Rollout, why: str, now: float) -> Rollout:
    if rollout.phase in OVER:
        return rollout
    rollout = _given_back(rollout, now)
    settled = {
        name: _at(node, "done", now, UNSEEN)
        for name, node in rollout.nodes.items()
        if node.stage == "settling"
    }
    return replace(_with(rollout, settled), phase="aborted", why=why)


def _left_to_undo(rollout: Rollout, now: float) -> Rollout:
    """Wait no more for those in hand: the one that takes this back has them as well."""
    in_hand = {
        name: _at(node, "skipped", now, TAKEN_BACK)
        for name, node in rollout.nodes.items()
        if node.stage in IN_HAND
    }
    return _with(rollout, in_hand)


def _of_node(
    rollout: Rollout,
    event: Said | Checked | Gone | Back | Quorum | Drained | DrainRefused,
    now: float,
) -> Rollout:
    node = rollout.nodes.get(event.node)
    if node is None:
        return rollout
    match event:
        case Gone():
            after = replace(node, gone_since=node.gone_since or now)
        case Back():
            after = _back(node, now)
        case Said():
            after = _said(node, event, now)
        case Checked():
            after = _checked(node, event, rollout, now)
        case Quorum():
            after = _asked(node, event, now)
        case Drained() if node.stage == "draining":
            after = _at(node, "applying", now)
        case DrainRefused() if node.stage == "draining":
            after = replace(node, why=event.why)
        case _:
            after = node
    return rollout if after == node else _with(rollout, {event.node: after})


def _back(node: Node, now: float) -> Node:
    node = replace(node, gone_since=0.0)
    return _at(node, "waiting", now) if node.stage == "aside" else node


def _said(node: Node, said: Said, now: float) -> Node:
    if said.result == "waiting" and node.stage == "applying":
        return replace(node, why=said.why)
    if not node.issued or said.result in OURS or node.stage in {"settling", "done", "skipped"}:
        return node
    if said.result in GOOD:
        return _at(node, "settling", now)
    if said.result == "superseded":
        return _at(node, "skipped", now, OVERTAKEN)
    return node if node.stage == "failed" else _at(node, "failed", now, said.why or said.result)


def _checked(node: Node, checked: Checked, rollout: Rollout, now: float) -> Node:
    if node.stage == "done":
        if checked.good:
            return replace(node, bad_since=0.0, why="")
        return replace(node, bad_since=node.bad_since or now, why=checked.why)
    if node.stage != "settling":
        return node
    if not checked.good:
        bad = replace(node, good_since=0.0, why=checked.why)
        return _at(bad, "failed", now, checked.why) if checked.hopeless else bad
    good_since = node.good_since or now
    if now - good_since >= rollout.strategy.hold:
        return _at(replace(node, good_since=good_since), "done", now)
    return replace(node, good_since=good_since, why="")


def _asked(node: Node, quorum: Quorum, now: float) -> Node:
    if node.stage != "asking":
        return node
    if not quorum.good:
        return replace(node, why=quorum.why)
    return _begun(node, now)


def _skip(rollout: Rollout, skip: Skip, now: float) -> Rollout:
    node = rollout.nodes.get(skip.node)
    if node is None or node.stage in {"done", "skipped"}:
        return rollout
    return _with(rollout, {skip.node: _at(node, "skipped", now, f"passed over by {skip.by}")})


def _spent(rollout: Rollout, now: float) -> Rollout:
    """Stop where more failed than may, or anybody before somebody succeeded."""
    if rollout.phase in {"stopped", *OVER}:
        return rollout
    names = [name for name, one in rollout.nodes.items() if one.stage == "failed"]
    failed = sum(1 for name in names if _counts(rollout.nodes[name]))
    limit = number(rollout.strategy.budget, len(rollout.nodes))
    early = failed > 0 and (rollout.wave == 0 or not _anybody_done(rollout))
    if not early and failed <= limit:
        return rollout
    may = "none may this early" if early else f"at most {limit} may"
    undo = rollout.strategy.on_spent == "undo" and not rollout.undoes
    return replace(
        _given_back(rollout, now),
        phase="stopped",
        why=f"{_failed(rollout)} failed, and {may}: {', '.join(names)}",
        undo="wanted" if undo else "",
    )


def _anybody_done(rollout: Rollout) -> bool:
    return any(node.stage == "done" for node in rollout.nodes.values())


def _given_back(rollout: Rollout, now: float) -> Rollout:
    """Let go of those that were not given their document yet."""
    return _with(
        rollout,
        {
            name: _at(node, "waiting", now)
            for name, node in rollout.nodes.items()
            if node.stage in {"asking", "draining"}
        },
    )


def _go_on(rollout: Rollout, now: float) -> Rollout:
    """Begin who may begin, and the next wave when this one is over."""
    while rollout.phase in ACTIVE:
        rollout = _begin_who_may(rollout, now)
        turn = [one for one in rollout.nodes.values() if one.wave <= rollout.wave]
        if any(one.stage not in ENDED or one.bad_since or one.may_serve for one in turn):
            return rollout
        if rollout.wave + 1 >= rollout.waves:
            return replace(rollout, phase="done", soak_until=0.0)
        touched = any(one.issued for one in turn if one.wave == rollout.wave)
        if not rollout.soak_until and touched and rollout.strategy.soak:
            until = now + rollout.strategy.soak
            return replace(rollout, phase="soaking", soak_until=until)
        if now < rollout.soak_until:
            return rollout
        rollout = replace(rollout, phase="running", wave=rollout.wave + 1, soak_until=0.0)
    return rollout


def _begin_who_may(rollout: Rollout, now: float) -> Rollout:
    for name, node in rollout.nodes.items():
        if node.stage != "waiting":
            continue
        at_once = rollout.undoes > 0 and node.gone_since > 0
        if node.wave > rollout.wave and not at_once:
            continue
        if node.gone_since:
            aside = _at(node, "aside", now, "it is not connected")
            aside = replace(aside, issued=node.issued or at_once)
            rollout = _with(rollout, {name: aside})
        elif who_goes_before(rollout, node):
            continue
        elif node.down or node.impact not in HARMS or room(rollout, node.group) > 0:
            stage = _at(node, "asking", now) if node.control_plane else _begun(node, now)
            rollout = _with(rollout, {name: stage})
    return rollout


def who_goes_before(rollout: Rollout, node: Node) -> tuple[str, ...]:
    """Name those of the control plane that a node of it has to wait for, whatever its group."""
    if not node.control_plane or node.down:
        return ()
    return tuple(
        name
        for name, one in rollout.nodes.items()
        if one.control_plane and not one.down and one.stage in IN_HAND
    )


def room(rollout: Rollout, group: str) -> int:
    """Give how many more of a group may be away."""
    ours = sum(1 for one in rollout.nodes.values() if one.group == group and not one.down)
    share = rollout.strategy.max_unavailable.get(group, DEFAULT_UNAVAILABLE)
    return max(1, number(share, ours)) - len(who_is_away(rollout, group))


def who_is_away(rollout: Rollout, group: str) -> tuple[tuple[str, Stage], ...]:
    """Name those of a group who take up its room, each with its stage."""
    return tuple(
        (name, one.stage)
        for name, one in rollout.nodes.items()
        if one.group == group and not one.down and _is_away(one)
    )


def _is_away(node: Node) -> bool:
    """Who was not there before is not counted: one dead machine must not stop all others."""
    if node.stage in IN_HAND:
        return node.impact in HARMS or node.gone_since > 0
    return node.stage == "failed" or (node.stage == "done" and node.gone_since > 0)


def _begun(node: Node, now: float) -> Node:
    if node.impact in DRAINS and node.stage != "draining":
        return replace(_at(node, "draining", now), cordoned=True)
    return _at(node, "applying", now)


def _failed(rollout: Rollout) -> int:
    """Count who failed; who served nobody before has harmed nobody by it."""
    return sum(1 for node in rollout.nodes.values() if node.stage == "failed" and not node.down)


def _counts(node: Node) -> bool:
    return not node.down and not node.forgiven


def _at(node: Node, stage: Stage, now: float, why: str = "") -> Node:
    issued = node.issued or stage == "applying"
    return replace(
        node, stage=stage, since=now, why=why, issued=issued, good_since=0.0, forgiven=False
    )


def _with(rollout: Rollout, nodes: Mapping[str, Node]) -> Rollout:
    return replace(rollout, nodes={**rollout.nodes, **nodes}) if nodes else rollout


def _put(rollout: Rollout, name: str, *, cordoned: bool) -> Rollout:
    node = rollout.nodes.get(name)
    if node is None or node.cordoned == cordoned:
        return rollout
    return _with(rollout, {name: replace(node, cordoned=cordoned)})
