"""What nfpm is told: one package as JSON, which YAML's readers read. Pure.

* Every path with its mode and its time, nothing expanded from patterns: a file's name is a name.
* No field is left to what the building machine is called or what o'clock it is.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from saltern_build.entries import MAINTAINER, Entry
from saltern_build.products import Product
from saltern_build.release import Release
from saltern_build.targets import Target, architecture

# A tenth larger than xz, which takes four times as long; lintian of Debian 12 refuses zstd.
COMPRESSION: Final = "gzip"
COLUMNS: Final = 76
DOCUMENTS: Final = (
    ("/usr/share/doc/", "doc"),
    ("/usr/share/man/", "doc"),
    ("/usr/share/licenses/", "license"),
)


@dataclass(frozen=True, slots=True)
class Package:
    """One package, complete."""

    product: Product
    target: Target
    release: Release
    machine: str
    libraries: tuple[str, ...]  # packages that compiled modules need


def config(
    package: Package, staged: Iterable[tuple[Entry, Path]], scripts: Mapping[str, Path]
) -> str:
    """Give nfpm's configuration; each entry with the file that holds its content."""
    product, target, release = package.product, package.target, package.release
    moment = release.moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    depends = [*product.depends(target), *package.libraries]
    said: dict[str, Any] = {
        "name": product.name,
        "arch": architecture(target, package.machine),
        "platform": "linux",
        "version": release.version,
        "version_schema": "none",
        "release": target.release,
        "section": "admin",
        "priority": "optional",
        "maintainer": MAINTAINER,
        "description": description(product, target),
        "license": "Apache-2.0",
        "mtime": moment,
        "disable_globbing": True,
        "depends": depends,
        "suggests": list(product.suggests[target.format]),
        "contents": [_content(entry, source, moment, target) for entry, source in staged],
        "scripts": {name: str(path) for name, path in scripts.items()},
        "deb": {"compression": COMPRESSION},
        "rpm": {
            "compression": COMPRESSION,
            "buildhost": "localhost",
            "packager": MAINTAINER,
            "summary": product.summary[0].upper() + product.summary[1:],  # rpm's custom
            "group": "System Environment/Daemons",
        },
    }
    return json.dumps(said, indent=1, sort_keys=True) + "\n"


def description(product: Product, target: Target) -> str:
    """Give the paragraphs in lines; Debian's control file begins them with the summary."""
    text = "\n\n".join(textwrap.fill(one, COLUMNS) for one in product.description)
    return f"{product.summary}\n{text}" if target.format == "deb" else text


def _content(entry: Entry, source: Path, moment: str, target: Target) -> dict[str, Any]:
    about = {"owner": "root", "group": "root", "mode": entry.mode, "mtime": moment}
    if entry.kind == "dir":
        return {"dst": entry.path, "type": "dir", "file_info": about}
    kind = "config|noreplace" if entry.kind == "config" else ""
    if target.format == "rpm":  # who installs without documents asks rpm by these
        kind = next((said for place, said in DOCUMENTS if entry.path.startswith(place)), kind)
    typed = {"type": kind} if kind else {}
    return {"src": str(source), "dst": entry.path, "file_info": about, **typed}
