"""The index of the library: one JSON file.

    HOME/library.json    sorted, one entry a line where possible, mode 0644
    HOME/.library.lock   held while the file is read, changed and written

Laws:
* it is read whole or not at all: it is replaced by rename, after its bytes are on disk;
* a change is read-change-write under the lock, so that two writers lose nothing;
* what could not be read again is refused, not written;
* what cannot be understood is an error that names the file, never an empty library.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from saltern_master.errors import MasterError
from saltern_master.library.values import FORMAT, Index


class LibraryError(MasterError):
    """The index cannot be read or written."""


def load_index(home: Path) -> Index:
    """Read the index; an absent one is an empty library."""
    path = home / "library.json"
    try:
        index = msgspec.json.decode(path.read_bytes(), type=Index)
    except FileNotFoundError:
        return Index()
    except OSError as error:
        raise LibraryError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise LibraryError(
            f"cannot read {path}: {error}; move it away and add what it held again"
        ) from error
    if index.format != FORMAT:
        raise LibraryError(f"cannot read {path}: its format is {index.format!r}, known is {FORMAT}")
    return index


def change_index(home: Path, change: Callable[[Index], Index]) -> Index:
    """Write what a pure function makes of the index; give the new one."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = os.open(home / ".library.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LibraryError(f"cannot write to {home}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        index = change(load_index(home))
        _replace(home / "library.json", _encode(index))
    except msgspec.ValidationError as error:
        raise LibraryError(f"cannot write {home}/library.json: {error}") from error
    except OSError as error:
        raise LibraryError(f"cannot write {home}/library.json: {error.strerror}") from error
    finally:
        os.close(lock)
    return index


def _encode(index: Index) -> bytes:
    """Give the file's bytes; ValidationError for what could not be read again."""
    content = msgspec.json.encode(index)
    msgspec.json.decode(content, type=Index)
    return msgspec.json.format(content, indent=1) + b"\n"


def _replace(path: Path, content: bytes) -> None:
    for left_over in path.parent.glob(f".{path.name}-*"):  # ours alone: we hold the lock
        left_over.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    with temporary.open("xb") as writer:
        writer.write(content)
        writer.flush()
        os.fsync(writer.fileno())
    temporary.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
