"""Use-cases: bring the programs of one Kubernetes version into the library.

Laws:
* each component is in the library as soon as it is there, the kubelet first;
* adding again goes on where it stopped: what came from the same place is not brought again;
* a directory is looked through before anything is added, and all that is wrong is said at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from saltern_master.binaries import debian_source
from saltern_master.binaries.build_tools import Steps
from saltern_master.binaries.check import check_architecture, check_program, host_architecture
from saltern_master.binaries.components import BinaryError, check_components, check_version
from saltern_master.binaries.release import Program, download
from saltern_master.errors import MasterError
from saltern_master.library import Binary, Library, MissingError
from saltern_master.library.values import Origin


@dataclass(frozen=True, slots=True)
class AddBinaries:
    """Adds programs to a library; `steps.say` hears what is done."""

    library: Library
    steps: Steps

    def from_release(
        self, version: str, components: Iterable[str], architecture: str, site: str
    ) -> tuple[Binary, ...]:
        """Download from the project's site, with its checksums."""
        check_version(version)
        self.library.home.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".download-", dir=self.library.home) as scratch:
            return tuple(
                self._has(version, component, architecture, "release")
                or self._download(Program(site, version, component, architecture), Path(scratch))
                for component in check_components(components)
            )

    def from_directory(
        self, version: str, components: Iterable[str], directory: Path
    ) -> tuple[Binary, ...]:
        """Take files named as the components; without a choice, those that the directory has."""
        check_version(version)
        chosen = tuple(components)
        wanted = check_components(chosen)
        if not chosen:
            wanted = tuple(name for name in wanted if (directory / name).is_file())
        if not wanted:
            raise BinaryError(
                f"cannot find a program in {directory}; "
                f"it must hold files named {', '.join(check_components(()))}"
            )
        _check_all(version, [(name, directory / name) for name in wanted])
        return tuple(
            self._name(
                version,
                name,
                host_architecture(),
                self.library.add_blob(directory / name),
                "directory",
            )
            for name in wanted
        )

    def from_debian_source(
        self, version: str, components: Iterable[str], cache: Path
    ) -> tuple[Binary, ...]:
        """Build from Debian's source package, in the cache; adopt what is built."""
        shop = debian_source.workshop(cache, check_version(version))
        added = []
        for name in check_components(components):
            path = debian_source.build(shop, [name], self.steps)[name]
            sha256 = self.library.adopt_blob(path)
            added.append(self._name(version, name, host_architecture(), sha256, "debian-source"))
        return tuple(added)

    def _has(
        self, version: str, component: str, architecture: str, origin: Origin
    ) -> Binary | None:
        """The program, if it came from there before and its blob is still here."""
        for binary in self.library.list().binaries:
            found = (binary.version, binary.component, binary.architecture, binary.origin)
            if found == (version, component, architecture, origin):
                with suppress(MissingError):
                    self.library.path(binary.sha256)
                    self.steps.say(f"{component} {version}: already there")
                    return binary
        return None

    def _download(self, program: Program, scratch: Path) -> Binary:
        began = monotonic()
        self.steps.say(f"{program.url} …")
        path = scratch / program.component
        sha256 = download(program, path)
        check_architecture(path, program.architecture)
        if program.architecture == host_architecture():
            path.chmod(0o755)
            check_program(path, program.component, program.version)
        self.library.adopt_blob(path, expect=sha256)
        size = path.stat().st_size
        self.steps.say(
            f"{program.component} {program.version}: {size / 1e6:.0f} MB "
            f"in {monotonic() - began:.0f} s, checksum as published"
        )
        path.unlink()
        return self._name(
            program.version, program.component, program.architecture, sha256, "release"
        )

    def _name(
        self, version: str, component: str, architecture: str, sha256: str, origin: Origin
    ) -> Binary:
        return self.library.add_binary(
            Binary(
                version=version,
                component=component,
                architecture=architecture,
                sha256=sha256,
                size=self.library.path(sha256).stat().st_size,
                origin=origin,
            )
        )


def _check_all(version: str, files: Iterable[tuple[str, Path]]) -> None:
    """Check every file; BinaryError that says everything that is wrong."""
    wrong = []
    for name, path in files:
        try:
            check_program(path, name, version)
        except MasterError as error:
            wrong.append(str(error))
    if wrong:
        raise BinaryError("\n".join(wrong))
