"""What a look means: what is told as drift, what only follows from it, and what is set right."""

from __future__ import annotations

import pytest
from saltern_agent.drift import (
    LONGEST,
    MAX_FOUND,
    Failures,
    bounded,
    fight,
    fights,
    judge,
    lines,
    to_repair,
    to_touch,
)
from saltern_agent.plan import Finding, Planned
from saltern_agent.steps import Step
from saltern_states.body import DriftPolicy, Resource, make_body
from saltern_states.file import File

AFTER = {"docker": (), "image": ("docker",), "pod": ("image",), "other": ()}


def found(name: str, finding: Finding, why: str = "") -> Planned:
    resource = Resource(id=name, spec=File(path=f"/etc/{name}", text=""), after=AFTER[name])
    return Planned(Step("hold", resource), finding, why=why)


def test_what_cannot_be_seen_because_of_another_is_not_told_beside_it() -> None:
    verdict = judge(
        [
            found("docker", "to change"),
            found("image", "unreadable"),
            found("pod", "blocked"),
            found("other", "as declared"),
        ],
        AFTER,
    )

    assert [one.step.resource.id for one in verdict.drifted] == ["docker"]
    assert verdict.healthy == ("other",)


def test_what_differs_itself_is_told_also_where_another_drifted() -> None:
    verdict = judge([found("docker", "to change"), found("image", "to change")], AFTER)

    assert [one.step.resource.id for one in verdict.drifted] == ["docker", "image"]


def test_what_cannot_be_seen_for_its_own_reason_is_told() -> None:
    verdict = judge([found("docker", "as declared"), found("image", "unreadable", "no")], AFTER)

    assert [lines(one) for one in verdict.drifted] == [("no",)]


@pytest.mark.parametrize(
    ("policy", "attempts", "expected"),
    [
        (DriftPolicy(), (999.0,) * 1000, False),
        (DriftPolicy(times=3, minutes=5), (998.0, 999.0), False),
        (DriftPolicy(times=3, minutes=5), (998.0, 999.0, 1000.0), True),
        (DriftPolicy(times=3, minutes=5), (699.0, 999.0, 1000.0), False),
        (DriftPolicy(times=3, minutes=5), (998.0, 999.0, 1001.0), False),  # the clock went back
    ],
)
def test_so_many_attempts_in_so_many_minutes_are_a_fight(
    policy: DriftPolicy, attempts: tuple[float, ...], expected: bool
) -> None:
    assert fights(policy, attempts, now=1000.0) is expected


@pytest.mark.parametrize(
    ("times", "minutes", "said"),
    [(1, 1, "once in a minute"), (3, 10, "3 times in 10 minutes")],
)
def test_a_bound_is_said_in_words(times: int, minutes: int, said: str) -> None:
    policy = DriftPolicy(times=times, minutes=minutes)
    assert fight(policy, None).startswith(f"a fight: set right {said} and off again")
    assert fight(policy, Failures(why="no room")).startswith(f"tried {said} in vain, ")


@pytest.mark.parametrize(
    ("failures", "now", "wait"),
    [
        (Failures(), 1000.0, 0.0),
        (Failures(1, 1000.0), 1000.0, 1.0),
        (Failures(1, 1000.0), 1001.0, 0.0),
        (Failures(2, 1000.0), 1000.5, 1.5),
        (Failures(5, 1000.0), 1000.0, 16.0),
        (Failures(7, 1000.0), 1000.0, LONGEST),
        (Failures(10**6, 1000.0), 1000.0, LONGEST),
        (Failures(7, 1000.0), 900.0, 0.0),  # the clock went back
    ],
)
def test_each_failure_doubles_the_wait(failures: Failures, now: float, wait: float) -> None:
    assert failures.wait(now) == wait


def test_what_is_recorded_is_bounded_and_says_what_is_left_out() -> None:
    said = tuple(f"remove /etc/{number:04}/{'ü' * 100}" for number in range(1000))
    cut = bounded(said)

    assert cut[-1] == f"… and {len(said) - len(cut) + 1} more"
    assert MAX_FOUND - 300 < sum(len(line.encode()) for line in cut) <= MAX_FOUND
    assert bounded(said[:3]) == said[:3]


def test_a_name_that_is_no_text_can_be_recorded() -> None:
    assert lines(found("other", "blocked", "stray \udcff\n")) == ("stray \\udcff\\n",)


def test_what_is_only_to_be_told_is_not_touched_with_what_it_comes_after() -> None:
    body = make_body(
        (
            Resource(id="first", spec=File(path="/etc/first", text="")),
            Resource(
                id="told",
                spec=File(path="/etc/told", text=""),
                after=("first",),
                drift=DriftPolicy(mode="report"),
            ),
            Resource(id="then", spec=File(path="/etc/then", text=""), after=("first", "told")),
        )
    )

    assert to_touch(body, frozenset({"first"}), frozenset({"first"})) == {"first", "then"}
    assert to_touch(body, frozenset({"first"}), frozenset({"first", "then"})) == {"first"}


def test_only_what_is_enforced_and_no_fight_is_set_right() -> None:
    body = make_body(
        tuple(
            Resource(id=name, spec=File(path=f"/etc/{name}", text=""), drift=policy)
            for name, policy in (
                ("told", DriftPolicy(mode="report")),
                ("fought", DriftPolicy()),
                ("healed", DriftPolicy()),
            )
        )
    )

    drifted = ("told", "fought", "healed")

    assert to_repair(body, drifted, frozenset({"fought"})) == {"healed"}
