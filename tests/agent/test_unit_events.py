"""Units on the bus: object paths, and a machine that has no bus at all."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from saltern_agent.host.events.units import UnitSource, unit_path
from saltern_agent.sources import Events
from saltern_states.contract import WatchUnit

from tests.agent.waiting import readable


@pytest.mark.parametrize(
    ("unit", "path"),
    [  # each as `busctl tree` prints it
        ("kubelet.service", "kubelet_2eservice"),
        ("kube-proxy.service", "kube_2dproxy_2eservice"),
        ("getty@tty1.service", "getty_40tty1_2eservice"),
        ("1st.timer", "_31st_2etimer"),
        ("a_b.service", "a_5fb_2eservice"),
        ("app10.service", "app10_2eservice"),
    ],
)
def test_object_paths(unit: str, path: str) -> None:
    assert unit_path(unit) == f"/org/freedesktop/systemd1/unit/{path}"


def test_without_a_bus_it_says_so_and_is_silent(tmp_path: Path) -> None:
    source = UnitSource(str(tmp_path / "bus"))
    source.set_watches(frozenset({WatchUnit("kubelet.service")}))
    assert source.trouble() == f"cannot hear the bus at {tmp_path}/bus: No such file or directory"
    assert not readable(source, 0)
    assert source.read() == Events()
    source.close()


def test_each_retry_waits_longer_up_to_the_last(tmp_path: Path) -> None:
    waits = []
    start = time.monotonic()
    source = UnitSource(str(tmp_path / "bus"), retry_seconds=(0.01, 0.02, 0.05))
    for _ in range(5):
        assert readable(source, 10)
        waits.append(time.monotonic() - start)
        start = time.monotonic()
        source.read()
        assert not readable(source, 0)
    bounds = (0.01, 0.02, 0.05, 0.05, 0.05)
    assert all(wait >= bound for wait, bound in zip(waits, bounds, strict=True))
    source.close()


def test_a_bus_that_hangs_is_given_up_and_tried_again(tmp_path: Path) -> None:
    path = str(tmp_path / "bus")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        source = UnitSource(path, retry_seconds=(0.01,), answer_seconds=0.05)
        assert source.trouble() == ""
        assert readable(source, 10)
        assert source.read() == Events(lost=True)
        late = f"cannot hear the bus at {path}: it has not answered for 0.05 s"
        assert source.trouble() == late
        assert readable(source, 10)
        assert source.read() == Events()  # it is connected again, and waits
        assert source.trouble() == late
        assert readable(source, 10)
        assert source.read() == Events(lost=True)
        source.close()
