"""The drift's benches: what is made of what was measured, and what they break and where."""

from __future__ import annotations

import os
import select
import socket
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from saltern_master.api.service import DriftView
from saltern_master.bench.drift import cost_figures
from saltern_master.bench.drift.__main__ import chosen
from saltern_master.bench.drift.damages import damages
from saltern_master.bench.drift.figures import Figures, Kind, Run, missed, rows, table
from saltern_master.bench.drift.ground import GROUND
from saltern_master.bench.drift.measure import CARRIED, kind_of
from saltern_master.bench.drift.open_files import open_files
from saltern_master.bench.drift.page import lines, page
from saltern_master.bench.soak import figures as soak_figures
from saltern_master.bench.soak.figures import NEAR, Planted, false_of
from saltern_master.cluster.load import load
from saltern_master.errors import MasterError
from saltern_master.lab.agent_package import checkout

from tests.master.test_bench_crowd import SITE

MIB = 1024 * 1024


def run(stored: float = 20.0, healed: float = 60.0, repair: float = 10.0) -> Run:
    """Give a damage at 1000 s whose record came after so many milliseconds."""
    return Run(
        begin=1000.0,
        end=1000.2,
        since=1000.001,
        recorded=1000.005,
        stored=1000.0 + stored / 1000,
        heard=1000.0 + stored / 1000,
        mended=1000.0,
        healed=1000.0 + healed / 1000,
        repair=repair,
    )


def kind(*runs: Run, name: str = "one", event: bool = True, from_end: bool = False) -> Kind:
    return Kind(name=name, by="write", event=event, from_end=from_end, by_hand=False, runs=runs)


def missed_of(*kinds: Kind) -> list[str]:
    found = Figures(site=SITE, kinds=kinds)
    return [row.what for row in rows(found) if not row.met]


def test_what_keeps_all_goals_misses_none() -> None:
    read = kind(run(1500.0, 1600.0), name="read", event=False)
    assert missed_of(kind(run(), run()), read) == []
    assert missed(kind(run())) == missed(read) == ""


def test_one_slow_record_of_one_kind_is_a_goal_missed() -> None:
    slow = kind(run(), run(stored=51.0), name="slow")
    told, together = missed_of(kind(run()), slow)
    assert "(slow); 1 of 2 kinds keep it" in told
    assert "together" in together
    assert missed(slow) == "stored"


def test_a_repair_may_take_its_own_time_and_no_more() -> None:
    assert missed(kind(run(healed=5000.0, repair=4950.0))) == ""
    assert missed(kind(run(healed=5000.0, repair=4890.0))) == "healed"


def test_what_no_event_tells_of_has_two_seconds() -> None:
    assert missed(kind(run(1999.0), event=False)) == ""
    assert missed(kind(run(2001.0), event=False)) == "stored"


def test_what_a_program_does_counts_from_its_end_and_never_below_nothing() -> None:
    found = kind(run(stored=230.0), run(stored=100.0), from_end=True)
    assert found.stored == pytest.approx((30.0, 0.0))


def test_a_repair_is_found_by_its_resource_and_time() -> None:
    damage = chosen(["route removed"])[0]
    repairs = [
        (1000.07, "network/cbr0", 99.0),
        (1000.08, damage.resource, 7.0),
        (1003.0, damage.resource, 8.0),
    ]
    (found,) = kind_of(damage, [run()], repairs).runs
    assert found.repair == 7.0
    (unknown,) = kind_of(damage, [run(healed=9000.0)], repairs).runs
    assert unknown.repair == 0.0


def test_a_page_has_a_line_for_each_kind_and_the_goals() -> None:
    figures = Figures(site=SITE, kinds=(kind(run()), kind(run(90.0), name="slow")))
    written = page(figures)
    assert "| slow | write | 1 |" in written
    assert "**missed**" in written
    assert len({len(row) for row in table(figures)}) == 1
    assert any("MISSED" in line for line in lines(figures))


def test_figures_are_told_as_json() -> None:
    figures = Figures(site=SITE, kinds=(kind(run()),))
    assert msgspec.json.decode(msgspec.json.encode(figures), type=Figures) == figures


def test_every_damage_has_a_name_of_its_own_and_may_be_chosen() -> None:
    names = [one.name for one in damages()]
    assert len(set(names)) == len(names) >= 25
    assert [one.name for one in chosen([])] == names
    assert [one.name for one in chosen([names[3]])] == [names[3]]
    with pytest.raises(MasterError, match="cannot do no such damage; there is: pod bridge"):
        chosen(["no such damage"])


def test_what_is_carried_to_the_node_is_there() -> None:
    package = checkout() / "master/saltern_master"
    assert all((package / name).is_file() for name in CARRIED)


def test_its_cluster_file_has_the_machines_of_its_ground() -> None:
    found = load((checkout() / GROUND.cluster).read_bytes()).cluster
    assert {one.name: one.node_class for one in found.nodes} == dict(GROUND.classes)


HELD = {"socket unix": 25, "/var/lib/saltern/journal.db": 5}


