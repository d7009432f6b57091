"""Where everything lies on a machine: pure but for reading the sources.

* A file that every package of its kind must have (unit, maintainer script) and that is not there
  stops the build; what only some have (sysusers, options in /etc) is packed where it is.
* The directories of our tree belong to the package, those of the system do not.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from saltern_build import completion, manual
from saltern_build.errors import PackagingError
from saltern_build.products import Product
from saltern_build.programs import Command
from saltern_build.release import Release
from saltern_build.targets import Target
from saltern_build.tree import launcher

MAINTAINER: Final = "Saltern maintainers <maintainers@saltern.example>"
ZSH: Final = {"deb": "vendor-completions", "rpm": "site-functions"}
FILES: Final = {  # for the pages of the manual
    "agent": (
        ("/etc/saltern", "Who this node is, and which root it trusts: identity, master and keys."),
        ("/etc/saltern/join.token", "A token that is used once, at the next boot, and removed."),
        ("/var/lib/saltern", "Journal and contents by SHA-256."),
        ("/run/saltern", "The control socket, and what is lost with a reboot."),
    ),
    "master": (
        ("/etc/saltern/master.env", "Options of the service."),
        ("/var/lib/saltern-master", "The service's home: keys, policy, store, library."),
    ),
}
_WORD: Final = re.compile(r"@[A-Z]+@")
ALSO: Final = {"agent": ("saltern(1)",), "master": ("saltern-agent(8)",)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a package."""

    path: str
    content: bytes | Path  # a file's, or the file in the tree; of a directory nothing
    mode: int = 0o644
    kind: Literal["file", "dir", "config"] = "file"


@dataclass(frozen=True, slots=True)
class Sources:
    """What entries are made from."""

    root: Path  # of the checkout
    tree: Path  # Python's modules, finished
    program: Command
    copyright: str
    release: Release


def entries(product: Product, target: Target, sources: Sources) -> tuple[Entry, ...]:
    """Give all paths of a package, in order; PackagingError where a source is missing."""
    found = [
        *_modules(product, sources.tree),
        Entry(f"/usr/bin/{product.program}", launcher(product, target).encode(), 0o755),
        *_service(product, sources.root / "packaging"),
        *_pages(product, sources),
        *_completions(product, target, sources.program),
        *_documents(product, target, sources),
    ]
    return tuple(sorted(found, key=lambda entry: entry.path))


def _modules(product: Product, tree: Path) -> Iterator[Entry]:
    yield Entry(product.tree, b"", 0o755, "dir")
    for path in tree.rglob("*"):
        place = f"{product.tree}/{path.relative_to(tree)}"
        yield Entry(place, b"", 0o755, "dir") if path.is_dir() else Entry(place, path)


def _service(product: Product, packaging: Path) -> Iterator[Entry]:
    for unit in product.units:
        yield Entry(f"/usr/lib/systemd/system/{unit}", read(packaging / "systemd" / unit))
    for kind in ("sysusers.d", "tmpfiles.d"):
        path = packaging / kind / f"{product.name}.conf"
        if path.exists():
            yield Entry(f"/usr/lib/{kind}/{path.name}", read(path))
    yield Entry("/etc/saltern", b"", 0o700, "dir")
    for path in sorted((packaging / "etc").glob(f"{product.short}.*")):
        yield Entry(f"/etc/saltern/{path.name}", read(path), 0o644, "config")


def _pages(product: Product, sources: Sources) -> Iterator[Entry]:
    release = sources.release
    frame = manual.Frame(
        product.section, release.moment, release.version, FILES[product.short], ALSO[product.short]
    )
    for name, text in manual.pages(sources.program, frame).items():
        yield Entry(f"/usr/share/man/man{product.section}/{name}.gz", packed(text.encode()))


def _completions(product: Product, target: Target, program: Command) -> Iterator[Entry]:
    name = product.program
    known = product.short == "agent"  # Typer's program is asked, argparse's was read
    scripts = completion.knowing(program) if known else completion.asking(name)
    places = {
        "bash": f"bash-completion/completions/{name}",
        "zsh": f"zsh/{ZSH[target.format]}/_{name}",
        "fish": f"fish/vendor_completions.d/{name}.fish",
    }
    for shell, place in places.items():
        yield Entry(f"/usr/share/{place}", scripts[shell].encode())


def _documents(product: Product, target: Target, sources: Sources) -> Iterator[Entry]:
    doc, root = f"/usr/share/doc/{product.name}", sources.root
    yield Entry(f"{doc}/copyright", sources.copyright.encode())
    news = packed(read(root / "CHANGELOG.md"))
    yield Entry(f"{doc}/changelog.gz", news)
    if target.format == "deb":
        text = debian_changelog(product.name, target, sources.release)
        yield Entry(f"{doc}/changelog.Debian.gz", packed(text.encode()))
        overrides = read(root / f"packaging/lintian/{product.name}")
        yield Entry(f"/usr/share/lintian/overrides/{product.name}", overrides)
    else:
        yield Entry(f"/usr/share/licenses/{product.name}/LICENSE", read(root / "LICENSE"))
        preset = "".join(f"enable {unit}\n" for unit in product.units)
        place = f"/usr/lib/systemd/system-preset/80-{product.name}.preset"
        yield Entry(place, preset.encode())
    if product.short == "master":
        for folder in ("packaging/monitoring", "docs/tutorial"):
            for path in sorted(root.joinpath(folder).glob("*.[yj][as]*")):
                yield Entry(f"{doc}/examples/{path.name}", read(path))


def scripts(product: Product, target: Target, release: Release, root: Path) -> Mapping[str, str]:
    """Give the maintainer scripts by the builder's names; PackagingError where one is missing."""
    names = {
        "deb": {"preinst": "preinstall", "postinst": "postinstall", "prerm": "preremove",
                "postrm": "postremove"},
        "rpm": {"pre": "preinstall", "post": "postinstall", "preun": "preremove",
                "postun": "postremove"},
    }[target.format]  # fmt: skip
    folder = root / "packaging" / ("debian" if target.format == "deb" else "rpm")
    found = {}
    for name, key in names.items():
        path = folder / f"{product.short}.{name}"
        if path.exists() or name != "preinst":  # nothing of ours is to do before unpacking a .deb
            found[key] = filled(read(path).decode(), product, target, release)
    return found


def filled(text: str, product: Product, target: Target, release: Release) -> str:
    """Put in what differs from package to package; PackagingError for a word nobody knows."""
    known = {
        "@PYTHON@": target.interpreter,
        "@VERSION@": release.version,
        "@UNITS@": " ".join(product.units),
    }
    unknown = sorted(set(_WORD.findall(text)) - set(known))
    if unknown:
        raise PackagingError(f"cannot fill in {', '.join(unknown)}: known are {', '.join(known)}")
    return _WORD.sub(lambda word: known[word[0]], text)


def debian_changelog(name: str, target: Target, release: Release) -> str:
    """Give the package's own changelog, which points to the project's."""
    date = release.moment.strftime("%a, %d %b %Y %H:%M:%S +0000")
    return (
        f"{name} ({release.version}-{target.release}) stable; urgency=medium\n\n"
        f"  * What is new in {release.version} stands in changelog.gz.\n\n"
        f" -- {MAINTAINER}  {date}\n"
    )


def packed(content: bytes) -> bytes:
    """Compress as policy wants it: as small as can be, without name and time."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def read(path: Path) -> bytes:
    """Read a source that must be there, whole and at once; PackagingError."""
    if not path.is_file():
        raise PackagingError(f"cannot pack {path}: it is not there")
    return path.read_bytes()
