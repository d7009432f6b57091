"""Who made what is in a tree: read from the wheels' own words, before they are stripped away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePath, PurePosixPath
from typing import Final

from saltern_build.errors import PackagingError

LICENCES: Final = ("LICENSE", "LICENCE", "COPYING", "NOTICE")


@dataclass(frozen=True, slots=True)
class Component:
    """One distribution of Python's in a tree."""

    name: str
    version: str
    license: str  # an SPDX expression, or what the wheel says instead
    author: str
    tops: tuple[str, ...]  # its files and directories at the top of the tree
    texts: tuple[str, ...]  # its licences and notices


def components(tree: Path) -> tuple[Component, ...]:
    """Read the distributions of a tree, by name; PackagingError where one has no licence."""
    return tuple(_component(folder) for folder in sorted(tree.glob("*.dist-info")))


def _component(folder: Path) -> Component:
    said = HeaderParser().parsestr((folder / "METADATA").read_text())
    license_ = said["License-Expression"] or _short(said["License"]) or _classified(said)
    if not license_:
        raise PackagingError(f"cannot pack {said['Name']}: its wheel names no licence")
    return Component(
        name=said["Name"],
        version=said["Version"],
        license=license_,
        author=said["Author"] or said["Author-Email"] or f"the authors of {said['Name']}",
        tops=tuple(sorted({*_tops(folder)})),
        texts=tuple(_texts(folder)),
    )


def _short(license_: str | None) -> str:
    """A field of one line is a name; a longer one is the licence's own text."""
    return license_.strip() if license_ and "\n" not in license_.strip() else ""


def _classified(said: Message) -> str:
    kept = [one for one in said.get_all("Classifier", []) if one.startswith("License :: ")]
    return " and ".join(one.rpartition(" :: ")[2] for one in kept)


def _tops(folder: Path) -> Iterator[str]:
    for line in (folder / "RECORD").read_text().splitlines():
        top = PurePosixPath(line.rpartition(",")[0].rpartition(",")[0]).parts[0]
        if top not in ("..", "bin"):
            yield top


def _texts(folder: Path) -> Iterator[str]:
    """Licences lie in licenses/ (PEP 639), in older wheels beside METADATA, and with what a
    distribution has copied of another's.
    """
    beside = (path for path in folder.iterdir() if path.name.startswith(LICENCES))
    tops = [folder.parent / top for top in _tops(folder) if not top.endswith(".dist-info")]
    within = (path for top in sorted({*tops}) for path in top.rglob("*") if is_licence(path))
    for path in (*sorted(beside), *sorted((folder / "licenses").rglob("*")), *sorted(within)):
        if path.is_file():
            yield path.read_text(errors="replace")


def is_licence(path: PurePath) -> bool:
    """Say whether a file is a licence, by its name."""
    return path.name.startswith(LICENCES) and path.suffix != ".py"
