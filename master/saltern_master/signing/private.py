"""HOME is the master's alone, or the master does not start: all that is wrong is told at once.

Others may pass through HOME and HOME/blobs to a name that they know (the front, which is nobody,
opens blobs), and speak to HOME/run/api.sock where its mode lets them. All else is only ours.
What is missing is well: it is made with its mode, or its absence is told by who needs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from saltern_protocol.ownership import (
    SECRET,
    UNREAD,
    UNTOUCHED,
    Found,
    Wanted,
    faults,
    way_faults,
)

from saltern_master.signing.home import PRIVATE
from saltern_master.signing.key_file import HomeError

KEYS = ("keys", "pki")
STORE = ("store.db", "store.db-wal", "store.db-shm")
OURS = (
    "bundle-signers.json",
    "library.json",
    "policy.envelope",
    "policy.yaml",
    "root.envelope",
)
READ = "it may be known to others: think of making it anew"


def refuse_shared(home: Path) -> None:
    """HomeError with all that others than this user can touch of HOME."""
    try:
        told = tuple(dict.fromkeys(_faults(home)))
    except OSError as error:
        what = f"cannot look at {error.filename}: {error.strerror}"
        raise HomeError(f"{what}; run the master as the user whose it is") from error
    if told:
        head = f"cannot run a master on {home}: it is not this user's alone:"
        raise HomeError("\n  ".join((head, *told)))


def _faults(home: Path) -> Iterator[str]:
    directories = [Wanted(str(home), UNREAD, directory=True)]
    directories += [Wanted(str(home / name), SECRET, directory=True) for name in PRIVATE]
    directories += [Wanted(str(home / "blobs"), UNREAD, directory=True)]
    directories += [Wanted(str(home / "run"), UNTOUCHED, directory=True)]
    for one in directories:
        yield from _told(one, follow=True)
    for above in Path(os.path.realpath(home)).parents:
        found = _found(str(above), follow=True)
        if found is not None:
            yield from way_faults([(str(above), found)])
    for one in _files(home):
        yield from _told(one, follow=False)


def _files(home: Path) -> Iterable[Wanted]:
    """Give each file beside a key, and those of HOME itself.

    What people put into the other private directories (facts) has the mode that they gave it.
    """
    for name in KEYS:
        directory = home / name
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            public = path.suffix == ".crt" or path.suffix == ".pub"
            yield Wanted(str(path), UNTOUCHED if public else SECRET, path.is_dir(), READ)
    for name in STORE:
        yield Wanted(str(home / name), SECRET, if_read=READ)
    for name in OURS:
        yield Wanted(str(home / name), UNTOUCHED)


def _told(wanted: Wanted, follow: bool) -> tuple[str, ...]:
    found = _found(wanted.path, follow)
    return () if found is None else faults(wanted, found, os.geteuid())


def _found(path: str, follow: bool) -> Found | None:
    try:
        seen = os.stat(path, follow_symlinks=follow)  # noqa: PTH116  of a name that may be gone
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Found(seen.st_mode, seen.st_uid)
