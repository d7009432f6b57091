"""The decisions of a plan that is asked of nodes: pages, bounds, patience."""

from __future__ import annotations

from dataclasses import replace

import pytest
from saltern_master.api.plans import NodePlan
from saltern_master.core.planning import (
    LINE,
    MOST_OF_NODE,
    NOT_HERE,
    Asked,
    Moment,
    Plan,
    begun,
    next_due,
    pass_time,
    progressed,
    refuse,
    take,
    view_of,
)
from saltern_master.core.turns import Limits
from saltern_protocol.messages import Plan as Page
from saltern_protocol.messages import PlanLine

LIMITS = Limits(grace=5.0, deadline=60.0, longest=600.0)
ROOM = 64 * 2**20
DIGEST = bytes(range(32))


def at(seconds: float) -> Moment:
    """Give a moment so long after the plan began; the wall clock is another."""
    return Moment(100.0 + seconds, 1_800_000_000.0 + seconds)


def plan(*nodes: str) -> Plan:
    asked = {name: Asked("b" * 64, 100.0) for name in nodes or ("w1", "w2")}
    return Plan(number=7, revision=3, file="f" * 64, began=at(0).wall, since=100.0, asked=asked)


def line(
    resource: str = "motd",
    finding: str = "to change",
    change: str = "write",
    impact: str = "none",
    verb: str = "hold",
) -> PlanLine:
    return PlanLine(resource=resource, verb=verb, finding=finding, change=change, impact=impact)


def page(number: int, *lines: PlanLine, last: bool = False, **fields: object) -> Page:
    digest = DIGEST if last else b""
    usual: dict[str, object] = {"turn": 7, "page": number, "last": last, "digest": digest}
    return Page(**(usual | {"lines": lines} | fields))  # type: ignore[arg-type]


def told(before: Plan, *pages: Page, room: int = ROOM) -> Plan:
    for one in pages:
        before = take(before, "w1", one, 4, room, at(1))
    return before


def test_pages_in_order_are_one_plan_of_a_node() -> None:
    half = told(plan(), page(0, line("a"), line("a", change="restart", impact="restart")))
    whole = told(half, page(1, line("b", "blocked", "in use"), last=True))

    assert half.nodes == {}
    assert view_of(half).nodes[0] == NodePlan(node="w1", body="b" * 64)
    one = whole.nodes["w1"]
    assert (one.result, one.changes, one.hindered, one.impact) == ("planned", 2, 1, "restart")
    assert [(each.resource, each.change) for each in one.lines] == [
        ("a", "write"),
        ("a", "restart"),
        ("b", "in use"),
    ]
    assert (one.body, one.version, one.digest, one.cut) == ("b" * 64, 4, DIGEST.hex(), 0)
    assert (list(whole.asked), whole.ended) == (["w2"], 0.0)


def test_each_line_says_what_becomes_of_its_resource() -> None:
    lines = (
        line("a", change="create /a (1 byte)"),
        line("a", change="restart"),
        line("b", change="write /b (1 byte)"),
        line("c", change="install x 2 (was 1)"),
        line("d", "blocked", "in use"),
        line("e", change="create /e", verb="remove"),
        line("f", "as declared", "", verb="forget"),
    )
    whole = told(plan(), page(0, *lines, last=True))

    assert [(one.resource, one.becomes) for one in whole.nodes["w1"].lines] == [
        ("a", "added"),
        ("a", "added"),
        ("b", "changed"),
        ("c", "changed"),
        ("d", "hindered"),
        ("e", "removed"),
        ("f", "forgotten"),
    ]


def test_a_plan_has_ended_when_nobody_is_waited_for() -> None:
    whole = told(plan("w1"), page(0, last=True))

    assert whole.ended == at(1).wall
    assert view_of(whole).nodes[0].changes == 0
    assert begun(plan("w1"), 5.0).ended == 0.0
    assert begun(replace(plan("w1"), asked={}), 5.0).ended == 5.0


@pytest.mark.parametrize(
    "pages",
    [
        (page(1, line(), last=True),),  # nothing came before
        (page(0, line("a")), page(2, line("c"), last=True)),  # one is missing
        (page(0, line("a")), page(1, line("b")), page(1, line("b"), last=True)),  # one came twice
    ],
)
def test_a_page_out_of_order_changes_nothing(pages: tuple[Page, ...]) -> None:
    *good, bad = pages
    before = told(plan(), *good)

    assert take(before, "w1", bad, 4, ROOM, at(2)) is before


def test_the_first_page_begins_anew() -> None:
    again = told(plan(), page(0, line("old", impact="reboot")), page(0, line("new"), last=True))

    assert [one.resource for one in again.nodes["w1"].lines] == ["new"]
    assert (again.nodes["w1"].changes, again.nodes["w1"].impact) == (1, "none")
    assert again.weight == told(plan(), page(0, line("new"), last=True)).weight


def test_who_is_not_asked_or_has_told_is_not_heard() -> None:
    whole = told(plan(), page(0, line("a"), last=True))

    assert take(whole, "w1", page(0, line("b"), last=True), 4, ROOM, at(2)) is whole
    assert take(whole, "w9", page(0, last=True), 4, ROOM, at(2)) is whole


def test_a_node_that_will_not_plan_says_why() -> None:
    refused = told(
        plan(), page(0, last=True, reason="outside-policy", why="it may not", digest=b"")
    )
    bare = told(plan(), page(0, last=True, reason="journal", digest=b""))

    one = refused.nodes["w1"]
    assert (one.result, one.why, one.digest, one.impact) == ("refused", "it may not", "", "unknown")
    assert bare.nodes["w1"].why == "journal"


