"""pod-routes: ours lead to every other node and to nobody else; others' routes stay."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError, convert
from saltern_protocol.policy import Claim
from saltern_states import pod_routes
from saltern_states.contract import Blocked, WatchRoute
from saltern_states.pod_routes import PROTOCOL, Observed, PodRoute, PodRoutes
from saltern_states.ports import RouteEntry
from saltern_states.route import PROTOCOL as ROUTE_PROTOCOL
from saltern_states.route_changes import AddRoute, RemoveRoute, ReplaceRoute
from saltern_states.testing import FakeHost

ONE, TWO = "10.10.1.0/24", "10.10.2.0/24"
WANT = PodRoutes(
    routes=(PodRoute(destination=ONE, via="10.9.0.21"), PodRoute(destination=TWO, via="10.9.0.22"))
)


def entry(
    destination: str, via: str, device: str = "eth0", metric: int = 0, protocol: int = PROTOCOL
) -> RouteEntry:
    return RouteEntry(destination, via, device, metric, protocol)


FIRST, SECOND = entry(ONE, "10.9.0.21"), entry(TWO, "10.9.0.22")
NEW_FIRST, NEW_SECOND = entry(ONE, "10.9.0.21", ""), entry(TWO, "10.9.0.22", "")
MOVED = entry(TWO, "10.9.0.9")
GONE = entry("10.10.7.0/24", "10.9.0.27")
FOREIGN = entry(ONE, "10.9.0.1", protocol=3)
OWN = entry(TWO, "10.9.0.1", protocol=ROUTE_PROTOCOL, metric=5)

TABLE: list[tuple[tuple[RouteEntry, ...], tuple[Any, ...]]] = [
    ((), (AddRoute(route=NEW_FIRST), AddRoute(route=NEW_SECOND))),
    ((FIRST, SECOND), ()),
    ((FIRST, SECOND, OWN), ()),
    ((FIRST, MOVED), (ReplaceRoute(was=MOVED, route=NEW_SECOND),)),
    ((FIRST, SECOND, GONE), (RemoveRoute(was=GONE),)),
    ((GONE, SECOND), (RemoveRoute(was=GONE), AddRoute(route=NEW_FIRST))),
]


def observed(routes: tuple[RouteEntry, ...]) -> Observed:
    return Observed(
        routes=tuple(tuple(r for r in routes if r.destination == to) for to in (ONE, TWO)),
        ours=tuple(route for route in routes if route.protocol == PROTOCOL),
    )


@pytest.mark.parametrize(("routes", "changes"), TABLE)
def test_what_is_planned(routes: tuple[RouteEntry, ...], changes: tuple[Any, ...]) -> None:
    assert pod_routes.diff(WANT, observed(routes)) == changes


def test_what_is_in_the_way_of_one_is_in_the_way_of_no_other() -> None:
    blocked, added = pod_routes.diff(WANT, observed((FOREIGN,)))

    assert isinstance(blocked, Blocked)
    assert "another program has a route to 10.10.1.0/24 via 10.9.0.1" in blocked.why
    assert blocked.then == (AddRoute(route=NEW_FIRST),)
    assert added == AddRoute(route=NEW_SECOND)


def test_all_of_ours_and_nothing_else_is_taken_back() -> None:
    assert pod_routes.remove(WANT, observed((FIRST, MOVED, GONE, OWN, FOREIGN))) == (
        RemoveRoute(was=FIRST),
        RemoveRoute(was=MOVED),
        RemoveRoute(was=GONE),
    )


def test_each_destination_is_claimed_and_listened_to() -> None:
    assert pod_routes.claims(WANT) == (Claim("route", ONE), Claim("route", TWO))
    assert pod_routes.watch(WANT) == (WatchRoute(ONE), WatchRoute(TWO))
    assert pod_routes.KIND.positions(PodRoutes(routes=())) == pod_routes.KIND.positions(WANT)


@pytest.mark.parametrize(
    "routes",
    [
        [{"destination": TWO, "via": "10.9.0.22"}, {"destination": ONE, "via": "10.9.0.21"}],
        [{"destination": ONE, "via": "10.9.0.22"}, {"destination": ONE, "via": "10.9.0.21"}],
        [{"destination": "10.10.1.1/24", "via": "10.9.0.22"}],
        [{"destination": ONE, "via": "10.9.0.300"}],
        [{"destination": ONE, "via": ""}],
        [{"destination": ONE, "via": "10.9.0.22", "device": "eth0"}],
    ],
)
def test_what_no_node_could_hold_is_refused(routes: list[dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        convert({"kind": "pod-routes/1", "routes": routes}, PodRoutes)


DESTINATIONS = st.sampled_from([ONE, TWO, "10.10.3.0/24", "10.10.4.0/24"])
GATEWAYS = st.sampled_from(["10.9.0.21", "10.9.0.22", "10.9.0.23"])
ROUTES = st.dictionaries(DESTINATIONS, GATEWAYS, max_size=4)


@given(
    there=st.dictionaries(
        st.tuples(DESTINATIONS, st.sampled_from([0, 5])),
        st.tuples(GATEWAYS, st.sampled_from([PROTOCOL, ROUTE_PROTOCOL, 3])),
        max_size=6,
    ),
    wanted=ROUTES,
)
def test_it_converges_or_names_who_is_in_the_way(
    there: dict[tuple[str, int], tuple[str, int]], wanted: dict[str, str]
) -> None:
    host = FakeHost()
    host.links.add("eth0")
    host.links.add_address("eth0", "10.9.0.11/24")
    for (to, metric), (via, protocol) in there.items():
        host.links.add_route(entry(to, via, "eth0", metric, protocol))
    foreign = [one for one in host.links.added if one.protocol != PROTOCOL]
    hindered = {one.destination for one in foreign if one.metric == 0}
    want = PodRoutes(routes=tuple(PodRoute(to, via) for to, via in sorted(wanted.items())))

    for change in pod_routes.KIND.plan(host, want):
        if not isinstance(change, Blocked):
            pod_routes.KIND.apply(host, change)

    assert all(isinstance(one, Blocked) for one in pod_routes.KIND.plan(host, want))
    ours = {one.destination: one.via for one in host.links.routes_of(PROTOCOL) if one.metric == 0}
    assert ours == {to: via for to, via in wanted.items() if to not in hindered}
    for change in pod_routes.KIND.plan_removal(host, want):
        assert not isinstance(change, Blocked)
        pod_routes.KIND.apply(host, change)
    assert host.links.added == foreign
