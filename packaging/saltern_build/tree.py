"""The directory of Python modules that a package carries, made without a network.

uv unpacks the wheels and checks each against the lock once more; what no machine needs goes
(needless.py), and a __main__.py comes, so that `python3.N -I DIRECTORY` runs the program.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from saltern_master.commands import run

from saltern_build.libraries import compiled
from saltern_build.needless import is_needless
from saltern_build.products import Product
from saltern_build.targets import Target
from saltern_build.tools import Tools

STARTER = '''"""What {program} runs: this directory is on sys.path, and beside it Python's own."""

import sys

from {entry} import main

sys.argv[0] = "{program}"
main()
'''


def unpack(
    tree: Path,
    product: Product,
    target: Target,
    machine: str,
    lock: Path,
    others: Path,
    own: Sequence[Path],
    tools: Tools,
) -> None:
    """Fill `tree`: the lock's wheels out of the directory `others`, and our own."""
    install = [tools.uv, "pip", "install", "--quiet", "--offline", "--link-mode=copy", "--no-deps"]
    where = [f"--target={tree}", "--no-index", f"--python={sys.executable}"]
    locked = [
        f"--python-version={target.python}",
        f"--python-platform={machine}-manylinux_2_{target.libc}",
        "--only-binary=:all:",
        "--require-hashes",
        f"--find-links={others}",
        f"--requirement={lock}",
    ]
    run([*install, *where, *locked], seconds=300, environment=tools.environment)
    wheels = [str(wheel) for wheel in own]
    run([*install, *where, "--", *wheels], seconds=120, environment=tools.environment)


def strip(tree: Path) -> None:
    """Remove what no machine needs, and the directories that are empty then."""
    for path in sorted(tree.rglob("*"), reverse=True):  # what is in a directory before itself
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif is_needless(PurePosixPath(path.relative_to(tree))):
            path.unlink()


def strip_symbols(tree: Path, tools: Tools) -> None:
    """Take from compiled modules what only a debugger reads; CommandError.

    Not from what auditwheel has rewritten (NAME.libs and who loads from there): its makers have
    stripped it before, and strip(1) may break what patchelf has laid out anew.
    """
    rewritten = {path.name.removesuffix(".libs") for path in tree.glob("*.libs")}
    names = [str(path) for path in compiled(tree)
             if not _is_of(path.relative_to(tree).parts[0], rewritten)]  # fmt: skip
    if names:
        how = ["--strip-unneeded", "--remove-section=.comment", "--enable-deterministic-archives"]
        run([tools.strip, *how, "--", *names], seconds=60, environment=tools.environment)


def _is_of(top: str, rewritten: set[str]) -> bool:
    """pyzmq.libs belongs to the distribution pyzmq, whose modules are in zmq/."""
    return top.endswith(".libs") or any(top in name for name in rewritten)


def starter(product: Product) -> str:
    """Give the text of __main__.py."""
    return STARTER.format(program=f"/usr/bin/{product.program}", entry=product.entry)


def launcher(product: Product, target: Target) -> str:
    """Give the text of the program in /usr/bin.

    -I: neither the environment's PYTHON* nor the working directory say what is imported. -S: nor
    does the machine's site (a .pth file there is code, /usr/local is often a group's). -B: no
    file comes to lie in the package's directory that the package does not know.
    """
    return f'#!/bin/sh\nexec {target.interpreter} -I -S -B {product.tree} "$@"\n'
