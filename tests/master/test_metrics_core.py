"""What a core, real or in memory, tells a Prometheus, and of notifications, as things happen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as read
from saltern_master.api.measures import OPEN, PLAIN
from saltern_master.api.service import ServiceError
from saltern_master.core.glance import Glance
from saltern_master.store import Memory
from saltern_protocol.messages import Lease

from tests.contracts.service_stands import TWO, Run, Stand, joined, run
from tests.master.core_stand import Stand as CoreStand
from tests.master.core_stand import core_stand
from tests.master.homes import made_home

__all__ = ["run"]


async def numbers(stand: Stand) -> dict[tuple[str, str], float]:
    """Give what a Prometheus reads: by name and its labels' values, in their order."""
    data, media = await stand.service.metrics("")
    assert media == PLAIN
    return {
        (
            sample.name.removeprefix("saltern_"),
            " ".join(one for _, one in sorted(sample.labels.items())),
        ): sample.value
        for family in read(data.decode())
        for sample in family.samples
    }


def test_nodes_and_alarms_are_told(run: Run) -> None:
    async def law(stand: Stand) -> None:
        before = await numbers(stand)
        await joined(stand, "w1")
        await joined(stand, "w2")
        await stand.lock("w2")
        after = await numbers(stand)

        assert before["agents", "connected"] == 0
        assert (after["agents", "connected"], after["agents", "locked"]) == (1, 1)
        assert after["node_connected", "w1"] == 1
        assert after["alarms", "locked"] == 1
        assert (await stand.service.metrics(OPEN))[1] == OPEN

    run(law)


def test_who_is_told_by_nobody_is_told_so(run: Run) -> None:
    async def law(stand: Stand) -> None:
        view = await stand.service.notifications()
        assert (view.receivers, view.troubles, view.faults) == ((), (), "")
        for name in ("", "ops"):
            with pytest.raises(ServiceError, match="see: saltern notify list") as error:
                await stand.service.test_notifications(name)
            assert error.value.code == "not-found"

    run(law)


def test_drift_and_messages_are_counted_as_they_happen(tmp_path: Path) -> None:
    async def law() -> None:
        async with core_stand(made_home(tmp_path)) as stand:
            await stand.joined("w1")
            await stand.deviate("w1", "file.a")
            await stand.deviate("w1", "file.b")
            open_ = await numbers(stand)
            await stand.heal("w1", "file.a")
            healed = await numbers(stand)

        assert open_["drift_open", "file w1"] == 2
        assert open_["drift_total", "external"] == 2
        assert open_["drift_detect_seconds_count", "store"] == 2
        assert 0 <= open_["drift_detect_seconds_sum", "store"] < 20
        assert open_["drift_heal_seconds_count", ""] == 0
        assert healed["drift_open", "file w1"] == 1
        assert healed["drift_total", "external"] == 2
        assert healed["drift_heal_seconds_count", ""] == 1
        assert healed["messages_total", "in Report"] == 3
        assert healed["messages_total", "out Ack"] == 3
        assert healed["messages_total", "in Hello"] == 1

    asyncio.run(law())


SAME = ("name", "state", "connected", "seen_at", "version", "wanted", "release", "address")


async def compared(stand: CoreStand) -> None:
    """Hold a glance against what status tells of the same moment."""
    whole = (await stand.service.status()).nodes
    glanced = await Glance(stand.office).nodes()
    for one, other in zip(whole, glanced, strict=True):
        if one.state != "revoked":
            assert [getattr(one, f) for f in SAME] == [getattr(other, f) for f in SAME]
            assert (one.parts, one.drift) == (other.parts, other.drift)
        assert (one.name, one.state) == (other.name, other.state)


def test_a_glance_shows_what_status_does_also_after_a_restart(tmp_path: Path) -> None:
    home, memory = made_home(tmp_path), Memory()

    async def first() -> None:
        async with core_stand(home, memory) as stand:
            for name in ("w1", "w2", "w3", "w4"):
                await stand.joined(name)
            await stand.service.apply(TWO.encode())
            w1 = stand.nodes["w1"]
            await w1.fetch()
            w1.say(w1.health(nonce=b"n" * 16))
            await w1.hear(Lease)
            await stand.deviate("w1", "file.a")
            await stand.lock("w2")
            await stand.service.revoke("w3")
            stand.nodes["w4"].disconnect()
            token = await stand.service.make_token("w5", "worker", 60, True)
            await stand.join(token.token)
            async with asyncio.timeout(20):
                while (await stand.service.node("w4")).connected:
                    await asyncio.sleep(0.01)
            await compared(stand)
            states = {one.name: one.state for one in await Glance(stand.office).nodes()}
            assert states == {
                "w1": "joined",
                "w2": "locked",
                "w3": "revoked",
                "w4": "joined",
                "w5": "pending",
            }

    async def again() -> None:
        async with core_stand(home, memory) as stand:
            await compared(stand)
            seen = {one.name: one for one in await Glance(stand.office).nodes()}
            assert (seen["w1"].connected, seen["w1"].version) == (False, 1)
            assert seen["w1"].seen_at > 0

    asyncio.run(first())
    asyncio.run(again())
