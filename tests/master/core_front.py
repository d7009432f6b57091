"""The front's end of core's socket pair: what core said, by whom it is for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from saltern_master.front.frames import (
    Admit,
    Answer,
    Expel,
    Frame,
    Frames,
    Grant,
    Knock,
    Peers,
    Ready,
    Setup,
    Tell,
    ToFront,
    to_bytes,
    to_front,
)
from saltern_protocol import messages
from saltern_protocol.messages import Enrol

SECONDS = 10.0


class Front:
    """The front's end of the pair: what core said, by whom it is for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.allowed: set[bytes] = set()
        self.expelled: list[Expel] = []
        self.grants: dict[bytes, tuple[bytes, ...]] = {}
        self.setup: Setup | None = None
        self.answering: dict[bytes, Callable[[bytes], None]] = {}
        self._reader, self._writer = reader, writer
        self._told: dict[bytes, asyncio.Queue[bytes]] = {}
        self._answers: dict[bytes, asyncio.Queue[bytes]] = {}
        self._routes = itertools.count(1)

    def say(self, *frames: Frame) -> None:
        self._writer.write(b"".join(map(to_bytes, frames)))

    def close(self) -> None:
        self._writer.close()

    def told(self, key: bytes) -> asyncio.Queue[bytes]:
        return self._told.setdefault(key, asyncio.Queue())

    async def knock(self, key: bytes, enrol: Enrol) -> messages.FromDoor:
        route = next(self._routes).to_bytes(4, "big")
        self._answers[route] = asyncio.Queue()
        self.say(Knock(route=route, key=key, data=messages.encode(enrol)))
        async with asyncio.timeout(SECONDS):
            return messages.from_door(await self._answers[route].get())

    async def listen(self) -> None:
        frames = Frames()
        while data := await self._reader.read(1 << 20):
            for one in frames.feed(data):
                self._take(to_front(one))

    def _take(self, frame: ToFront) -> None:
        match frame:
            case Setup():
                self.setup = frame
            case Peers():
                self.allowed = set(frame.keys)
                self.say(Ready(link_port=6555, door_port=6556))
            case Admit():
                self.allowed.add(frame.key)
            case Expel():
                self.allowed.discard(frame.key)
                self.expelled.append(frame)
            case Grant():
                self.grants[frame.key] = frame.blobs
            case Tell():
                self.told(frame.key).put_nowait(frame.data)
                self.answering.get(frame.key, len)(frame.data)
            case Answer():
                self._answers[frame.route].put_nowait(frame.data)
