"""package: a Debian package, from .deb files by hash or from the node's own repositories.

* Of `debs` only those are installed that the node lacks or has older, all in one transaction.
* Nothing is ever downgraded: where the node has a newer version than the one declared, that
  is for a person to decide (Blocked).
* A package that is unpacked but not configured counts as lacking.
* The agent's own package is none of these: what the agent becomes is agent/1's, and policy names it
  by hash, whatever its `packages` and `artifacts` allow.
* Removal takes the named package; what came with it stays, since others may need it by now.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.contract import Blocked, Change, Kind, Sha256, Spec, Watch, WatchPath
from saltern_states.debversion import compare
from saltern_states.ports import Host, HostError, MovedError

AGENT = "saltern-agent"
PackageName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9+.-]{1,62}\Z")]
PackageVersion = Annotated[str, Meta(pattern=r"^([0-9][A-Za-z0-9.+:~-]{0,100})?\Z")]


class Deb(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One .deb file, brought as a blob."""

    package: PackageName
    version: PackageVersion
    sha256: Sha256


class Package(Spec, frozen=True, kw_only=True, tag="package/1"):
    """A package that shall be installed. `version` "": any will do.

    `debs` is the package and what it needs; () takes it from the node's own repositories.
    Of `debs` only those are installed that the node lacks or has older.
    """

    name: PackageName
    version: PackageVersion = ""
    debs: tuple[Deb, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a closure that could never satisfy the rest of the Spec."""
        versions = {deb.package: deb.version for deb in self.debs}
        if AGENT in (self.name, *versions):
            raise ValueError(f"{AGENT}: it is upgraded by agent/1, never as a package")
        if len(versions) < len(self.debs):
            raise ValueError(f"{self.name}: a package is twice among debs")
        if self.debs and self.name not in versions:
            raise ValueError(f"{self.name}: it is not among its own debs")
        if self.debs and self.version not in ("", versions[self.name]):
            raise ValueError(f"{self.name}: debs hold {versions[self.name]}, not {self.version}")


class Coming(msgspec.Struct, frozen=True):
    """One package in a transaction: from which version (None: lacking) to which."""

    name: str
    was: str | None
    version: str  # "": the candidate of the node's own repositories
    sha256: str = ""

    def __str__(self) -> str:
        new = self.version or "candidate"
        return f"{self.name} {self.was} -> {new}" if self.was else f"{self.name} {new}"


class InstallPackages(Change, frozen=True, kw_only=True, tag="install-packages"):
    """Install packages in one transaction. No service is started or restarted by it."""

    packages: tuple[Coming, ...]

    @property
    def upgrades(self) -> bool:
        """Whether one of them replaces an older version."""
        return any(package.was for package in self.packages)

    @property
    def opens(self) -> bool:
        """Files, accounts and units come with it."""
        return True

    def __str__(self) -> str:
        return f"install {', '.join(str(package) for package in self.packages)}"


class RemovePackage(Change, frozen=True, kw_only=True, tag="remove-package"):
    """Remove one package; its configuration files stay."""

    name: str
    was: str

    def __str__(self) -> str:
        return f"remove {self.name} {self.was}"


PackageChange = InstallPackages | RemovePackage


@dataclass(frozen=True, slots=True)
class Observed:
    """What is installed, and which .deb files are here."""

    version: str | None
    versions: tuple[str | None, ...]  # of the packages of `debs`, in their order
    here: tuple[bool, ...]  # whether each blob of `debs` is on the node


def observe(host: Host, want: Package) -> Observed:
    """Read dpkg's word on the package and all of its debs."""
    return Observed(
        version=host.packages.version(want.name),
        versions=tuple(host.packages.version(deb.package) for deb in want.debs),
        here=tuple(host.blobs.has(deb.sha256) for deb in want.debs),
    )


def diff(want: Package, have: Observed) -> tuple[PackageChange | Blocked, ...]:
    """Install what is lacking or older."""
    if have.version and want.version and compare(have.version, want.version) > 0:
        why = f"{want.name} {have.version} is newer than {want.version}; remove it, or declare it"
        return (Blocked(why),)
    coming = coming_debs(want, have) if want.debs else coming_candidate(want, have)
    if not coming:
        return ()
    install = InstallPackages(packages=coming)
    absent = absent_debs(want, have, coming)
    return (
        (Blocked(f"not on this node yet: {', '.join(absent)}", (install,)),)
        if absent
        else (install,)
    )


def coming_debs(want: Package, have: Observed) -> tuple[Coming, ...]:
    """Give those of the debs that the node lacks or has older."""
    return tuple(
        Coming(deb.package, was, deb.version, deb.sha256)
        for deb, was in zip(want.debs, have.versions, strict=True)
        if was is None or compare(was, deb.version) < 0
    )


def coming_candidate(want: Package, have: Observed) -> tuple[Coming, ...]:
    """Give the package itself, where it is lacking or older than declared."""
    if have.version and (not want.version or compare(have.version, want.version) == 0):
        return ()
    return (Coming(want.name, have.version, want.version),)


def absent_debs(want: Package, have: Observed, coming: tuple[Coming, ...]) -> tuple[str, ...]:
    """Name the .deb files that are called for and not here."""
    here = {deb.sha256 for deb, is_here in zip(want.debs, have.here, strict=True) if is_here}
    return tuple(
        f"{each.name} {each.version}" for each in coming if each.sha256 and each.sha256 not in here
    )


def remove(want: Package, have: Observed) -> tuple[PackageChange | Blocked, ...]:
    """Remove the named package."""
    return (RemovePackage(name=want.name, was=have.version),) if have.version else ()


def apply(host: Host, change: PackageChange) -> None:
    """Make one transaction, if the node still has the versions that were looked at."""
    if isinstance(change, RemovePackage):
        expect(host, change.name, change.was)
        host.packages.remove(change.name)
        return
    for each in change.packages:
        expect(host, each.name, each.was)
    files = {host.blobs.path(each.sha256): each for each in change.packages if each.sha256}
    for file, each in files.items():
        expect_named(host, file, each)
    if files:
        host.packages.install_files(tuple(files))
    else:
        for each in change.packages:
            host.packages.install(each.name, each.version)


def expect_named(host: Host, file: Path, want: Coming) -> None:
    """Refuse a file of another package than the one that the policy was asked about."""
    if (found := host.packages.named(file)) != (want.name, want.version):
        raise HostError(
            f"cannot install {want.name} {want.version}: the file of that hash is {' '.join(found)}"
        )


def expect(host: Host, name: str, was: str | None) -> None:
    """Raise MovedError where another version is installed than the one looked at."""
    if (found := host.packages.version(name)) != was:
        raise MovedError(
            f"cannot change package {name}: expected {was or 'none'}, "
            f"found {found or 'none'}; plan again"
        )


def claims(want: Package) -> tuple[Claim, ...]:
    """The packages; and their .deb files, whose scripts run as root."""
    names = sorted({want.name, *(deb.package for deb in want.debs)})
    return (
        *(Claim("package", name) for name in names),
        *(Claim("artifact", deb.sha256) for deb in want.debs),
    )


def watch(_want: Package) -> tuple[Watch, ...]:
    """dpkg's own record, which it replaces at every change."""
    return (WatchPath(Path("/var/lib/dpkg/status")),)


def blobs(want: Package) -> tuple[str, ...]:
    """The .deb files."""
    return tuple(deb.sha256 for deb in want.debs)


KIND: Kind[Package, Observed, PackageChange] = Kind(
    spec=Package,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    watch=watch,
    apply=apply,
    stands_at=lambda want: (f"package {want.name}",),
    blobs=blobs,
    example=Package(
        name="docker.io",
        debs=(Deb(package="docker.io", version="20.10.24+dfsg1-1+deb12u1", sha256="0" * 64),),
    ),
)
