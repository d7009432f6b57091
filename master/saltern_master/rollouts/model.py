"""A rollout, its nodes, and what can happen to it. Times are seconds since 1970.

waiting -> asking -> draining -> applying -> settling -> done
  asking     may etcd lose this member for a while? (control plane only)
  draining   cordoned; its pods leave (impact drain or reboot only)
  applying   it has its document
  settling   applied; its gates have to become good, and stay so
any of these -> failed      it said so, or patience with it is over
failed -> settling          it says late that it applied all the same
waiting -> aside -> waiting it was not connected when its turn came, and has it when it is back
any of these -> skipped     somebody else's document took its place, or a person chose so
applying -> done, failed    also where the rollout was ended before it said so
settling -> done            the rollout was ended: nobody looks at its gates any more
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from saltern_master.rollouts.strategy import Strategy
from saltern_master.rollouts.waves import Impact

Stage = Literal[
    "waiting", "asking", "draining", "applying", "settling", "done", "failed", "aside", "skipped"
]
IN_HAND: frozenset[Stage] = frozenset({"asking", "draining", "applying", "settling"})
ENDED: frozenset[Stage] = frozenset({"done", "failed", "aside", "skipped"})
Phase = Literal["running", "soaking", "paused", "stopped", "aborted", "done"]
OVER: frozenset[Phase] = frozenset({"aborted", "done"})


class Node(Struct, frozen=True, kw_only=True):
    """How far one node is."""

    wave: int
    group: str
    impact: Impact
    control_plane: bool = False
    down: bool = False  # it served nobody when the rollout began
    stage: Stage = "waiting"
    since: float = 0.0  # of its stage
    good_since: float = 0.0  # its gates are; 0: they are not, or were not looked at
    bad_since: float = 0.0  # its gates are, after they were good
    gone_since: float = 0.0  # 0: it is connected
    issued: bool = False  # it was given this rollout's document
    cordoned: bool = False  # by this rollout
    forgiven: bool = False  # it failed, and somebody went on in spite of that
    why: str = ""  # it is where it is

    @property
    def may_serve(self) -> bool:
        """Whether it is cordoned for nothing: only who failed stays so, until it is set right."""
        return self.cordoned and self.stage in {"done", "skipped", "waiting", "aside"}


class Rollout(Struct, frozen=True, kw_only=True):
    """One rollout. `nodes` is never changed in place."""

    number: int
    revision: int
    before: int  # the last good revision: what an undo goes back to
    strategy: Strategy
    began: float
    nodes: Mapping[str, Node]
    waves: int
    phase: Phase = "running"
    wave: int = 0  # the one in hand
    soak_until: float = 0.0  # 0: this wave has not been done yet
    why: str = ""  # it is paused or stopped
    undoes: int = 0  # the rollout that this one takes back; 0: none
    undo: Literal["", "wanted", "begun"] = ""


class Said(Struct, frozen=True):
    """A node's word on its document: converged or changed is good, all else is not; `waiting` tells
    only what it does meanwhile."""

    node: str
    result: str
    why: str = ""


class Checked(Struct, frozen=True):
    """A look at a node's gates."""

    node: str
    good: bool
    why: str = ""
    hopeless: bool = False  # no waiting makes it good


class Gone(Struct, frozen=True):
    """A node is not connected any more."""

    node: str


class Back(Struct, frozen=True):
    """A node is connected."""

    node: str


class Quorum(Struct, frozen=True):
    """Whether etcd can do without this node for a while."""

    node: str
    good: bool
    why: str = ""


class Drained(Struct, frozen=True):
    """A node is cordoned, and its pods have left."""

    node: str


class DrainRefused(Struct, frozen=True):
    """A node is cordoned, and pods stay; why: which, and what keeps them."""

    node: str
    why: str


class Uncordoned(Struct, frozen=True):
    """A node takes pods again."""

    node: str


class Pause(Struct, frozen=True):
    """Somebody wants nothing more begun."""

    by: str


class Resume(Struct, frozen=True):
    """Somebody wants it to go on, also beyond a spent budget."""

    by: str


class Abort(Struct, frozen=True):
    """Somebody wants it ended as it is, and not taken back either."""

    by: str


class Undo(Struct, frozen=True):
    """Somebody wants it taken back."""

    by: str


class Skip(Struct, frozen=True):
    """Somebody wants a node passed over."""

    node: str
    by: str


class UndoBegun(Struct, frozen=True):
    """The rollout that takes this one back has begun."""


class Tick(Struct, frozen=True):
    """Time has passed."""


Event = (
    Said
    | Checked
    | Gone
    | Back
    | Quorum
    | Drained
    | DrainRefused
    | Uncordoned
    | Pause
    | Resume
    | Abort
    | Undo
    | Skip
    | UndoBegun
    | Tick
)
