"""Parts of blobs, read from a directory whose files are named by their SHA-256, in hex.

* A name is made from 32 bytes by us; nothing that a peer sent is a path. A symbolic link, a
  directory or a pipe under such a name is no blob, and opening one does not wait.
* A file is opened for each part and closed again: no descriptor is held for a peer.
* The content is not checked here: who asked for a hash checks what it got.
"""

from __future__ import annotations

import os
import stat

from saltern_protocol.messages import MAX_PART, BlobPart

from saltern_master.errors import MasterError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class BlobsError(MasterError):
    """The directory of the blobs cannot be opened."""


def open_blobs(path: str) -> int:
    """Give a descriptor of the directory; BlobsError."""
    try:
        return os.open(path, _DIRECTORY)
    except OSError as error:
        what = f"cannot open the directory of the blobs, {path}: {error.strerror}"
        raise BlobsError(f"{what}; the master makes it when it starts") from error


def read_part(directory: int, blob: bytes, offset: int) -> BlobPart | None:
    """Read the part at an offset; beyond the end it is empty. None: there is no such blob."""
    try:
        file = os.open(blob.hex(), _FILE, dir_fd=directory)
    except OSError:
        return None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            return None
        inside = offset < found.st_size
        data = os.pread(file, MAX_PART, offset) if inside else b""
        return BlobPart(blob=blob, offset=offset, size=found.st_size, data=data)
    except OSError:
        return None
    finally:
        os.close(file)
