"""What a plan looks like, what is told together, and what a saved one keeps: all pure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_master.api.plans import NodePlan, PlanLineView, PlanResult, PlanView
from saltern_master.cli.folding import fold, folded, folded_faults, unfolded
from saltern_master.cli.plan import status_of
from saltern_master.cli.plan_tables import mark_of, node_line, plan_lines, sum_line
from saltern_master.cli.refusals import FileError
from saltern_master.cli.saved_plan import is_saved_plan, read_plan, saved, to_bytes
from saltern_master.plan_words import ADDS
from saltern_states.contract import Blocked
from saltern_states.kinds import KINDS
from saltern_states.testing import FakeHost

GOLDEN = Path(__file__).parents[1] / "golden/cli"
CONFIG = PlanLineView(
    resource="kubelet/config.yaml",
    verb="hold",
    finding="to change",
    change="write /var/lib/kubelet/config.yaml (812 bytes, 0644 root:root)",
    impact="none",
    detail="--- a\n+++ b\n@@ -1,14 +1,14 @@\n"
    + "".join(f" line {at}\n" for at in range(14))
    + "-maxPods: 110\n+maxPods: \x1b[2J60\n",
)
UNIT = PlanLineView(
    resource="kubelet/kubelet.service",
    verb="hold",
    finding="to change",
    change="restart kubelet.service: its configuration changed",
    impact="restart",
)
MOTD = PlanLineView(
    resource="motd",
    verb="hold",
    finding="to change",
    change="create /etc/motd (6 bytes, 0644 root:root)",
    impact="none",
    detail="--- /etc/motd\n+++ /etc/motd\n@@ -0,0 +1 @@\n+hello\n",
)
ROUTE = PlanLineView(
    resource="route/old",
    verb="remove",
    finding="to change",
    change="remove the route to 10.10.9.0/24",
    impact="none",
)
KEPT = PlanLineView(resource="data", verb="forget", finding="as declared", change="", impact="none")
DISK = PlanLineView(
    resource="disk", verb="hold", finding="blocked", change="no directory \x1b[31m", impact="none"
)


def plan_of(name: str, *lines: PlanLineView) -> NodePlan:
    return NodePlan(
        node=name,
        result="planned",
        changes=sum(one.finding == "to change" for one in lines),
        hindered=sum(one.finding == "blocked" for one in lines),
        impact="restart" if UNIT in lines else "none",
        lines=lines,
        body=f"{sum(name.encode()):064x}",
        version=4,
        digest="d" * 64,
    )


def without(name: str, result: PlanResult, why: str) -> NodePlan:
    return NodePlan(node=name, result=result, why=why)


NODES = (
    *(plan_of(f"w{at}", CONFIG, UNIT) for at in (*range(1, 41), 44)),
    plan_of("cp1", MOTD, ROUTE, KEPT, DISK),
    plan_of("w42"),
    plan_of("w43"),
    replace(plan_of("w50", MOTD), cut=7),
    without("w60", "unreachable", "it is not connected, so it cannot say what it would change"),
    without("w61", "unreachable", "it is not connected, so it cannot say what it would change"),
    without("w62", "refused", "wrong-epoch: \x1b[2J"),
    without("w63", "waiting", ""),
)
PLAN = PlanView(plan=3, revision=7, file="f" * 64, began=1.0, ended=2.0, nodes=NODES)


@pytest.mark.parametrize(("name", "full"), [("plan", False), ("plan-full", True)])
def test_a_plan_looks_as_it_was_agreed(name: str, full: bool) -> None:
    lines = [one.text for one in plan_lines(PLAN, full)]

    assert "\n".join([*lines, sum_line(PLAN), ""]) == (GOLDEN / f"{name}.txt").read_text()


def test_who_can_do_nothing_of_it_is_not_said_to_change() -> None:
    line = replace(CONFIG, finding="blocked", change="no directory")
    stuck = NodePlan(node="w1", result="planned", hindered=1, lines=(line,))
    plan = replace(PLAN, nodes=(stuck,))

    assert sum_line(plan).startswith("1 node: 0 to change, 0 as declared, 1 hindered in all")


def test_a_plans_colours_are_where_its_words_are() -> None:
    colours = {one.text: one.colour for one in plan_lines(PLAN, full=True)}

    assert colours["+ motd"] == "green"
    assert colours["~ kubelet/config.yaml"] == "yellow"
    assert colours["- route/old"] == "red"
    assert colours["      -maxPods: 110"] == "red"
    assert not any("\x1b" in text for text in colours)


def test_progress_is_a_line_for_each_node() -> None:
    told = [node_line(one) for one in (NODES[0], plan_of("w9"), NODES[-2], NODES[-1])]

    assert told == [
        "w1: 2 changes, restart",
        "w9: as declared",
        "w62: refused: wrong-epoch: \\x1b[2J",
        "w63: not heard yet",
    ]


@pytest.mark.parametrize(
    ("nodes", "status"),
    [
        ((), 0),
        ((plan_of("w1"),), 0),
        ((plan_of("w1"), plan_of("w2", MOTD)), 2),
        ((plan_of("w1", KEPT),), 2),
        ((plan_of("w1", DISK),), 2),
        ((plan_of("w1", MOTD), without("w2", "unreachable", "")), 1),
        ((plan_of("w1"), without("w2", "waiting", "")), 1),
    ],
)
def test_what_a_plan_means(nodes: tuple[NodePlan, ...], status: int) -> None:
    assert status_of(replace(PLAN, nodes=nodes)) == status


@pytest.mark.parametrize(
    ("lines", "mark"),
    [
        ((MOTD,), "+"),
        ((CONFIG,), "~"),
        ((ROUTE,), "-"),
        ((KEPT,), "."),
        ((MOTD, DISK), "!"),
        ((replace(CONFIG, change="make cbr0 promiscuous"),), "~"),
        ((replace(CONFIG, change="install docker.io 1 -> 2"),), "~"),
        ((replace(CONFIG, change="load image pause:1 (was sha256:0)"),), "~"),
    ],
)
def test_what_becomes_of_a_resource(lines: tuple[PlanLineView, ...], mark: str) -> None:
    assert mark_of(lines[0].verb, lines) == mark


def test_what_kinds_call_making_is_told_as_such() -> None:
    adding = set()
    for kind in KINDS:
        changes = kind.diff(kind.example, kind.observe_for_diff(FakeHost(), kind.example))
        then = [one for change in changes if isinstance(change, Blocked) for one in change.then]
        if any(ADDS.match(str(one)) for one in (*changes, *then)):
            adding.add(kind.name.partition("/")[0])

    assert adding >= {
        "bridge",
        "chain",
        "directory",
        "file",
        "kernel-module",
        "package",
        "pod-routes",
        "route",
    }


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], ""),
        (["w1"], "w1"),
        (["w1", "w2"], "w1, w2"),
        (["w3", "w1", "w2", "w2"], "w[1-3]"),
        (["w", "w0", "w1", "w2"], "w, w[0-2]"),
        ([f"w{at}" for at in (*range(1, 41), 44)], "w[1-40], w44"),
        (["w01", "w02", "w03"], "w[01-03]"),
        (["w008", "w009", "w010", "w11", "w9", "w10"], "w[9-11], w[008-010]"),
        (["w0", "w1", "w00", "w01", "w02"], "w0, w1, w[00-02]"),
        (["a1.z", "a2.z", "a3.z", "a3.y"], "a3.y, a[1-3].z"),
        (["w9", "w10", "w11", "cp1"], "cp1, w[9-11]"),
        (["w999999998", "w999999999", "w1000000000"], "w999999998, w999999999, w1000000000"),
        (["w", "v"], "v, w"),
    ],
)
def test_names_that_count_on_are_a_range(names: list[str], told: str) -> None:
    assert folded(names) == told


def test_what_is_said_of_many_nodes_is_said_once() -> None:
    faults = ("w1: it moved: a", "w2: it moved: b", "w3: it moved: a", "w4: it moved: a")

    assert folded_faults(faults) == ("w1, w3, w4: it moved: a", "w2: it moved: b")


@given(st.sets(st.from_regex(r"\A[a-b]{0,2}[0-2]{0,3}(\.?[a-b])?\Z").filter(bool)))
def test_no_name_is_lost_or_told_twice(names: set[str]) -> None:
    assert sorted(unfolded(folded(names))) == sorted(names)


@given(st.lists(st.sampled_from(NODES)))
def test_every_node_is_in_one_fold_that_tells_its_plan(nodes: list[NodePlan]) -> None:
    folds = fold({one.node: one for one in nodes}.values())
    by_name = {name: each for each in folds for name in each.names}

    assert sum(len(each.names) for each in folds) == len(by_name) == len({n.node for n in nodes})
    for one in nodes:
        told = by_name[one.node].plan
        assert (told.lines, told.result, told.why, told.cut) == (
            one.lines,
            one.result,
            one.why,
            one.cut,
        )


def test_a_saved_plan_is_read_as_it_was_written() -> None:
    made = saved(replace(PLAN, file=EMPTY), "zone=a", "")
    assert made is not None
    data = to_bytes(made)

    assert is_saved_plan(data)
    assert read_plan(data, "x") == made
    assert sorted(made.expects) == sorted(one.node for one in NODES if one.digest)
    assert made.left["w62"] == "refused: wrong-epoch: \x1b[2J"
    assert b"\x1b" not in data
    assert made.nodes["w1"].lines[1] == f"hold {UNIT.resource}: {UNIT.change}"


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_nothing_is_saved_where_nobody_planned() -> None:
    assert saved(replace(PLAN, nodes=NODES[-2:]), "", "") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "apiVersion: saltern/v1\n",
        '{"apiVersion": "saltern/v1"}',
        "format: saltern-plan/1",
    ],
)
def test_what_is_no_saved_plan_is_a_cluster_file(text: str) -> None:
    assert not is_saved_plan(text.encode())


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('{"format": "saltern-plan/1"', ["it is damaged or cut short"]),
        ('{"format": "saltern-plan/2", "nodes": 1}', ["format: it is 'saltern-plan/2'; this"]),
        (
            '{"format": "saltern-plan/1", "nodes": {"w1": {}, "W2": {}}, "x": 1, "file": "0"}',
            [
                "revision: is missing",
                "target: is missing",
                "cluster_file: is missing",
                "file: Expected `str` matching",
                "nodes.w1: Object missing required field `body`",
                "nodes.W2: ",
                "x: is not known",
                "sha256: it is not as it was saved",
            ],
        ),
    ],
)
def test_all_faults_of_a_saved_plan_are_told_at_once(text: str, faults: list[str]) -> None:
    assert is_saved_plan(text.encode())
    with pytest.raises(FileError) as caught:
        read_plan(text.encode(), "x")
    head, *told = str(caught.value).splitlines()

    assert head.startswith(f"cannot take the saved plan x: {len(faults)} fault")
    assert all(line.strip().startswith(one) for line, one in zip(told, faults, strict=True))


@given(st.data())
def test_whatever_is_changed_in_a_saved_plan_is_noticed(data: st.DataObject) -> None:
    made = saved(replace(PLAN, nodes=NODES[:2], file=EMPTY), "zone=a", "")
    assert made is not None
    whole = to_bytes(made)
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != whole[at]))
    changed = whole[:at] + bytes([byte]) + whole[at + 1 :]
    try:
        read = read_plan(changed, "x")
    except FileError:
        return
    # Only what stands between words can be another: in a text, a blank counts.
    assert read == made
    assert changed.split() == whole.split()
