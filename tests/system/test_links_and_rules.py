"""What NetlinkLinks and Iptables keep in memory is true after anybody's change."""

from __future__ import annotations

import errno
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from saltern_agent.host.iptables import Generation, Iptables
from saltern_agent.host.netlink import NetlinkLinks
from saltern_agent.host.netlink_socket import DUMP, NetlinkSocket
from saltern_states.ports import HostError, RouteEntry

from tests.system.namespace import network_namespace, run

pytestmark = pytest.mark.system

IP = "/usr/sbin/ip"
NFT_SAVE, NFT, LEGACY = (f"/usr/sbin/iptables-{name}" for name in ("nft-save", "nft", "legacy"))
TABLES = Path("/proc/self/net/ip_tables_names")


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    with network_namespace():
        yield


@pytest.fixture
def links() -> Iterator[NetlinkLinks]:
    with closing(NetlinkLinks()) as links:
        yield links


@pytest.fixture
def rules() -> Iterator[Iptables]:
    with closing(Iptables()) as rules:
        yield rules


def test_every_way_in_which_a_route_goes_is_seen(links: NetlinkLinks) -> None:
    run(IP, "link", "add", "cbr0", "type", "bridge")
    add = (IP, "route", "add", "10.20.0.0/16", "dev", "cbr0", "proto", "83")

    def lay() -> None:
        run(IP, "addr", "replace", "10.10.5.1/24", "dev", "cbr0")
        run(IP, "link", "set", "cbr0", "up")
        run(*add)
        assert links.routes("10.20.0.0/16") == (RouteEntry("10.20.0.0/16", "", "cbr0", 0, 83),)

    for command in (
        (IP, "route", "del", "10.20.0.0/16"),
        (IP, "link", "set", "cbr0", "down"),
        (IP, "addr", "del", "10.10.5.1/24", "dev", "cbr0"),
        (IP, "link", "del", "cbr0"),
    ):
        lay()
        run(*command)
        assert links.routes("10.20.0.0/16") == (), command


def test_a_renamed_link_is_seen_in_its_routes(links: NetlinkLinks) -> None:
    run(IP, "link", "add", "cbr0", "type", "bridge")
    run(IP, "addr", "add", "10.10.5.1/24", "dev", "cbr0")
    run(IP, "link", "set", "cbr0", "up")
    assert [route.device for route in links.routes("10.10.5.0/24")] == ["cbr0"]

    run(IP, "link", "set", "cbr0", "name", "cbr1")

    assert [route.device for route in links.routes("10.10.5.0/24")] == ["cbr1"]


def test_more_events_than_the_socket_holds_are_still_a_change(links: NetlinkLinks) -> None:
    assert links.routes("10.1.199.0/24") == ()

    links_added = "".join(f"link add d{n} type bridge\n" for n in range(100))
    run(IP, "-batch", "-", given=links_added)
    run(IP, "link", "set", "d0", "up")
    run(IP, "-batch", "-", given="".join(f"route add 10.1.{n}.0/24 dev d0\n" for n in range(200)))

    assert links.routes("10.1.199.0/24") == (RouteEntry("10.1.199.0/24", "", "d0", 0, 3),)


def test_what_ip_says_is_what_we_say(links: NetlinkLinks) -> None:
    run(IP, "link", "add", "cbr0", "type", "bridge")
    run(IP, "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    for name in ("cbr0", "veth0"):
        run(IP, "addr", "add", "10.10.5.1/24", "dev", name)
        run(IP, "addr", "add", "10.10.5.2/24", "dev", name)
    run(IP, "link", "set", "veth0", "up", "mtu", "1400", "promisc", "on")

    for said in json.loads(run(IP, "-j", "-d", "addr")):
        link = links.link(said["ifname"])
        assert link is not None
        assert link.kind == said.get("linkinfo", {}).get("info_kind", "")
        assert link.mtu == said["mtu"]
        assert link.up == ("UP" in said["flags"])
        assert link.promiscuous == ("PROMISC" in said["flags"])
        assert link.addresses == tuple(
            f"{one['local']}/{one['prefixlen']}"
            for one in said["addr_info"]
            if one["family"] == "inet"
        )


def test_links_load_neither_asyncio_nor_all_of_pyroute2() -> None:
    code = (
        "import sys; from saltern_agent.host.netlink import NetlinkLinks; NetlinkLinks();"
        "print('asyncio' in sys.modules, sum(name.startswith('pyroute2') for name in sys.modules));"
        "from pyroute2 import IPRoute; print(IPRoute.__name__)"
    )
    printed = run(sys.executable, "-c", code).split()

    assert printed[0] == "False"
    assert int(printed[1]) < 60
    assert printed[2] == "IPRoute"


def test_an_unknown_request_is_refused_and_the_socket_lives() -> None:
    with closing(NetlinkSocket(0)) as asked:
        with pytest.raises(OSError) as caught:  # noqa: PT011  # the errno is what matters
            asked.ask(4000, 0, b"\0" * 16)
        assert caught.value.errno == errno.EOPNOTSUPP

        dumped = asked.ask(18, DUMP, struct.pack("=BxHiII", 0, 0, 0, 0, 0))

    assert len(dumped) == len(json.loads(run(IP, "-j", "link")))


def test_the_generation_rises_with_every_change_and_by_looking_never() -> None:
    with closing(Generation()) as generation:
        first = generation.now()
        assert first is not None

        run(NFT_SAVE)
        assert generation.now() == first
        run(NFT, "-A", "INPUT", "-j", "ACCEPT")
        assert generation.now() != first


def test_a_kept_text_is_given_up_when_anybody_changes_a_rule(rules: Iptables) -> None:
    before = rules.save("nft", "filter")
    assert rules.save("nft", "filter") is before  # the very text: no program was started

    run(NFT, "-A", "INPUT", "-s", "10.0.0.0/8", "-j", "ACCEPT")

    after = rules.save("nft", "filter")
    assert after is not None
    assert "-A INPUT -s 10.0.0.0/8 -j ACCEPT\n" in after


def test_counters_are_no_change(rules: Iptables) -> None:
    run(IP, "link", "set", "lo", "up")
    run(NFT, "-A", "OUTPUT", "-d", "127.0.0.1", "-j", "ACCEPT")
    before = rules.save("nft", "filter")

    done = subprocess.run(
        ["/usr/bin/python3", "-c", PACKET], timeout=20, check=False, capture_output=True
    )

    assert done.returncode == 0, done.stderr
    assert "[0:0]" not in run(NFT_SAVE, "-c", "-t", "filter").splitlines()[-2]
    assert rules.save("nft", "filter") is before
    with closing(Iptables()) as fresh:
        assert fresh.save("nft", "filter") == before


PACKET = "import socket; s = socket.socket(2, 2); s.sendto(b'x', ('127.0.0.1', 9))"


def test_looking_at_a_legacy_table_does_not_make_it(rules: Iptables) -> None:
    assert "COMMIT" in (rules.save("legacy", "nat") or "")
    assert "nat" not in TABLES.read_text()

    run(LEGACY, "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")

    assert "-A POSTROUTING -j MASQUERADE\n" in (rules.save("legacy", "nat") or "")


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    with closing(Iptables(programs=tmp_path)) as rules:
        assert rules.save("nft", "nat") is None
        with pytest.raises(HostError, match=r"cannot restore rules: there is no .*install"):
            rules.restore("nft", "*nat\nCOMMIT\n")
