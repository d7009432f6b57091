"""Applying: the one way by which a document comes to be applied, whoever brought it.

A newer one makes the apply in hand give way, between two resources. Where it is then refused,
the one that gave way is gone on with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from saltern_protocol.errors import ProtocolError, RefusedError
from saltern_states.body import BodyError

from saltern_agent.converge import Result
from saltern_agent.events import End
from saltern_agent.journal import JournalError
from saltern_agent.keeper import Keeper
from saltern_agent.loop import Agent
from saltern_agent.noticing import Watched, watched
from saltern_agent.status import Status, status_of

KNOWN = (ProtocolError, BodyError, JournalError)


@dataclass(frozen=True, slots=True)
class Order:
    """How a document came: the master's turn, 0 by hand; the plan that it shall come to, if any."""

    turn: int = 0
    expects: bytes = b""  # Doc.expects


BY_HAND = Order()


def apply_end(
    keeper: Keeper,
    statement: bytes,
    monotonic: Callable[[], float],
    newer: Callable[[], bool] = lambda: False,
    order: Order = BY_HAND,
) -> End:
    """Accept and converge, and sum it up."""
    began = monotonic()
    result = keeper.take(statement, newer, order.turn, order.expects)
    return End(
        result.converged,
        _not_through(result),
        changes=result.changes,
        bad=len(result.bad),
        milliseconds=(monotonic() - began) * 1000,
    )


def _not_through(result: Result) -> str:
    if result.handed_over is not None:
        return "the agent is being replaced, and the next one goes on: saltern-agent status"
    return "a newer document came before this one was through" if result.interrupted else ""


def refusal(error: Exception) -> End:
    """Tell an error that ended a job."""
    reason = error.reason.value if isinstance(error, RefusedError) else ""
    if isinstance(error, BodyError):
        reason = "bad-body"
    return End(False, str(error) or type(error).__name__, reason)


@dataclass(frozen=True, slots=True)
class Applying:
    """Applies documents by the agent's worker. For the loop's thread."""

    agent: Agent

    def apply(
        self,
        statement: bytes,
        order: Order,
        begun: Callable[[], None],
        ended: Callable[[End], None],
    ) -> None:
        """Apply a document. `begun` is called in the worker's thread, `ended` in the loop's."""
        turns = self.agent.turns
        turns.asked += 1

        def job(keeper: Keeper) -> tuple[End, Status, Watched]:
            turns.begun += 1
            begun()
            monotonic = self.agent.clocks.monotonic
            end = apply_end(keeper, statement, monotonic, turns.newer, order)
            return end, status_of(keeper), watched(keeper.body)

        def over(result: tuple[End, Status, Watched] | Exception) -> None:
            turns.ended += 1
            if isinstance(result, Exception):
                ended(refusal(result))
                if isinstance(result, JournalError):
                    self.agent.probe_now()
                if isinstance(result, KNOWN):
                    self._resume()
                else:
                    self.agent.fail(result)
                return
            end, status, watches = result
            self.agent.show(status)
            self.agent.follow(watches)
            ended(end)

        self.agent.worker.submit(job, over)

    def _resume(self) -> None:
        """Go on with the apply that made way for a statement which was then refused."""
        turns = self.agent.turns

        def job(keeper: Keeper) -> tuple[Status, Watched] | None:
            accepted = keeper.journal.accepted()
            if accepted is None or not accepted.unfinished:
                return None
            keeper.converge_all(turns.newer)
            return status_of(keeper), watched(keeper.body)

        def over(result: tuple[Status, Watched] | Exception | None) -> None:
            if isinstance(result, Exception):
                self.agent.fail(result)
            elif result is not None:
                status, watches = result
                self.agent.show(status)
                self.agent.follow(watches)

        self.agent.worker.submit(job, over)
