"""What every Packages keeps: run on the fake, and on the real dpkg and apt-get.

A ground is a system under test that can be given .deb files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest
from saltern_states.ports import HostError, Packages


class Ground(Protocol):
    """Packages, and how a test prepares what they shall find."""

    @property
    def packages(self) -> Packages:
        """Under test."""
        ...

    def deb(self, name: str, version: str, *needs: str) -> Path:
        """Make a .deb file; give where it lies."""
        ...


def test_a_closure_is_installed_in_whatever_order(ground: Ground) -> None:
    top = ground.deb("saltern-top", "1.0-1", "saltern-base")
    base = ground.deb("saltern-base", "2:3~rc1")
    assert ground.packages.version("saltern-top") is None

    ground.packages.install_files((top, base))

    assert ground.packages.version("saltern-top") == "1.0-1"
    assert ground.packages.version("saltern-base") == "2:3~rc1"


def test_a_newer_one_replaces_an_older_one_and_never_the_other_way(ground: Ground) -> None:
    old, new = ground.deb("saltern-base", "1.9"), ground.deb("saltern-base", "1.10")
    ground.packages.install_files((old,))
    ground.packages.install_files((new,))
    assert ground.packages.version("saltern-base") == "1.10"

    with pytest.raises(HostError, match="cannot install"):
        ground.packages.install_files((old,))
    assert ground.packages.version("saltern-base") == "1.10"


def test_what_lacks_something_changes_nothing(ground: Ground) -> None:
    lacking = ground.deb("saltern-top", "1", "saltern-no-such")
    base = ground.deb("saltern-base", "1")

    with pytest.raises(HostError, match=r"(?s)cannot install.*saltern-no-such"):
        ground.packages.install_files((base, lacking))

    assert ground.packages.version("saltern-base") is None


def test_what_is_no_package_is_refused(ground: Ground) -> None:
    with pytest.raises(HostError, match="cannot install"):
        ground.packages.install_files((Path("/etc/hostname"),))


def test_nothing_goes_that_is_needed(ground: Ground) -> None:
    ground.packages.install_files(
        (ground.deb("saltern-top", "1", "saltern-base"), ground.deb("saltern-base", "1"))
    )

    with pytest.raises(HostError, match=r"(?s)cannot remove saltern-base.*saltern-top"):
        ground.packages.remove("saltern-base")

    assert ground.packages.version("saltern-base") == "1"
    for name in ("saltern-top", "saltern-base"):
        ground.packages.remove(name)
        assert ground.packages.version(name) is None


def test_what_no_repository_has_is_said(ground: Ground) -> None:
    with pytest.raises(HostError, match="cannot install saltern-no-such"):
        ground.packages.install("saltern-no-such", "")


def test_versions_are_compared_as_dpkg_does(ground: Ground) -> None:
    assert ground.packages.compare("1.0~rc1", "1.0") == -1
    assert ground.packages.compare("1:0", "2") == 1
    assert ground.packages.compare("1.0", "1.0-0") == 0
