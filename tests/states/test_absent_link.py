"""absent-link: what is virtual goes, what is a device stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_states import absent_link
from saltern_states.absent_link import AbsentLink, DeleteLink, Observed
from saltern_states.contract import Blocked, Impact
from saltern_states.ports import Link, MovedError
from saltern_states.testing import FakeHost

WANT = AbsentLink(name="docker0")
DELETE = DeleteLink(name="docker0", kind="bridge")


def link(kind: str) -> Observed:
    return Observed(Link("docker0", kind, True, 1500, False, ("172.17.0.1/16",)))


@pytest.mark.parametrize(
    ("have", "changes"),
    [
        (Observed(None), ()),
        (link("bridge"), (DELETE,)),
        (link("veth"), (DeleteLink(name="docker0", kind="veth"),)),
        (link("vxlan"), (DeleteLink(name="docker0", kind="vxlan"),)),
    ],
)
def test_what_is_planned(have: Observed, changes: tuple[DeleteLink, ...]) -> None:
    assert absent_link.diff(WANT, have) == changes


def test_what_it_does_to_containers() -> None:
    assert DELETE.impact == Impact.RESTART


def test_a_device_is_never_deleted() -> None:
    (blocked,) = absent_link.diff(WANT, link(""))

    assert isinstance(blocked, Blocked)
    assert blocked.then == ()
    assert "docker0 is a device" in blocked.why


def test_there_is_nothing_to_take_back() -> None:
    assert absent_link.remove(WANT, Observed(None)) == ()
    assert absent_link.remove(WANT, link("bridge")) == ()


def test_what_became_another_link_is_not_deleted() -> None:
    gone, other = FakeHost(), FakeHost()
    other.links.add("docker0", "veth")

    for host in (gone, other):
        with pytest.raises(MovedError, match="cannot delete the bridge docker0"):
            absent_link.apply(host, DELETE)
    assert "docker0" in other.links.table


@given(st.dictionaries(st.sampled_from(["docker0", "cbr0", "eth0"]), st.sampled_from(["", "tun"])))
def test_only_that_link_goes(kinds: dict[str, str]) -> None:
    host = FakeHost()
    for name, kind in kinds.items():
        host.links.add(name, kind)
    plan = absent_link.KIND.plan(host, WANT)

    for change in plan:
        if not isinstance(change, Blocked):
            absent_link.apply(host, change)

    stays = kinds.get("docker0") == ""
    assert host.links.table.keys() == kinds.keys() - (set() if stays else {"docker0"})
    assert bool(absent_link.KIND.plan(host, WANT)) == stays
