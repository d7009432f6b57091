"""What a look means: what is told as drift, what only follows from it, and what is set right."""

from __future__ import annotations

import pytest
from saltern_agent.drift import fights, judge, lines, to_repair
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
    ("policy", "repairs", "expected"),
    [
        (DriftPolicy(), 1000, False),
        (DriftPolicy(times=3, minutes=5), 2, False),
        (DriftPolicy(times=3, minutes=5), 3, True),
    ],
)
def test_so_many_repairs_in_so_many_minutes_are_a_fight(
    policy: DriftPolicy, repairs: int, expected: bool
) -> None:
    assert fights(policy, repairs) is expected


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
