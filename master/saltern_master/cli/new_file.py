"""Files that a command makes and that nothing may be lost for: new ones, or none.

Law: the name appears with the whole of the file, mode 0600, and never in another file's place.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from saltern_master.cli.refusals import FileError


def refuse_taken(path: Path) -> None:
    """Refuse a name that is taken, before anything is done for it. FileError."""
    if os.path.lexists(path):
        raise _taken(path)


def write_new(path: Path, data: bytes) -> None:
    """Write a whole new file that its owner alone reads. FileError, also where one is there."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)  # a rename would take another file's place
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}") from error


def _taken(path: Path) -> FileError:
    return FileError(
        f"cannot write {path}: it is there already, and is not overwritten; take another name, or "
        "remove it first"
    )
