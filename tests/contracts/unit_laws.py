"""What every Units keeps: run on the fake (test_units.py) and on a booted node (tests/lab).

A ground is a systemd under test, with a second way to change what it reads: past the port.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Protocol

import pytest
from saltern_states.ports import HostError, Units
from saltern_states.started import drop_in, drop_in_path, parse, record_path, reload_path

UNIT = "saltern-contract.service"
BINARY = "/usr/local/bin/saltern-contract"
CONFIG = '/etc/saltern contract/%n $HOME "x" \\y.conf'
TEXT = f"""[Unit]
StartLimitBurst=3
[Service]
DynamicUser=yes
ProtectSystem=strict
ExecStart={BINARY} 100000
[Install]
WantedBy=multi-user.target
"""
RELOADS = TEXT.replace("[Install]", "ExecReload=/bin/true\n[Install]")


class Ground(Protocol):
    """A systemd, and how a test prepares what it shall find."""

    @property
    def units(self) -> Units:
        """Under test."""
        ...

    def put(self, path: str, content: bytes) -> None:
        """Let a file stand there, in place of the one that did."""
        ...

    def read(self, path: Path) -> bytes | None:
        """Give a file's content."""
        ...

    def take(self, path: str) -> None:
        """Take a file away."""
        ...

    def put_program(self) -> None:
        """Let a new file, which sleeps for as many seconds as it is told, stand at BINARY."""
        ...

    def mask(self, unit: str) -> None:
        """Mask it, as a person would."""
        ...

    def crash(self, unit: str) -> None:
        """Kill its process, and wait until systemd knows."""
        ...

    def set_failing(self, failing: bool) -> None:
        """Let starts of UNIT fail, or succeed again."""
        ...


def prepare(ground: Ground, text: str = TEXT) -> Units:
    ground.put_program()
    ground.put(CONFIG, b"one")
    ground.put(f"/etc/systemd/system/{UNIT}", text.encode())
    ground.units.reload_daemon()
    return ground.units


def put_drop_in(ground: Ground) -> None:
    ground.put(str(drop_in_path(UNIT)), drop_in(UNIT, [CONFIG, "/no/such"], [CONFIG]))
    ground.units.reload_daemon()


def test_what_is_not_there_is_said_so(ground: Ground) -> None:
    state = ground.units.state("saltern-no-such.service")

    assert (state.load, state.active, state.enabled) == ("not-found", "inactive", "")
    assert (state.invocation, state.main_pid) == ("", 0)
    for act in (ground.units.start, ground.units.restart, ground.units.enable):
        with pytest.raises(HostError, match=r"cannot \w+ saltern-no-such"):
            act("saltern-no-such.service")


def test_it_starts_restarts_and_stops(ground: Ground) -> None:
    units = prepare(ground)
    assert units.state(UNIT).active == "inactive"

    units.start(UNIT)
    first = units.state(UNIT)
    units.start(UNIT)
    assert units.state(UNIT) == first
    assert (first.load, first.active, len(first.invocation)) == ("loaded", "active", 32)
    assert first.main_pid > 0

    units.restart(UNIT)
    second = units.state(UNIT)
    assert second.active == "active"
    assert second.invocation != first.invocation

    units.stop(UNIT)
    assert (units.state(UNIT).active, units.state(UNIT).main_pid) == ("inactive", 0)


def test_its_process_runs_the_file_that_it_was_started_from(ground: Ground) -> None:
    units = prepare(ground)
    units.start(UNIT)
    pid = units.state(UNIT).main_pid

    assert units.runs_binary(pid, Path(BINARY))
    assert not units.runs_binary(pid, Path("/usr/local/bin/saltern-no-such"))
    ground.put_program()
    assert not units.runs_binary(pid, Path(BINARY))
    units.restart(UNIT)
    assert units.runs_binary(units.state(UNIT).main_pid, Path(BINARY))


def test_it_is_enabled_and_disabled_and_that_is_seen_at_once(ground: Ground) -> None:
    units = prepare(ground)
    assert units.state(UNIT).enabled == "disabled"
    for _ in range(2):
        units.enable(UNIT)
        assert units.state(UNIT).enabled == "enabled"
    for _ in range(2):
        units.disable(UNIT)
        assert units.state(UNIT).enabled == "disabled"
    assert not units.state(UNIT).needs_reload


