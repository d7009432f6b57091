"""The files of this repository, as an audit sees them: what people wrote, nothing that was made.

Git is not asked: it refuses a checkout of another user's, and a release has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocol", "states", "agent", "master")
MADE = frozenset({"__pycache__", "build", "dist"})
TOPS = frozenset({".ci", ".gitignore"})  # all else that begins with a dot was made here


def files(*endings: str) -> Iterator[Path]:
    """Give all files, or those whose name ends in one of these, in a fixed order."""
    tops = (one for one in sorted(ROOT.iterdir()) if one.name[0] != "." or one.name in TOPS)
    for top in tops:
        below = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in below:
            if path.is_file() and _ours(path) and (not endings or path.suffix in endings):
                yield path


def modules() -> tuple[str, ...]:
    """Give the dotted name of every module of the four packages, sorted."""
    found = []
    for package in PACKAGES:
        base = ROOT / package
        for path in files(".py"):
            if path.is_relative_to(base):
                dotted = ".".join(path.relative_to(base).with_suffix("").parts)
                found.append(dotted.removesuffix(".__init__"))
    return tuple(sorted(found))


def shown(path: Path) -> str:
    """Give a path as people name it."""
    return str(path.relative_to(ROOT))


def _ours(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    made = any(part in MADE or part.endswith(".egg-info") for part in parts[:-1])
    return not made and parts[-1] != "uv.lock"
