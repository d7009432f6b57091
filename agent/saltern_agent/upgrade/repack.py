"""The package that is installed, as a .deb file again: a way back that needs nobody's library.

* What dpkg has of it is enough: its files where they stand, its fields, its maintainer scripts.
* A file that is not as the package brought it is refused: the way back leads to the package, and
  to nothing that somebody made of it. Conffiles are a person's, and are taken as they are; what a
  machine leaves out (dpkg's path-exclude: documents and manuals) may be lacking.
* All that is looked at once more when it is packed: nobody holds dpkg's lock meanwhile, and half of
  one release and half of another would bear the name of a whole one.
* dpkg's record may have any bytes; they are passed on as they are.
* The file is no copy of the one that was installed, and has another hash: both bring the same.

Outside facts: deb(5), deb-conffiles(5), dpkg's info directory; dpkg-repack(1) does the same.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

LEFT_OUT: Final = "/usr/share/"
SCRIPTS: Final = frozenset({"preinst", "postinst", "prerm", "postrm", "config"})
NOT_OF_PACKAGE: Final = ("Status:", "Conffiles:", "Config-Version:")
INFO: Final = "var/lib/dpkg/info"
ANY: Final = "surrogateescape"
HEADER: Final = 60


class RepackError(Exception):
    """There is no way back to what is installed; the text says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file of dpkg's info directory, as the package had it."""

    name: str
    content: bytes


def repack(package: str, to: BinaryIO, root: Path = Path("/")) -> str:
    """Write the installed package to a file that can be sought; give its version.

    RepackError, OSError.
    """
    try:
        control = _control(package, root)
        files = tuple(_files(package, root))
        _refuse_changed(control, root)
    except OSError as error:
        raise RepackError(f"cannot read {error.filename}: {error.strerror}") from error
    try:
        _pack(to, control, files, root)
    except FileNotFoundError as error:
        raise RepackError(f"another release was installed meanwhile: no {error.filename}") from None
    try:
        if _control(package, root) != control:
            raise RepackError("another release was installed meanwhile")
        _refuse_changed(control, root)
    except OSError as error:
        raise RepackError(f"cannot read {error.filename}: {error.strerror}") from error
    return _version(control)


def _pack(to: BinaryIO, control: tuple[Member, ...], files: tuple[str, ...], root: Path) -> None:
    to.write(b"!<arch>\n")
    _member(to, "debian-binary", io.BytesIO(b"2.0\n"))
    _member(to, "control.tar.gz", io.BytesIO(_tar_of(control)))
    at = to.tell()
    to.write(_header("data.tar.gz", 0))
    with gzip.GzipFile(fileobj=to, mode="wb", compresslevel=1, mtime=0, filename="") as packed:
        _tar_files(packed, files, root)
    _close(to, at)


def _control(package: str, root: Path) -> tuple[Member, ...]:
    """Give the fields, and all of the info directory but the list of files."""
    found = [Member("control", _fields(package, root))]
    for path in sorted((root / INFO).glob(f"{package}.*")):
        kind = path.name.removeprefix(f"{package}.")
        if kind != "list":
            found.append(Member(kind, path.read_bytes()))
    return tuple(found)


def _version(control: tuple[Member, ...]) -> str:
    fields = control[0].content.decode(errors=ANY).splitlines()
    return next((one[9:] for one in fields if one.startswith("Version: ")), "")


def _fields(package: str, root: Path) -> bytes:
    text = (root / "var/lib/dpkg/status").read_text(encoding="utf-8", errors=ANY)
    for paragraph in text.split("\n\n"):
        if paragraph.startswith(f"Package: {package}\n"):
            return "".join(_of_package(paragraph)).encode(errors=ANY)
    raise RepackError(f"dpkg knows no package {package}")


def _of_package(paragraph: str) -> Iterator[str]:
    """Give the fields that were the package's own, each with its further lines."""
    wanted = True
    for line in paragraph.strip("\n").split("\n"):
        if not line.startswith((" ", "\t")):
            wanted = not line.startswith(NOT_OF_PACKAGE)
        if wanted:
            yield f"{line}\n"


def _files(package: str, root: Path) -> Iterator[str]:
    """Give the paths that are to be in it, directories before what is in them."""
    conffiles = _lines(root / INFO / f"{package}.conffiles")
    for path in _lines(root / INFO / f"{package}.list"):
        there = os.path.lexists(root / path.lstrip("/"))
        if there and path != "/.":
            yield path
        elif not there and path not in conffiles and not path.startswith(LEFT_OUT):
            raise RepackError(f"{path} is missing; install the package again")


def _refuse_changed(control: tuple[Member, ...], root: Path) -> None:
    sums = next((one.content for one in control if one.name == "md5sums"), b"")
    for line in sums.decode(errors=ANY).splitlines():
        wanted, _, path = line.partition("  ")
        try:
            with (root / path).open("rb") as file:
                # What dpkg itself compares by; it guards against accidents, not against root.
                found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        except FileNotFoundError:
            continue  # _files() has judged that
        if found.hexdigest() != wanted:
            raise RepackError(
                f"/{path} is not as its package brought it; install the package again"
            )


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8", errors=ANY).splitlines())
    except FileNotFoundError:
        return ()


def _tar_of(members: tuple[Member, ...]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for one in members:
            entry = tarfile.TarInfo(f"./{one.name}")
            entry.size, entry.mode = len(one.content), 0o755 if one.name in SCRIPTS else 0o644
            tar.addfile(entry, io.BytesIO(one.content))
    return gzip.compress(written.getvalue(), mtime=0)  # the same in another second


def _tar_files(to: gzip.GzipFile, files: tuple[str, ...], root: Path) -> None:
    with tarfile.open(fileobj=to, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for path in files:
            tar.add(root / path.lstrip("/"), f".{path}", recursive=False, filter=_timeless)


def _timeless(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Tell no time of a directory: it is the last installation's, dpkg keeps only files' own."""
    if entry.isdir():
        entry.mtime = 0
    return entry


def _member(to: BinaryIO, name: str, content: io.BytesIO) -> None:
    at = to.tell()
    to.write(_header(name, 0))
    to.write(content.getbuffer())
    _close(to, at)


def _close(to: BinaryIO, at: int) -> None:
    """Say of a member how long it has become, and bring the next one to an even place."""
    end = to.tell()
    to.seek(at + 48)
    to.write(f"{end - at - HEADER:<10}".encode())
    to.seek(end)
    if end % 2:
        to.write(b"\n")


def _header(name: str, size: int) -> bytes:
    return f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{size:<10}`\n".encode()
