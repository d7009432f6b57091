"""The loop of an upgrade where something is not as it should be: it ends all the same, and says."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.upgrade.machine import Run
from saltern_agent.upgrade.records import Records
from saltern_agent.upgrade.run import Clock, Upgrader
from saltern_agent.upgrade.stages import Order, Package, Stage, Told

from tests.upgrade.fake import FakeDpkg, FakeUnit


@dataclass
class Passing:
    """Time that passes when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)

    def clock(self) -> Clock:
        return Clock(lambda: "boot", lambda: self.now, lambda: 5.0, self.sleep)


@dataclass
class OldDpkg(FakeDpkg):
    """Files are called as the records call them; what they are stands in them."""

    after: str = ""  # what fails although the package is whole

    def install(self, file: Path) -> str:
        """Install over what is there."""
        return super().install(file.with_name(file.read_text())) or self.after


@dataclass
class TellingUnit(FakeUnit):
    """One whose agent reaches its master at once."""

    records: Records | None = None
    masked: int = 0

    def restart(self) -> str:
        """Start it anew."""
        if self.masked:
            self.masked -= 1
            return "Unit saltern-agent.service is masked."
        said = super().restart()
        assert self.records is not None
        self.records.tell(Told(self.run().id, reached=True, taken=True))
        return said

    def run(self) -> Run:
        """Say how it stands."""
        return super().run()


@dataclass
class Stand:
    """An upgrade of 1 to 2 that was ordered."""

    folder: Path
    dpkg: OldDpkg = field(default_factory=lambda: OldDpkg("1", whole=True))
    passing: Passing = field(default_factory=Passing)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("state", "run"):
            (self.folder / name).mkdir()
        self.records = Records(self.folder / "state", self.folder / "run")
        self.unit = TellingUnit(records=self.records)
        self.records.new.write_text("2")
        self.records.old.write_text("1")
        new, old = (Package(v, sha256(v.encode()).hexdigest()) for v in ("2", "1"))
        self.records.write_order(Order(new, old, 1, new.sha256))

    def go_on(self) -> bool:
        clock = self.passing.clock()
        return Upgrader(self.records, self.dpkg, self.unit, clock, self.said.append).go_on()


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def test_what_fails_after_the_package_is_whole_is_not_its_fault(stand: Stand) -> None:
    """A trigger of another package's, say: dpkg ends with 1, and calls ours installed."""
    stand.dpkg.after = "dpkg could not install it: installed man-db trigger failed"

    assert stand.go_on()

    ended = stand.records.ended()
    assert ended is not None
    assert ended.done, ended.why
    assert stand.dpkg.installed() == "2"
    assert any("man-db trigger failed" in line for line in stand.said)


@pytest.mark.parametrize("text", ["", "{", '{"format": 2}', '{"format": 1, "new": 7}'])
def test_an_order_that_nobody_can_read_does_not_keep_the_agent_resting(
    stand: Stand, text: str
) -> None:
    stand.records.order_path.write_text(text)

    assert not stand.go_on()

    assert not stand.records.under_way()
    assert any("cannot read" in line for line in stand.said)
    assert stand.dpkg.installs == []


def test_an_order_that_cannot_be_read_just_now_stays(stand: Stand) -> None:
    stand.records.order_path.unlink()
    stand.records.order_path.mkdir()
    with pytest.raises(OSError, match=r"order\.json"):
        stand.go_on()

    assert stand.records.under_way()


def test_a_unit_that_cannot_be_started_is_asked_for_ever_more_seldom(stand: Stand) -> None:
    """Somebody masked it: nobody is to be told of that each second."""
    stand.records.keep(Stage("going back", why="it was ill"))
    stand.unit.masked = 12

    stand.go_on()

    assert stand.passing.slept == sorted(stand.passing.slept)
    assert stand.passing.slept[-1] == 60.0
