"""FILE -> HOME: all of it or nothing, and only where no master is.

    look at HOME and read all of FILE, tell every reason against it
    -> write it beside HOME, compare again, make the store go on above what may have been since
    -> one rename

* HOME is not there, or empty, until the rename; a kill leaves a directory beside it that the next
  restore sweeps.
* What is put in place is what the manifest says, with its modes, but for the store, which notes
  that it is an older copy (records/restored.py).
* Owners are not kept: all of it belongs to whoever restores.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from saltern_master.backup.archive import Sink, read_manifest, read_parts
from saltern_master.backup.manifest import STORE, BackupError, Manifest, Part
from saltern_master.backup.scratch import scratch
from saltern_master.backup.take import Count, Progress
from saltern_master.records.restored import restored
from saltern_master.signing.key_file import sync_directory
from saltern_master.store import SqliteStore
from saltern_master.store.migrate import known_migrations

MOST_NAMED: Final = 5


def restore(home: Path, file: Path, now: float, progress: Progress) -> Manifest:
    """Bring a backup back. `now` in seconds since 1970. BackupError, StoreError."""
    try:
        manifest = _verified(home, file, progress)
        with scratch(home.parent, f".{home.name}-restore") as place:
            staged = place / "home"
            _stage(manifest, file, staged, Count(lambda *_: None))
            _note(staged, manifest, now)
            for folder in manifest.folders:
                sync_directory(staged / folder.name)
            staged.rename(home)
            sync_directory(home.parent)
    except OSError as error:
        where = error.filename or home
        raise BackupError(f"cannot restore to {home}: {where}: {error.strerror}") from error
    return manifest


def _verified(home: Path, file: Path, progress: Progress) -> Manifest:
    """Read all of a backup, and tell all that stands against putting it in place."""
    reasons = list(_against(home))
    try:
        manifest = read_manifest(file)
        count = Count(progress)
        count.whole = manifest.size
        _, faults = read_parts(file, lambda _: _Nowhere(), count.add)
    except BackupError as error:
        raise BackupError("cannot restore:", (*reasons, str(error))) from error
    if faults:
        named = "; ".join((*faults[:MOST_NAMED], *(["..."] if len(faults) > MOST_NAMED else [])))
        reasons.append(f"{file} is damaged, take another copy of it: {named}")
    reasons += _unfit(home, manifest)
    if reasons:
        raise BackupError("cannot restore:", tuple(reasons))
    return manifest


def _against(home: Path) -> Iterator[str]:
    """Say what about HOME's place is against it."""
    if not home.parent.is_dir():
        yield f"{home.parent} is no directory; make it"
    if _runs(home):
        yield f"a master runs on {home}; stop it"
    if os.path.ismount(home):
        yield f"{home} is a mount point, which no rename replaces; take a directory in it as HOME"
    elif os.path.lexists(home):
        yield from _occupied(home)


def _occupied(home: Path) -> Iterator[str]:
    if home.is_symlink() or not home.is_dir():
        yield f"{home} is no directory; move it away"
        return
    names = sorted(one.name for one in home.iterdir())
    if names:
        some = ", ".join((*names[:MOST_NAMED], *(["..."] if len(names) > MOST_NAMED else [])))
        yield f"{home} is not empty ({some}); move it away, and keep it until all is well"


def _unfit(home: Path, manifest: Manifest) -> Iterator[str]:
    """Say why this release or this disk cannot take what is in a backup."""
    if STORE not in {part.name for part in manifest.parts}:
        yield "the backup has no store.db, so it is none of a master"
    if manifest.store_form > len(known_migrations()):
        yield f"release {manifest.release} made it, which is newer than this one; install that"
    if home.parent.is_dir():
        free = shutil.disk_usage(home.parent).free
        if manifest.size > free:
            yield f"{home.parent} has {free} bytes free, and the backup has {manifest.size}"


def _runs(home: Path) -> bool:
    """Tell whether a master holds HOME's lock (core/run.py)."""
    try:
        lock = os.open(home / "run" / "master.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _stage(manifest: Manifest, file: Path, staged: Path, count: Count) -> None:
    """Write all of it, durably; BackupError where the file is not any more what it was."""
    for folder in manifest.folders:
        path = staged / folder.name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(folder.mode)
    with ExitStack() as last:
        open_next = _opener(staged, last)
        read, faults = read_parts(file, open_next, count.add)
    if faults or read != manifest:
        raise BackupError(f"cannot restore: {file} changed while it was read", faults)


def _opener(staged: Path, last: ExitStack) -> Callable[[Part], Sink]:
    """Give what opens the file of a part; the one before is made durable and closed first."""

    def opened(part: Part) -> Sink:
        last.close()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(staged / part.name, flags, 0o600)
        file = last.enter_context(os.fdopen(descriptor, "wb"))
        last.callback(os.fsync, descriptor)
        last.callback(os.fchmod, descriptor, part.mode)
        last.callback(file.flush)
        return file

    return opened


def _note(staged: Path, manifest: Manifest, now: float) -> None:
    """Make the store go on above what may have been since the backup was taken."""
    store = SqliteStore(staged / STORE)
    try:
        store.commit(*restored(store, manifest.taken, now))
    finally:
        store.close()


class _Nowhere:
    """Takes bytes that are only compared."""

    def write(self, data: bytes, /) -> object:
        """Take some."""
        return len(data)
