"""What core outlives: a policy that ended, a full disk, nodes that speak while it signs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from saltern_master.api.service import ServiceError
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.core.kube import Kubernetes
from saltern_master.core.reach import reach_by
from saltern_master.front.frames import Peers
from saltern_master.kube.api import KubernetesApi, KubernetesError
from saltern_master.pki.authorities import authorities
from saltern_master.signing.home import Home
from saltern_master.store import Memory, MemoryStore, StoreError, Write
from saltern_master.testing.kubernetes import FakeKubernetes

from tests.master.clusters import CONTROLLED, SMALL
from tests.master.core_laws import run, taken
from tests.master.core_stand import Node, Stand, core_stand, now
from tests.master.homes import NOW, made_home

YEAR = 366 * 24 * 3600


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def test_a_policy_that_ended_ends_new_documents_and_not_the_master(home: Home) -> None:
    memory = Memory()

    async def in_time() -> Node:
        async with core_stand(home, memory) as stand:
            (w1,) = await stand.joined("w1")
            await taken(await stand.service.apply(SMALL.encode()), w1)
            return w1

    async def a_year_later(w1: Node) -> None:
        async with core_stand(home, memory, clock=lambda: now() + YEAR) as stand:
            w1.front = stand.front
            await w1.connect()
            with pytest.raises(ServiceError, match=r"policy .* expired .* sign a new policy"):
                await stand.service.apply(SMALL.encode())
            await stand.joined("w2")
            assert any("documents are not renewed" in line for line in stand.log)

    async def whole() -> None:
        async with asyncio.timeout(30):
            await a_year_later(await in_time())

    asyncio.run(whole())


def test_nodes_that_tell_anew_of_themselves_hold_up_no_apply(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        applied = asyncio.create_task(stand.service.apply(SMALL.encode()))
        for release in range(10_000):
            if applied.done():
                break
            await w1.connect(release=str(release))
        turn = await applied
        await taken(turn, w1)

        assert (await stand.service.node("w1")).release == str(release - 1)
        assert w2.held == 0

    run(home, law)


class OnceFull(MemoryStore):
    """A disk that takes so many commits more, and then none."""

    left: int | None = None

    def commit(self, *writes: Write) -> int:
        """Write, as long as there is room."""
        if self.left == 0:
            raise StoreError("cannot write: the disk is full")
        self.left = None if self.left is None else self.left - 1
        return super().commit(*writes)


def test_a_revoked_key_is_out_although_no_more_could_be_written(home: Home) -> None:
    async def whole() -> None:
        store = OnceFull(Memory())
        async with asyncio.timeout(30), core_stand(home, opened=lambda: store) as stand:
            (w1,) = await stand.joined("w1")
            await stand.service.apply(SMALL.encode())  # its turn waits for w1
            store.left = 1
            with pytest.raises(ServiceError, match="disk is full"):
                await stand.service.revoke("w1")
            (peers,) = [one for one in stand.office.greeting() if isinstance(one, Peers)]
            store.left = None

            assert w1.key not in peers.keys

    asyncio.run(whole())


def test_what_stands_against_the_way_to_kubernetes_is_told_and_tried_again(home: Home) -> None:
    given = authorities(home, NOW)
    (home.path / "run").mkdir()
    (home.path / "run" / "kube").write_text("in the way")
    cluster = load(CONTROLLED.encode()).cluster
    reach = reach_by(home.path, given.of["kubernetes"], lambda: NOW, lambda size: b"r" * size)
    with pytest.raises(KubernetesError, match="cannot make the way to the API server"):
        reach(cluster)

    async def whole() -> None:
        tries = 0

        def later(_cluster: object) -> KubernetesApi | None:
            nonlocal tries
            tries += 1
            return FakeKubernetes() if tries > 2 else reach(cluster)

        kubernetes = Kubernetes(later, lambda _: None)
        kubernetes.want(cluster, Allocation())
        keeping = asyncio.create_task(kubernetes.keep())
        async with asyncio.timeout(10):
            while "cannot make" not in kubernetes.ready.get("api", ""):
                await asyncio.sleep(0.01)
            while kubernetes.ready != {"api": "ready"}:
                await asyncio.sleep(0.01)
        keeping.cancel()

    asyncio.run(whole())
