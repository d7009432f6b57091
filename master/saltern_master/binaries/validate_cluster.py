"""The project's own cluster/validate-cluster.sh with what it sources, as its source has it.

    CACHE/kubernetes/VERSION/validate/    CACHE is ~/.cache/saltern; made again when missing
        cluster/, hack/lib/               as in the tree; it lands whole, by rename

It is Debian's source package of Kubernetes (apt_source.py), and no line of it is changed: what it
says of a cluster is what the project itself says.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from saltern_master import cache
from saltern_master.binaries import apt_source
from saltern_master.binaries.components import BinaryError
from saltern_master.binaries.debian_source import PACKAGE, PACKAGE_VERSIONS, workshop

SCRIPT = "cluster/validate-cluster.sh"
FOLDERS = ("cluster", "hack/lib")
DEEPER = ("cluster/skeleton",)
"""Of FOLDERS the scripts that stand in them directly, of DEEPER likewise."""


def validate_cluster_tree(
    say: Callable[[str], None], version: str = "1.20.2", root: Path | None = None
) -> Path:
    """Give a directory that holds SCRIPT and what it needs; BinaryError when it cannot be had."""
    home = workshop(root or cache.root(), version).home
    tree = home / "validate"
    with cache.locked(home / ".validate.lock"):
        if not (tree / SCRIPT).is_file():
            say(f"fetching the source package {PACKAGE} {PACKAGE_VERSIONS[version]}")
            with TemporaryDirectory(prefix=".validate-", dir=home) as scratch:
                _make(version, Path(scratch)).rename(tree)
    return tree


def wanted(names: Iterable[str]) -> dict[str, str]:
    """Choose the scripts from a source tree's names: name -> path below the tree. Pure."""
    found = {}
    for name in names:
        path = PurePosixPath(*PurePosixPath(name).parts[1:])
        if path.suffix == ".sh" and str(path.parent) in (*FOLDERS, *DEEPER):
            found[name] = str(path)
    return found


def _make(version: str, scratch: Path) -> Path:
    apt_source.fetch_source(PACKAGE, PACKAGE_VERSIONS[version], scratch / "apt")
    [archive] = (scratch / "apt").glob(f"{PACKAGE}_*.orig.tar.*")
    made = scratch / "tree"
    with tarfile.open(archive) as source:
        members = {one.name: one for one in source if one.isfile()}
        for name, path in wanted(members).items():
            content = source.extractfile(members[name])
            target = made / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read() if content else b"")
            target.chmod(0o755)
    if not (made / SCRIPT).is_file():
        raise BinaryError(f"cannot find {SCRIPT} in {archive.name}; another version has it")
    return made
