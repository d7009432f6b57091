"""A front for faults: with few descriptors or a broken gate, its core, and peers that speak."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from saltern_master.front.frames import Peers, Ready, Tell, Up
from saltern_protocol import messages
from saltern_protocol.messages import Fetch, Hello, Poke

from tests.master.front_stand import HELLO, Core, Keys, Node, end, new_keys, setup_of

FRONT = (sys.executable, "-m", "saltern_master.front")
PRLIMIT = "/usr/bin/prlimit"
_POKE = messages.encode(Poke())


@contextmanager
def fronts(
    blobs: Path, keys: Sequence[Keys], command: Sequence[str] = FRONT, most: int = 0
) -> Iterator[Core]:
    """Give the core of a front that lets these keys in; most: descriptors that it may open.

    In the end it has to be there still, and go when core goes.
    """
    blobs.chmod(0o711)
    limited = (PRLIMIT, f"--nofile={most}:{most}", *command) if most else tuple(command)
    master = new_keys()
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [*limited, str(theirs.fileno())], pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE
        )
    core = Core(ours, process, master)
    try:
        core.say(setup_of(blobs, master), Peers(keys=tuple(one.public for one in keys)))
        ready = core.wait(Ready)
        core.link_port, core.door_port = ready.link_port, ready.door_port
        yield core
        said = end(core)
        assert process.returncode == 0, f"the front ended with {process.returncode}: {said}"
    except BaseException as error:
        error.add_note(f"the front said: {end(core)}")
        raise
    finally:
        ours.close()


def greeted(core: Core, node: Node) -> Node:
    """Say Hello, and see it arrive."""
    node.say(HELLO)
    core.wait(Up, node.keys.public)
    core.heard(node, Hello)
    return node


def round_trip(core: Core, node: Node) -> float:
    """Fetch and Poke through the front and back; seconds."""
    began = time.perf_counter()
    node.say(Fetch())
    core.heard(node, Fetch)
    core.say(Tell(key=node.keys.public, data=_POKE))
    assert node.hear() == Poke()
    return time.perf_counter() - began


def resident(core: Core) -> int:
    """Give the bytes that the front has in memory."""
    statm = Path(f"/proc/{core.process.pid}/statm").read_text()
    return int(statm.split()[1]) * os.sysconf("SC_PAGESIZE")


@dataclass(frozen=True, slots=True)
class Used:
    """Processor time and the clock, to be subtracted."""

    cpu: float
    wall: float

    def since(self, before: Used) -> float:
        """Give the percentage of one core that was used."""
        return 100 * (self.cpu - before.cpu) / (self.wall - before.wall)


def used(core: Core) -> Used:
    """Give what the front used so far."""
    stat = Path(f"/proc/{core.process.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(stat[11]) + int(stat[12])
    return Used(ticks / os.sysconf("SC_CLK_TCK"), time.monotonic())


@contextmanager
def strangers(
    how: str, address: str, port: int, count: int, given: bytes = b""
) -> Iterator[subprocess.Popen[bytes]]:
    """Give strangers that have begun (strangers.py says how); they are killed in the end."""
    command = [sys.executable, "-m", "tests.faults.strangers", how, address, str(port), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(given)
        process.stdin.close()
        try:
            assert process.stdout.read(1) == b".", "the strangers did not begin"
            yield process
        finally:
            process.kill()
