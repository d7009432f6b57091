"""Whom the laws of the service are held against: in memory, and whatever else STANDS names.

A stand is a master and the levers of the nodes that it speaks of. Another implementation is run
through the same laws by one more entry in STANDS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
from saltern_master.api.master import Master
from saltern_master.api.plans import PlanLineView
from saltern_master.api.service import Result, ServiceError
from saltern_master.testing.service import FakeService
from saltern_protocol.policy import Allow
from saltern_protocol.reading import AnyFact

from tests.master.clusters import SMALL
from tests.master.core_stand import core_stand
from tests.master.homes import made_home

TWO = SMALL + "- {name: w2, address: 10.9.0.22}\n"
SECONDS = 20


class Stand(Protocol):
    """A service, and what its nodes can be made to say."""

    service: Master

    def now(self) -> float:
        """Give the service's own time."""
        ...

    async def join(self, token: str) -> str:
        """Let a machine come with a token and, where it is let in, connect; its fingerprint."""
        ...

    async def report(self, turn: int, node: str, result: Result) -> None:
        """Let a node say how a turn went."""
        ...

    async def deviate(self, node: str, resource: str) -> None:
        """Let a node tell drift; returns when it is stored."""
        ...

    async def heal(self, node: str, resource: str) -> None:
        """Let a node tell that it ended; returns when it is stored."""
        ...

    async def foresee(self, node: str, *lines: PlanLineView) -> None:
        """Let a node plan this from now on, whatever it is asked."""
        ...

    async def read_itself(self, node: str, *facts: AnyFact) -> None:
        """Let a node say this of itself from now on, when it is asked to read itself."""
        ...

    async def carry(self, rollout: int, says: Mapping[str, str]) -> None:
        """Let nodes take what a rollout gives them, and say how it went (well, if not said).

        Returns when the rollout asks for nothing more.
        """
        ...

    async def lock(self, node: str) -> None:
        """Let two machines speak with one node's key; returns when that is known."""
        ...


class FakeStand:
    """The service in memory, with its own levers."""

    def __init__(self) -> None:
        self.fake = FakeService(self.now)
        self.service: Master = self.fake

    def now(self) -> float:
        return 1_800_000_000.0

    async def join(self, token: str) -> str:
        await self.fake.join(token, f"key of {token}")
        return f"key of {token}"

    async def report(self, turn: int, node: str, result: Result) -> None:
        await self.fake.report(turn, node, result, 0, "" if result == "converged" else "why")

    async def deviate(self, node: str, resource: str) -> None:
        await self.fake.deviate(node, resource)

    async def heal(self, node: str, resource: str) -> None:
        await self.fake.heal(node, resource)

    async def foresee(self, node: str, *lines: PlanLineView) -> None:
        await self.fake.foresee(node, *lines)

    async def read_itself(self, node: str, *facts: AnyFact) -> None:
        self.fake.survey_is(node, facts, Allow())

    async def carry(self, rollout: int, says: Mapping[str, str]) -> None:
        await self.fake.carry(rollout, says)

    async def lock(self, node: str) -> None:
        await self.fake.lock(node)


@asynccontextmanager
async def fake(directory: Path) -> AsyncIterator[Stand]:
    yield FakeStand()


@asynccontextmanager
async def core(directory: Path) -> AsyncIterator[Stand]:
    async with core_stand(made_home(directory)) as stand:
        yield stand


Factory = Callable[[Path], AbstractAsyncContextManager[Stand]]
STANDS: tuple[Factory, ...] = (fake, core)

Run = Callable[[Callable[[Stand], Awaitable[None]]], None]


@pytest.fixture(params=STANDS, ids=lambda factory: factory.__name__)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Run a law on a new stand, with a deadline."""

    async def whole(law: Callable[[Stand], Awaitable[None]]) -> None:
        async with asyncio.timeout(SECONDS), request.param(tmp_path) as stand:
            await law(stand)

    return lambda law: asyncio.run(whole(law))


async def joined(stand: Stand, *names: str) -> None:
    """Let nodes join."""
    for name in names:
        made = await stand.service.make_token(name, "worker", 60, False)
        await stand.join(made.token)


async def refused(asked: Awaitable[object]) -> ServiceError:
    """Give what was refused."""
    with pytest.raises(ServiceError) as caught:
        await asked
    return caught.value
