"""What the front gives up before it speaks with anybody.

* Started as root it becomes `nobody`, without groups: supplementary ones first, user last.
  Having changed its user it cannot be traced by others of that user, nor leave a core (prctl(2),
  PR_GET_DUMPABLE), so the CURVE key in its memory stays there.
* No program that it could start would gain rights (PR_SET_NO_NEW_PRIVS, prctl(2)).
* It may open as many files as the hard limit lets it: one per peer.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
from typing import Final

USER: Final = "nobody"
_PR_SET_NO_NEW_PRIVS: Final = 38  # linux/prctl.h


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
