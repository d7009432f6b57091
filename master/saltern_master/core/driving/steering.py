"""What people want of a rollout that goes on -> an event, or why it cannot be. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from saltern_master.api.rollouts import Steering
from saltern_master.api.service import ServiceError
from saltern_master.core.driving.driven import Driven
from saltern_master.rollouts.model import Abort, Event, Pause, Resume, Skip, Undo


@dataclass(frozen=True, slots=True)
class Others:
    """What else decides: numbers of rollouts, and the applied revision."""

    going: int  # the one that is not over, or is about to begin; 0: none
    newest: int  # that began last
    applied: int


def event_of(steering: Steering) -> Event:
    """Give what happens to the rollout."""
    by = steering.by or "somebody"
    match steering.action:
        case "pause":
            return Pause(by)
        case "resume":
            return Resume(by)
        case "abort":
            return Abort(by)
        case "undo":
            return Undo(by)
        case "skip":
            return Skip(steering.node, by)


def refuse_steering(driven: Driven, steering: Steering, others: Others) -> None:
    """Raise a ServiceError where that cannot be; the machine itself refuses the rest."""
    rollout, action = driven.rollout, steering.action
    what = f"cannot {action} rollout {rollout.number}"
    if driven.head.queued:
        raise ServiceError("conflict", f"{what}: it has not begun; it can only be aborted")
    if action == "skip" and steering.node not in rollout.nodes:
        text = f"cannot skip {steering.node}: it has no part in rollout {rollout.number}"
        raise ServiceError("not-found", text)
    if action != "undo":
        return
    if not rollout.before or rollout.before == rollout.revision:
        raise ServiceError("conflict", f"{what}: there is no revision before it")
    if others.going not in (0, rollout.number):
        raise ServiceError("conflict", f"{what}: rollout {others.going} is not over")
    if others.newest != rollout.number:
        raise ServiceError("conflict", f"{what}: rollout {others.newest} came after it")
    if others.applied not in (rollout.revision, rollout.before):
        text = f"{what}: revision {others.applied} was applied since; apply the file that is to be"
        raise ServiceError("conflict", text)
