"""Alarms: what an operator has to do something about, each with its remedy.

    what core knows (Situation) -> alarms(): the rows, one after the other. Pure; nothing is stored.

* An alarm is known by its kind, its node and the resource that it is about, if it is about one: as
  long as a row gives it, it goes on, however often what it tells is told anew.
* `since` is when it began by the record that it is derived from; 0: the record does not say, and
  Watch fills in when it was first seen.
* A line in the log tells that an alarm begins, and another one that it ended: see Watch.
* Another alarm: a function from Situation to alarms, in ROWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from saltern_protocol.errors import printable

from saltern_master.core.conditions import ailing, more_of
from saltern_master.core.front import Log
from saltern_master.core.peer import Peer
from saltern_master.front.frames import Load
from saltern_master.records.drift import Drift
from saltern_master.records.drift_log import name_of
from saltern_master.records.restored import Restored
from saltern_master.records.revisions import Pinned
from saltern_master.rollouts.model import Rollout
from saltern_master.signing.authority import Authority

DESCRIPTORS_PERCENT: Final = 70
"""Less than the front lets strangers bring about: at 75 nobody new is heard (turnstile.py)."""
RESTART: Final = "systemctl restart saltern-agent"
DAY: Final = 24 * 3600
NAMED: Final = 5
CLOCK_OFF: Final = 300.0
"""Seconds between a node's clock and ours: what is said and what is heard of it may lie a minute
apart, and nothing goes wrong by a few."""
ROOT_EARLY: Final = 60 * DAY
"""So long before it expires a root is told of: people have to meet for the next one."""
POLICY_EARLY: Final = 30 * DAY
FIGHTS: Final = 50
"""Of one node that are alarms of their own: what it tells of itself is not to drown all others'."""
FOUND: Final = 300
"""Characters of what was found, and of who did it, in an alarm."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something is wrong that does not mend itself."""

    kind: str
    node: str  # "": the whole
    since: float  # seconds since 1970; 0: not known from a record
    why: str
    remedy: str
    resource: str = ""  # where a node may have several of a kind

    @property
    def name(self) -> tuple[str, str, str]:
        """By what it is known as the same one."""
        return self.kind, self.node, self.resource


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rows look at."""

    now: float
    peers: Mapping[str, Peer] = field(default_factory=dict)
    load: Load | None = None  # the front's last
    authority: Authority | None = None  # what is signed under
    restored: Restored | None = None  # this store is a copy, and nothing was applied since
    pinned: Pinned | None = None  # who was left at another revision by a rollout
    rollout: Rollout | None = None  # the one that is not over
    telling: tuple[Alarm, ...] = ()  # what is wrong with notifications


def alarms(situation: Situation) -> tuple[Alarm, ...]:
    """Give all that is wrong, in the order of ROWS."""
    return tuple(alarm for row in ROWS for alarm in row(situation))


def _locked(situation: Situation) -> Iterable[Alarm]:
    """A key that two machines have."""
    for name, peer in sorted(situation.peers.items()):
        if peer.node.state == "locked":
            yield Alarm(
                kind="locked",
                node=name,
                since=peer.node.locked_at,
                why="two machines speak with its key: one is a copy; neither is heard, both hold "
                "what they have",
                remedy="stop the copy and delete its /etc/saltern/link.key, then: saltern node "
                f"unlock {name}; where the key was stolen: saltern node revoke {name}",
            )


def _wedged(situation: Situation) -> Iterable[Alarm]:
    """An agent that hangs: what it holds is not looked at."""
    for name, peer in sorted(situation.peers.items()):
        if peer.wedged:
            yield Alarm(
                kind="not-working",
                node=name,
                since=peer.wedged,
                why="its link is up, and its agent says nothing",
                remedy=f"on {name}: {RESTART}",
            )
        elif peer.session.greeted and peer.health is not None and peer.health.state == "stuck":
            yield Alarm(
                kind="stuck",
                node=name,
                since=0.0,
                why="its agent answers, and what it has in hand does not get on",
                remedy=f"on {name}: journalctl -u saltern-agent names the resource; {RESTART}",
            )


def _clock(situation: Situation) -> Iterable[Alarm]:
    """A clock that is wrong: it lets nothing bad in, and keeps good documents out."""
    for name, peer in sorted(situation.peers.items()):
        if not peer.session.greeted or peer.health is None:
            continue
        off = peer.health.at_us / 1e6 - peer.heard
        if abs(off) > CLOCK_OFF:
            way = "ahead of" if off > 0 else "behind"
            yield Alarm(
                kind="clock",
                node=name,
                since=0.0,
                why=f"its clock is {timedelta(seconds=round(abs(off)))} {way} the master's; to it, "
                "documents and certificates may have expired, or not begun",
                remedy=f"on {name}: timedatectl; where all nodes are off alike: set the master's",
            )


def _part_bad(situation: Situation) -> Iterable[Alarm]:
    """A part of a node that does not do its work, and does not come back by itself."""
    for name, found in ailing(situation.peers, situation.now):
        yield Alarm(
            kind="part-bad",
            node=name,
            since=min(one.since for one in found),
            why="; ".join(f"{one.part.name} is bad: {one.part.why}" for one in found),
            remedy=f"on {name}: {more_of(found[0].part.name)}; all of it: saltern node show {name}",
        )


def _ahead(situation: Situation) -> Iterable[Alarm]:
    """A store that was brought back from an older copy."""
    for name, peer in sorted(situation.peers.items()):
        if peer.session.greeted and peer.is_ahead:
            yield Alarm(
                kind="ahead",
                node=name,
                since=0.0,
                why=f"it has document {peer.session.held}, which this master's store does not know",
                remedy="apply again while it is connected: saltern apply FILE",
            )


def _fights(situation: Situation) -> Iterable[Alarm]:
    """What somebody undoes again and again: the agent has left it alone, and nobody heals it."""
    for name, peer in sorted(situation.peers.items()):
        fights = [one for _, one in sorted(peer.drift.items()) if one.incident]
        for drift in fights[:FIGHTS]:
            yield Alarm(
                kind="fight",
                node=name,
                resource=drift.resource,
                since=drift.since,
                why=_fought(drift),
                remedy=_end_of_fight(drift, name_of(drift, peer.node.incarnation)),
            )
        if fights[FIGHTS:]:
            yield Alarm(
                kind="fight",
                node=name,
                since=0.0,
                why=f"{len(fights)} of its resources are set right and undone again; {FIGHTS} are "
                "named",
                remedy=f"see all of them: saltern drift {name} --incident",
            )


def _fought(drift: Drift) -> str:
    """Say what is undone, how often it was set right, and by whom as far as that is known."""
    found = f": {drift.found[0]}" if drift.found else ""
    who = f"; undone by {drift.by}" if drift.by else ""
    often = "once" if drift.attempts == 1 else f"{drift.attempts} times"
    times = f" {often}" if drift.attempts else ""
    return (
        f"{drift.resource} was set right{times} and undone again, and is left as it is now"
        + (f"{who}{found}"[:FOUND])
    )


def _end_of_fight(drift: Drift, name: str) -> str:
    return (
        f"find who undoes it: saltern drift explain {name}; then stop that, or change the cluster "
        f"file to what shall be, and apply it; to work there yourself: saltern drift hold "
        f"{drift.node} --for 1h --why ..."
    )


def _restored(situation: Situation) -> Iterable[Alarm]:
    """A store that is known to be a copy: what came after the copy, nobody here knows."""
    mark, load = situation.restored, situation.load
    if mark is not None:
        refused = f"; {load.refused} connections of unknown keys were refused" if load else ""
        yield Alarm(
            kind="restored",
            node="",
            since=mark.at,
            why=f"this store is as it was {_date(mark.taken)}: who was revoked since may speak "
            f"again, and who joined since is a stranger{refused}",
            remedy="revoke and join them again, then: saltern apply FILE",
        )


def _date(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _descriptors(situation: Situation) -> Iterable[Alarm]:
    load = situation.load
    if load is not None and load.descriptors_percent >= DESCRIPTORS_PERCENT:
        yield Alarm(
            kind="descriptors",
            node="",
            since=0.0,
            why=f"{load.descriptors_percent} % of the descriptors that the front may open are open",
            remedy="raise LimitNOFILE of the master's unit, and look for who holds connections",
        )


def _running_out(situation: Situation) -> Iterable[Alarm]:
    """Root and policy: nodes take no new document under one that has expired."""
    authority = situation.authority
    if authority is None:
        return
    for kind, thing, early, remedy in (
        ("root", authority.root, ROOT_EARLY, "sign the next one: saltern key renew"),
        ("policy", authority.policy, POLICY_EARLY, "sign it again: saltern policy"),
    ):
        left = thing.expires - situation.now
        if left < early:
            when = f"expires in {left / DAY:.0f} days" if left > 0 else "has expired"
            yield Alarm(
                kind=f"{kind}-ending",
                node="",
                since=thing.expires - early,
                why=f"{kind} {thing.version} {when}; nodes hold on, and take nothing new after it",
                remedy=remedy,
            )


def _held_back(situation: Situation) -> Iterable[Alarm]:
    authority = situation.authority
    if authority is not None and authority.held_back:
        yield Alarm(
            kind="root-held-back",
            node="",
            since=0.0,
            why=f"this master still signs under root {authority.root.version}",
            remedy=f"the newest one lacks something: {authority.held_back}",
        )


def _mixed(situation: Situation) -> Iterable[Alarm]:
    """Nodes that a rollout left behind: nobody drags them to another revision."""
    pinned = situation.pinned
    names = [one for one in pinned.nodes if one in situation.peers] if pinned is not None else []
    if pinned is not None and names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield Alarm(
            kind="mixed-revisions",
            node="",
            since=pinned.at,
            why=f"rollout or apply of revision {pinned.revision} is over, and another one is kept "
            f"by {', '.join(names[:NAMED])}{more}; what joins and leaves changes nothing there",
            remedy="bring all to one: saltern apply FILE, or saltern rollout start -f FILE",
        )


def _rollout_waits(situation: Situation) -> Iterable[Alarm]:
    """A rollout that goes no further by itself."""
    rollout = situation.rollout
    if rollout is not None and rollout.phase in {"paused", "stopped"} and rollout.undo != "wanted":
        yield Alarm(
            kind=f"rollout-{rollout.phase}",
            node="",
            since=0.0,
            why=f"rollout {rollout.number} is {rollout.phase}: {rollout.why}",
            remedy=f"see saltern rollout show {rollout.number}; then saltern rollout resume, undo "
            f"or abort {rollout.number}",
        )


def _telling(situation: Situation) -> Iterable[Alarm]:
    """Who is to be told and cannot be: core/notifying.py."""
    return situation.telling


Row = Callable[[Situation], Iterable[Alarm]]

ROWS: Final[tuple[Row, ...]] = (
    _locked,
    _wedged,
    _clock,
    _part_bad,
    _restored,
    _mixed,
    _rollout_waits,
    _fights,
    _ahead,
    _descriptors,
    _running_out,
    _held_back,
    _telling,
)


class Watch:
    """Remembers which alarms go on, and tells the log of those that begin and end."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[tuple[str, str, str], Alarm] = {}

    def look(self, situation: Situation) -> tuple[Alarm, ...]:
        """Give the alarms as they are now, each with its beginning."""
        found = tuple(self._begun(one, situation.now) for one in alarms(situation))
        now = {one.name: one for one in found}
        for name, alarm in now.items():
            if name not in self._known:
                self._log(f"alarm: {line_of(alarm)}")
        for name, alarm in self._known.items():
            if name not in now:
                self._log(printable(f"alarm over: {_subject(alarm)}"))
        self._known = now
        return found

    def _begun(self, alarm: Alarm, now: float) -> Alarm:
        if alarm.since:
            return alarm
        known = self._known.get(alarm.name)
        return replace(alarm, since=known.since if known is not None else now)


def line_of(alarm: Alarm) -> str:
    """Give an alarm as one line, with nothing in it that moves a terminal."""
    return printable(f"{_subject(alarm)}: {alarm.why}; {alarm.remedy}")


def _subject(alarm: Alarm) -> str:
    where = " ".join(one for one in (alarm.node, alarm.resource) if one)
    return f"{alarm.kind} ({where})" if where else alarm.kind