def part(growth: float = 0.0, held: dict[str, int] = HELD, **more: object) -> dict[str, object]:
    def sizes(pss: float, kinds: dict[str, int]) -> dict[str, object]:
        number = sum(kinds.values())
        return {"own": int(pss * MIB), "descriptors": number, "watches": 60, "kinds": kinds}

    return {
        "count": 1000,
        "seconds": 2.0,
        "before": sizes(40.0, HELD),
        "after": sizes(40.0 + growth, held),
        **more,
    }


def storms(held: dict[str, int] = HELD, outbox: int = 3, told: bool = True) -> dict[str, object]:
    return part(held=held, storms=3, outbox=outbox, told=told)


def costs(**other: dict[str, object]) -> cost_figures.Figures:
    usual = {
        "rest": part(percent=0.2),
        "events": part(),
        "beside": part(),
        "storm": storms(),
    }
    return cost_figures.Figures(site=SITE, **(usual | other))


def missed_costs(found: cost_figures.Figures) -> list[str]:
    return [row.what for row in cost_figures.rows(found) if not row.met]


MORE = HELD | {"pipe": 2}
FEWER = HELD | {"socket unix": 24}
OTHERS = HELD | {"socket unix": 20, "/var/lib/saltern/journal.db": 6}


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({}, []),
        ({"rest": part(percent=0.31)}, ["CPU of the agent at rest, over 2 s"]),
        ({"events": part(0.3)}, ["growth of memory over 1000 events"]),
        ({"rest": part(percent=0.2, held=MORE)}, ["more descriptors at rest"]),
        ({"beside": part(held=MORE)}, ["more descriptors over 1000 files beside"]),
        ({"beside": part(held=FEWER)}, []),
        ({"events": part(held=OTHERS)}, ["more descriptors over 1000 events"]),
        ({"storm": storms(held=MORE)}, ["more descriptors over 3 such storms"]),
        ({"storm": storms(told=False)}, ["the last state, after 1000 changes in 2.0 s"]),
        ({"storm": storms(outbox=1001)}, ["items in the outbox at most"]),
    ],
)
def test_what_listening_may_cost(other: dict[str, dict[str, object]], what: list[str]) -> None:
    assert missed_costs(costs(**other)) == what


def test_costs_have_a_page() -> None:
    written = cost_figures.page(costs(storm=storms(held=MORE)))
    assert "| at rest | 2.0 | 40.00 |" in written
    assert "| more descriptors over 3 such storms | 2 pipe | none | **missed** |" in written
    assert "| pipe | 0 | 0 | 0 | 0 | 2 |" in written


def test_descriptors_are_counted_by_what_they_are_of(tmp_path: Path) -> None:
    def held() -> Counter[str]:
        return open_files(os.getpid())

    path, before = tmp_path / "file", held()
    with ExitStack() as stack:
        stack.enter_context(path.open("w"))
        for end in socket.socketpair():
            stack.enter_context(end)
        stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
        stack.enter_context(netlink).bind((0, 0))
        for number in os.pipe():
            stack.callback(os.close, number)
        stack.enter_context(select.epoll())
        stack.enter_context(Path(f"/proc/{os.getpid()}/stat").open())
        assert held() - before == {
            str(path): 1,
            "socket unix": 2,
            "socket tcp": 1,
            "socket netlink": 1,
            "pipe": 2,
            "eventpoll": 1,
            "/proc/N/stat": 1,
        }
    assert held() == before


def drift(
    resource: str = "a", at: float = 100.0, number: int = 1, healed: float = 0.0
) -> DriftView:
    return DriftView(
        node="w1",
        number=number,
        resource=resource,
        kind="file/1",
        since=at,
        recorded=at,
        stored=at,
        seen="event",
        found=("write it",),
        healed=healed,
    )


PLANTED = Planted(at=100.0, after=10.0, node="w1", resource="a", told=100.02, healed=True)


def soaked(*told: DriftView, planted: Planted = PLANTED) -> soak_figures.Figures:
    return soak_figures.Figures(
        site=SITE,
        seconds=60.0,
        done={"scale": 3},
        refused={"restart": 1},
        planted=(planted,),
        false=false_of(told, (planted,)),
    )


def test_what_was_planted_is_not_false_and_all_else_is() -> None:
    assert false_of((drift(), drift(healed=101.0)), (PLANTED,)) == ()
    others = (
        drift("b", number=2),
        drift(at=99.0, number=3),
        drift(at=100.0 + NEAR + 1, number=4),
    )
    assert false_of((drift(), *others), (PLANTED,)) == others


def test_a_soak_fails_by_a_false_record_or_by_one_that_never_came() -> None:
    def unmet(found: soak_figures.Figures) -> int:
        return sum(not row.met for row in soak_figures.rows(found))

    assert unmet(soaked(drift(healed=101.0))) == 0
    assert unmet(soaked(drift(), drift("b", number=2))) == 1
    late = msgspec.structs.replace(PLANTED, told=103.0)
    never = msgspec.structs.replace(PLANTED, told=0.0, healed=False)
    assert unmet(soaked(planted=late)) == unmet(soaked(planted=never)) == 1
    assert "FALSE: w1 b (event): write it" in soak_figures.page(soaked(drift("b", number=2)))
    assert "| restart | 0 | 1 |" in soak_figures.page(soaked())
