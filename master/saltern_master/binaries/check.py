"""Whether a program file is the component, version and architecture that it is taken for.

Laws: a program of this machine's own architecture is run and must say the version; one of
another cannot be run, so it is only taken where a published checksum vouches for it.
"""

from __future__ import annotations

import platform
from pathlib import Path

from saltern_master.binaries.components import (
    BinaryError,
    go_architecture,
    version_answer,
    version_question,
)
from saltern_master.binaries.elf import HEADER_BYTES, elf_architecture
from saltern_master.commands import run


def host_architecture() -> str:
    """This machine's architecture in Go's words."""
    return go_architecture(platform.machine())


def check_architecture(path: Path, architecture: str) -> None:
    """BinaryError when a file is no program for this architecture."""
    try:
        with path.open("rb") as content:
            header = content.read(HEADER_BYTES)
    except OSError as error:
        raise BinaryError(f"cannot read {path}: {error.strerror}") from error
    found = elf_architecture(header, str(path))
    if found != architecture:
        raise BinaryError(f"cannot use {path}: it is made for {found}, wanted is {architecture}")


def check_program(path: Path, component: str, version: str) -> None:
    """Run a program of this machine's architecture; BinaryError unless it says the version."""
    check_architecture(path, host_architecture())
    said = run([str(path), *version_question(component)], seconds=30, environment={"HOME": "/"})
    found = version_answer(component, said)
    if found != version:
        answer = f"version {found}" if found else f"{said.strip()[:80]!r}"
        raise BinaryError(f"cannot use {path} as {component} {version}: it says {answer}")
