"""package: a Debian package, from .deb files by hash or from the node's own repositories."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from saltern_states.contract import Sha256, Spec

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
