"""bridge: what is planned for each thing that a node may have, and that it converges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError, convert
from msgspec.structs import replace
from saltern_protocol.policy import Allow, Claim, allowed
from saltern_states import bridge
from saltern_states.absent_link import DeleteLink
from saltern_states.bridge import (
    AddAddress,
    AttachPort,
    Bridge,
    BridgeChange,
    DeleteAddress,
    MakeBridge,
    Observed,
    SetMtu,
    SetPromiscuous,
    SetUp,
)
from saltern_states.contract import Blocked, Impact
from saltern_states.ports import Link, MovedError
from saltern_states.testing import FakeHost

WANT = Bridge(name="cbr0", address="10.10.5.1/24", mtu=1460)
MAKE = MakeBridge(name="cbr0", address="10.10.5.1/24", mtu=1460, promiscuous=False)


def have(*addresses: str, kind: str = "bridge", up: bool = True, mtu: int = 1460) -> Observed:
    return Observed(Link("cbr0", kind, up, mtu, False, addresses))


def add(address: str) -> AddAddress:
    return AddAddress(name="cbr0", address=address)


def delete(address: str) -> DeleteAddress:
    return DeleteAddress(name="cbr0", address=address)


TABLE: list[tuple[Bridge, Observed, tuple[BridgeChange, ...]]] = [
    (WANT, Observed(None), (MAKE,)),
    (WANT, have("10.10.5.1/24"), ()),
    (WANT, have("10.10.5.1/24", mtu=1500), (SetMtu(name="cbr0", was=1500, mtu=1460),)),
    (replace(WANT, mtu=None), have("10.10.5.1/24", mtu=9000), ()),
    (WANT, have("10.10.5.1/24", up=False), (SetUp(name="cbr0"),)),
    (
        replace(WANT, promiscuous=True),
        have("10.10.5.1/24"),
        (SetPromiscuous(name="cbr0", promiscuous=True),),
    ),
    (WANT, have(), (add("10.10.5.1/24"),)),
    # the right address with the wrong prefix is a wrong address
    (WANT, have("10.10.5.1/16"), (add("10.10.5.1/24"), delete("10.10.5.1/16"))),
    # another network: the new one first, so that the bridge keeps its routes
    (WANT, have("10.9.0.1/24"), (add("10.10.5.1/24"), delete("10.9.0.1/24"))),
    # the same network: the old one first, or it would take the new one with it
    (WANT, have("10.10.5.9/24"), (delete("10.10.5.9/24"), add("10.10.5.1/24"))),
    (WANT, have("10.10.5.1/24", "10.10.5.9/24"), (delete("10.10.5.9/24"),)),
    (
        WANT,
        have("10.10.5.9/24", "10.10.5.1/24"),
        (delete("10.10.5.1/24"), delete("10.10.5.9/24"), add("10.10.5.1/24")),
    ),
    (
        WANT,
        have("10.10.5.9/24", "10.10.5.1/24", "10.10.5.8/24"),
        (
            delete("10.10.5.8/24"),
            delete("10.10.5.1/24"),
            delete("10.10.5.9/24"),
            add("10.10.5.1/24"),
        ),
    ),
    (
        WANT,
        have("10.9.0.1/24", "10.10.5.1/24", "10.9.0.2/24"),
        (delete("10.9.0.2/24"), delete("10.9.0.1/24")),
    ),
]


@pytest.mark.parametrize(("want", "found", "changes"), TABLE)
def test_what_is_planned(want: Bridge, found: Observed, changes: tuple[BridgeChange, ...]) -> None:
    assert bridge.diff(want, found) == changes


def test_another_link_of_that_name_is_in_the_way() -> None:
    (virtual,) = bridge.diff(WANT, have(kind="vxlan"))
    (device,) = bridge.diff(WANT, have(kind=""))

    assert isinstance(virtual, Blocked)
    assert isinstance(device, Blocked)
    assert "a vxlan, not a bridge" in virtual.why
    assert "a device, not a bridge" in device.why
    assert virtual.then == (MAKE,)
    assert device.then == ()


def test_only_a_bridge_is_taken_back() -> None:
    assert bridge.remove(WANT, have("10.9.0.1/24")) == (DeleteLink(name="cbr0", kind="bridge"),)
    assert bridge.remove(WANT, have(kind="veth")) == ()
    assert bridge.remove(WANT, Observed(None)) == ()


def test_what_it_does_to_containers() -> None:
    assert MAKE.impact == Impact.NONE
    assert add("10.10.5.1/24").impact == Impact.NONE
    assert delete("10.10.5.1/24").impact == Impact.RESTART
    assert DeleteLink(name="cbr0", kind="bridge").impact == Impact.RESTART


@pytest.mark.parametrize("address", ["10.10.5.256/24", "10.10.5.1/33", "010.10.5.1/24", "10.1/8"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        convert({"kind": "bridge/1", "name": "cbr0", "address": address}, Bridge)


@pytest.mark.parametrize(
    "change", bridge.diff(replace(WANT, promiscuous=True), have("10.9.0.1/24", up=False, mtu=1500))
)
def test_a_change_is_refused_where_the_link_moved(change: BridgeChange) -> None:
    gone, other, done = FakeHost(), FakeHost(), FakeHost()
    other.links.add("cbr0", "veth")
    for planned in bridge.KIND.plan(done, replace(WANT, promiscuous=True)):
        assert not isinstance(planned, Blocked)
        bridge.apply(done, planned)

    for host in (gone, other, done):
        before = dict(host.links.table)
        with pytest.raises(MovedError, match="plan again"):
            bridge.apply(host, change)
        assert host.links.table == before


def test_a_bridge_is_not_made_over_another() -> None:
    host = FakeHost()
    host.links.add("cbr0", "bridge")

    with pytest.raises(MovedError, match="it is there now"):
        bridge.apply(host, MAKE)


PORTS = replace(WANT, ports=("veth*", "tap0"))


def test_the_links_that_it_takes_are_claims_that_a_policy_covers() -> None:
    assert bridge.KIND.claims(PORTS) == tuple(
        Claim("link", name) for name in ("cbr0", "veth*", "tap0")
    )
    veth, narrow = Claim("link", "veth*"), Allow(links=("cbr0", "veth0*"))
    assert all(allowed(Allow(links=("cbr0", "*e*")), claim) for claim in (veth, Claim("link", "e")))
    assert not allowed(narrow, veth)
    assert allowed(narrow, Claim("link", "veth0a*"))


def test_a_bridge_whose_ports_are_named_otherwise_keeps_its_place() -> None:
    assert bridge.KIND.places(PORTS) == bridge.KIND.places(WANT) == ("link cbr0",)


@pytest.mark.parametrize("pattern", ["veth[0-9]", "veth?", "", "a-name-too-long*", "a b", "/*"])
def test_a_pattern_that_no_policy_can_cover_is_refused(pattern: str) -> None:
    told = {"kind": "bridge/1", "name": "cbr0", "address": "10.10.5.1/24", "ports": [pattern]}

    with pytest.raises(ValidationError):
        convert(told, Bridge)


def loose(host: FakeHost) -> FakeHost:
    """Put on a node what a bridge could take, and what it must not."""
    for name in ("veth1", "veth2", "other", "tap0"):
        host.links.add(name, "veth")
    host.links.add("veth3", "veth", up=False)
    host.links.add("veth4")
    host.links.add("veth5", "veth")
    host.links.add_address("veth5", "10.30.0.1/24")
    return host


def test_it_takes_the_loose_ends_that_are_its_own_and_no_link_with_an_address() -> None:
    host = loose(FakeHost())

    for change in bridge.KIND.plan(host, PORTS):
        assert not isinstance(change, Blocked)
        bridge.apply(host, change)

    assert host.links.ports == dict.fromkeys(("tap0", "veth1", "veth2"), "cbr0")
    assert bridge.KIND.plan(host, PORTS) == ()


def test_a_link_that_got_an_address_since_is_not_taken() -> None:
    host = loose(FakeHost())
    host.links.add("cbr0", "bridge")
    host.links.add_address("veth1", "10.31.0.1/24")

    with pytest.raises(MovedError, match=r"cannot make veth1 a port of cbr0.*plan again"):
        bridge.apply(host, AttachPort(name="cbr0", port="veth1"))

    assert host.links.ports == {}


ADDRESSES = st.sampled_from(
    ["10.10.5.1/24", "10.10.5.2/24", "10.10.5.3/24", "10.10.5.1/16", "10.9.0.1/24", "10.9.0.2/24"]
)


@given(
    want=st.builds(
        Bridge,
        name=st.just("cbr0"),
        address=ADDRESSES,
        mtu=st.sampled_from([None, 1460, 1500]),
        promiscuous=st.booleans(),
    ),
    addresses=st.lists(ADDRESSES, unique=True),
    up=st.booleans(),
    there=st.booleans(),
)
def test_it_converges_and_does_what_it_says(
    want: Bridge, addresses: list[str], up: bool, there: bool
) -> None:
    host = FakeHost()
    host.links.add("eth0")
    if there:
        host.links.add("cbr0", "bridge", up=up)
        for address in addresses:
            host.links.add_address("cbr0", address)
    device = host.links.link("eth0")

    for change in bridge.KIND.plan(host, want):
        assert not isinstance(change, Blocked)
        bridge.apply(host, change)

    link = host.links.link("cbr0")
    assert link is not None
    assert link.addresses == (want.address,)
    assert (link.up, link.promiscuous) == (True, want.promiscuous)
    assert link.mtu == (want.mtu or 1500)
    assert bridge.KIND.plan(host, want) == ()
    assert host.links.link("eth0") == device

    for change in bridge.KIND.plan_removal(host, want):
        assert not isinstance(change, Blocked)
        bridge.apply(host, change)
    assert list(host.links.table) == ["eth0"]
    assert bridge.KIND.plan_removal(host, want) == ()
