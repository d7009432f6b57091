"""What of the systemd port needs no systemd: names, stamps, and a bus that does not answer."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest
from saltern_agent.host.systemd import (
    SystemdUnits,
    has_unread,
    link_stamps,
    object_path,
    wait_for,
)
from saltern_states.ports import HostError

UNIT = "docker.service"


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("docker.service", "docker_2eservice"),
        ("getty@tty1.service", "getty_40tty1_2eservice"),
        ("dev-x\\x2d.swap", "dev_2dx_5cx2d_2eswap"),
        ("1.target", "_31_2etarget"),
    ],
)
def test_a_units_path_is_escaped(unit: str, path: str) -> None:
    assert object_path(unit) == f"/org/freedesktop/systemd1/unit/{path}"


def test_a_bus_that_is_not_there_is_told(tmp_path: Path) -> None:
    units = SystemdUnits(str(tmp_path / "bus"))

    with pytest.raises(HostError, match=r"cannot ask systemd: the bus at .* does not answer"):
        units.state(UNIT)
    for act in (units.start, units.enable, units.stop):
        with pytest.raises(HostError, match="does not answer"):
            act(UNIT)


def test_a_bus_that_hangs_up_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "bus")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def hang_up() -> None:
            for _ in range(2):
                listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(HostError, match="does not answer"):
            SystemdUnits(path).state(UNIT)
        thread.join(10)


def test_links_that_come_and_go_change_the_stamps(tmp_path: Path) -> None:
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    os.utime(wants, ns=(1, 1))
    before = link_stamps(tmp_path)

    (wants / UNIT).symlink_to("/usr/lib/systemd/system/docker.service")

    assert link_stamps(tmp_path) != before
    assert link_stamps(tmp_path / "nowhere") == ()


def test_a_drop_in_that_systemd_never_read_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "etc/systemd/system" / f"{UNIT}.d"
    assert not has_unread(tmp_path, UNIT, [])
    folder.mkdir(parents=True)
    (folder / "README").write_text("")
    (folder / "off.conf").symlink_to("/dev/null")
    assert not has_unread(tmp_path, UNIT, [])
    (folder / "10-x.conf").write_text("")
    assert has_unread(tmp_path, UNIT, [])
    assert not has_unread(tmp_path, UNIT, [f"/etc/systemd/system/{UNIT}.d/10-x.conf"])


def test_a_process_is_compared_by_its_file(tmp_path: Path) -> None:
    units = SystemdUnits()
    own = Path(os.readlink("/proc/self/exe"))
    copy = tmp_path / "copy"
    copy.write_bytes(b"")

    assert units.runs_binary(os.getpid(), own)
    assert not units.runs_binary(os.getpid(), copy)
    assert not units.runs_binary(os.getpid(), tmp_path / "nothing")
    assert not units.runs_binary(2**22 + 1, own)  # it ended meanwhile
    wait_for(Path("/proc/self/exe"))
