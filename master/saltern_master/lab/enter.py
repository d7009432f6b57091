"""Run programs in a node: all namespaces of its first process, its root, its cgroups.

Entering takes two small programs: launch.py joins the cgroups, nsenter(1) the rest. What runs
in the node is in the node's groups, so it dies with the node. Nothing of the caller's
environment goes along.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from saltern_master.lab import cgroups
from saltern_master.lab.errors import LabError
from saltern_master.lab.host import Host

NSENTER = "/usr/bin/nsenter"
TAR = "/usr/bin/tar"
LAUNCH = Path(__file__).with_name("launch.py")

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "container": "systemd-nspawn",
}


# nsenter would speak of itself; the shell asks in the node, and gives way to the program.
_ASKING = (
    'command -v -- "$2" >/dev/null && shift && exec "$@"; '
    'echo "saltern: cannot run $2: there is no such program on $1" >&2; exit 127'
)


def told_when_missing(argv: Sequence[str], node: str) -> list[str]:
    """Give the command line that runs `argv` in a node, or says that there is no such program."""
    return ["/bin/sh", "-c", _ASKING, "sh", node, *argv]


def launcher(mode: str, plan: dict[str, Any]) -> list[str]:
    """Give the command line of launch.py, in an interpreter that reads nothing of the caller's."""
    return [sys.executable, "-I", "-S", str(LAUNCH), mode, json.dumps(plan)]


def command(first: int, host: Host, argv: Sequence[str], terminal: str | None = None) -> list[str]:
    """Give the command line that runs `argv` in the node whose first process is `first`."""
    groups = cgroups.of_process(host.trees, Path(f"/proc/{first}/cgroup").read_text())
    namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
    plan = {
        "groups": [str(group) for group in groups],
        "argv": [NSENTER, f"--target={first}", *namespaces, "--", *argv],
        "environment": ENVIRONMENT | ({"TERM": terminal} if terminal else {}),
    }
    return launcher("enter", plan)


def run(
    argv: Sequence[str], *, stdin: IO[bytes] | int, data: bytes | None, seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run an entering command to its end; after `seconds` kill all that it started: LabError.

    `data` is given to its standard input when it is not None.
    """
    with subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE if data is not None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(data, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            said = _kill(process)
            raise LabError(
                f"cannot wait longer than {seconds:g} s for it in the node; it said: {said}"
            ) from error
        except BaseException:
            _kill(process)
            raise
    return subprocess.CompletedProcess(list(argv), process.returncode, _text(out), _text(err))


def _kill(process: subprocess.Popen[bytes]) -> str:
    """Kill the process with its session, and give the last of what they said."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        out, err = process.communicate(timeout=1)
    except (subprocess.TimeoutExpired, ValueError):  # a daemon of theirs keeps the pipe open
        return "(its output is still held open)"
    return " / ".join(_text(out + err).splitlines()[-3:]) or "nothing"


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def pack(source: Path) -> subprocess.Popen[bytes]:
    """Start packing a directory's content, as root's, to a pipe."""
    return subprocess.Popen(
        [TAR, "--create", "--owner=0", "--group=0", "--numeric-owner", "-C", str(source), "."],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
