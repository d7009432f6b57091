"""What an errno means for a person who runs a node, as a sentence that says what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from saltern_states.ports import HostError

REASONS: Final = {
    errno.EBUSY: "it is a mount point (a file mounted there by itself cannot be replaced); "
    "unmount it, or change it where it is mounted from",
    errno.EROFS: "its filesystem is read-only; mount it read-write",
    errno.ENOSPC: "its filesystem is full, and what was there is as it was; make room",
    errno.EDQUOT: "a quota is used up, and what was there is as it was; raise it or make room",
    errno.EPERM: "the kernel forbids it; see whether it is immutable (lsattr), and whether "
    "the agent has its capabilities",
    errno.EACCES: "the kernel forbids it; see whether an access policy (AppArmor, SELinux) is "
    "in force",
    errno.ELOOP: "a symlink stands there or on the way, and none is followed; put the real "
    "thing in its place",
    errno.ENOENT: "its directory is not there; declare that directory too",
    errno.ENOTDIR: "something on the way is not a directory; take it away",
    errno.EINVAL: "that is no plain absolute path, or its filesystem cannot do this",
    errno.EXDEV: "it lies across two filesystems, or in the lower layer of an overlay; take it "
    "away by hand once",
    errno.ENOTEMPTY: "the directory is not empty; take away what is in it",
    errno.EMFILE: "the agent has too many files open; restart it and report this",
    errno.EAGAIN: "somebody holds a lease on it, or it has nothing to give without being waited "
    "for; see who has it open (fuser)",
    errno.EFBIG: "it is larger than anything that is declared; make it smaller, or take it away",
    errno.ENAMETOOLONG: "the name is too long for its filesystem; choose a shorter one",
}


TAKES_NOTHING: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def no_room(error: HostError) -> bool:
    """Say whether the cause is a disk that takes nothing now, and may take it again later."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in TAKES_NOTHING


@contextmanager
def telling(doing: str, what: object) -> Iterator[None]:
    """Turn an OSError of the block into a HostError: "cannot <doing> <what>: ..."."""
    try:
        yield
    except OSError as error:
        raise HostError(f"cannot {doing} {what}: {reason(error)}") from error


def reason(error: OSError) -> str:
    """Give what an errno means here; the kernel's own words where we know no better.

    An OSError without one is Python's own ("not seekable"): it says itself what it means.
    """
    number = error.errno
    if not number:
        return str(error) or type(error).__name__
    return REASONS.get(number) or f"{os.strerror(number).lower()} (errno {number})"
