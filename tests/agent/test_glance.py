"""One look: a unit is in one state, and is asked about once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from saltern_agent.glance import Glance
from saltern_states.image import Image
from saltern_states.kinds import kind_of
from saltern_states.ports import Host, HostError, Units, UnitState
from saltern_states.testing import FakeHost, FakeUnits
from saltern_states.unit import Unit

DOCKER = "docker.service"
PAUSE = Image(name="pause:1", config="0" * 64, archive="1" * 64)


@dataclass
class Asked:
    """Units that a stranger stops each time one of them has been asked about."""

    real: Units
    asked: list[str] = field(default_factory=list)

    def state(self, unit: str) -> UnitState:
        self.asked.append(unit)
        found = self.real.state(unit)
        self.real.stop(unit)
        return found

    def runs_binary(self, pid: int, binary: Path) -> bool:
        return self.real.runs_binary(pid, binary)


@pytest.fixture
def host() -> FakeHost:
    made = FakeHost()
    made.units.install(DOCKER)
    made.units.start(DOCKER)
    return made


def glance(host: FakeHost, asked: Asked) -> Host:
    host.units = cast(FakeUnits, asked)
    return cast(Host, Glance(cast(Host, host)))


def test_a_unit_is_asked_about_once_and_is_in_one_state(host: FakeHost) -> None:
    asked = Asked(host.units)
    seen = glance(host, asked)
    states = {seen.units.state(DOCKER).active for _ in range(3)}
    assert states == {"active"}
    assert asked.asked == [DOCKER]


def test_an_image_is_looked_at_as_its_docker_was(host: FakeHost) -> None:
    real = host.units
    seen = glance(host, Asked(real))
    unit = kind_of(Unit(unit=DOCKER)).observe(seen, Unit(unit=DOCKER))
    image = kind_of(PAUSE).observe(seen, PAUSE)
    assert unit.running
    assert image.docker == "active"
    assert real.state(DOCKER).active == "inactive"


def test_the_next_look_asks_anew(host: FakeHost) -> None:
    assert Glance(cast(Host, host)).units.state(DOCKER).active == "active"
    host.units.stop(DOCKER)
    assert Glance(cast(Host, host)).units.state(DOCKER).active == "inactive"


def test_what_could_not_be_told_is_not_asked_again() -> None:
    class Silent(Asked):
        def state(self, unit: str) -> UnitState:
            self.asked.append(unit)
            raise HostError("cannot ask systemd")

    host = FakeHost()
    silent = Silent(host.units)
    seen = glance(host, silent)
    for _ in range(2):
        with pytest.raises(HostError, match="cannot ask systemd"):
            seen.units.state(DOCKER)
    assert silent.asked == [DOCKER]


def test_all_else_is_the_node_itself(host: FakeHost) -> None:
    host.files.put_file("/etc/hosts", b"::1 localhost\n")
    seen = Glance(cast(Host, host))
    assert seen.files.look(Path("/etc/hosts")) == host.files.look(Path("/etc/hosts"))
    assert seen.images is host.images


def test_accounts_are_asked_for_once_in_a_look(host: FakeHost) -> None:
    seen = Glance(cast(Host, host))
    assert seen.files.unknown_accounts("root", "docker") == ("group docker",)
    host.files.groups["docker"] = 999
    assert seen.files.unknown_accounts("root", "docker") == ("group docker",)
    assert Glance(cast(Host, host)).files.unknown_accounts("root", "docker") == ()
    assert seen.files.called("0", "0") == host.files.called("0", "0")
