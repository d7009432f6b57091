"""Heavy frames wait for light ones: a node that says much costs itself time, and the others none.

Hundreds of results in one report take core a hundred times as long as one. Frames that are heavier
than HEAVY are put by and taken SLICE bytes at a time; what is light goes before them, whenever it
comes. After each slice as long is left to others as it took: in that time core reads on, for what
is light may stand in the line from the front behind much that is heavy.

What one node says is taken in its order: behind something heavy of its own wait also its light
frames, but its Health, which asks for a lease and is overtaken by nothing. More than MOST bytes are
not put by: then core takes what comes as it comes, and the front waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

from saltern_protocol import messages
from saltern_protocol.errors import MalformedError

from saltern_master.front.frames import Heard, ToCore

HEAVY: Final = 16 * 1024
SLICE: Final = 256 * 1024
MOST: Final = 64 * 1024 * 1024
LEAST: Final = 512
"""Bytes that a frame counts for at least: the short ones are held, and taken, as objects too."""


class Heavy:
    """What is put by. All of it in the loop's thread."""

    def __init__(self, take: Callable[[Sequence[ToCore]], None]) -> None:
        self._take = take
        self._waiting: deque[Heard] = deque()
        self._nodes: Counter[bytes] = Counter()  # how many frames of each wait
        self._bytes, self._going = 0, False

    def heard(self, frames: Sequence[ToCore]) -> None:
        """Take what is light at once, and the rest in its turn."""
        light: list[ToCore] = []
        for frame in frames:
            if isinstance(frame, Heard) and self._has_to_wait(frame):
                self._waiting.append(frame)
                self._nodes[frame.key] += 1
                self._bytes += _weight(frame)
            else:
                light.append(frame)
        if light:
            self._take(light)
        self._go_on()

    def drop(self) -> None:
        """Forget what waits: its front is gone, and every connection with it."""
        self._waiting.clear()
        self._nodes.clear()
        self._bytes = 0

    def _has_to_wait(self, frame: Heard) -> bool:
        if _weight(frame) > MOST - self._bytes:
            return False
        if len(frame.data) > HEAVY:
            return True
        return frame.key in self._nodes and not _is_health(frame.data)

    def _go_on(self, pause: float = 0.0) -> None:
        if self._waiting and not self._going:
            self._going = True
            asyncio.get_running_loop().call_later(pause, self._turn)

    def _turn(self) -> None:
        self._going, clock = False, asyncio.get_running_loop().time
        began = clock()
        together: list[Heard] = []
        size = 0
        while self._waiting and (not together or size + _weight(self._waiting[0]) <= SLICE):
            frame = self._waiting.popleft()
            together.append(frame)
            size += _weight(frame)
        self._bytes -= size
        self._nodes -= Counter(frame.key for frame in together)
        try:
            if together:
                self._take(together)
        finally:
            self._go_on(clock() - began)


def _weight(frame: Heard) -> int:
    return max(LEAST, len(frame.data))


def _is_health(data: bytes) -> bool:
    try:
        return isinstance(messages.from_node(data), messages.Health)
    except MalformedError:
        return False
