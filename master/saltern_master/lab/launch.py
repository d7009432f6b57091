"""Started as a script of its own, in an isolated interpreter: joins cgroups, then runs a program.

    launch.py enter PLAN        join the groups and become the program
    launch.py supervise PLAN    leave the caller, say who we are in a record, hold a program up

PLAN is JSON: groups (directories), argv, environment; to supervise also record, log, restart
(the exit status that means "boot me again") and lock (a descriptor).

The record is on disk before the program starts, and the caller's lock is held until then: so
whoever gets the lock after a crash of the caller finds every process. Nothing is imported but
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
        _become(plan)


def _become(plan: dict[str, Any]) -> NoReturn:
    for group in plan["groups"]:
        Path(group, "cgroup.procs").write_text("0")  # 0 is the writer itself
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and exec would keep it so
        signal.signal(ignored, signal.SIG_DFL)
    os.execve(plan["argv"][0], plan["argv"], plan["environment"])


def _leave(plan: dict[str, Any]) -> None:
    """Fork away from the caller; return there once the record is on disk."""
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
    os.write(tell, b"1")
    os.close(tell)
    os.close(plan["lock"])
    _hold_up(plan)


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


def _hold_up(plan: dict[str, Any]) -> None:
    """Run the program again whenever it ends with the status that asks for it.

    Groups that it left are removed first, as a machine that boots has none of before.
    """
    status = plan["restart"]
    while status == plan["restart"]:
        for group in plan["groups"]:
            _sweep(group)
        child = os.fork()
        if not child:
            _become(plan)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
