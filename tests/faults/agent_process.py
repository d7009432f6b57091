"""Agents as processes of their own, started in a twentieth of the usual time.

Each is forked by a process that has imported the agent already and nothing else happened in; from
there on it is `saltern-agent WORDS`, with signals, threads and files of its own. strace can be set
upon the thread that works on the node; the one that polls writes nothing but its log.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TypeVar

from saltern_agent.__main__ import main
from saltern_agent.answers import StatusLine
from saltern_agent.client import Answer, NotRunningError, ask
from saltern_agent.control import AskApply, AskStatus
from saltern_agent.events import End

from tests.faults.held_node import HeldNode

STRACE = "/usr/bin/strace"
T = TypeVar("T")
Point = tuple[str, int]
"""A call, and how often one of its name was made until it, from 1 on."""
DEADLINE = 60.0  # seconds
CHANGING = [
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "mknod",
    "mknodat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
    "lchown",
    "setxattr",
    "fsetxattr",
    "utimensat",
    "copy_file_range",
]
WAKING = "<anon_inode:[eventfd]>"
CALL = re.compile(r"(?:\d+ +)?(\w+)\(")


class AgentError(Exception):
    """The agent under test did not do what has to be done before a fault can be tried."""


class AgentProcess:
    """One agent. `log` gets what it says."""

    def __init__(self, node: HeldNode, *command: str) -> None:
        self.node = node
        beside = node.root.parent
        if beside.is_mount():  # what is tried on that disk is not to befall the log
            beside = beside.parent
        self.log = beside / f"{node.root.name}.log"
        words = [*node.words, *(command or ("run",))]
        self._process = _context().Process(target=_become, args=(words, str(self.log)))
        self._process.start()

    @property
    def pid(self) -> int:
        """Give its process id."""
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        """Say whether it has not ended."""
        return self._process.is_alive()

    @property
    def stopped(self) -> bool:
        """Say whether all of it is stopped: its poll loop too, which nobody traces."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def go_on(self) -> None:
        """Go on after a stop; when this returns, `stopped` tells of the next one."""
        os.kill(self.pid, signal.SIGCONT)

    def ended(self, seconds: float = DEADLINE) -> int | None:
        """Wait for its end; gives the exit code, below 0 of a signal. None: it did not end."""
        self._process.join(seconds)
        return self._process.exitcode

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()

    def stop(self) -> int | None:
        """End it as systemd does."""
        self._process.terminate()
        return self.ended()

    def status(self) -> StatusLine | None:
        """Ask how it stands; None: it does not answer yet."""
        with suppress(NotRunningError, OSError):
            for answer in ask(self.node.places.control, AskStatus()):
                if isinstance(answer, StatusLine):
                    return answer
        return None

    def settled(self) -> StatusLine:
        """Wait until it has nothing in hand."""

        def at_rest() -> StatusLine | None:
            found = self.status()
            if found is None and not self.alive:
                raise AgentError(f"the agent ended: {self.said()}")
            return found if found is not None and not found.working else None

        return wait_for(at_rest, "the agent to come to rest")

    def apply(self, statement: bytes) -> End:
        """Have a statement applied."""
        last: Answer = End(False, "it did not answer")
        try:
            *_, last = ask(self.node.places.control, AskApply(statement))
        except (NotRunningError, OSError) as error:
            return End(False, str(error))
        return last if isinstance(last, End) else End(False, "it broke off")

    def said(self) -> str:
        """Give what it said."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@contextmanager
def running(node: HeldNode) -> Iterator[AgentProcess]:
    """Have an agent run, which is gone afterwards."""
    agent = AgentProcess(node)
    try:
        yield agent
    finally:
        agent.kill()


@contextmanager
def traced(agent: AgentProcess, *wishes: str) -> Iterator[Path]:
    """Set strace upon an agent that came to rest; gives the file with a line for each call.

    Each wish is one of strace's injections: "fsync:error=EIO:when=3". It counts each name of a call
    on its own.
    """
    out, thread = agent.log.with_suffix(".trace"), _keeper_of(agent.pid)
    inject = [word for wish in wishes for word in ("-e", f"inject={wish}")]
    command = [STRACE, "-q", "-y", "-o", str(out), "-e", f"trace={','.join(CHANGING)}", *inject]
    strace = subprocess.Popen(
        [*command, "-p", str(thread)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        wait_for(
            lambda: _is_traced(agent.pid, thread) or strace.poll() is not None,
            "strace to be set upon the agent",
        )
        if strace.poll() is not None:
            told = strace.stderr.read().decode() if strace.stderr else ""
            raise AgentError(f"cannot trace: {told}")
        yield out
    finally:
        strace.terminate()
        strace.communicate(timeout=DEADLINE)


def met_a_wake(trace: Path) -> bool:
    """Say whether what was injected befell a call that only wakes the other thread.

    No kernel fails there, and the count of those calls varies by some from run to run.
    """
    lines = trace.read_text(errors="replace").splitlines()
    return any(WAKING in line and "INJECTED" in line for line in lines)


def points_of(trace: Path, passing: str = WAKING) -> list[Point]:
    """Give the calls in their order, each as its name and how often that came, from 1 on.

    Lines with `passing` are counted, as strace does, and left out: what wakes the other thread.
    """
    seen: Counter[str] = Counter()
    points = []
    for line in trace.read_text(errors="replace").splitlines():
        if found := CALL.match(line):
            seen[found[1]] += 1
            if passing not in line:
                points.append((found[1], seen[found[1]]))
    return points


def wait_for(condition: Callable[[], T | None], what: str, seconds: float = DEADLINE) -> T:
    """Wait until something holds; gives what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AgentError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.003)
    return found


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "saltern_agent.running"])
    return context


def _become(words: list[str], log: str) -> None:
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.argv = ["saltern-agent", *words]
    main()


def _keeper_of(pid: int) -> int:
    """Give the thread that works on the node: the first that is neither the loop nor ZeroMQ's."""
    threads = sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    names = {one: Path(f"/proc/{pid}/task/{one}/comm").read_text() for one in threads}
    return next(one for one in threads if one != pid and not names[one].startswith("ZMQ"))


def _is_traced(pid: int, thread: int) -> bool:
    try:
        told = Path(f"/proc/{pid}/task/{thread}/status").read_text()
    except OSError:
        return False
    return "TracerPid:\t0\n" not in told
