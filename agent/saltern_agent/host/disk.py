"""Files on a real disk.

* Everything is opened below one root, and no symlink is followed anywhere on the way
  (beneath.py); what is not a regular file is never opened, so a FIFO cannot hang us and
  a device is not woken: it is seen through an O_PATH descriptor only. Nor does a lease on a
  file hang us, nor one that is too large to be hashed (hashes.py): it is unlike any other.
* A file is replaced whole: temporary name beside it, owner, content, mode, fsync; then a
  look whether `was` still stands there; then rename, and fsync of the directory.
* A file that has a second name (a hard link) is not changed in place: a change of mode
  or owner would go through to the other name. It is replaced by a copy.
* Every OSError becomes a HostError that says what to do (reasons.py).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from saltern_states.ports import Blobs, Entry, Files, HostError, MovedError

from saltern_agent.durable import settle, sync, sync_new
from saltern_agent.host.accounts import Accounts, KeptAccounts
from saltern_agent.host.beneath import RENAME_NOREPLACE, Root
from saltern_agent.host.hashes import CHUNK, MAX_HASHED, Hashes, reopen
from saltern_agent.host.reasons import reason, telling
from saltern_agent.host.temporary import is_temporary, new_file, sweep_directory

SYMLINK: Final = Entry(type="symlink", mode=0, owner="", group="")
MAX_READ_BYTES: Final = 4 << 20

Fill = Callable[[int], None]
"""Writes a content to a descriptor."""


class DiskFiles:
    """Files and directories below a root."""

    def __init__(
        self,
        blobs: Blobs,
        root: Root | None = None,
        hashes: Hashes | None = None,
        accounts: Accounts | KeptAccounts | None = None,
    ) -> None:
        self._blobs = blobs
        self._root = root or Root()
        self._hashes = hashes or Hashes()
        self._accounts = accounts or Accounts()

    def look(self, path: Path) -> Entry | None:
        """Give what stands there."""
        try:
            seen = self._root.open(path, os.O_PATH)
        except OSError as error:
            return _nothing_or_symlink(error, path)
        try:
            return self._entry(seen, path)
        finally:
            os.close(seen)

    def read(self, path: Path) -> bytes | None:
        """Give the content of a regular file of at most MAX_READ_BYTES."""
        with telling("read", path):
            try:
                seen = self._root.open(path, os.O_PATH)
            except (FileNotFoundError, NotADirectoryError):
                return None
            try:
                return _read_small(seen, path)
            finally:
                os.close(seen)

    def names(self, path: Path) -> tuple[str, ...]:
        """Give the names in a directory, sorted; () where there is none."""
        with telling("list", path):
            try:
                # as a directory only: what is none is refused before it is opened, and not woken
                handle = self._root.open(path, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                return ()
            except NotADirectoryError:
                self._require_none(path)
                return ()
            try:
                return tuple(sorted(name for name in os.listdir(handle) if not is_temporary(name)))
            finally:
                os.close(handle)

    def _require_none(self, path: Path) -> None:
        """Refuse what stands there and is no directory; nothing does where one above is none."""
        try:
            seen = self._root.open(path, os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            _require(seen, path, "list", stat.S_ISDIR, "directory")
        finally:
            os.close(seen)

    def unknown_accounts(self, owner: str, group: str) -> tuple[str, ...]:
        """Name those that this node does not know."""
        return self._accounts.unknown(owner, group)

    def called(self, owner: str, group: str) -> tuple[str, str]:
        """Give the two as look() tells them."""
        return self._accounts.called(owner, group)

    def with_accounts_kept(self) -> Files:
        """Give the same files, for which each account is asked for only once."""
        return DiskFiles(self._blobs, self._root, self._hashes, KeptAccounts(self._accounts))

    def write(
        self, path: Path, was: Entry | None, content: bytes, mode: int, owner: str, group: str
    ) -> None:
        """Put a whole file there in place of `was`."""
        self._replace(path, was, lambda handle: _write_all(handle, content), mode, owner, group)

    def write_blob(
        self, path: Path, was: Entry | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """Put a blob's content there, hashed while it is copied."""
        source = self._blobs.path(blob)

        def fill(handle: int) -> None:
            with open(source, "rb", buffering=0) as file:
                digest = _copy(file.fileno(), handle)
            if digest != blob:
                raise HostError(f"cannot write {path}: blob {blob} is damaged; fetch it again")

        self._replace(path, was, fill, mode, owner, group)

    def set_access(self, path: Path, was: Entry, mode: int, owner: str, group: str) -> None:
        """Change mode and owner of a file or directory."""
        if was.type not in ("file", "directory"):
            raise HostError(
                f"cannot set the mode of {path}: it is none of ours ({was.type}); take it away"
            )
        uid, gid = self._accounts.numbers(owner, group)
        with telling("set the mode of", path):
            seen = self._open_expected(path, was)
            try:
                copied = was.type == "file" and self._may_be_anothers(seen, path)
                if not copied:
                    _set_access(seen, path, mode, uid, gid)
            finally:
                os.close(seen)
        if copied:
            self._replace(path, was, lambda h: self._copy_file(path, was, h), mode, owner, group)

    def make_directory(self, path: Path, mode: int, owner: str, group: str) -> None:
        """Make one directory."""
        uid, gid = self._accounts.numbers(owner, group)
        with telling("make directory", path), self._root.parent(path) as parent:
            try:
                os.mkdir(path.name, 0o700, dir_fd=parent)
            except FileExistsError as error:
                raise MovedError(
                    f"cannot make directory {path}: something stands there now; plan again"
                ) from error
            flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            made = os.open(path.name, flags, dir_fd=parent)
            try:
                _set_access(made, path, mode, uid, gid)
            finally:
                os.close(made)
            sync(parent, path.parent)

    def remove(self, path: Path, was: Entry) -> None:
        """Remove a file, or a directory that is empty."""
        if was.type not in ("file", "directory"):
            raise HostError(f"cannot remove {path}: it is none of ours ({was.type})")
        with telling("remove", path), self._root.parent(path) as parent:
            self._expect(parent, path, was)
            if was.type == "directory":
                os.rmdir(path.name, dir_fd=parent)
            else:
                os.unlink(path.name, dir_fd=parent)
            sync(parent, path.parent)

    def sweep(self, directories: Iterable[Path]) -> tuple[Path, ...]:
        """Remove what processes that died left half-made in these directories; give what went.

        What they renamed is on its disk then, so that a look may call it as declared. A directory
        that cannot be gone into is passed over: whoever looks below it is told why.
        """
        gone: list[Path] = []
        for directory in directories:
            with suppress(OSError), self._root.directory(directory) as handle:
                gone += [directory / name for name in sweep_directory(handle)]
                settle(handle, directory)
        return tuple(gone)

    def _replace(
        self, path: Path, was: Entry | None, fill: Fill, mode: int, owner: str, group: str
    ) -> None:
        if was is not None and was.type != "file":
            raise HostError(f"cannot write {path}: it is no file ({was.type}); take it away")
        uid, gid = self._accounts.numbers(owner, group)
        with (
            telling("write", path),
            self._root.parent(path) as parent,
            new_file(parent) as (name, handle),
        ):
            os.fchown(handle, uid, gid)
            fill(handle)
            os.fchmod(handle, mode)  # last: chown and write clear the set-id bits
            sync_new(handle, path)
            self._expect(parent, path, was)
            self._rename(parent, name, path, was)
            sync(parent, path.parent)

    def _rename(self, parent: int, name: str, path: Path, was: Entry | None) -> None:
        if was is not None:
            self._root.rename(parent, name, path.name)
            return
        try:
            self._root.rename(parent, name, path.name, RENAME_NOREPLACE)
        except FileExistsError as error:
            raise MovedError(
                f"cannot write {path}: something stands there now; plan again"
            ) from error
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS):  # NFS cannot do it
                raise
            self._root.rename(parent, name, path.name)

    def _may_be_anothers(self, seen: int, path: Path) -> bool:
        """Say whether the file has, or somebody could just now give it, a second name elsewhere.

        Who may write to the directory can put a hard link there and take it away again, and no
        count of links, once read, is still true: then the file is copied and its inode left alone.
        """
        if os.fstat(seen).st_nlink > 1:
            return True
        with self._root.directory(path.parent) as parent:
            found = os.fstat(parent)
        return found.st_uid != os.geteuid() or bool(found.st_mode & 0o022)

    def _open_expected(self, path: Path, was: Entry) -> int:
        seen = self._root.open(path, os.O_PATH)
        try:
            _compare(path, was, self._entry(seen, path))
        except BaseException:
            os.close(seen)
            raise
        return seen

    def _expect(self, parent: int, path: Path, was: Entry | None) -> None:
        flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            seen = os.open(path.name, flags, dir_fd=parent)
        except FileNotFoundError:
            _compare(path, was, None)
            return
        try:
            _compare(path, was, self._entry(seen, path))
        finally:
            os.close(seen)

    def _entry(self, seen: int, path: Path) -> Entry:
        found = os.fstat(seen)
        if stat.S_ISLNK(found.st_mode):
            return SYMLINK
        owner, group = self._accounts.names(found.st_uid, found.st_gid)
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            return Entry("directory", mode, owner, group)
        if not stat.S_ISREG(found.st_mode):
            return Entry("other", mode, owner, group)
        digest = self._hashes.of(seen, found, path)
        return Entry("file", mode, owner, group, digest, found.st_size)

    def _copy_file(self, path: Path, was: Entry, handle: int) -> None:
        seen = self._root.open(path, os.O_PATH)
        try:
            _require(seen, path, "copy", stat.S_ISREG, "file")
            if not was.sha256:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            reader = reopen(seen)
            try:
                digest = _copy(reader, handle)
            finally:
                os.close(reader)
            if digest != was.sha256:
                raise MovedError(f"cannot change {path}: it was written to just now; plan again")
        finally:
            os.close(seen)


