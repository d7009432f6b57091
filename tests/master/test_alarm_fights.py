"""Fights: one alarm for each resource that somebody undoes again and again, until it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec.structs import replace
from saltern_master.core.alarms import FIGHTS, Alarm, Situation, Watch, alarms
from saltern_master.core.peer import Peer, Session
from saltern_master.records.codec import Held
from saltern_master.records.drift import Drift
from saltern_master.records.nodes import Node
from saltern_protocol.report import DriftEnded, DriftSeen

from tests.master.core_stand import Stand, core_stand
from tests.master.homes import made_home

NOW = 1_800_000_000.0
W1 = Node(name="w1", node_class="worker", state="joined", incarnation="0" * 32, key="1" * 64)
FIGHT = Drift(
    node="w1",
    incarnation=W1.incarnation,
    number=7,
    resource="network/forward",
    kind="chain/1",
    since=NOW - 300,
    recorded_us=round((NOW - 299) * 1e6),
    stored=NOW - 299,
    seen="event",
    found=("make the chain SALTERN-FWD anew",),
    by="iptables (pid 4711)",
    hindrance="a fight",
    attempts=3,
    incident=True,
)
OTHER = replace(FIGHT, number=8, resource="sysctl", by="", attempts=0, found=())


def situation(*drift: Drift) -> Situation:
    peer = Peer(
        held=Held("nodes/w1", W1, 1),
        session=Session(greeted=True),
        drift={one.resource: one for one in drift},
    )
    return Situation(NOW, {"w1": peer})


def test_a_fight_is_told_with_who_and_what_to_do() -> None:
    assert alarms(situation(FIGHT)) == (
        Alarm(
            kind="fight",
            node="w1",
            resource="network/forward",
            since=NOW - 300,
            why="network/forward was set right 3 times and undone again, and is left as it is now; "
            "undone by iptables (pid 4711): make the chain SALTERN-FWD anew",
            remedy="find who undoes it: saltern drift explain w1:7; then stop that, or change the "
            "cluster file to what shall be, and apply it; to work there yourself: saltern drift "
            "hold w1 --for 1h --why ...",
        ),
    )


def test_what_is_not_known_is_not_said() -> None:
    (alarm,) = alarms(situation(OTHER))
    assert alarm.why == "sysctl was set right and undone again, and is left as it is now"


def test_a_node_that_tells_fights_without_end_does_not_drown_the_others() -> None:
    many = (replace(FIGHT, number=n, resource=f"r{n:04}") for n in range(4096))
    found = alarms(situation(*many))

    assert len(found) == FIGHTS + 1
    assert found[-1].why == "4096 of its resources are set right and undone again; 50 are named"
    assert found[-1].resource == ""


def test_drift_that_is_no_fight_raises_nothing() -> None:
    assert alarms(situation(replace(FIGHT, incident=False))) == ()


def test_each_resource_has_its_own_and_is_told_once() -> None:
    log: list[str] = []
    watch = Watch(log.append)
    watch.look(situation(FIGHT, OTHER))
    watch.look(situation(replace(FIGHT, attempts=9, found=("something else",)), OTHER))
    found = watch.look(situation(OTHER))
    assert [one.resource for one in found] == ["sysctl"]
    assert [line.partition(";")[0].partition(" was")[0] for line in log] == [
        "alarm: fight (w1 network/forward): network/forward",
        "alarm: fight (w1 sysctl): sysctl",
        "alarm over: fight (w1 network/forward)",
    ]


async def told(stand: Stand) -> list[tuple[str, str, str]]:
    return [(one.kind, one.node, one.resource) for one in (await stand.service.status()).alarms]


def test_a_node_that_fights_is_an_alarm_until_the_drift_ends(tmp_path: Path) -> None:
    async def law() -> None:
        async with core_stand(made_home(tmp_path)) as stand:
            (node,) = await stand.joined("w1")
            seen: DriftSeen = node.deviation("motd")
            await node.report(seen)
            assert await told(stand) == []
            for attempts in (3, 4, 5):
                fight = replace(seen, incident=True, attempts=attempts, hindrance="a fight")
                await node.report(fight)
                assert await told(stand) == [("fight", "w1", "motd")]
            ended: DriftEnded = node.healing("motd")
            await node.report(ended)
            assert await told(stand) == []
            assert [line.partition(":")[0] for line in stand.log if "fight" in line] == [
                "alarm",
                "alarm over",
            ]

    asyncio.run(law())