def test_a_mask_is_seen_and_taken_away(ground: Ground) -> None:
    units = prepare(ground)
    ground.take(f"/etc/systemd/system/{UNIT}")
    ground.put(f"/usr/lib/systemd/system/{UNIT}", TEXT.encode())
    units.reload_daemon()
    units.state(UNIT)

    ground.mask(UNIT)
    masked = units.state(UNIT)
    assert (masked.load, masked.enabled) == ("masked", "masked")
    with pytest.raises(HostError, match="cannot start"):
        units.start(UNIT)

    units.unmask(UNIT)
    assert (units.state(UNIT).load, units.state(UNIT).enabled) == ("loaded", "disabled")
    units.start(UNIT)


def test_a_newer_file_is_told_until_it_is_read(ground: Ground) -> None:
    units = prepare(ground)
    units.start(UNIT)
    assert not units.state(UNIT).needs_reload

    ground.put(str(drop_in_path(UNIT).with_name("10-other.conf")), b"[Service]\nNice=1\n")

    assert units.state(UNIT).needs_reload
    units.reload_daemon()
    assert not units.state(UNIT).needs_reload


def test_a_file_that_went_away_is_seen_at_once(ground: Ground) -> None:
    units = prepare(ground)
    units.start(UNIT)
    units.state(UNIT)

    ground.take(f"/etc/systemd/system/{UNIT}")

    assert units.state(UNIT).enabled == ""
    assert units.state(UNIT).active == "active"


def test_a_start_leaves_the_record_that_the_drop_in_asks_for(ground: Ground) -> None:
    units = prepare(ground)
    put_drop_in(ground)
    units.start(UNIT)

    record = parse(ground.read(record_path(UNIT)))
    assert record is not None
    assert record.invocation == units.state(UNIT).invocation
    assert record.current
    assert dict(record.hashes) == {CONFIG: sha256(b"one").hexdigest(), "/no/such": "-"}


def test_a_record_is_of_the_last_start(ground: Ground) -> None:
    units = prepare(ground)
    put_drop_in(ground)
    units.start(UNIT)
    ground.put(CONFIG, b"two")
    ground.put(str(drop_in_path(UNIT).with_name("10-other.conf")), b"[Service]\nNice=1\n")
    units.restart(UNIT)

    record = parse(ground.read(record_path(UNIT)))
    assert record is not None
    assert record.invocation == units.state(UNIT).invocation
    assert not record.current
    assert record.sha256(CONFIG) == sha256(b"two").hexdigest()


def test_a_reload_is_recorded_beside_the_start(ground: Ground) -> None:
    units = prepare(ground, RELOADS)
    put_drop_in(ground)
    units.start(UNIT)
    ground.put(CONFIG, b"two")
    before = units.state(UNIT)
    assert before.can_reload

    units.reload(UNIT)

    again, start = parse(ground.read(reload_path(UNIT))), parse(ground.read(record_path(UNIT)))
    assert again is not None
    assert start is not None
    assert again.invocation == start.invocation == units.state(UNIT).invocation == before.invocation
    assert dict(again.hashes) == {CONFIG: sha256(b"two").hexdigest()}
    assert start.sha256(CONFIG) == sha256(b"one").hexdigest()


def test_our_own_reload_line_makes_nothing_reloadable(ground: Ground) -> None:
    units = prepare(ground)
    put_drop_in(ground)
    units.start(UNIT)

    assert not units.state(UNIT).can_reload


def test_a_process_that_died_is_seen_and_started_again(ground: Ground) -> None:
    units = prepare(ground)
    units.start(UNIT)
    ground.crash(UNIT)

    assert units.state(UNIT).active == "failed"
    units.start(UNIT)
    assert units.state(UNIT).active == "active"


def test_a_start_that_fails_says_so_and_no_start_limit_stays(ground: Ground) -> None:
    units = prepare(ground)
    ground.set_failing(True)
    for _ in range(5):
        with pytest.raises(HostError, match=f"cannot start {UNIT}: its job ended as"):
            units.start(UNIT)
    assert units.state(UNIT).active == "failed"

    ground.set_failing(False)
    units.start(UNIT)
    assert units.state(UNIT).active == "active"
