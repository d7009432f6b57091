"""A Debian source package, by the machine's own apt and from the machine's own mirrors.

    DIRECTORY/etc/        the machine's source lists, told to give sources
    DIRECTORY/lists/      what apt knows of them        DIRECTORY/apt.conf   says all this
    DIRECTORY/archives/   apt's own scratch

Laws:
* the addresses are those in /etc/apt: none is written here;
* apt's keys, proxies and pins of the machine hold, and apt verifies what it brings;
* apt's own lists are not touched, no hook of the machine's is run, and no root is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from saltern_master.binaries.components import BinaryError
from saltern_master.commands import CommandError, run

APT_GET = "/usr/bin/apt-get"
MINUTES = 60.0


def source_lists(lists: Mapping[str, str]) -> dict[str, str]:
    """Make lists that give sources from lists that give binaries. Pure.

    Facts: sources.list(5); NAME.list has one source a line, NAME.sources has stanzas.
    """
    made: dict[str, str] = {}
    for name, text in lists.items():
        if name.endswith(".sources"):
            made[name] = re.sub(r"(?mi)^Types[ \t]*:.*$", "Types: deb-src", text)
        else:
            lines = [re.sub(r"^\s*deb(-src)?(?=\s)", "deb-src", line) for line in text.splitlines()]
            made[name] = "".join(f"{line}\n" for line in dict.fromkeys(lines))
    return made


def apt_configuration(directory: Path) -> str:
    """What apt reads after the machine's own configuration. Pure."""
    return f"""\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{directory}/etc";
Dir::State::lists "{directory}/lists";
Dir::Cache "{directory}/archives";
"""


def fetch_source(package: str, version: str, directory: Path) -> Path:
    """Bring one version of a source package; give its .dsc, with what it names beside it."""
    for name in ("etc", "lists/partial", "archives/archives/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for name, text in source_lists(machine_lists(Path("/etc/apt"))).items():
        (directory / "etc" / name).write_text(text)
    configuration = directory / "apt.conf"
    configuration.write_text(apt_configuration(directory))
    apt = ["/usr/bin/env", "-C", str(directory), APT_GET, "-c", str(configuration), "-q"]
    complaint = ""
    try:
        run([*apt, "update"], seconds=5 * MINUTES)
    except CommandError as error:  # a source that we do not need may be out of reach
        complaint = f" ({error})"
    try:
        run([*apt, "source", "--download-only", f"{package}={version}"], seconds=10 * MINUTES)
    except CommandError as error:
        raise BinaryError(
            f"cannot fetch the source package {package} {version}: {error}{complaint}; "
            "the machine's apt sources (/etc/apt) must reach Debian 12 (bookworm), main"
        ) from error
    found = sorted(directory.glob(f"{package}_{version.partition(':')[2] or version}.dsc"))
    if not found:
        raise BinaryError(f"cannot find the .dsc of {package} {version} in {directory}")
    return found[0]


def machine_lists(etc: Path) -> dict[str, str]:
    """Read the machine's source lists; BinaryError when it has none."""
    paths = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    wanted = [path for path in paths if path.suffix in {".list", ".sources"} and path.is_file()]
    if not wanted:
        raise BinaryError(f"cannot find apt's sources: no list in {etc}; is this Debian?")
    return {path.name: path.read_text(errors="replace") for path in wanted}
