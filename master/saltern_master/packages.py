"""Debian packages with all that they need, as .deb files.

A closure is what a node lacks: apt works it out against the dpkg status of the base that the
nodes have, with a state of its own (apt.py). Cache: ~/.cache/saltern/debs/*.deb and
closures/KEY.json, where KEY is of the names, the base's status and the sources; a closure that
was once fetched needs no network again.
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from saltern_master import apt, cache
from saltern_master.commands import CommandError, run
from saltern_master.errors import MasterError

SUITE = "bookworm"
_RECIPE = "2"
_DPKG_DEB = "/usr/bin/dpkg-deb"
_INSTALL = (apt.APT_GET, "--quiet", "--yes", "install")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+~:-]+)?\Z")  # Debian policy 5.6.1, 5.6.12


class PackagesError(MasterError):
    """Packages cannot be had as asked."""


class Deb(msgspec.Struct, frozen=True):
    """One .deb file: what it says it is, its bytes' SHA-256 and size, and where it lies."""

    package: str
    version: str
    architecture: str
    sha256: str
    size: int
    path: str


def fetch_closure(
    names: Sequence[str],
    status: Path,
    into: Path,
    progress: Callable[[str], None],
    *,
    suite: str = SUITE,
) -> tuple[Deb, ...]:
    """Fetch the packages and what they need beyond `status`; in the order of their names."""
    wrong = [name for name in names if not _NAME.match(name)]
    wrong += [name for name in names if name.endswith("-")]  # to apt-get that means: remove it
    if wrong or not names:
        raise PackagesError(f"cannot fetch {wrong or 'nothing'}: give names of Debian packages")
    ours = apt.private(suite)
    with cache.locked(ours.folder / "lock") as lock:
        known = into / "closures" / f"{_key(names, status, ours)}.json"
        if debs := _recall(known):
            return debs
        progress(f"fetching packages: {' '.join(names)}")
        debs = tuple(
            _describe(path) for path in _download(ours, names, status, into, progress, lock)
        )
        known.parent.mkdir(parents=True, exist_ok=True)
        part = known.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(debs))
        part.rename(known)
    megabytes = sum(deb.size for deb in debs) / 1e6
    progress(f"fetched {len(debs)} packages, {megabytes:.0f} MB")
    return debs


def _key(names: Sequence[str], status: Path, ours: apt.Apt) -> str:
    parts = (_RECIPE, " ".join(sorted(names)), status.read_text(), ours.folder.name)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _recall(known: Path) -> tuple[Deb, ...]:
    """Give a closure that was fetched, when its files are all still there and whole."""
    if not known.exists():
        return ()
    debs = msgspec.json.decode(known.read_bytes(), type=tuple[Deb, ...])
    whole = all(_is_whole(Path(deb.path), deb.sha256) for deb in debs)
    return debs if whole else ()


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and _digest(path) == sha256


def _download(
    ours: apt.Apt,
    names: Sequence[str],
    status: Path,
    into: Path,
    progress: Callable[[str], None],
    lock: int,
) -> tuple[Path, ...]:
    environment = ours.environment(status=status, archives=into)
    if ours.refresh(environment, now=_now(), lock=lock):
        progress("fetched Debian's package lists")
    wanted = _list(ours, names, environment)
    for path, sha256 in ((into / name, sha256) for name, sha256 in wanted.items()):
        if not _is_whole(path, sha256):  # apt looks only at the size of a file that is there
            path.unlink(missing_ok=True)
    line = [*_INSTALL, "--download-only", "--", *names]
    run(line, seconds=1800, environment=environment, lock=lock)
    if hurt := [name for name, sha256 in wanted.items() if not _is_whole(into / name, sha256)]:
        raise PackagesError(f"cannot use {', '.join(hurt)} in {into}: not what Debian's lists say")
    return tuple(into / name for name in sorted(wanted))


def _list(ours: apt.Apt, names: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Have apt work the closure out: file name -> SHA-256, as Debian's signed lists have it."""
    empty = ours.folder / "empty"  # else apt leaves out what was fetched before
    (empty / "partial").mkdir(parents=True, exist_ok=True)
    options = [
        "--option",
        f"Dir::Cache::Archives={empty}/",
        "--option",
        "Acquire::ForceHash=SHA256",
    ]
    try:
        line = [*_INSTALL, *options, "--print-uris", "--", *names]
        text = run(line, seconds=60, environment=environment)
    except CommandError as error:
        raise PackagesError(f"cannot find a closure of {' '.join(names)}: {error}") from error
    return dict(re.findall(r"^'[^']+' (\S+\.deb) \d+ SHA256:([0-9a-f]{64})$", text, re.M))


def _now() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


def _describe(path: Path) -> Deb:
    form = "${Package}\n${Version}\n${Architecture}\n"
    package, version, architecture = run(
        [_DPKG_DEB, "--show", f"--showformat={form}", str(path)]
    ).splitlines()
    return Deb(package, version, architecture, _digest(path), path.stat().st_size, str(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
