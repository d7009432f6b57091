"""Taking back: the one way by which what was not confirmed is undone, whoever's clock said so."""

from __future__ import annotations

from collections.abc import Callable

from saltern_agent.applying import refusal
from saltern_agent.events import End
from saltern_agent.items import TAKEN_BACK
from saltern_agent.keeper import Keeper
from saltern_agent.loop import Agent
from saltern_agent.noticing import Watched, watched
from saltern_agent.status import Status, status_of

WAITS, NOTHING = "waits", "nothing"


def revert_end(keeper: Keeper, newer: Callable[[], bool] = lambda: False) -> End:
    """Take back what was not confirmed in time, and sum it up. End.reason: what was found."""
    if keeper.end_trial(newer):
        last = keeper.last
        return End(
            True,
            reason=TAKEN_BACK,
            changes=last.changes if last else 0,
            bad=len(last.bad) if last else 0,
        )
    left = keeper.trying.left()
    return End(True, reason=WAITS if left else NOTHING, milliseconds=left * 1000)


def take_back(agent: Agent, ended: Callable[[End], None] = lambda _: None) -> None:
    """Have the agent's worker do it; `ended` in the loop's thread, whose this is too."""

    def job(keeper: Keeper) -> tuple[End, Status, Watched]:
        end = revert_end(keeper, agent.turns.newer)
        return end, status_of(keeper), watched(keeper.body)

    def over(result: tuple[End, Status, Watched] | Exception) -> None:
        if isinstance(result, Exception):
            ended(refusal(result))
            agent.fail(result)
            return
        end, status, watches = result
        agent.show(status)
        if end.reason == TAKEN_BACK:
            agent.follow(watches)
        ended(end)

    agent.worker.submit(job, over)
