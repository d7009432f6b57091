"""Stories of rollouts as text: what is said to a rollout, and under it what comes of that.

    # field.md 33: the thread or the rule that the story answers
    strategy soak=60 waves=50%,100%
    node w1 impact=restart zone=a
    node w2 away
    begin
    at 5 Said w1 changed

Under each command, indented: nodes whose stage changed, the phase where it changed, and what is
newly wanted. `restart` forgets all but the stored value, as a core does that was killed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from saltern_master.rollouts import model
from saltern_master.rollouts.begin import begin, taken_back
from saltern_master.rollouts.machine import step
from saltern_master.rollouts.model import OVER, Event, Rollout
from saltern_master.rollouts.patience import due
from saltern_master.rollouts.strategy import Strategy
from saltern_master.rollouts.telling import waits_for
from saltern_master.rollouts.wants import Wants, wants
from saltern_master.rollouts.waves import Candidate

EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        model.Said,
        model.Checked,
        model.Gone,
        model.Back,
        model.Quorum,
        model.Drained,
        model.DrainRefused,
        model.Uncordoned,
        model.Pause,
        model.Resume,
        model.Abort,
        model.Undo,
        model.Skip,
        model.UndoBegun,
        model.Tick,
    )
}


NAMES = dict(zip(Strategy.__struct_fields__, Strategy.__struct_encode_fields__, strict=True))
"""A strategy's fields, as a story names them, and as they are encoded."""

BEGAN = 1_000_000.0
"""A story's time 0, since time 0 itself stands for "never"."""


@dataclass
class Story:
    """One story while it is told."""

    strategy: Strategy = field(default_factory=lambda: Strategy(hold=0))
    candidates: list[Candidate] = field(default_factory=list)
    rollout: Rollout | None = None
    now: float = BEGAN

    def hear(self, line: str) -> Iterator[str]:
        """Do one command; give what came of it."""
        word, *rest = shlex.split(line)
        match word:
            case "strategy":
                given = {NAMES[name]: value for name, value in map(_pair, rest)}
                self.strategy = msgspec.convert({"hold": 0, **given}, Strategy)
            case "node":
                self._node(rest)
            case "begin":
                yield from self._begin("control-plane-first" in rest, 1, 0)
            case "undo":
                yield from self._undo()
            case "restart":
                yield from self._restart()
            case "waits":
                yield waits_for(self._the(), self.now)
            case "due":
                yield f"{due(self._the(), self.now) - BEGAN:g}"
            case "at":
                self.now = BEGAN + float(rest[0])
                yield from self._event(rest[1:])
            case _:
                raise ValueError(line)

    def _node(self, words: list[str]) -> None:
        name, *rest = words
        flags = {one: True for one in rest if one in {"control_plane", "down", "away"}}
        given = dict(_pair(one) for one in rest if "=" in one)
        wanted = {"name": name, "impact": "restart", **given, **flags}
        self.candidates.append(msgspec.convert(wanted, Candidate))

    def _begin(self, control_plane_first: bool, number: int, undoes: int) -> Iterator[str]:
        rollout = begin(
            number,
            8,
            7,
            self.strategy,
            self.candidates,
            self.now,
            control_plane_first=control_plane_first,
        )
        rollout = msgspec.structs.replace(rollout, undoes=undoes)
        for at in range(rollout.waves):
            names = (name for name, one in rollout.nodes.items() if one.wave == at)
            yield f"wave {at + 1}: {' '.join(names)}"
        self.rollout = rollout
        yield from self._step(model.Tick())

    def _undo(self) -> Iterator[str]:
        """Begin the rollout that takes this one back, as core does when it is wanted."""
        known = {one.name: one for one in self.candidates}
        self.candidates = list(taken_back(self._the(), known))
        number = self._the().number
        self.rollout = step(self._the(), model.UndoBegun(), self.now)
        yield f"rollout {number} is {self.rollout.phase}"
        yield from self._begin(False, number + 1, number)

    def _restart(self) -> Iterator[str]:
        before = self._the()
        self.rollout = msgspec.json.decode(msgspec.json.encode(before), type=Rollout)
        assert self.rollout == before
        yield from _wanted(Wants(), wants(self.rollout))

    def _event(self, words: list[str]) -> Iterator[str]:
        kind, *fields = words
        names = EVENTS[kind].__struct_fields__
        given: dict[str, object] = dict(zip(names, fields, strict=False))
        if "good" in given:
            given["good"] = given["good"] == "good"
        yield from self._step(msgspec.convert(given, EVENTS[kind]))

    def _step(self, event: Event) -> Iterator[str]:
        before, wanted = self._the(), wants(self._the())
        after = self.rollout = step(before, event, self.now)
        for name, node in after.nodes.items():
            was = before.nodes[name]
            if (was.stage, was.why) != (node.stage, node.why):
                why = f": {node.why}" if node.why else ""
                moved = f"{was.stage} -> {node.stage}" if was.stage != node.stage else node.stage
                yield f"{name} {moved}{why}"
        if (before.phase, before.wave, before.why) != (after.phase, after.wave, after.why):
            why = f": {after.why}" if after.why else ""
            at = f", wave {after.wave + 1} of {after.waves}" if after.phase not in OVER else ""
            yield f"{after.phase}{at}{why}"
        yield from _wanted(wanted, wants(after))

    def _the(self) -> Rollout:
        assert self.rollout is not None
        return self.rollout


def _wanted(before: Wants, after: Wants) -> Iterator[str]:
    for name in Wants.__struct_fields__:
        was, now = getattr(before, name), getattr(after, name)
        if name == "undo":
            if now and not was:
                yield "wants undo"
        elif news := [one for one in now if one not in was]:
            yield f"wants {name} {' '.join(news)}"


def _pair(word: str) -> tuple[str, object]:
    name, _, value = word.partition("=")
    if name == "waves":
        return name, value.split(",")
    if name == "max_unavailable":
        return name, dict(one.split(":") for one in value.split(","))
    if name in {"soak", "hold", "patience", "absence", "drain"}:
        return name, float(value)
    return name, value


def told(text: str) -> str:
    """Tell a story anew: its own commands, and under each what comes of it now."""
    story, lines = Story(), []
    for line in text.splitlines():
        if line.startswith(" "):
            continue
        lines.append(line)
        if line and not line.startswith("#"):
            lines += [f"    {one}" for one in story.hear(line)]
    return "\n".join(lines) + "\n"
