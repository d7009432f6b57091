"""route: ours are mended, others' stand in the way, and the device must carry it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError, convert
from msgspec.structs import replace
from saltern_states import route
from saltern_states.contract import Blocked, WatchLink, WatchRoute
from saltern_states.ports import HostError, Link, MovedError, RouteEntry
from saltern_states.route import PROTOCOL, Observed, Route
from saltern_states.route_changes import AddRoute, RemoveRoute, ReplaceRoute
from saltern_states.testing import FakeHost

WANT = Route(destination="10.10.7.0/24", via="10.9.0.22", device="eth0")
UP = Link("eth0", "", True, 1500, False, ("10.9.0.21/24",))
DOWN = Link("eth0", "", False, 1500, False, ("10.9.0.21/24",))


def entry(
    via: str = "10.9.0.22", device: str = "eth0", metric: int = 0, protocol: int = PROTOCOL
) -> RouteEntry:
    return RouteEntry("10.10.7.0/24", via, device, metric, protocol)


RIGHT = entry()
STALE = entry(via="10.9.0.9")
FOREIGN = entry(protocol=3)
NOWHERE = Route(destination="10.10.7.0/24", type="unreachable")
DEAD_END = RouteEntry("10.10.7.0/24", "", "", 0, PROTOCOL, "unreachable")

TABLE: list[tuple[Route, tuple[RouteEntry, ...], tuple[Any, ...]]] = [
    (WANT, (), (AddRoute(route=RIGHT),)),
    (WANT, (RIGHT,), ()),
    (replace(WANT, device=""), (RIGHT,), ()),
    (WANT, (STALE,), (ReplaceRoute(was=STALE, route=RIGHT),)),
    (WANT, (entry(device="eth1"),), (ReplaceRoute(was=entry(device="eth1"), route=RIGHT),)),
    (
        WANT,
        (entry(metric=5),),
        (AddRoute(route=RIGHT), RemoveRoute(was=entry(metric=5))),
    ),
    (WANT, (RIGHT, entry(metric=5)), (RemoveRoute(was=entry(metric=5)),)),
    (WANT, (entry(metric=5, protocol=3),), (AddRoute(route=RIGHT),)),
    (WANT, (RIGHT, entry(metric=5, protocol=3)), ()),
    (NOWHERE, (), (AddRoute(route=DEAD_END),)),
    (NOWHERE, (DEAD_END,), ()),
    (NOWHERE, (RIGHT,), (ReplaceRoute(was=RIGHT, route=DEAD_END),)),
    (WANT, (DEAD_END,), (ReplaceRoute(was=DEAD_END, route=RIGHT),)),
]


@pytest.mark.parametrize(("want", "routes", "changes"), TABLE)
def test_what_is_planned(
    want: Route, routes: tuple[RouteEntry, ...], changes: tuple[Any, ...]
) -> None:
    assert route.diff(want, Observed(routes, UP if want.device else None)) == changes


@pytest.mark.parametrize(
    ("have", "why"),
    [
        (Observed((FOREIGN,), UP), r"another program has a route.*via 10\.9\.0\.22.*protocol 3"),
        (Observed((), None), "there is no link eth0"),
        (Observed((), DOWN), "the link eth0 is down"),
    ],
)
def test_what_is_in_the_way(have: Observed, why: str) -> None:
    (blocked,) = route.diff(WANT, have)

    assert isinstance(blocked, Blocked)
    assert blocked.then == (AddRoute(route=RIGHT),)
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(blocked.why)


def test_all_of_ours_and_nothing_else_is_taken_back() -> None:
    routes = (RIGHT, entry(metric=5), FOREIGN)

    assert route.remove(WANT, Observed(routes, UP)) == (
        RemoveRoute(was=RIGHT),
        RemoveRoute(was=entry(metric=5)),
    )


def test_the_device_is_listened_to() -> None:
    assert route.watch(WANT) == (WatchRoute("10.10.7.0/24"), WatchLink("eth0"))
    assert route.watch(replace(WANT, device="")) == (WatchRoute("10.10.7.0/24"),)


@pytest.mark.parametrize(
    "fields",
    [
        {"destination": "10.10.7.1/24", "via": "10.9.0.22"},
        {"destination": "10.10.7.0/33", "via": "10.9.0.22"},
        {"destination": "10.10.7.0/24", "via": "10.9.0.300"},
        {"destination": "10.10.7.0/24"},
        {"destination": "10.10.7.0/24", "via": "10.9.0.22", "type": "unreachable"},
    ],
)
def test_a_route_that_no_kernel_takes_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        convert({"kind": "route/1", **fields}, Route)


def node() -> FakeHost:
    host = FakeHost()
    for name, address in (("eth0", "10.9.0.21/24"), ("eth1", "10.8.0.21/24")):
        host.links.add(name)
        host.links.add_address(name, address)
    return host


def test_a_change_is_refused_where_the_routes_moved() -> None:
    host = node()
    host.links.add_route(FOREIGN)

    with pytest.raises(HostError, match="File exists"):
        route.KIND.apply(host, AddRoute(route=RIGHT))
    for change in (ReplaceRoute(was=STALE, route=RIGHT), RemoveRoute(was=RIGHT)):
        with pytest.raises(MovedError):
            route.KIND.apply(host, change)
    assert host.links.routes("10.10.7.0/24") == (FOREIGN,)


WAYS = st.sampled_from([("10.9.0.22", "eth0"), ("10.9.0.9", "eth0"), ("10.8.0.9", "eth1")])
METRICS = st.sampled_from([0, 5, 7])


@given(
    there=st.lists(st.tuples(WAYS, METRICS, st.sampled_from([PROTOCOL, 3])), max_size=3),
    way=WAYS,
    metric=METRICS,
    named=st.booleans(),
)
def test_it_converges_or_names_who_is_in_the_way(
    there: list[tuple[tuple[str, str], int, int]], way: tuple[str, str], metric: int, named: bool
) -> None:
    host = node()
    for (via, device), number, protocol in {one[1]: one for one in there}.values():
        host.links.add_route(entry(via, device, number, protocol))
    want = Route(
        destination="10.10.7.0/24", via=way[0], device=way[1] if named else "", metric=metric
    )
    foreign = [one for one in host.links.added if one.protocol != PROTOCOL]

    for change in route.KIND.plan(host, want):
        if isinstance(change, Blocked):
            assert any(one.metric == metric for one in foreign)
            return
        route.KIND.apply(host, change)

    assert route.KIND.plan(host, want) == ()
    ours = [one for one in host.links.added if one.protocol == PROTOCOL]
    assert ours == [entry(*way, metric)]
    for change in route.KIND.plan_removal(host, want):
        assert not isinstance(change, Blocked)
        route.KIND.apply(host, change)
    assert host.links.added == foreign
