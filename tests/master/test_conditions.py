"""What nodes tell of their parts: kept, bounded, shown by the master's time, told as alarms."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC

import pytest
from msgspec.structs import replace as with_fields
from saltern_master.api.service import ClusterView, NodeView, PartView
from saltern_master.cli.listing import Output
from saltern_master.cli.part_tables import part_lines, parts_text
from saltern_master.cli.status import status_of
from saltern_master.cli.tables import cluster_lines, node_page
from saltern_master.core.alarms import Situation, alarms
from saltern_master.core.conditions import (
    ALARM_AFTER,
    MORE,
    WRITE_EVERY,
    finding_views,
    more_of,
    part_views,
    taken,
    written,
)
from saltern_master.core.peer import Peer, Session
from saltern_master.records.codec import Held
from saltern_master.records.condition import condition_of, every_condition
from saltern_master.records.nodes import Node
from saltern_master.signing.home import Home
from saltern_master.store import MemoryStore
from saltern_protocol.condition import Finding, Part, State
from saltern_protocol.messages import Condition

from tests.master.core_laws import run
from tests.master.core_stand import Stand
from tests.master.test_core import home

NOW = 1_800_000_000.0
NODE_CLOCK = 1_700_000_000  # far off the master's, in seconds
W1 = Node(name="w1", node_class="worker", state="joined", incarnation="0" * 32, key="1" * 64)
PEER = Peer(held=Held("nodes/w1", W1, 1), session=Session(greeted=True))
STOPPED = "docker.service is inactive"
TRAP = Finding(trap="swap-on", what="2 GiB of swap", remedy="swapoff -a")
VIEW = NodeView(name="w1", node_class="worker", state="joined", fingerprint="", connected=True)

__all__ = ["home"]


def part(name: str, state: State = State.GOOD, why: str = "", ago: float = 600.0) -> Part:
    """Give a part that has been so for some seconds when it is told."""
    since = round((NODE_CLOCK - ago) * 1_000_000)
    return Part(name=name, state=state, why=why, since_us=since)


def told(*parts: Part, findings: tuple[Finding, ...] = ()) -> Condition:
    return Condition(at_us=NODE_CLOCK * 1_000_000, parts=parts, findings=findings)


BAD = part("docker", State.BAD, STOPPED)


def test_what_is_told_is_known_at_once_and_written_where_it_is_news() -> None:
    peer, writes = taken(PEER, told(part("docker")), NOW)
    assert len(writes) == 1
    peer, again = taken(peer, told(part("docker")), NOW + 60)
    assert again == ()
    peer, news = taken(peer, told(BAD), NOW + 61)
    assert len(news) == 1
    assert peer.condition is not None
    assert peer.condition.parts == (BAD,)


def test_a_node_that_tells_news_without_end_is_written_at_most_so_often() -> None:
    peer, written_times, step = PEER, 0, 0.01
    for number in range(1000):
        why = f"reason {number}"
        peer, writes = taken(peer, told(part("docker", State.BAD, why)), NOW + number * step)
        written_times += len(writes)
    assert written_times <= 1000 * step / WRITE_EVERY + 1
    assert peer.condition is not None
    assert peer.condition.parts[0].why == "reason 999"
    peer, last = written(peer, NOW + 1000 * step + WRITE_EVERY)
    assert len(last) == 1, "what came too soon is written with its next word"
    assert written(peer, NOW + 1000)[1] == ()


def test_what_a_node_tells_after_its_clock_was_set_back_by_seconds_is_not_lost() -> None:
    peer, _ = taken(PEER, told(part("docker")), NOW)
    back = with_fields(told(BAD), at_us=(NODE_CLOCK - 30) * 1_000_000)

    peer, writes = taken(peer, back, NOW + 3)

    assert (len(writes), peer.condition and peer.condition.parts) == (1, (BAD,))


def test_no_time_that_a_node_tells_breaks_what_people_are_shown() -> None:
    last = (253_402_300_799 - 24 * 3600) * 1_000_000  # the last that a message may have
    record = condition_of("w1", with_fields(told(with_fields(BAD, since_us=0)), at_us=last), NOW)
    views = part_views(record, connected=True, seen_at=NOW)

    page = node_page(with_fields(VIEW, parts=views), NOW, UTC)
    assert any(STOPPED in line for line in page)


def test_a_record_is_read_as_it_was_written() -> None:
    store = MemoryStore()
    peer, writes = taken(PEER, told(BAD, part("kubelet"), findings=(TRAP,)), NOW)
    store.commit(*writes)
    assert every_condition(store) == (peer.condition,)


def test_a_part_that_is_named_twice_counts_once() -> None:
    record = condition_of("w1", told(BAD, part("docker")), NOW)
    assert record.parts == (BAD,)


def test_times_are_the_masters_whatever_the_clock_of_the_node() -> None:
    record = condition_of("w1", told(BAD, part("kubelet", ago=-30.0)), NOW)
    docker, kubelet = part_views(record, connected=True, seen_at=NOW)
    assert docker == PartView(name="docker", state="bad", why=STOPPED, since=NOW - 600)
    assert kubelet.since == NOW, "what began later than it was told began then"


def test_a_node_that_is_not_connected_is_unknown_since_it_was_heard() -> None:
    record = condition_of("w1", told(BAD, part("kubelet")), NOW)
    docker, kubelet = part_views(record, connected=False, seen_at=NOW + 45)
    assert (docker.state, docker.since) == ("unknown", NOW + 45)
    assert docker.why == f"the node is not connected; it was bad: {STOPPED}"
    assert kubelet.why == "the node is not connected; it was good"


def situation(*parts: Part, heard: float = NOW, greeted: bool = True) -> Situation:
    peer, _ = taken(replace(PEER, session=Session(greeted=greeted)), told(*parts), heard)
    return Situation(NOW, {"w1": peer})


def test_what_is_bad_for_more_than_a_minute_is_an_alarm_with_its_remedy() -> None:
    (alarm,) = alarms(situation(part("machine"), BAD, part("kubelet", State.BAD, "silent", 90)))
    assert (alarm.kind, alarm.node, alarm.since) == ("part-bad", "w1", NOW - 600)
    assert alarm.why == f"docker is bad: {STOPPED}; kubelet is bad: silent"
    assert alarm.remedy.startswith("on w1: systemctl status docker; journalctl -u docker")
    assert "saltern node show w1" in alarm.remedy


@pytest.mark.parametrize(
    "quiet",
    [
        situation(part("docker", State.BAD, STOPPED, ALARM_AFTER - 1)),
        situation(part("disk", State.DEGRADED, "9 % of the bytes are free")),
        situation(part("docker", State.UNKNOWN, "the bus does not answer")),
        situation(BAD, greeted=False),
    ],
)
def test_what_is_short_not_bad_or_not_connected_is_none(quiet: Situation) -> None:
    assert alarms(quiet) == ()


def test_a_minute_goes_by_also_without_another_word() -> None:
    short = part("docker", State.BAD, STOPPED, 5.0)
    assert alarms(situation(short, heard=NOW - ALARM_AFTER))


@pytest.mark.parametrize("name", [*MORE, "docker", "kubelet", "kube-proxy"])
def test_for_each_part_there_is_something_that_shows_more(name: str) -> None:
    assert more_of(name)


def views(*parts: tuple[str, str, str]) -> tuple[PartView, ...]:
    return tuple(
        PartView(name=name, state=state, why=why, since=NOW - 125)  # type: ignore[arg-type]
        for name, state, why in parts
    )


def node(*parts: tuple[str, str, str], connected: bool = True) -> NodeView:
    return with_fields(VIEW, parts=views(*parts), connected=connected, health="converged")


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (node(), ""),
        (node(("docker", "good", "")), "good"),
        (node(("disk", "degraded", "9 %"), ("docker", "bad", STOPPED)), "docker bad, 1 more"),
        (node(("clock", "unknown", "it does not tell")), "clock unknown"),
        (node(("docker", "unknown", "away"), ("disk", "unknown", ""), connected=False), "unknown"),
    ],
)
def test_a_column_names_the_worst_part(seen: NodeView, text: str) -> None:
    assert parts_text(seen) == text


def test_a_line_says_why_with_nothing_that_moves_a_terminal() -> None:
    seen = node(("disk", "degraded", "9 %"), ("docker", "bad", "\x1b[2J\nno"))
    lines = part_lines([seen], NOW)
    assert lines[0].startswith("w1: docker bad (2 min ago): ")
    assert all(line.isprintable() for line in lines)
    shown = cluster_lines(
        ClusterView(cluster="demo", revision=1, version="", nodes=(seen,)), NOW, Output.TABLE
    )
    assert lines[0] in shown
    assert part_lines([node(("docker", "good", ""))], NOW) == []


def test_a_page_has_every_part_and_every_trap() -> None:
    seen = with_fields(
        node(("disk", "degraded", "9 %"), ("docker", "good", "")),
        findings=finding_views(condition_of("w1", told(findings=(TRAP,)), NOW)),
    )
    page = "\n".join(node_page(seen, NOW, None))
    assert "docker  good      " in page
    assert "TRAP swap-on: 2 GiB of swap\n  swapoff -a" in page


@pytest.mark.parametrize(
    ("state", "means"), [("good", 0), ("degraded", 0), ("bad", 1), ("unknown", 0)]
)
def test_a_part_that_is_bad_is_not_well(state: str, means: int) -> None:
    seen = with_fields(node(("docker", state, STOPPED)), version=1, wanted=1)
    assert status_of(ClusterView(cluster="demo", revision=1, version="", nodes=(seen,))) == means


def test_a_condition_is_shown_kept_and_forgotten_with_its_node(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        w1.say(told(BAD, part("kubelet"), findings=(TRAP,)))
        while not (await stand.service.node("w1")).parts:
            await asyncio.sleep(0.01)
        seen = await stand.service.node("w1")
        assert [(one.name, one.state) for one in seen.parts] == [
            ("docker", "bad"),
            ("kubelet", "good"),
        ]
        assert [one.trap for one in seen.findings] == ["swap-on"]
        assert [one.kind for one in (await stand.service.status()).alarms] == ["part-bad"]
        w1.disconnect()
        while (await stand.service.node("w1")).connected:
            await asyncio.sleep(0.01)
        assert {one.state for one in (await stand.service.node("w1")).parts} == {"unknown"}

    async def started_again(stand: Stand) -> None:
        seen = await stand.service.node("w1")
        assert seen.parts[0].why == f"the node is not connected; it was bad: {STOPPED}"
        await stand.service.remove("w1", True)
        assert every_condition(stand.store) == ()

    run(home, law, started_again)
