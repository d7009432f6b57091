"""What lintian and rpm say of packages that were built. Nothing is changed here.

A .deb with any tag of lintian's, down to the pedantic, that has no override is a failure; an
override that nothing needs any more is one too. An .rpm has to pass rpmlint, strictly, but for what
packaging/rpm/rpmlintrc allows. It is inspected only: there is no machine of its family here, so
what it needs, owns and runs is compared with what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saltern_master.commands import run

from saltern_build.products import Product
from saltern_build.targets import Target

LINTIAN: Final = "/usr/bin/lintian"
RPM: Final = "/usr/bin/rpm"
RPMLINT: Final = "/usr/bin/rpmlint"
DPKG_DEB: Final = "/usr/bin/dpkg-deb"
RIGHTS: Final = "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\\n]"
ROOTS: Final = re.compile(r"[-dl]rw.(r-x|r--|---)(r-x|r--|---) root:root /")
UNFILLED: Final = re.compile(r"@[A-Z]+@")


@dataclass(frozen=True, slots=True)
class Figures:
    """What a package weighs, in bytes."""

    packed: int
    installed: int  # its files, without the bytecode that is made on the machine


def lint(packages: tuple[Path, ...], environment: Mapping[str, str]) -> str:
    """Run lintian on .deb files; CommandError with its words where one is not clean."""
    command = [LINTIAN, "--allow-root", "--pedantic", "--display-info", "--tag-display-limit=0"]
    strict = ["--fail-on=error,warning,info,pedantic"]
    files = [str(path) for path in packages]
    return run([*command, *strict, *files], seconds=600, environment=environment)


def lint_rpm(packages: tuple[Path, ...], allowed: Path, environment: Mapping[str, str]) -> str:
    """Run rpmlint on .rpm files; CommandError where it says more than `allowed` lets it."""
    command = [RPMLINT, "--strict", f"--rpmlintrc={allowed}"]
    files = [str(path) for path in packages]
    return run([*command, *files], seconds=600, environment=environment)


def figures(package: Path, environment: Mapping[str, str]) -> Figures:
    """Weigh a package."""
    ask = [RPM, "--query", "--package", "--queryformat=%{SIZE}"]
    if package.suffix == ".rpm":
        installed = int(run([*ask, "--", str(package)], environment=environment))
    else:
        field = run([DPKG_DEB, "--field", str(package), "Installed-Size"], environment=environment)
        installed = int(field) * 1024
    return Figures(package.stat().st_size, installed)


def faults_of_rpm(
    package: Path, product: Product, target: Target, environment: Mapping[str, str]
) -> tuple[str, ...]:
    """Ask rpm what a package needs, owns and runs; name what is not as it was meant."""
    return faults(
        product,
        target,
        requires=_asked(package, "requires", environment),
        owned=_asked(package, "list", environment),
        scripts="\n".join(_asked(package, "scripts", environment)),
        rights=_asked(package, f"queryformat={RIGHTS}", environment),
    )


def faults(
    product: Product,
    target: Target,
    requires: Sequence[str],
    owned: Sequence[str],
    scripts: str,
    rights: Sequence[str],
) -> tuple[str, ...]:
    """Name what a package of rpm's lacks: pure. `rights` are lines of mode, owner and path."""
    needs = product.depends(target)
    units = [f"/usr/lib/systemd/system/{unit}" for unit in product.units]
    places = (f"/usr/bin/{product.program}", product.tree, f"{product.tree}/__main__.py", *units)
    words = (f"{target.interpreter} -I -S -m compileall", *product.units)
    return (
        *(f"it does not require {one}" for one in needs if one not in requires),
        *(f"it does not own {one}" for one in places if one not in owned),
        *(f"its scripts do not say {one}" for one in words if one not in scripts),
        *(f"its scripts still say {one}" for one in UNFILLED.findall(scripts)),
        *(f"not root's alone to write: {one}" for one in rights if not ROOTS.match(one)),
    )


def _asked(package: Path, what: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    command = [RPM, "--query", "--package", f"--{what}", "--", str(package)]
    return tuple(run(command, environment=environment).splitlines())
