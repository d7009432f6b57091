"""What is done with a thousand nodes, and what came of it.

They hold a first document; one file of theirs is planned; then it is rolled out in ten waves while
the disks of some take nothing more and some are not there. Who was not there comes at last.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from saltern_master.api.plan_requests import PlanEvent
from saltern_master.api.rollout_requests import RolloutEvent, RolloutNodeEvent
from saltern_master.api.rollouts import RolloutAsk, RolloutView
from saltern_master.bench.processes import cpu_seconds, pss_mib
from saltern_master.bench.turns import follow
from saltern_master.lab.fleet import wait_for
from saltern_master.rollouts.strategy import Strategy

from tests.faults.fleet import Member
from tests.simulation.ground import Ground
from tests.simulation.one_more import OneMore, one_more

FAILING, ABSENT = 0.02, 0.01
PROCESSES = 2
SECONDS = 120.0
WAVES = ("10%", "20%", "30%", "40%", "50%", "60%", "70%", "85%", "100%")  # after the canary
STRATEGY = Strategy(
    canary="1", waves=WAVES, max_unavailable={"bare": "100%"}, soak=0.0, hold=0.0, budget="5%"
)
Show = Callable[[str], None]


class Cost(msgspec.Struct, kw_only=True):
    """What something took: seconds, CPU seconds of core and front, messages and bytes of nodes."""

    seconds: float = 0.0
    core: float = 0.0
    front: float = 0.0
    messages: int = 0
    bytes: int = 0


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    size: int
    waves: int
    joined: float  # seconds until all were connected
    first: Cost
    no_op: Cost
    plan: Cost
    rollout: Cost
    stages: dict[str, int]  # of the rollout's nodes, when it was done
    out_of_turn: int  # nodes that began before the wave before theirs was over
    returned: float  # seconds until who had not been there held what they missed
    core_mib: float
    front_mib: float
    one_more: OneMore


@dataclass(frozen=True, slots=True)
class Told:
    """A rollout that was followed to its end."""

    view: RolloutView
    out_of_turn: int


def measure(ground: Ground, show: Show) -> Figures:
    """Do all of it; AssertionError where something came out otherwise than it has to."""
    members = ground.fleet.members
    absent = members[-max(1, round(len(members) * ABSENT)) :]
    here = members[: -len(absent)]
    show(f"{len(here)} nodes connect")
    began = time.monotonic()
    ground.begin(here, PROCESSES)
    joined = time.monotonic() - began
    first, no_op = _applies(ground, len(absent), show)
    plan = _plan(ground, show)
    failing = [one.name for one in here[len(here) // 2 :][: round(len(members) * FAILING)]]
    ground.fail(failing)
    show(f"a rollout; {len(failing)} will fail, {len(absent)} are not there")
    with _cost(ground) as rollout:
        told = _rollout(ground)
    stages = Counter[str](node.stage for node in told.view.nodes)
    _must_be(told.view, stages, len(failing), len(absent))
    core, front = ground.fleet.processes()
    return Figures(
        size=len(members),
        waves=told.view.waves,
        joined=joined,
        first=first,
        no_op=no_op,
        plan=plan,
        rollout=rollout,
        stages=dict(stages),
        out_of_turn=told.out_of_turn,
        returned=_come_back(ground, absent, show),
        core_mib=pss_mib(core),
        front_mib=pss_mib(front),
        one_more=_one_more(len(members), show),
    )


def _one_more(size: int, show: Show) -> OneMore:
    show("one node more, compiled and compared")
    return one_more(size)


def _applies(ground: Ground, absent: int, show: Show) -> tuple[Cost, Cost]:
    show("a first apply, and one that changes nothing")
    costs = []
    for result in ("changed", "converged"):
        with _cost(ground) as cost:
            followed = follow(ground.fleet.client, ground.file("begin"))
        found = Counter(node.result for node in followed.nodes.values())
        if found != {result: len(ground.names) - absent, "unreachable": absent}:
            raise AssertionError(f"an apply came to {dict(found)}")
        last = max(n.seconds for n in followed.nodes.values() if n.result == result)
        cost.seconds = last  # the grace of those who are not there is no work
        costs.append(cost)
    return costs[0], costs[1]


def _plan(ground: Ground, show: Show) -> Cost:
    show("a plan")
    client = ground.fleet.client
    with _cost(ground) as cost:
        began = time.monotonic()
        last, planned = began, 0
        asked = client.plan(ground.file("planned"), "")
        with client.follow_plan(asked.plan) as events:
            for event in events:
                if isinstance(event, PlanEvent):
                    break
                if event.node.result == "planned":
                    last, planned = time.monotonic(), planned + 1
    cost.seconds = last - began
    show(f"{planned} planned")
    return cost


def _rollout(ground: Ground) -> Told:
    client = ground.fleet.client
    ask = RolloutAsk(file=ground.file("rolled").decode(), strategy=STRATEGY, by="simulation")
    begun = client.start_rollout(ask)
    wave_of = {node.node: node.wave for node in client.rollout(begun.rollout).nodes}
    left = Counter(wave_of.values())
    over: set[str] = set()
    out_of_turn = 0
    with client.follow_rollout(begun.rollout) as events:
        for event in events:
            if isinstance(event, RolloutNodeEvent):
                name, stage = event.node.node, event.node.stage
                if stage in ("done", "failed", "aside", "skipped") and name not in over:
                    over.add(name)
                    left[wave_of[name]] -= 1
                elif stage in ("applying", "settling") and name not in over:
                    out_of_turn += any(left[wave] for wave in range(wave_of[name]))
            elif isinstance(event, RolloutEvent) and event.rollout.phase in ("done", "stopped"):
                break
    return Told(client.rollout(begun.rollout), out_of_turn)


def _must_be(view: RolloutView, stages: Counter[str], failing: int, absent: int) -> None:
    wanted = {"done": view.total - failing - absent, "failed": failing, "aside": absent}
    if view.phase != "done" or stages != wanted:
        raise AssertionError(f"the rollout is {view.phase} ({view.why}): {dict(stages)}")


def _come_back(ground: Ground, absent: tuple[Member, ...], show: Show) -> float:
    show("who was not there comes")
    names = {one.name for one in absent}
    began = time.monotonic()
    ground.begin(absent, 1)

    def hold_it() -> bool:
        nodes = (one for one in ground.fleet.client.status().nodes if one.name in names)
        return all(one.version == one.wanted > 0 for one in nodes)

    wait_for("those who come back to hold what they missed", hold_it, SECONDS)
    return time.monotonic() - began


@contextmanager
def _cost(ground: Ground) -> Iterator[Cost]:
    """Measure from an account of the front's to one after the end: they are 15 s apart."""
    before, found = _account(ground), Cost()
    core, front = ground.fleet.processes()
    cpu, began = (cpu_seconds(core), cpu_seconds(front)), time.monotonic()
    yield found
    found.seconds = time.monotonic() - began
    found.core, found.front = cpu_seconds(core) - cpu[0], cpu_seconds(front) - cpu[1]
    after = _account(ground)
    found.messages = after["messages"] - before["messages"]
    found.bytes = sum(after[one] - before[one] for one in ("bytes_in", "bytes_out"))


def _account(ground: Ground) -> dict[str, int]:
    """Wait for the front's next account of itself."""
    client = ground.fleet.client
    before = client.status().front
    wait_for("the front's account", lambda: client.status().front != before, SECONDS)
    return client.status().front