def _nothing_or_symlink(error: OSError, path: Path) -> Entry | None:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return None
    if error.errno == errno.ELOOP:
        return SYMLINK
    raise HostError(f"cannot look at {path}: {reason(error)}") from error


def _compare(path: Path, was: Entry | None, have: Entry | None) -> None:
    if have != was:
        raise MovedError(f"cannot change {path}: expected {was}, found {have}; plan again")


def _require(
    seen: int, path: Path, doing: str, is_type: Callable[[int], bool], wanted: str
) -> None:
    if not is_type(os.fstat(seen).st_mode):
        raise HostError(f"cannot {doing} {path}: it is no {wanted}; take it away")


def _read_small(seen: int, path: Path) -> bytes:
    _require(seen, path, "read", stat.S_ISREG, "file")
    content, reader = b"", reopen(seen)
    try:
        while chunk := os.read(reader, MAX_READ_BYTES + 1 - len(content)):
            content += chunk
    finally:
        os.close(reader)
    if len(content) > MAX_READ_BYTES:
        raise HostError(f"cannot read {path}: more than {MAX_READ_BYTES} bytes; make it smaller")
    return content


def _set_access(seen: int, path: Path, mode: int, uid: int, gid: int) -> None:
    # through /proc, because fchown refuses an O_PATH descriptor and only that opens no device
    inode = f"/proc/self/fd/{seen}"
    os.chown(inode, uid, gid)
    os.chmod(inode, mode)
    reader = reopen(seen)
    try:
        sync(reader, path)
    finally:
        os.close(reader)


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _copy(source: int, handle: int) -> str:
    """Copy a content, give its hash; EFBIG where it is larger than what is ever hashed."""
    digest = sha256()
    size = 0
    while chunk := os.read(source, CHUNK):
        size += len(chunk)
        if size > MAX_HASHED:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        digest.update(chunk)
        _write_all(handle, chunk)
    return digest.hexdigest()
