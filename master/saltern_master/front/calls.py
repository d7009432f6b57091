"""The system calls that the front needs once it serves, and with which arguments.

* What is not in here ends the front (seccomp.py): no program is started, no process made, none
  traced or signalled, nothing opened to write, no file made, moved or removed, no memory executed
  that was not executable before, no socket but of TCP over IPv4, no user or namespace changed.
* Threads may be made: libzmq has two, and the gate's is started again when it ended.
* Of a call with Arguments one set of them has to hold; each looks at an argument's low
  32 bits: the kernel takes those arguments as ints, or ignores the rest.
* Where a call's paths matter, which no filter can read, landlock.py bounds them.

Found by strace under the suites of tests/master/test_front_*.py; numbers are linux-libc-dev's
(asm/unistd_64.h; asm-generic/unistd.h), which tests/master/test_front_confined.py compares.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Final

from saltern_master.errors import MasterError

MACHINES: Final = ("x86_64", "aarch64")
_TCGETS: Final = 0x5401  # asm-generic/ioctls.h; Python asks it of each file that it opens
_CLONE_THREAD: Final = 0x00010000  # linux/sched.h
_CLONE_NAMESPACES: Final = 0x7E020080  # CLONE_NEW*: user, pid, net, mount, ...
_PROT_EXEC: Final = 4
_PR_SET_NAME: Final = 15
_SIGABRT: Final = 6
_SIGSETXID: Final = 33  # glibc's, taken when the first thread is made
_F_DUPFD_CLOEXEC: Final = 1030
_WRITING: Final = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | os.O_TMPFILE & ~os.O_DIRECTORY
_SOCK_TYPE: Final = 0xF  # without SOCK_CLOEXEC and SOCK_NONBLOCK


class StrangeMachineError(MasterError):
    """There is no list for this machine's architecture."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments that are let through: each (number, mask, value) has to hold."""

    holds: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A system call, by its number on each machine (None: it is not there)."""

    name: str
    x86_64: int | None
    aarch64: int | None
    tests: tuple[Arguments, ...] = ()  # none: let through with any arguments


def _when(argument: int, value: int, mask: int = 0xFFFFFFFF) -> Arguments:
    return Arguments(((argument, mask, value),))


CALLS: Final = (
    Call("poll", 7, None),
    Call("ppoll", 271, 73),
    Call("epoll_wait", 232, None),
    Call("epoll_pwait", 281, 22),
    Call("recvfrom", 45, 207),
    Call("sendto", 44, 206),
    Call("read", 0, 63),
    Call("write", 1, 64),
    Call("futex", 202, 98),
    Call("getpid", 39, 172),
    Call("epoll_ctl", 233, 21),
    Call("epoll_create1", 291, 20),
    Call("eventfd2", 290, 19),
    Call("accept4", 288, 242),
    Call("close", 3, 57),
    Call("dup", 32, 23),
    Call("fcntl", 72, 25, tuple(_when(1, each) for each in (1, 2, 3, 4, _F_DUPFD_CLOEXEC))),
    Call("getsockname", 51, 204),
    Call("getpeername", 52, 205),
    Call("getsockopt", 55, 209),
    Call("setsockopt", 54, 208),
    Call("shutdown", 48, 210),
    Call("connect", 42, 203),  # the probe's; landlock.py bounds it to our own port
    Call(
        "socket",
        41,
        198,
        (
            Arguments(
                (
                    (0, 0xFFFFFFFF, socket.AF_INET),
                    (1, _SOCK_TYPE, socket.SOCK_STREAM),
                    (2, 0xFFFFFFFF, socket.IPPROTO_TCP),  # others pass Landlock by
                )
            ),
        ),
    ),
    Call("openat", 257, 56, (_when(2, 0, _WRITING),)),
    Call("fstat", 5, 80),
    Call("newfstatat", 262, 79),
    Call("lseek", 8, 62),
    Call("pread64", 17, 67),
    Call("getdents64", 217, 61),
    Call("ioctl", 16, 29, (_when(1, _TCGETS),)),
    Call("mmap", 9, 222, (_when(2, 0, _PROT_EXEC),)),
    Call("mprotect", 10, 226, (_when(2, 0, _PROT_EXEC),)),
    Call("mremap", 25, 216),
    Call("munmap", 11, 215),
    Call("madvise", 28, 233),
    Call("brk", 12, 214),
    Call("mlock", 149, 228),  # libsodium, around keys
    Call("munlock", 150, 229),
    Call("getrandom", 318, 278),
    Call("clock_gettime", 228, 113),  # where the vDSO does not answer
    Call("gettimeofday", 96, 169),
    Call("clone", 56, 220, (_when(0, _CLONE_THREAD, _CLONE_THREAD | _CLONE_NAMESPACES),)),
    Call("set_robust_list", 273, 99),
    Call("rseq", 334, 293),
    Call("gettid", 186, 178),
    Call("prctl", 157, 167, (_when(0, _PR_SET_NAME),)),
    Call("sched_yield", 24, 124),
    Call("sched_getaffinity", 204, 123),
    Call("sched_getparam", 143, 121),
    Call("sched_getscheduler", 145, 120),
    Call("sched_setscheduler", 144, 119, (_when(1, 0),)),  # SCHED_OTHER, as libzmq's threads are
    Call("rt_sigreturn", 15, 139),
    Call("rt_sigaction", 13, 134, (_when(0, _SIGABRT), _when(0, _SIGSETXID))),
    Call("tgkill", 234, 131, (_when(2, _SIGABRT),)),  # abort()
    Call("restart_syscall", 219, 128),  # after SIGSTOP and SIGCONT
    Call("exit", 60, 93),
    Call("exit_group", 231, 94),
)
PRETENDED: Final = (
    (Call("clone3", 435, 435), errno.ENOSYS),  # its flags lie in memory; glibc takes clone instead
    (Call("rt_sigprocmask", 14, 135), 0),  # libzmq's threads would block SIGSYS, and its words
)
"""Calls that are not made; what they answer."""


def calls_of(machine: str) -> tuple[tuple[int, tuple[Arguments, ...]], ...]:
    """Give number and Arguments of each call on a machine, as os.uname() names it."""
    return tuple((_number(call, machine), call.tests) for call in CALLS if _has(call, machine))


def pretended_of(machine: str) -> tuple[tuple[int, int], ...]:
    """Give number and answer (an errno, or 0) of each call that is not made."""
    return tuple((_number(call, machine), answer) for call, answer in PRETENDED)


def _has(call: Call, machine: str) -> bool:
    return machine not in MACHINES or getattr(call, machine) is not None


def _number(call: Call, machine: str) -> int:
    if machine not in MACHINES:
        names = " and ".join(MACHINES)
        raise StrangeMachineError(
            f"cannot filter system calls on {machine}: there are lists for {names}"
        )
    return int(getattr(call, machine))
