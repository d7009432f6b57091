"""What the front gives up before it speaks with anybody, in this order.

* No program that it could start would gain rights (PR_SET_NO_NEW_PRIVS, prctl(2)).
* Started as root it becomes `nobody`, without groups: supplementary ones first, user last.
  Having changed its user it cannot be traced by others of that user, nor leave a core (prctl(2),
  PR_GET_DUMPABLE), so the CURVE key in its memory stays there.
* It may open as many files as the hard limit lets it: one per peer.
* enclose(): of files it reaches the blobs and its own /proc entry, to read; of ports its own
  link's; of system calls those of calls.py. Where the kernel cannot do that there is no front,
  unless core said "partial": then it says what is missing, and goes on.
* Ports are kept to since Linux 6.7. Before, a front that was taken could connect to others over
  TCP, as `nobody`: that is said, and no hindrance, for Debian 12's own kernel is one of those.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
from collections.abc import Callable, Sequence
from typing import Final

from saltern_master.errors import MasterError
from saltern_master.front import landlock, seccomp
from saltern_master.front.frames import Confinement

USER: Final = "nobody"
_PR_SET_NO_NEW_PRIVS: Final = 38  # linux/prctl.h


class ConfineError(MasterError):
    """The kernel does not keep us in."""


def gain_nothing() -> None:
    """Bar new rights; to be called before the first thread, since it holds for this one only."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")


def drop_root() -> None:
    """Become `nobody`, all threads at once (nptl(7)); OSError if that fails."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)


def raise_descriptors() -> int:
    """Raise the limit of open files to the hard one; give it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def enclose(
    readable: Sequence[int], port: int, confinement: Confinement, say: Callable[[str], None]
) -> object:
    """Keep to these directories and this port, and to calls.py; ConfineError.

    Before the first thread, after the last import. What is given has to be kept.
    """
    told = seccomp.tell_what_is_refused(os.uname().machine)
    ways: tuple[Callable[[], None], ...] = (
        lambda: _keep_to_places(readable, port, say),
        _keep_to_calls,
    )
    for keep_in in ways:
        try:
            keep_in()
        except (OSError, MasterError) as error:
            what = f"the front cannot be kept in: {error}"
            if confinement == "whole":
                raise ConfineError(f"cannot go on: {what}; see --confinement") from error
            say(f"WARNING: {what}; it goes on, as it was told to (--confinement partial)")
    return told


def _keep_to_places(readable: Sequence[int], port: int, say: Callable[[str], None]) -> None:
    known = landlock.version()
    if not known:
        raise ConfineError("this kernel has no Landlock (Linux 5.13, and lsm= with landlock in it)")
    landlock.restrict(known, readable, port)
    if known < landlock.PORTS_SINCE:
        say(
            "WARNING: this kernel's Landlock knows no ports (Linux 6.7 does): "
            "a front that was taken could connect to other machines"
        )


def _keep_to_calls() -> None:
    machine = os.uname().machine
    seccomp.install(seccomp.program(machine), machine)
