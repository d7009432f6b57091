"""Which of the distribution's packages the compiled modules need, by what they ask the linker for.

* A library that the tree brings itself needs none. One that nobody knows here stops the build:
  a package that starts only where something else happens to be installed is broken.
* libc's least version is that of the newest symbol: "2.34" of GLIBC_2.34.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saltern_master.commands import run

from saltern_build.errors import PackagingError
from saltern_build.targets import Format, Target
from saltern_build.tools import Tools

LIBC: Final[dict[Format, str]] = {"deb": "libc6 (>= 2.{})", "rpm": "glibc >= 2.{}"}
PROVIDERS: Final[dict[Format, dict[str, str]]] = {
    "deb": {"libgcc_s.so.1": "libgcc-s1", "libstdc++.so.6": "libstdc++6", "libz.so.1": "zlib1g"},
    "rpm": {"libgcc_s.so.1": "libgcc", "libstdc++.so.6": "libstdc++", "libz.so.1": "zlib"},
}
OF_LIBC: Final = re.compile(
    r"(lib(c|m|dl|rt|pthread|util)\.so\.6?|ld-linux[-a-z0-9_]*\.so)[.0-9]*\Z"
)
_NEEDED: Final = re.compile(r"\(NEEDED\).*\[(.+)\]")
_SYMBOL: Final = re.compile(r"\bGLIBC_2\.(\d+)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What compiled modules ask for."""

    libraries: frozenset[str]
    libc: int  # the N of GLIBC_2.N


def compiled(tree: Path) -> tuple[Path, ...]:
    """Give the compiled modules and libraries of a tree."""
    return tuple(path for path in sorted(tree.rglob("*")) if re.search(r"\.so(\.|\Z)", path.name))


def look(modules: Sequence[Path], tools: Tools) -> str:
    """Give readelf's words on dynamic sections and versions of symbols; CommandError."""
    files = [str(path) for path in modules]
    if not files:
        return ""
    command = [tools.readelf, "--wide", "--dynamic", "--version-info", "--", *files]
    return run(command, seconds=60, environment=tools.environment)


def read(words: str) -> Wanted:
    """Take readelf's words apart."""
    symbols = [int(number) for number in _SYMBOL.findall(words)]
    return Wanted(frozenset(_NEEDED.findall(words)), max(symbols, default=0))


def packages(wanted: Wanted, brought: Iterable[str], target: Target) -> tuple[str, ...]:
    """Name the distribution's packages, sorted; PackagingError for what none is known to have."""
    if wanted.libc > target.libc:
        raise PackagingError(
            f"cannot build for {target.name}: a wheel wants glibc 2.{wanted.libc}, "
            f"and it has 2.{target.libc}"
        )
    return tuple(sorted(set(_packages(wanted, frozenset(brought), target))))


def _packages(wanted: Wanted, brought: frozenset[str], target: Target) -> Iterator[str]:
    if wanted.libc:
        yield LIBC[target.format].format(wanted.libc)
    providers = PROVIDERS[target.format]
    for library in sorted(wanted.libraries - brought):
        if library in providers:
            yield providers[library]
        elif not OF_LIBC.match(library):
            raise PackagingError(
                f"cannot build for {target.name}: a wheel wants {library}, which it does not "
                "bring; add its package to PROVIDERS"
            )
