"""The stages of an upgrade: what is to be done next, from what is kept and what is seen. Pure.

    installing --whole--> watching --reached the master, and steady--> done
        | it cannot be        | not in time, or its unit failed
        '----> going back <---'
                    '--the old one is whole, and started--> gone back

* A stage is on the disk before anything of it is done, so whoever is killed in it enters it again;
  what is done in a stage can be done twice.
* Installing is tried MOST_TRIES times; going back without end: there is nowhere else to go.
* A third release is a person's, who helps: it stays, and nothing more is done.
* Time runs from when the new agent was first seen started. It is CLOCK_BOOTTIME, so it runs on
  while nobody watches; after a boot it begins anew, longer: network and master are late then too.
* Reached: a lease was believed over a connection that the new agent made itself, and the same
  process still runs STEADY seconds later: one that reaches its master and dies is not well.
* A master that took the node's key over CURVE and then says nothing is slow, and the agent is not
  ill for that: it gets SLOW seconds. One that says no is not slow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

WINDOW: Final = 60.0
"""Seconds for the new agent to reach its master."""

AFTER_BOOT: Final = 300.0
SLOW: Final = 600.0
STEADY: Final = 10.0
STARTING: Final = 180.0
"""Seconds for systemd to start it: what the old one has in hand may take 45 s to end."""

MOST_TRIES: Final = 5
TICK: Final = 1.0
LONGEST_PAUSE: Final = 60.0

Name = Literal["installing", "watching", "going back", "done", "gone back"]
Which = Literal["new", "old"]


@dataclass(frozen=True)
class Package:
    """A package of the agent, as a file beside the order."""

    version: str
    sha256: str


@dataclass(frozen=True)
class Order:
    """What was handed over; it never changes."""

    new: Package
    old: Package
    attempt: int
    release: str  # SHA-256 that the document names: of the new one


@dataclass(frozen=True)
class Stage:
    """Where an upgrade is. Times are seconds since the boot `boot`."""

    name: Name
    why: str = ""  # it goes back, or has gone back
    tries: int = 0  # to install, in this stage
    boot: str = ""
    before: str = ""  # which run of the unit is not the one that is waited for
    asked: float = 0.0  # when its start was asked for; 0: not yet
    since: float = 0.0  # when it was first seen started; 0: not yet
    window: float = WINDOW
    reached_by: str = ""  # the run that reached the master, and since when it is known
    reached_at: float = 0.0


BEGIN: Final = Stage("installing")


@dataclass(frozen=True)
class Told:
    """What the agent says of itself. `refused`: why its master turned it away; "": it did not."""

    run: str
    reached: bool = False
    taken: bool = False  # its master proved its key and took the node's, in this run
    refused: str = ""
    why: str = ""  # it is not up


@dataclass(frozen=True)
class Seen:
    """The machine. `installed`: the version that is whole; "": none is."""

    boot: str
    now: float
    installed: str
    run: str  # the unit's current run; "": none
    state: str  # active, activating, failed …
    told: Told | None = None


@dataclass(frozen=True)
class Keep:
    """Have this stage on the disk."""

    stage: Stage


@dataclass(frozen=True)
class Install:
    """Have this stage on the disk, then install."""

    which: Which
    stage: Stage


@dataclass(frozen=True)
class Restart:
    """Have the agent started anew, then this stage on the disk."""

    stage: Stage


@dataclass(frozen=True)
class Wait:
    """Look again after a moment."""

    seconds: float


@dataclass(frozen=True)
class End:
    """Nothing is left to be done but to tell of it."""


Act = Keep | Install | Restart | Wait | End
WAIT: Final = Wait(TICK)


def decide(order: Order, stage: Stage, seen: Seen) -> Act:
    """Say what is to be done next."""
    return BY_NAME[stage.name](order, stage, seen)


def tried(stage: Stage, why: str) -> Stage:
    """Give the stage after an installation was tried; `why`: it failed. Going back stays that."""
    return Stage("going back", why=why) if why and stage.name == "installing" else stage


def pause(tries: int) -> float:
    """Give the seconds before the next attempt to go back."""
    return min(LONGEST_PAUSE, 2.0 ** min(tries, 10))


def _installing(order: Order, stage: Stage, seen: Seen) -> Act:
    if seen.installed == order.new.version:
        return Keep(Stage("watching", boot=seen.boot, before=seen.run))
    if seen.installed not in ("", order.old.version):
        return _left(seen)
    if stage.tries >= MOST_TRIES:
        why = f"its installation was broken off {stage.tries} times"
        return Keep(Stage("going back", why=why))
    return Install("new", replace(stage, tries=stage.tries + 1))


def _watching(order: Order, stage: Stage, seen: Seen) -> Act:
    if seen.installed not in ("", order.new.version):
        return _left(seen)
    if seen.boot != stage.boot:  # systemd starts it by itself
        new = Stage("watching", boot=seen.boot, asked=seen.now, since=seen.now, window=AFTER_BOOT)
        return Keep(new)
    if not stage.since:
        return _starting(stage, seen)
    return _judging(stage, seen)


def _starting(stage: Stage, seen: Seen) -> Act:
    if not stage.asked:
        return Restart(replace(stage, asked=seen.now))
    if seen.run not in ("", stage.before):
        return Keep(replace(stage, since=seen.now))
    if seen.now - stage.asked >= STARTING:
        return _back(f"systemd did not start it within {STARTING:.0f} s ({seen.state})")
    return WAIT


def _judging(stage: Stage, seen: Seen) -> Act:
    told = seen.told if seen.told is not None and seen.told.run == seen.run else None
    if told is not None and told.reached and told.run == stage.reached_by:
        return Keep(Stage("done")) if seen.now - stage.reached_at >= STEADY else WAIT
    if seen.state == "failed":
        return _back("its unit failed: see journalctl -u saltern-agent")
    limit = _limit(stage, told)
    if seen.now - stage.since >= limit:
        return _back(_not_reached(limit, stage, told))
    if told is not None and told.reached:
        return Keep(replace(stage, reached_by=told.run, reached_at=seen.now))
    return WAIT


def _limit(stage: Stage, told: Told | None) -> float:
    """Give the seconds to reach the master. One that reached it and died was not kept waiting."""
    kept_waiting = told is not None and told.taken and not told.refused
    return max(SLOW, stage.window) if kept_waiting and not stage.reached_by else stage.window


def _not_reached(limit: float, stage: Stage, told: Told | None) -> str:
    if stage.reached_by:
        return f"it reached its master and did not stay up for {STEADY:.0f} s"
    said = "it said nothing" if told is None else told.refused or told.why or "it was not answered"
    return f"it did not reach its master within {limit:.0f} s of its start: {said}"


def _back(why: str) -> Keep:
    return Keep(Stage("going back", why=why))


def _left(seen: Seen, why: str = "") -> Keep:
    return Keep(Stage("gone back", why=f"{why}somebody installed {seen.installed} meanwhile"))


def _going_back(order: Order, stage: Stage, seen: Seen) -> Act:
    if seen.installed not in ("", order.old.version, order.new.version):
        return _left(seen, f"{stage.why}; ")
    if seen.installed != order.old.version:
        return Install("old", replace(stage, tries=stage.tries + 1))
    if not stage.asked:
        return Restart(replace(stage, asked=seen.now))
    return Keep(Stage("gone back", why=stage.why))


def _ended(_order: Order, _stage: Stage, _seen: Seen) -> Act:
    return End()


BY_NAME: Final[Mapping[Name, Callable[[Order, Stage, Seen], Act]]] = {
    "installing": _installing,
    "watching": _watching,
    "going back": _going_back,
    "done": _ended,
    "gone back": _ended,
}
