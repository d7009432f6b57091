"""What a program really opens: strace(1) tells, and nothing of ours is asked.

A program marks where its trials begin and end by two names that it looks for. In between, each
call that names a file is read with the directory that its descriptor stands for (strace -y): it
has to be inside of what is allowed, or be among what any program of Python reads.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

STRACE = "/usr/bin/strace"
BEGIN, END = "/saltern-trials-begin", "/saltern-trials-end"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
REPOSITORY = Path(__file__).resolve().parents[2]

CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += +(-?\d+|\?)(?:<(.*)>)?")
NAMED = re.compile(r'(?:(AT_FDCWD|\d+)<((?:[^<>\\]|\\.)*)>, )?"((?:[^"\\]|\\.)*)"(\.\.\.)?')
OCTAL = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}
ANY_PROGRAM = re.compile(
    r"/etc/(passwd|group|nsswitch\.conf|ld\.so\.cache|localtime|mime\.types|host\.conf)\Z"
    r"|/(usr/)?lib(64)?/|/proc/(self|thread-self|\d+)/fd/\d+\Z|/dev/(null|urandom)\Z"
    # how libnss_systemd looks for a user whose name is a plain one
    r"|/(run|etc|usr|lib|usr/lib|usr/local|usr/local/lib|run/host)?(/systemd)?\Z"
    r"|/[a-z/]*/userdb(/[a-z_][a-z0-9_-]*\.(user|group))?\Z"
    r"|/proc/(meminfo|cpuinfo|filesystems)\Z|/sys/(fs/cgroup|devices/system/cpu)|/usr/share/zoneinfo/"
)


def watched(
    command: Sequence[str], log: Path, cwd: Path, seconds: float, calls: str = "%file"
) -> str:
    """Run a program to its end, every call with a file name noted; give what it prints."""
    traced = [STRACE, "-f", "-y", "--seccomp-bpf", "-s", "65536", "-e", f"trace={calls}"]
    with subprocess.Popen(
        [*traced, "-o", str(log), "--", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
        process_group=0,  # who hangs is not left behind when strace ends
    ) as process:
        try:
            said, wrong = process.communicate(timeout=seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} gave {process.returncode}: {wrong[-2000:]}")
    return said


def mark(name: str) -> None:
    """Let the log show that the trials begin or end."""
    os.access(name, os.F_OK)


def outside(log: Path, allowed: Sequence[Path]) -> tuple[int, list[str]]:
    """Count the calls between the marks; give those that touch anything not allowed."""
    inside = tuple(f"{path}/" for path in allowed)
    count, wrong, on = 0, list[str](), False
    with log.open(errors="surrogateescape") as lines:
        for line in lines:
            if BEGIN in line or END in line:
                on = BEGIN in line
                continue
            call = CALL.match(line)
            if not on or call is None:
                continue
            count += 1
            if any(not _well(path, inside) for path in _touched(call)):
                wrong.append(line.strip()[:500])
    return count, wrong


def _touched(call: re.Match[str]) -> Iterator[str]:
    """Give the paths of one call: where it ended, else what it was told."""
    name, told, _, landed = call.groups()
    if landed is not None and name.startswith("open"):
        yield _bytes(landed)
        return
    named = NAMED.findall(told)
    if name.startswith("symlink"):
        named = named[1:]  # the first is its target, which nobody opens by that
    elif name.startswith("readlink"):
        named = named[:1]  # the second is what stands in it
    for _, directory, given, _ in named:
        path = _bytes(given)
        yield path if path.startswith("/") else os.path.join(_bytes(directory) or "?", path)


def _well(path: str, inside: tuple[str, ...]) -> bool:
    plain = os.path.normpath(path)
    ours = f"{plain}/".startswith(inside)
    return ours or bool(ANY_PROGRAM.match(plain)) or plain.startswith(_python())


def _python() -> tuple[str, ...]:
    """Where this Python and this repository have their modules."""
    paths = sysconfig.get_paths()
    places = {sys.prefix, sys.base_prefix, paths["stdlib"], paths["purelib"], str(REPOSITORY)}
    return tuple(sorted(f"{place}/" for place in places)) + tuple(sorted(places))


def _bytes(shown: str) -> str:
    """Read a string as strace shows it."""
    raw = shown.encode(errors="surrogateescape")
    plain = OCTAL.sub(lambda found: _letter(found[1]), raw)
    return plain.decode(errors="surrogateescape")


def _letter(code: bytes) -> bytes:
    return bytes([int(code, 8)]) if code[:1].isdigit() else LETTERS.get(code, code)
