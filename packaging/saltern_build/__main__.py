"""python -m saltern_build: all packages into dist/, or the path of one.

    python -m saltern_build all [DIST]          make everything and have it looked at
    python -m saltern_build one agent:deb12     print the path of one package, made when it must be
    python -m saltern_build into agent:deb12 DIR    make one package, whatever the cache has

Exit status: 0 done; 1 it cannot be built, or what was built is not as it shall be; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from saltern_master.errors import MasterError

from saltern_build import look, make, tools
from saltern_build.errors import PackagingError
from saltern_build.products import PRODUCTS, product_named
from saltern_build.release import release_of
from saltern_build.targets import TARGETS, target_named


def main(words: list[str], environment: Mapping[str, str]) -> int:
    """Run one command."""
    arguments = _parser().parse_args(words)
    try:
        release = release_of(tools.ROOT, environment)
        bench = make.Bench(tools.ROOT, release, platform.machine(), tools.find(environment))
        if arguments.command == "all":
            packages = make.everything(bench, arguments.into.resolve(), _say)
            return _looked_at(packages, bench.tools.environment)
        short, _, name = arguments.package.partition(":")
        product, target = product_named(short), target_named(name)
        if arguments.command == "one":
            path = make.kept(bench, product, target)
        else:
            path = make.one(bench, product, target, arguments.into.resolve())
        sys.stdout.write(f"{path}\n")
        return 0
    except (PackagingError, MasterError) as error:
        _say(f"saltern_build: {error}")
        return 1


def _looked_at(packages: tuple[Path, ...], environment: Mapping[str, str]) -> int:
    """Print what packages weigh, and what lintian and rpm think of them."""
    for path in packages:
        weighs = look.figures(path, environment)
        installed, packed = weighs.installed / 1e6, weighs.packed / 1e6
        sys.stdout.write(f"{installed:6.1f} MB installed {packed:6.1f} MB  {path.name}\n")
    _say("lintian, down to the pedantic …")
    look.lint(tuple(path for path in packages if path.suffix == ".deb"), environment)
    _say("rpmlint, strictly …")
    rpms = tuple(path for path in packages if path.suffix == ".rpm")
    look.lint_rpm(rpms, tools.ROOT / "packaging/rpm/rpmlintrc", environment)
    wrong = 0
    pairs = [(product, target) for product in PRODUCTS for target in TARGETS]
    for path, (product, target) in zip(packages, pairs, strict=True):
        if target.format == "rpm":
            found = look.faults_of_rpm(path, product, target, environment)
            wrong += len(found)
            for fault in found:
                _say(f"{path.name}: {fault}")
    sys.stdout.write("every .deb: clean for lintian. Every .rpm: inspected only, never installed\n")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m saltern_build", description="Build packages.")
    which = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    whole = which.add_parser("all", help="make everything that is released")
    whole.add_argument("into", type=Path, nargs="?", default=tools.ROOT / "dist", metavar="DIST")
    single = which.add_parser("one", help="print the path of one package, from the cache")
    single.add_argument("package", metavar="PRODUCT:TARGET")
    apart = which.add_parser("into", help="make one package in a directory, without the cache")
    apart.add_argument("package", metavar="PRODUCT:TARGET")
    apart.add_argument("into", type=Path, metavar="DIR")
    return top


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
