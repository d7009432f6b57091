"""A rollout in words: how far it is, what a person can do now, what its end means. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import tzinfo
from typing import Final

from saltern_protocol.errors import printable

from saltern_master.api.rollouts import RolloutNode, RolloutView
from saltern_master.cli.moments import iso

OVER: Final = frozenset({"aborted", "done"})
IN_HAND: Final = ("asking", "draining", "applying", "settling")
ENDED: Final = ("done", "failed", "aside", "skipped")
LONGEST: Final = 300
NOT_TAKEN_BACK: Final = "it is not taken back"
STAGES: Final = ("done", *IN_HAND, "failed", "aside", "skipped", "waiting")
"""In the order in which they are told."""


def lasted(seconds: float) -> str:
    """Give a span as 43 s, 12 min 3 s, 2 h 5 min or 1 d 3 h."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    sizes = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    size, unit, part, small = next(one for one in sizes if whole >= one[0])
    rest = whole % size // part
    return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")


def counts(view: RolloutView) -> dict[str, int]:
    """Give how many nodes are in each stage: counted where the nodes are known, else as told."""
    found = Counter(one.stage for one in view.nodes) if view.nodes else view.stages
    return {stage: found[stage] for stage in STAGES if found.get(stage)}


def told_counts(found: dict[str, int]) -> str:
    """Tell how many are in each stage."""
    return ", ".join(f"{number} {stage}" for stage, number in found.items())


def phase_text(view: RolloutView) -> str:
    """Say where it stands: its phase, and the wave in hand."""
    if view.phase in OVER or view.phase == "queued":
        return view.phase
    return f"{view.phase}, wave {view.wave + 1} of {max(view.waves, 1)}"


def title(view: RolloutView, now: float) -> str:
    """Say in one line which rollout this is, how it stands, since when, and who began it."""
    took = "" if view.phase == "queued" else f" for {lasted((view.ended or now) - view.began)}"
    if view.ended:
        took = f" after {lasted(view.ended - view.began)}"
    by = f", begun by {view.by}" if view.by else ""
    return printable(f"rollout {view.rollout}: {phase_text(view)}{took}{_aims(view)}{by}")


def _aims(view: RolloutView) -> str:
    if not view.revision:
        return ""
    undo = f", taking rollout {view.undoes} back" if view.undoes else ""
    return f"; revision {view.revision}, from {view.before}{undo}"


def goes_back(view: RolloutView) -> bool:
    """Tell whether a stopped rollout is about to be taken back with nobody's doing."""
    return view.phase == "stopped" and view.strategy.on_spent == "undo" and not view.undoes


def is_to_go_back(view: RolloutView) -> bool:
    """Tell whether the one that takes it back is waited for."""
    return view.undo == "wanted" and not view.undone_by


def not_taken_back(view: RolloutView) -> str:
    """Say why the one that takes it back has not begun; "": it is about to, as far as is known."""
    found = [one for one in view.notes if one.startswith(NOT_TAKEN_BACK)]
    return found[-1] if found and is_to_go_back(view) else ""


def needs_somebody(view: RolloutView) -> bool:
    """Tell whether it stays as it is until a person decides."""
    return view.phase == "paused" or (view.phase == "stopped" and not goes_back(view))


def choices(view: RolloutView) -> list[tuple[str, str]]:
    """Give what a person can do now: the command, and what it brings about."""
    number = view.rollout
    resume = (f"saltern rollout resume {number}", "it goes on")
    abort = (f"saltern rollout abort {number}", "it ends, and what is done stays")
    undo = (f"saltern rollout undo {number}", f"go back to revision {view.before}")
    back = [undo] if view.before and view.before != view.revision else []
    if is_to_go_back(view):
        return [(abort[0], "it is let be as it is")] if not_taken_back(view) else []
    if view.phase == "paused":
        return [resume, *_stuck(view), *back, abort]
    if goes_back(view):
        return []
    if view.phase == "stopped":
        return [(resume[0], "it goes on in spite of those that failed"), *back, abort]
    if view.phase in OVER and (view.phase == "aborted" or counts(view).get("failed")):
        return back if not view.undone_by else []
    return []


def _stuck(view: RolloutView) -> list[tuple[str, str]]:
    """Give the way past each node that waits for leave or for its pods; the first two of them."""
    stuck = [one for one in view.nodes if one.stage in ("asking", "draining")]
    return [
        (f"saltern rollout skip {one.node} {view.rollout}", f"it goes on without {one.node}")
        for one in stuck[:2]
    ]


def status_of(view: RolloutView) -> int:
    """Give the exit status that a rollout means."""
    found = counts(view)
    if view.phase in ("stopped", "aborted") or found.get("failed"):
        return 1
    everywhere = view.phase == "done" and not found.get("aside") and not found.get("skipped")
    return 0 if everywhere else 3


def summary_line(view: RolloutView, now: float) -> str:
    """Say in one line how it stands."""
    found = told_counts(counts(view)) or "no nodes"
    why = f"; {view.why}" if view.why else ""
    undone = f"; rollout {view.undone_by} takes it back" if view.undone_by else ""
    if is_to_go_back(view):
        undone = f"; {not_taken_back(view) or 'it is about to be taken back'}"
    return printable(f"{title(view, now)}: {found}{why}{undone}")


def node_line(one: RolloutNode, now: float, zone: tzinfo | None) -> str:
    """Say what became of a node, as one line of a log."""
    away = ", not connected" if one.away else ""
    why = f": {one.why}" if one.why else ""
    return printable(f"{iso(now, zone)}  {one.node}  wave {one.wave + 1}, {one.stage}{away}{why}")


def head_line(view: RolloutView, now: float, zone: tzinfo | None) -> str:
    """Say what became of the rollout, as one line of a log."""
    found = told_counts(counts(view)) or "no nodes"
    waits = f"; {wait_text(view)}" if wait_text(view) else ""
    text = f"{iso(now, zone)}  rollout {view.rollout}  {phase_text(view)}: {found}{waits}"
    return printable(_bounded(text))


def wait_text(view: RolloutView) -> str:
    """Say why it is not further than it is; nothing where it is done."""
    if view.phase == "done":
        return ""
    if view.phase in ("paused", "stopped", "aborted"):
        back = "; it is taken back by itself" if goes_back(view) else ""
        why = view.why if view.why.startswith(view.phase) else f"{view.phase}: {view.why}"
        return f"{why}{back}"
    return f"waits: {view.waits_for}" if view.waits_for else ""


def status_line(view: RolloutView, now: float) -> str:
    """Give a rollout that goes on as one line above all else that there is to see."""
    command = "watch" if not needs_somebody(view) else "status"
    waits = f"; {wait_text(view)}" if wait_text(view) else ""
    found = told_counts(counts(view)) or "no nodes"
    text = f"{title(view, now)}: {found}{waits}"
    more = f"; see: saltern rollout {command} {view.rollout}"
    return printable(_bounded(text)) + more


def _bounded(text: str) -> str:
    """Give a line that is one, also where hundreds of nodes are waited for."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
