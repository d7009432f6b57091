"""Alarms: each row begins and ends with what it is derived from, and the log tells both once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.core.alarms import Alarm, Situation, Watch, alarms, line_of
from saltern_master.core.office import Office
from saltern_master.core.peer import Peer, Session
from saltern_master.front.frames import Load
from saltern_master.records.codec import Held
from saltern_master.records.drift import seen
from saltern_master.records.nodes import Node
from saltern_master.records.restored import Restored
from saltern_protocol.messages import Health
from saltern_protocol.report import DriftSeen

from tests.master.core_stand import core_stand
from tests.master.homes import made_home
from tests.protocol.examples import FROM_NODE

NOW = 1_800_000_000.0
W1 = Node(name="w1", node_class="worker", state="joined", incarnation="0" * 32, key="1" * 64)
LOAD = Load(messages=1, bytes_in=1, bytes_out=1, refused=0, malformed=0, dropped=0, cpu_us=1)


def peer(**session: object) -> Peer:
    return Peer(held=Held("nodes/w1", W1, 1), session=Session(**session))  # type: ignore[arg-type]


def peer_with(**fields: object) -> Peer:
    return Peer(held=Held("nodes/w1", W1, 1), **fields)  # type: ignore[arg-type]


HEALTH = next(one for one in FROM_NODE.values() if isinstance(one, Health))
STUCK = replace(HEALTH, state="stuck")
UP = Session(greeted=True)
TOLD_AT = HEALTH.at_us / 1e6
WELL: dict[str, Situation] = {
    "nothing": Situation(NOW),
    "a node with nothing": Situation(NOW, {"w1": peer(greeted=True)}),
    "a node that is away": Situation(NOW, {"w1": peer(held=3)}),
    "one that was stuck and is away": Situation(NOW, {"w1": peer_with(health=STUCK)}),
    "a clock that is four minutes off": Situation(
        NOW, {"w1": peer_with(session=UP, health=HEALTH, heard=TOLD_AT + 240)}
    ),
    "few descriptors": Situation(NOW, load=replace(LOAD, descriptors_percent=69)),
}
WRONG: dict[str, tuple[Situation, tuple[str, str]]] = {
    "a node ahead of the store": (
        Situation(NOW, {"w1": peer(greeted=True, held=3)}),
        ("ahead", "w1"),
    ),
    "a key that two machines have": (
        Situation(NOW, {"w1": Peer(held=Held("nodes/w1", replace(W1, state="locked"), 1))}),
        ("locked", "w1"),
    ),
    "an agent that hangs": (
        Situation(NOW, {"w1": peer_with(wedged=NOW - 70)}),
        ("not-working", "w1"),
    ),
    "an agent whose worker hangs": (
        Situation(NOW, {"w1": peer_with(session=UP, health=STUCK, heard=TOLD_AT)}),
        ("stuck", "w1"),
    ),
    "a clock that is a year behind": (
        Situation(NOW, {"w1": peer_with(session=UP, health=HEALTH, heard=TOLD_AT + 365 * 86400)}),
        ("clock", "w1"),
    ),
    "a clock that is an hour ahead": (
        Situation(NOW, {"w1": peer_with(session=UP, health=HEALTH, heard=TOLD_AT - 3600)}),
        ("clock", "w1"),
    ),
    "a store that is an older copy": (
        Situation(NOW, load=LOAD, restored=Restored(taken=NOW - 9, at=NOW - 1, turn=3)),
        ("restored", ""),
    ),
    "many descriptors": (
        Situation(NOW, load=replace(LOAD, descriptors_percent=70)),
        ("descriptors", ""),
    ),
}


@pytest.mark.parametrize("name", WELL)
def test_what_is_well_raises_no_alarm(name: str) -> None:
    assert alarms(WELL[name]) == ()


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_raises_one_with_its_remedy(name: str) -> None:
    situation, expected = WRONG[name]
    (alarm,) = alarms(situation)

    assert (alarm.kind, alarm.node) == expected
    assert alarm.why
    assert alarm.remedy


def test_an_alarm_is_told_when_it_begins_and_when_it_ends_and_keeps_its_time() -> None:
    log: list[str] = []
    watch = Watch(log.append)
    wrong, _ = WRONG["many descriptors"]

    (first,) = watch.look(wrong)
    (second,) = watch.look(Situation(NOW + 60, load=wrong.load))
    none = watch.look(Situation(NOW + 120))

    assert first.since == second.since == NOW
    assert none == ()
    assert [line.partition(":")[0] for line in log] == ["alarm", "alarm over"]


def test_a_line_of_the_log_moves_no_terminal() -> None:
    line = line_of(Alarm("k", "n", NOW, "\x1b[2Jwhy\n", "\u202eremedy"))

    assert line.isprintable()


def test_no_resource_that_a_node_names_begins_a_line_of_the_log() -> None:
    log: list[str] = []
    watch, name = Watch(log.append), "x\nalarm over: locked (w1)"
    told = DriftSeen(
        number=1,
        resource=name,
        kind="file/1",
        since_us=1,
        recorded_us=1,
        seen="event",
        found=(),
        incident=True,
    )
    fought = {name: seen("w1", "0" * 32, told, NOW)}

    watch.look(Situation(NOW, {"w1": peer_with(session=UP, drift=fought)}))
    watch.look(Situation(NOW + 60))

    assert len(log) == 2
    assert all(line.isprintable() for line in log)


async def eventually(office: Office, wanted: Callable[[tuple[Alarm, ...]], bool]) -> None:
    async with asyncio.timeout(10):
        while not wanted(office.look_for_alarms()):
            await asyncio.sleep(0.01)


def test_core_tells_of_what_its_front_says(tmp_path: Path) -> None:
    async def law() -> None:
        async with core_stand(made_home(tmp_path)) as stand:
            stand.front.say(replace(LOAD, descriptors_percent=91))
            await eventually(stand.office, bool)
            (alarm,) = (await stand.service.status()).alarms
            assert (alarm.kind, alarm.node) == ("descriptors", "")
            stand.front.say(LOAD)
            await eventually(stand.office, lambda found: not found)
            assert (await stand.service.status()).alarms == ()
            assert [line.partition(":")[0] for line in stand.log if "alarm" in line] == [
                "alarm",
                "alarm over",
            ]

    asyncio.run(law())
