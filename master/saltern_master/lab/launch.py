"""Started as a script of its own, in an isolated interpreter: joins cgroups, then runs a program.

    launch.py enter PLAN        join the groups and become the program
    launch.py supervise PLAN    leave the caller, say who we are in a record, hold a program up

PLAN is JSON: groups (directories), argv, environment; to supervise also record, log, restart
(the exit status that means "boot me again") and lock (a descriptor).

The record is on disk before the program starts, and the caller's lock is held until the program
is in all groups: so whoever gets the lock after a crash of the caller finds every process, and no
process enters a group that is being emptied and removed. Nothing is imported but
the standard library, so that it starts in about 10 ms.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn


def main() -> None:
    """Do what the command line says."""
    plan = json.loads(sys.argv[2])
    if sys.argv[1] == "supervise":
        _leave(plan)
    else:
        _join(plan)
        _become(plan)


def _join(plan: dict[str, Any]) -> None:
    for group in plan["groups"]:
        Path(group, "cgroup.procs").write_text("0")  # 0 is the writer itself


def _become(plan: dict[str, Any]) -> NoReturn:
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and exec would keep it so
        signal.signal(ignored, signal.SIG_DFL)
    os.execve(plan["argv"][0], plan["argv"], plan["environment"])


def _leave(plan: dict[str, Any]) -> None:
    """Fork away from the caller; return there once the program is where it belongs."""
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        sys.exit(0 if os.read(told, 1) else 1)
    os.close(told)
    os.setsid()
    os.chdir("/")
    null, log = os.open(os.devnull, os.O_RDONLY), os.open(plan["log"], _LOG_FLAGS, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    _record(Path(plan["record"]))
    _hold_up(plan, tell)


def _sweep(group: str) -> None:
    for folder, below, _ in os.walk(group, topdown=False):
        for name in below:
            with suppress(OSError):  # somebody is in it: it stays
                Path(folder, name).rmdir()


_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def _record(path: Path) -> None:
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"pid": os.getpid(), "start": int(stat[19]), "boot": boot}))
    part.rename(path)


def _hold_up(plan: dict[str, Any], tell: int) -> None:
    """Run the program again whenever it ends with the status that asks for it.

    Groups that it left are removed first, as a machine that boots has none of before. The lock
    goes to the first child, and is free once that has joined its groups or is dead.
    """
    waiting = [tell, plan["lock"]]
    status = plan["restart"]
    while status == plan["restart"]:
        for group in plan["groups"]:
            _sweep(group)
        child = os.fork()
        if not child:
            _join(plan)
            if waiting:
                os.write(tell, b"1")
            _close(waiting)
            _become(plan)
        _close(waiting)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


if __name__ == "__main__":
    main()