def test_a_proposal_that_a_document_overtook_is_waited_for() -> None:
    put_by = page(0, last=True, reason="superseded", why="a newer one came", digest=b"")
    after = told(told(plan(), page(0, line())), put_by)

    assert after.nodes == {}
    assert after.asked["w1"].moved == at(1).steady


@pytest.mark.parametrize(
    ("impacts", "greatest"),
    [
        ((), "none"),
        (("reload", "none"), "reload"),
        (("restart", "drain", "reload"), "drain"),
        (("reboot", "drain"), "reboot"),
        (("none", "of a later release"), "unknown"),
    ],
)
def test_the_impact_is_the_greatest_of_all_lines(impacts: tuple[str, ...], greatest: str) -> None:
    lines = [line(impact=one) for one in impacts]

    assert told(plan(), page(0, *lines, last=True)).nodes["w1"].impact == greatest


def test_what_is_forgotten_or_hindered_is_no_change() -> None:
    lines = (
        line("kept", "as declared", verb="forget"),
        line("a", "blocked"),
        line("a", "blocked", "then: write"),
        line("b", "unreadable"),
    )
    one = told(plan(), page(0, *lines, last=True)).nodes["w1"]

    assert (one.changes, one.hindered, len(one.lines)) == (0, 2, 4)


def test_a_digest_of_another_length_names_nothing() -> None:
    assert told(plan(), page(0, last=True, digest=b"short")).nodes["w1"].digest == ""


def test_of_one_node_so_much_text_is_kept_and_the_rest_counted() -> None:
    big, small = line(change="x" * 4000, impact="none"), line("s", change="", impact="reboot")
    before, number = plan(), 0
    while before.weight + 4000 < MOST_OF_NODE:
        before = take(before, "w1", page(number, *[big] * 50), 4, ROOM, at(1))
        number += 1
    whole = take(before, "w1", page(number, big, small, last=True), 4, ROOM, at(1))

    one = whole.nodes["w1"]
    assert whole.weight <= MOST_OF_NODE
    assert one.cut >= 2
    assert len(one.lines) + one.cut == one.changes == number * 50 + 2
    assert one.impact == "reboot"  # of what was cut too


def test_no_more_is_kept_than_there_is_room_for() -> None:
    weight = LINE + len("motd" + "hold" + "to change" + "write")
    whole = told(plan(), page(0, line(), line(), line(), last=True), room=2 * weight)

    assert (len(whole.nodes["w1"].lines), whole.nodes["w1"].cut) == (2, 1)
    assert whole.weight == 2 * weight


def test_what_a_node_gives_back_by_beginning_anew_is_its_own_again() -> None:
    half = told(plan(), page(0, line(), line()))
    again = take(half, "w1", page(0, line(), line(), last=True), 4, 0, at(1))

    assert (len(again.nodes["w1"].lines), again.nodes["w1"].cut) == (2, 0)


def test_who_gives_up_half_way_leaves_no_text() -> None:
    half = told(plan(), page(0, line(), line()))
    after = refuse(half, ["w1", "w9"], "superseded by plan 8", at(2).wall)

    assert after.weight == 0
    assert (after.nodes["w1"].result, after.nodes["w1"].why) == ("refused", "superseded by plan 8")
    assert after.nodes["w1"].lines == ()
    assert refuse(after, ["w1"], "again", at(3).wall) is after


@pytest.mark.parametrize(
    ("gone", "seconds", "result"),
    [
        ({}, 59.9, None),
        ({}, 60.0, "expired"),
        ({"w1": 10.0}, 4.9, None),  # gone before it began: the grace counts from there
        ({"w1": 10.0}, 5.0, "unreachable"),
        ({"w1": 120.0}, 24.9, None),
        ({"w1": 120.0}, 25.0, "unreachable"),
        ({"w1": 115.0}, 14.0, None),  # nodes that come back to a master have until then
        ({"w2": 10.0}, 5.0, None),
    ],
)
def test_patience(gone: dict[str, float], seconds: float, result: str | None) -> None:
    before = plan()
    after = pass_time(before, gone, at(seconds), LIMITS)

    ended = after.nodes.get("w1")
    assert (ended.result if ended is not None else None) == result
    if result == "unreachable":
        assert ended is not None
        assert ended.why == NOT_HERE
        assert ended.digest == ""


def test_a_sign_of_progress_moves_the_deadline_and_not_the_longest_life() -> None:
    before = progressed(plan("w1"), "w1", 150.0)
    at_work = plan("w1")
    for second in range(0, 600, 30):
        at_work = progressed(at_work, "w1", 100.0 + second)

    assert pass_time(before, {}, at(60), LIMITS) is before
    assert pass_time(before, {}, at(110), LIMITS).nodes["w1"].result == "expired"
    assert pass_time(at_work, {}, at(599), LIMITS) is at_work
    assert pass_time(at_work, {}, at(600), LIMITS).nodes["w1"].result == "expired"
    assert progressed(before, "w9", 1.0) is before


def test_a_page_is_a_sign_of_progress() -> None:
    half = take(plan("w1"), "w1", page(0, line()), 4, ROOM, at(50))

    assert pass_time(half, {}, at(100), LIMITS) is half


def test_when_something_is_due_next() -> None:
    before = plan()

    assert next_due(before, {}, LIMITS) == 160.0
    assert next_due(before, {"w2": 102.0}, LIMITS) == 107.0
    assert next_due(progressed(before, "w1", 150.0), {}, LIMITS) == 160.0
    assert next_due(replace(before, asked={}), {}, LIMITS) is None
