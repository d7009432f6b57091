"""The laws of the two ports of an upgrader, for whatever keeps them (machine.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from saltern_agent.upgrade.machine import Packages, Unit


class Ground(Protocol):
    """A machine on which packages of an agent can be made: two good ones, and bad ones."""

    packages: Packages
    unit: Unit

    def deb(self, version: str, fault: str = "") -> Path:
        """Make one. `fault`: "" none; "postinst" its script fails; "torn" the file is cut off."""
        ...

    def break_off(self, version: str) -> None:
        """Let an installation of this version have been killed half-way."""
        ...


def test_nothing_is_installed_on_a_bare_machine(ground: Ground) -> None:
    assert ground.packages.installed() == ""


def test_what_is_installed_is_whole_and_newer_and_older_go_over_it(ground: Ground) -> None:
    for version in ("1.0", "2.0", "1.0", "1.0"):
        assert ground.packages.install(ground.deb(version)) == ""
        assert ground.packages.installed() == version


def test_a_torn_file_is_refused_and_changes_nothing(ground: Ground) -> None:
    ground.packages.install(ground.deb("1.0"))

    assert ground.packages.install(ground.deb("2.0", "torn")) != ""
    assert ground.packages.installed() == "1.0"


def test_one_whose_script_fails_is_not_whole_and_the_old_one_goes_over_it(ground: Ground) -> None:
    ground.packages.install(ground.deb("1.0"))

    assert "dpkg could not install it" in ground.packages.install(ground.deb("2.0", "postinst"))
    assert ground.packages.installed() == ""
    assert ground.packages.install(ground.deb("1.0")) == ""
    assert ground.packages.installed() == "1.0"


def test_what_was_broken_off_is_not_whole_and_either_goes_over_it(ground: Ground) -> None:
    for version in ("2.0", "1.0"):
        ground.packages.install(ground.deb("1.0"))
        ground.break_off("2.0")
        assert ground.packages.installed() == ""
        assert ground.packages.install(ground.deb(version)) == ""
        assert ground.packages.installed() == version


def test_each_start_of_the_agent_is_another_run(ground: Ground) -> None:
    ground.packages.install(ground.deb("1.0"))
    assert ground.unit.restart() == ""
    first = ground.unit.run()
    assert ground.unit.run() == first
    assert ground.unit.restart() == ""
    second = ground.unit.run()

    assert first.id
    assert second.id
    assert first.id != second.id
    assert second.state in ("active", "activating", "deactivating")
