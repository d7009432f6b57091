"""The files of an image as a tar archive that depends on nothing but them.

Facts: POSIX.1-2001 pax headers, used only where a name is longer than ustar's 100 bytes or not
ASCII; image-spec "layer": parents are entries of their own, before what they hold.
Laws:
* sorted by path, owner 0:0 without names, mtime 0; the mode is the only attribute of the host's
  world that a file keeps, and it is given, not read;
* a path is relative, plain, and one thing only; a file's content is streamed, never held whole.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from saltern_master.errors import MasterError


class ImageError(MasterError):
    """An image archive cannot be written, read or trusted."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of an image: its absolute path there, its bytes or the file that has them."""

    path: str
    content: bytes | Path
    mode: int = 0o644


def entry(name: str, size: int, mode: int) -> tarfile.TarInfo:
    """Give the header of a file whose every field is determined. Pure."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, mode, 0
    return info


def directory_entry(name: str) -> tarfile.TarInfo:
    """Give the header of a directory, likewise. Pure."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, 0
    return info


def layout(files: Iterable[File]) -> tuple[tuple[str, ...], dict[str, File]]:
    """Give the directories and the files by their names in the archive, both sorted. Pure.

    ImageError names every path that is wrong, at once.
    """
    found: dict[str, File] = {}
    parents: set[str] = set()
    wrong: list[str] = []
    for file in files:
        path = PurePosixPath(file.path)
        name = file.path.removeprefix("/")
        if f"/{name}" != file.path or str(path) != file.path or not name or _strange(name):
            wrong.append(f"{file.path!r} is not a plain absolute path")
        elif name in found:
            wrong.append(f"{file.path!r} is there twice")
        found[name] = file
        parents.update(str(parent) for parent in PurePosixPath(name).parents)
    parents.discard(".")
    wrong += [f"'/{name}' is a file and a directory" for name in sorted(parents & set(found))]
    if wrong:
        raise ImageError(f"cannot make an image: {'; '.join(wrong)}")
    return tuple(sorted(parents)), {name: found[name] for name in sorted(found)}


def write_layer(output: BinaryIO, files: Iterable[File]) -> None:
    """Write the tar archive of a layer."""
    directories, contents = layout(files)
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted({*directories, *contents}):
            if name in contents:
                _add_file(archive, name, contents[name])
            else:
                archive.addfile(directory_entry(name))


def _add_file(archive: tarfile.TarFile, name: str, file: File) -> None:
    if isinstance(file.content, bytes):
        archive.addfile(entry(name, len(file.content), file.mode), io.BytesIO(file.content))
        return
    try:
        with file.content.open("rb") as content:
            size = content.seek(0, io.SEEK_END)
            content.seek(0)
            archive.addfile(entry(name, size, file.mode), content)
    except OSError as error:
        raise ImageError(f"cannot read {file.content} for /{name}: {error}") from error


def _strange(name: str) -> bool:
    parts = name.split("/")
    return ".." in parts or any(ord(letter) < 32 or ord(letter) == 127 for letter in name)
