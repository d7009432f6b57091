"""What the front may do once it is kept in, and what not: tried by a process that is kept in so."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from saltern_master.front import calls, seccomp
from saltern_master.front.calls import CALLS, MACHINES, PRETENDED, StrangeMachineError

from tests.master.front_stand import fronts

SECONDS = 30
ALLOW, TRAP = 0x7FFF0000, 0x00030000
NEEDED = (
    "a blob",
    "a thread",
    "our own link",
    "our memory",
    "our descriptors",
    "to turn away",
    "a line",
)
ENDS = {  # what is tried, and the name of the call that ends it, on this kind of machine
    "execve": "execve",
    "posix_spawn": "clone",
    "fork": "clone",
    "ptrace": "ptrace",
    "kill": "kill",
    "memory to execute": "mmap",
    "write a blob": "openat",
    "make a file": "openat",
    "remove a file": "unlink",
    "make a directory": "mkdir",
    "another directory": "chdir",
    "another user": "setuid",
    "a namespace": "unshare",
    "a unix socket": "socket",
    "a datagram": "socket",
    "a packet": "socket",
    "multipath": "socket",
    "a port of one's own": "socket",
}
REFUSED = (
    "another port",
    "/etc/shadow",
    "/etc/passwd",
    "/proc/1/status",
    "/proc/self/root",
    "up from the blobs",
    "a list of the root",
)
X86_64 = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
GENERIC = Path("/usr/include/asm-generic/unistd.h")


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    tmp_path.chmod(0o711)
    blob = tmp_path / bytes(32).hex()
    blob.write_bytes(b"content")
    blob.chmod(0o644)
    return tmp_path


def tried(what: str, blobs: Path, *kernel: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.master.confined", what, str(blobs), *kernel]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.parametrize("what", NEEDED)
def test_what_the_front_needs_is_there(blobs: Path, what: str) -> None:
    done = tried(what, blobs)
    assert (done.returncode, done.stdout.startswith("done: ")) == (0, True), done.stderr
    assert what != "a blob" or "content" in done.stdout


@pytest.mark.parametrize("what", ENDS)
def test_any_other_call_ends_it_and_is_told(blobs: Path, what: str) -> None:
    done = tried(what, blobs)
    assert (done.returncode, done.stdout) == (1, "")
    told = re.fullmatch(r"front: cannot go on: system call (\d+) of (\w+), .*\n", done.stderr)
    assert told, done.stderr
    if told[2] == "x86_64" and X86_64.exists():
        assert numbers(X86_64)[ENDS[what]] == int(told[1])


@pytest.mark.parametrize("what", REFUSED)
def test_what_lies_outside_is_refused(blobs: Path, what: str) -> None:
    done = tried(what, blobs)
    assert (done.returncode, done.stdout) == (0, "refused: Permission denied\n"), done.stderr


@pytest.mark.parametrize("lacking", ["landlock", "seccomp"])
def test_a_kernel_that_cannot_keep_it_in_has_no_front(blobs: Path, lacking: str) -> None:
    done = tried("a blob", blobs, lacking)
    assert done.stdout.startswith("cannot go on: the front cannot be kept in: ")
    assert "done" not in done.stdout


@pytest.mark.parametrize("lacking", ["landlock", "seccomp"])
def test_unless_it_was_told_to_and_then_it_says_so_once(blobs: Path, lacking: str) -> None:
    done = tried("a blob", blobs, lacking, "partial")
    warning, outcome = done.stdout.splitlines()
    assert warning.startswith("WARNING: the front cannot be kept in: ")
    assert outcome.startswith("done: ")


def test_a_front_that_serves_is_kept_in(blobs: Path) -> None:
    with fronts(blobs) as core:
        for thread in Path(f"/proc/{core.process.pid}/task").iterdir():
            status = (thread / "status").read_text()
            assert "\nSeccomp:\t2\n" in status
            assert "\nNoNewPrivs:\t1\n" in status


@pytest.mark.parametrize("machine", MACHINES)
def test_the_program_lets_its_calls_through_and_no_others(machine: str) -> None:
    steps, (architecture, _) = seccomp.program(machine), seccomp.MACHINES[machine]
    known = dict(calls.calls_of(machine))
    pretended = dict(calls.pretended_of(machine))
    assert not known.keys() & pretended.keys()
    for number in [*range(600), *(0x40000000 | one for one in known)]:
        for tests in known.get(number, ()) or ((),):
            given = [0] * 6
            for argument, _mask, value in getattr(tests, "holds", ()):
                given[argument] = value
            verdict = answer(steps, number, architecture, given)
            if number in pretended:
                assert verdict == 0x00050000 | pretended[number]
            else:
                assert verdict == (ALLOW if number in known else TRAP), number


@pytest.mark.parametrize("machine", MACHINES)
def test_each_bit_of_an_argument_that_matters_is_looked_at(machine: str) -> None:
    steps, (architecture, _) = seccomp.program(machine), seccomp.MACHINES[machine]
    for number, tests in calls.calls_of(machine):
        for one in tests:
            for argument, mask, value in one.holds:
                for bit in (1 << at for at in range(32) if mask >> at & 1):
                    given = [0] * 6
                    for other, _mask, good in one.holds:
                        given[other] = good
                    given[argument] = value ^ bit
                    fits = any(all(given[a] & m == v for a, m, v in each.holds) for each in tests)
                    verdict = answer(steps, number, architecture, given)
                    assert verdict == (ALLOW if fits else TRAP)


def test_calls_of_another_architecture_are_none_of_ours() -> None:
    i386, aarch64 = 0x40000003, seccomp.MACHINES["aarch64"][0]
    for architecture in (i386, aarch64):
        assert answer(seccomp.program("x86_64"), 0, architecture, [0] * 6) == TRAP


def test_a_machine_without_a_list_has_no_program() -> None:
    with pytest.raises(StrangeMachineError, match="cannot filter system calls on riscv64"):
        seccomp.program("riscv64")


@pytest.mark.system  # which brings the headers
@pytest.mark.parametrize(("machine", "header"), [("x86_64", X86_64), ("aarch64", GENERIC)])
def test_the_numbers_are_the_kernels(machine: str, header: Path) -> None:
    if not header.exists():
        pytest.skip(f"{header} is another machine's")
    named = numbers(header)
    for call in (*CALLS, *(call for call, _ in PRETENDED)):
        number = getattr(call, machine)
        assert number is None or named[call.name] == number, call.name


def numbers(header: Path) -> dict[str, int]:
    """Give the calls of a header by name; the generic one names some of them 3264."""
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", header.read_text(), re.MULTILINE)
    named = {name: int(number) for name, number in found}
    return named | {"newfstatat": named.get("newfstatat", named.get("fstatat", -1))}


def answer(
    steps: tuple[seccomp.Step, ...], number: int, architecture: int, arguments: list[int]
) -> int:
    """Run a program as the kernel would."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments)
    at = held = 0
    while True:
        code, yes, no, operand = steps[at]
        at += 1
        match code:
            case 0x20:
                (held,) = struct.unpack_from("=I", data, operand)
            case 0x54:
                held &= operand
            case 0x15:
                at += yes if held == operand else no
            case 0x06:
                return operand
            case _:
                raise AssertionError(f"step {code:#x}")
