"""The front as a child of core: started, spoken with over a socket pair, started anew.

* A front that ends, says what is no frame, or says nothing for SILENCE seconds (its Load comes
  every 15) is ended and started again after a back-off of less than two seconds.
* All frames that are there are handed over together, so that what they write is one commit.
* What waits to be sent to a front is bounded: one that reads nothing is ended.
* A front that is started learns everything anew: `greeting` gives its first frames.
* It imports from where core does, and from nowhere else: an interpreter that was told not to read
  the environment (-I, as the package's launcher has it) hands its children nothing by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from saltern_protocol.errors import MalformedError

from saltern_master.front.frames import Frame, Frames, ToCore, to_bytes, to_core

SILENCE: Final = 60.0
MOST_WAITING: Final = 64 * 1024 * 1024
AT_ONCE: Final = 1024 * 1024
BACK_OFF: Final = (0.05, 0.2, 0.5, 1.0, 1.5)
SETTLED: Final = 10.0
LAST_WORDS: Final = 5.0

Log = Callable[[str], None]


class Listener(Protocol):
    """Who core is to its front."""

    def greeting(self) -> Iterable[Frame]:
        """Give the first frames for a front that has just started."""
        ...

    def heard(self, frames: Sequence[ToCore]) -> None:
        """Take all frames that came together."""
        ...

    def lost(self) -> None:
        """The front is gone, and every connection with it."""
        ...


class Line:
    """The way to the front, while there is one. Without one, what is sent is dropped."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None

    def send(self, frames: Iterable[Frame]) -> None:
        """Send frames; a front that does not read them is cut off."""
        if self._writer is None:
            return
        self._writer.write(b"".join(map(to_bytes, frames)))
        if self._writer.transport.get_write_buffer_size() > MOST_WAITING:
            self._writer.transport.abort()

    async def converse(self, ours: socket.socket, listener: Listener, log: Log) -> None:
        """Speak with one front until it ends; the socket is closed then."""
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=AT_ONCE)
        try:
            self.send(listener.greeting())
            await _listen(reader, listener, log)
        except (OSError, ValueError, TimeoutError) as error:
            log(f"front: {error or type(error).__name__}")
        finally:
            writer, self._writer = self._writer, None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            listener.lost()


async def _listen(reader: asyncio.StreamReader, listener: Listener, log: Log) -> None:
    frames = Frames()
    while True:
        async with asyncio.timeout(SILENCE):
            data = await reader.read(AT_ONCE)
        if not data:
            return
        heard = []
        for one in frames.feed(data):
            try:
                heard.append(to_core(one))
            except MalformedError as error:
                log(f"front: {error}")
        if heard:
            listener.heard(heard)


async def supervise(command: Sequence[str], line: Line, listener: Listener, log: Log) -> None:
    """Keep a front running until this is cancelled; the last one is ended then.

    `command` gets one more argument: the descriptor of its end.
    """
    clock = asyncio.get_running_loop().time
    failures = 0
    while True:
        began = clock()
        await _run_one(command, line, listener, log)
        failures = 0 if clock() - began > SETTLED else failures + 1
        pause = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
        log(f"front: it ended; started again in {pause} s")
        await asyncio.sleep(pause)


async def _run_one(command: Sequence[str], line: Line, listener: Listener, log: Log) -> None:
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            end = theirs.fileno()
            child = await asyncio.create_subprocess_exec(
                *command,
                str(end),
                pass_fds=(end,),
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
    except OSError as error:
        ours.close()
        log(f"cannot start the front: {error.strerror}")
        return
    try:
        await line.converse(ours, listener, log)
    finally:
        await _end(child)


async def _end(child: Process) -> None:
    """A front ends by itself when its line is closed; one that does not is killed."""
    try:
        async with asyncio.timeout(LAST_WORDS):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
    except asyncio.CancelledError:
        child.kill()
        raise
