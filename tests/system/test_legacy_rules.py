"""The legacy back end's rules as the real kernel hands them out, in a network namespace."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saltern_agent.host.events.legacy import NAMES, LegacyRules
from saltern_agent.host.events.readings import ReadingSource
from saltern_agent.sources import Events
from saltern_states.contract import WatchLegacyRules, WatchReading

from tests.agent.waiting import readable, wait_for
from tests.system.event_namespaces import network_namespace, run

pytestmark = pytest.mark.system

LEGACY = "/usr/sbin/iptables-legacy"
NAT, FILTER = WatchLegacyRules("nat"), WatchLegacyRules("filter")
SOMAXCONN = WatchReading(Path("/proc/sys/net/core/somaxconn"))


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    with network_namespace():
        yield


@contextmanager
def listening() -> Iterator[ReadingSource]:
    """Read what stands there now, and from now on."""
    source = ReadingSource(0.02)
    source.set_watches(frozenset({NAT, FILTER, SOMAXCONN}))
    try:
        yield source
    finally:
        source.close()


def rounds(source: ReadingSource) -> Events:
    found = Events()
    for _ in range(2):
        assert readable(source, 5)
        found = Events(found.touched | source.read().touched)
    return found


def test_reading_makes_no_table() -> None:
    with listening() as source:
        assert rounds(source) == Events()
    assert NAMES.read_text() == ""


@pytest.mark.parametrize(
    ("before", "damage"),
    [
        ("-N SALTERN-A", "-A SALTERN-A -d 10.0.0.0/8 -j RETURN"),
        ("-A POSTROUTING -d 10.0.0.0/8 -j RETURN", "-F POSTROUTING"),
        ("-A POSTROUTING -d 10.0.0.0/8 -j RETURN", "-R POSTROUTING 1 -d 10.0.0.0/9 -j RETURN"),
        ("-N SALTERN-A", "-X SALTERN-A"),
    ],
)
def test_a_change_of_one_table_is_told_of_it_alone(before: str, damage: str) -> None:
    run(LEGACY, "-w", "-t", "nat", *before.split())
    run(LEGACY, "-w", "-t", "filter", "-N", "OTHER")
    with listening() as source:
        assert rounds(source) == Events()
        run(LEGACY, "-w", "-t", "nat", *damage.split())
        assert wait_for(source, lambda told: bool(told.touched)) == Events(frozenset({NAT}))


def test_a_table_that_is_made_is_told() -> None:
    with listening() as source:
        run(LEGACY, "-w", "-t", "nat", "-N", "SALTERN-A")
        assert wait_for(source, lambda told: bool(told.touched)) == Events(frozenset({NAT}))


def test_packets_that_are_counted_are_no_change() -> None:
    run(LEGACY, "-w", "-A", "OUTPUT", "-o", "lo", "-j", "ACCEPT")
    with listening() as source:
        plain = LegacyRules().read("filter")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"counted", ("127.0.0.1", 9))
        counted = run(LEGACY, "-L", "OUTPUT", "-v", "-x", "-n")
        assert counted.splitlines()[2].split()[0] != "0"
        assert LegacyRules().read("filter") == plain
        assert rounds(source) == Events()


def test_a_kernel_parameter_that_is_set_is_told() -> None:
    value = SOMAXCONN.path.read_text()
    with listening() as source:
        SOMAXCONN.path.write_text("1234\n" if value != "1234\n" else "4321\n")
        assert wait_for(source, lambda told: bool(told.touched)) == Events(frozenset({SOMAXCONN}))
