"""Events of iptables chains (nf_tables back end), from the real kernel in a network namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from saltern_agent.host.events.chains import ChainSource
from saltern_agent.sources import Events
from saltern_states.contract import Watch, WatchChain

from tests.agent.waiting import drain, wait_for
from tests.system.event_namespaces import network_namespace, run

pytestmark = pytest.mark.system

OWN = WatchChain("nat", ("SALTERN-POST", "POSTROUTING"))
FORWARD = WatchChain("filter", ("FORWARD",))
LAID = """*nat
:SALTERN-POST - [0:0]
-A SALTERN-POST -s 10.10.0.0/16 ! -d 10.0.0.0/8 -j MASQUERADE
-A SALTERN-POST -s 10.11.0.0/16 -j RETURN
-A POSTROUTING -j SALTERN-POST
COMMIT
*filter
:OTHER - [0:0]
COMMIT
"""


def restore(text: str) -> None:
    run("/usr/sbin/iptables-nft-restore", "--noflush", "-w", stdin=text)


@pytest.fixture
def source() -> Iterator[ChainSource]:
    with network_namespace():
        restore(LAID)
        source = ChainSource()
        source.set_watches(frozenset({OWN, FORWARD}))
        yield source
        source.close()


@pytest.mark.parametrize(
    ("damage", "touched"),
    [
        ("-t nat -F SALTERN-POST", {OWN}),
        ("-t nat -D SALTERN-POST 1", {OWN}),
        ("-t nat -A SALTERN-POST -j ACCEPT", {OWN}),
        ("-t nat -R SALTERN-POST 1 -j ACCEPT", {OWN}),
        ("-t nat -I POSTROUTING -j ACCEPT", {OWN}),
        ("-t nat -F", {OWN}),
        ("-t filter -P FORWARD DROP", {FORWARD}),
        ("-t filter -A FORWARD -j ACCEPT", {FORWARD}),
    ],
)
def test_damage_is_told_with_who_did_it(
    source: ChainSource, damage: str, touched: set[Watch]
) -> None:
    run("/usr/sbin/iptables-nft", "-w", *damage.split())
    events = drain(source)
    assert events.touched == touched
    assert not events.lost
    for watch in touched:
        assert re.fullmatch(r"iptables-nft \(pid [1-9][0-9]*\)", events.causes[watch])


def test_a_chain_that_goes_and_comes_is_told(source: ChainSource) -> None:
    run("/usr/sbin/iptables-nft", "-w", "-t", "nat", "-F", "POSTROUTING")
    run("/usr/sbin/iptables-nft", "-w", "-t", "nat", "-F", "SALTERN-POST")
    drain(source)
    run("/usr/sbin/iptables-nft", "-w", "-t", "nat", "-X", "SALTERN-POST")
    assert drain(source).touched == {OWN}
    run("/usr/sbin/iptables-nft", "-w", "-t", "nat", "-N", "SALTERN-POST")
    assert drain(source).touched == {OWN}


def test_a_table_that_comes_touches_its_chains(source: ChainSource) -> None:
    watch = WatchChain("mangle", ("FORWARD",))
    source.set_watches(frozenset({OWN, watch}))
    run("/usr/sbin/iptables-nft", "-w", "-t", "mangle", "-N", "ANY")
    assert drain(source).touched == {watch}


def test_one_restore_of_two_tables_names_its_maker_for_both(source: ChainSource) -> None:
    restore(LAID.replace(":OTHER - [0:0]", ":OTHER - [0:0]\n-A FORWARD -j OTHER"))
    events = drain(source)
    assert events.touched == {OWN, FORWARD}
    assert all("iptables-nft-re (pid" in cause for cause in events.causes.values())


@pytest.mark.parametrize(
    "harmless",
    ["-t filter -A OTHER -j ACCEPT", "-t filter -N NEW", "-t nat -S", "-t mangle -N SALTERN-POST"],
)
def test_what_is_no_damage_is_not_told(source: ChainSource, harmless: str) -> None:
    run("/usr/sbin/iptables-nft", "-w", *harmless.split())
    assert drain(source) == Events()


def test_chains_of_another_family_are_not_told(source: ChainSource) -> None:
    run("/usr/sbin/ip6tables-nft", "-w", "-t", "filter", "-A", "FORWARD", "-j", "ACCEPT")
    assert drain(source) == Events()


def test_lost_events_are_told(source: ChainSource) -> None:
    rules = "".join(f"-A OTHER -s 10.0.{n >> 8}.{n & 255} -j ACCEPT\n" for n in range(30_000))
    restore(f"*filter\n:OTHER - [0:0]\n{rules}COMMIT\n")
    assert wait_for(source, lambda events: events.lost).lost
    drain(source)
    run("/usr/sbin/iptables-nft", "-w", "-t", "nat", "-F", "SALTERN-POST")
    assert drain(source).touched == {OWN}
