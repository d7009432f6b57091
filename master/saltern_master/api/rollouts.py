"""Rollouts as the API tells them. What each word means: rollouts/model.py. Times are since 1970."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal, Protocol

from msgspec import Meta, field

from saltern_master.api.service import View
from saltern_master.rollouts.model import Stage
from saltern_master.rollouts.strategy import Strategy
from saltern_master.rollouts.waves import Impact

RolloutPhase = Literal["queued", "running", "soaking", "paused", "stopped", "aborted", "done"]
Action = Literal["pause", "resume", "abort", "undo", "skip"]


class RolloutNode(View, frozen=True):
    """How far one node is."""

    node: str
    wave: int
    group: str
    stage: Stage
    impact: Impact
    since: float  # of its stage
    away: bool = False
    cordoned: bool = False
    why: str = ""


class RolloutView(View, frozen=True):
    """One rollout. In a list, and in events that tell no end, `nodes` is empty."""

    rollout: int
    revision: int
    before: int  # what an undo goes back to
    phase: RolloutPhase
    wave: int  # the one in hand, from 0
    waves: int
    began: float
    ended: float = 0.0  # 0: not yet
    by: str = ""  # who started it
    why: str = ""  # it is paused or stopped
    waits_for: str = ""  # in one line, now
    soak_until: float = 0.0
    failed: int = 0
    may_fail: int = 0
    total: int = 0
    stages: dict[str, int] = field(default_factory=dict)  # how many nodes are in each
    undoes: int = 0  # the rollout that this one takes back
    undone_by: int = 0  # the rollout that takes this one back
    undo: Literal["", "wanted", "begun"] = ""  # whether it is taken back; wanted: not yet
    strategy: Strategy = Strategy()
    notes: tuple[str, ...] = ()
    nodes: tuple[RolloutNode, ...] = ()


class RolloutAsk(View, frozen=True, forbid_unknown_fields=True):
    """A rollout to begin. `file`: the text of a cluster file; "": the one applied last."""

    file: Annotated[str, Meta(max_length=4 * 1024 * 1024)] = ""
    target: Annotated[str, Meta(max_length=4096)] = ""
    strategy: Strategy = Strategy()
    queue: bool = False  # wait for the one that goes on, rather than be refused
    by: Annotated[str, Meta(max_length=100)] = ""


class Steering(View, frozen=True, forbid_unknown_fields=True):
    """What somebody wants of a rollout that goes on. `node`: of a skip."""

    action: Action
    node: Annotated[str, Meta(max_length=63)] = ""
    by: Annotated[str, Meta(max_length=100)] = ""


class RollingOut(Protocol):
    """What core does for people who change a cluster step by step."""

    async def start_rollout(self, ask: RolloutAsk) -> RolloutView:
        """Compile, plan and begin (or queue) a rollout; invalid with all faults, conflict."""
        ...

    async def rollouts(self, most: int) -> tuple[RolloutView, ...]:
        """List rollouts, the newest first, without their nodes."""
        ...

    async def rollout(self, number: int) -> RolloutView:
        """Give one; 0: the one that goes on, or the newest. not-found."""
        ...

    def follow_rollout(self, number: int) -> AsyncIterator[RolloutNode | RolloutView]:
        """Give nodes as they move and the head (a view without nodes) as it changes.

        It ends with the whole view when the rollout is over; a stopped or paused one is followed
        on, since somebody may resume it.
        """
        ...

    async def steer_rollout(self, number: int, steering: Steering) -> RolloutView:
        """Pause, resume, abort, undo, or skip a node; conflict where that cannot be now."""
        ...
