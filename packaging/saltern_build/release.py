"""Which version this is, and of when: both out of the sources, so that builds can be compared.

The version stands in pyproject.toml at the top; the four distributions and the agent's own
constant repeat it, and nothing is built while one of them says otherwise (`make version`).
The time is that of SOURCE_DATE_EPOCH (reproducible-builds.org), else of the last commit, else of
the newest release in CHANGELOG.md, else of that file itself, which an archive keeps.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from saltern_master.commands import CommandError, run

from saltern_build.errors import PackagingError

DISTRIBUTIONS: Final = ("protocol", "states", "agent", "master")
CONSTANT: Final = "agent/saltern_agent/__init__.py"
_SAID: Final = re.compile(r'^__version__ = "([^"\n]*)"', re.MULTILINE)
_DATED: Final = re.compile(r"^## \[\d[^\]\n]*\] - (\d{4}-\d\d-\d\d)$", re.MULTILINE)
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?\Z")


@dataclass(frozen=True, slots=True)
class Release:
    """What every file of a build carries."""

    version: str
    epoch: int  # seconds since 1970

    @property
    def moment(self) -> datetime:
        """Give the time as a date."""
        return datetime.fromtimestamp(self.epoch, UTC)


def release_of(source: Path, environment: Mapping[str, str]) -> Release:
    """Read version and time of a checkout or an unpacked release; PackagingError."""
    return Release(version_of(source), epoch_of(source, environment))


def version_of(source: Path) -> str:
    """Read the version; PackagingError names every file that says another."""
    version = _of_project(source / "pyproject.toml")
    if not _VERSION.match(version):
        raise PackagingError(f"cannot build version {version}: write it as 1.2.3 or 1.2.3rc1")
    said = {f"{name}/pyproject.toml": _of_project(source / name / "pyproject.toml")
            for name in DISTRIBUTIONS}  # fmt: skip
    constant = _SAID.search((source / CONSTANT).read_text())
    said[CONSTANT] = constant[1] if constant else "nothing"
    others = [f"{place} says {text}" for place, text in said.items() if text != version]
    if others:
        raise PackagingError(
            f"cannot build {version}: {'; '.join(others)}; `packaging/tools/version` repeats it"
        )
    return version


def epoch_of(source: Path, environment: Mapping[str, str]) -> int:
    """Find the time that all files of the build shall bear; PackagingError."""
    told = environment.get("SOURCE_DATE_EPOCH", "")
    if told:
        if not told.isascii() or not told.isdigit():
            raise PackagingError(f"cannot use SOURCE_DATE_EPOCH={told}: it is no number of seconds")
        return int(told)
    try:
        return int(run(git(source, "log", "-1", "--format=%ct")))
    except (CommandError, ValueError):
        return _of_changelog(source / "CHANGELOG.md")


def git(source: Path, *words: str) -> list[str]:
    """Give a command of git for a checkout that may be another user's."""
    return ["/usr/bin/git", "-c", f"safe.directory={source}", "-C", str(source), *words]


def _of_changelog(path: Path) -> int:
    dates = _DATED.findall(path.read_text())
    if not dates:
        return int(path.stat().st_mtime)
    return int(datetime.fromisoformat(f"{max(dates)}T00:00:00+00:00").timestamp())


def _of_project(path: Path) -> str:
    return str(tomllib.loads(path.read_text())["project"]["version"])
