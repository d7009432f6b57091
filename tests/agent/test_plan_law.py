"""What the plan said is what apply did: over any bodies, on nodes in any state, in memory.

For each step: what was planned was made, line by line; what was planned as hindered was left; and
nothing else moved on the node, as a snapshot tells that asks no port. Less than planned may be
made, and never more, where a plan has to suppose (Planned.supposing: a module is to bring a
parameter; Planned.loose: a package may bring part of it) and after a step that the node refused.
What is made beyond the plan is told as such (Done.beyond). A second plan has nothing to change but
what failed.

SALTERN_EXAMPLES=20000 tries so many in place of 300; `make test-plans` does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saltern_agent.converge import Done, Result, converge
from saltern_agent.plan import Plan, Planned, plan
from saltern_agent.steps import steps
from saltern_states.body import Body
from saltern_states.contract import Change

from tests.agent.plan_bodies import BODIES, DAMAGES
from tests.agent.plan_damages import Damage
from tests.agent.plan_effects import unlike, untold
from tests.agent.plan_nodes import Node, snapshot
from tests.agent.test_converge import Memory

EXAMPLES = int(os.environ.get("SALTERN_EXAMPLES", "300"))


def bring(node: Node, memory: Memory, body: Body) -> tuple[Plan, Result]:
    """Plan and converge, and hold the one against the other, and both against the node."""
    todo = steps(body, memory.owned)
    before = snapshot(node)
    planned = plan(node, todo)
    assert snapshot(node) == before, "a plan changes nothing"

    result = converge(node, todo, memory)

    failed = False
    for said, done in zip(planned.steps, result.done, strict=True):
        assert said.step == done.step
        as_planned(said, done, failed)
        failed = failed or done.outcome == "failed"
    made = [change for one in result.done for change in one.changes]
    after = snapshot(node)
    assert untold(before, after, made) == set() or failed
    assert unlike(after, made) == [] or failed
    return planned, result


def as_planned(said: Planned, done: Done, failed: bool) -> None:
    """Demand that a step was done as planned. `failed`: the node refused one before it."""
    first = done.changes[: len(done.changes) - len(done.beyond)]
    assert first + done.beyond == done.changes
    if said.hindered:
        assert first == ()
    elif said.supposing or said.loose:
        rest = iter(deeds(said.changes))
        assert all(any(one == other for other in rest) for one in deeds(first)), (said, done)
    elif done.outcome == "failed" or failed:
        assert lines(first) == lines(said.changes)[: len(first)]
    else:
        assert lines(first) == lines(said.changes), (said, done)


def lines(changes: Sequence[Change]) -> list[str]:
    return [str(change) for change in changes]


def deeds(changes: Sequence[Change]) -> list[str]:
    return [change.deed for change in changes]


def again(node: Node, memory: Memory, body: Body, result: Result) -> None:
    """Demand that a second plan has nothing but what is still hindered, and its apply neither."""
    bad = {one.step.key for one in result.bad}
    todo = steps(body, memory.owned)
    found = plan(node, todo).steps
    left = [one for one in found if one.finding != "as declared" and not one.hindered]
    assert {one.step.key for one in left} <= bad, (left, result.bad)


NODES = st.lists(DAMAGES, max_size=6)


@pytest.mark.timeout(36_000)
@settings(max_examples=EXAMPLES)
@given(BODIES, NODES, NODES, BODIES)
def test_what_the_plan_says_is_what_is_done(
    first: Body, foreign: list[Damage], damages: list[Damage], second: Body
) -> None:
    node, memory = Node(), Memory()
    for one in foreign:
        one(node)
    bring(node, memory, first)
    for one in damages:
        one(node)
    _, result = bring(node, memory, second)
    again(node, memory, second, result)
