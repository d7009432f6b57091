"""The filter of system calls (seccomp(2)): a classic BPF program, made from calls.py.

* For all threads of this process and for good. What is not let through is not done; the front
  tells which call it was, and ends with 1. (By SECCOMP_RET_TRAP: SECCOMP_RET_KILL_PROCESS would
  leave a status that does not tell the call.)
* A program of another architecture's calls (x32, i386) is let nothing through.
* No library: libseccomp's Python binding is no package that pip installs, and pyseccomp is a
  wrapper by ctypes round a library of the system, for what is sixty comparisons (ADR 0020).
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from saltern_master.front.calls import Arguments, calls_of, pretended_of

MACHINES: Final = {"x86_64": (0xC000003E, 317), "aarch64": (0xC00000B7, 277)}
"""AUDIT_ARCH_* (linux/audit.h), and the number of seccomp itself."""
_ALLOW: Final = 0x7FFF0000
_TRAP: Final = 0x00030000
_ANSWER: Final = 0x00050000  # SECCOMP_RET_ERRNO; 0: it went well, and nothing was done
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_LOAD, _EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06  # linux/bpf_common.h: ABS W, JEQ K, AND K
_SET_MODE_FILTER: Final = 1
_TSYNC: Final = 1
_SIGSYS: Final = signal.SIGSYS
_SA_SIGINFO: Final = 4
_WHICH_CALL: Final = 24  # offset of si_syscall in siginfo_t, on both machines

Step = tuple[int, int, int, int]
"""Code, jump if true, jump if not, operand: struct sock_filter."""
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class _Action(ctypes.Structure):
    """struct sigaction of glibc."""

    _fields_ = (
        ("handler", _Handler),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def program(machine: str) -> tuple[Step, ...]:
    """Give the filter for a machine; StrangeMachineError. Pure."""
    calls = calls_of(machine)
    architecture, _ = MACHINES[machine]
    steps: list[Step] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _TRAP),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for number, answer in pretended_of(machine):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ANSWER | answer)]
    for number, tests in calls:
        block = tuple(_block(tests))
        steps += [(_EQUAL, 0, len(block), number), *block]
    return (*steps, (_RETURN, 0, 0, _TRAP))


def _block(tests: Sequence[Arguments]) -> Iterator[Step]:
    """Give the steps for one call: they return in any case."""
    for test in tests:
        left = 3 * len(test.holds) + 1
        for argument, mask, value in test.holds:
            left -= 3
            yield (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)  # the low half: both are little endian
            yield (_AND, 0, 0, mask)
            yield (_EQUAL, 0, left, value)
        yield (_RETURN, 0, 0, _ALLOW)
    yield (_RETURN, 0, 0, _TRAP if tests else _ALLOW)


def install(steps: Sequence[Step], machine: str) -> None:
    """Put the filter over all threads; OSError. PR_SET_NO_NEW_PRIVS has to be set before."""
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    filled = _Program(len(steps), code)
    _, seccomp = MACHINES[machine]
    call = ctypes.CDLL(None, use_errno=True).syscall
    if call(seccomp, _SET_MODE_FILTER, _TSYNC, ctypes.byref(filled)):
        error = ctypes.get_errno()
        raise OSError(error, f"seccomp: {os.strerror(error)}")


def tell_what_is_refused(machine: str) -> object:
    """Have a refused call told, and end with it. What is given has to be kept."""

    def refused(_signal: int, info: int, _context: int) -> None:
        """End: in the thread that called, in the place of the call."""
        number = ctypes.c_int.from_address(info + _WHICH_CALL).value
        os.write(2, words.replace(b"%", str(number).encode()))
        os._exit(1)

    what = f"system call % of {machine}, or with these arguments, is not for it"
    words = f"front: cannot go on: {what} (front/calls.py)\n".encode()
    handler = _Handler(refused)
    action = _Action(handler=handler, flags=_SA_SIGINFO)
    if ctypes.CDLL(None, use_errno=True).sigaction(_SIGSYS, ctypes.byref(action), None):
        raise OSError(ctypes.get_errno(), "sigaction(SIGSYS)")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {_SIGSYS})
    return handler
