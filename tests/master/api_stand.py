"""The API on a real unix socket over a service in memory, for tests of it and of its users."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from saltern_master.api.serve import serve
from saltern_master.testing.service import FakeService

T = TypeVar("T")
NOW = 1_800_000_000.0
SECONDS = 20


class Clock:
    """Time that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def serving(service: FakeService, socket: Path) -> AsyncIterator[asyncio.Event]:
    """Serve in this loop; gives what stops it."""
    stop = asyncio.Event()
    running = asyncio.create_task(serve(service, socket, stop))
    await asyncio.sleep(0)  # it listens before it first waits
    if running.done():
        running.result()
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(running, SECONDS)


class Master:
    """A master in another thread: its home, its service, and a way to pull its levers."""

    def __init__(
        self,
        home: Path,
        loop: asyncio.AbstractEventLoop,
        fake: FakeService,
        stop: asyncio.Event,
    ) -> None:
        self.home = home
        self.fake = fake
        self._loop = loop
        self._stop = stop
        self.pulled: list[Future[None]] = []

    def do(self, lever: Coroutine[Any, Any, T]) -> T:
        """Pull a lever, and wait for what it gives."""
        return asyncio.run_coroutine_threadsafe(lever, self._loop).result(SECONDS)

    def meanwhile(self, levers: Coroutine[Any, Any, None]) -> None:
        """Let levers be pulled while the caller goes on; what they raise is raised at the end."""
        self.pulled.append(asyncio.run_coroutine_threadsafe(levers, self._loop))

    async def halt(self) -> None:
        """Let the master stop."""
        self._stop.set()


@contextmanager
def master(home: Path) -> Iterator[Master]:
    """Run a master in a thread of its own."""
    loop = asyncio.new_event_loop()
    made: list[FakeService] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def whole() -> None:
        made.append(FakeService(Clock()))
        async with serving(made[0], home / "run" / "api.sock"):
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(whole())
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(SECONDS)
        here = Master(home, loop, made[0], stop)
        yield here
        for one in here.pulled:
            one.result(SECONDS)
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(SECONDS)


def join(master: Master, name: str) -> None:
    """Let a node of that name come in."""
    made = master.do(master.fake.make_token(name, "worker", 60, False))
    master.do(master.fake.join(made.token, f"key-{name}"))
