"""agent: what is done in each case, and that what went back is not tried again by itself."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_protocol.policy import Allow, Claim, allowed
from saltern_states.agent import KIND, Agent, AwaitUpgrade, UpgradeAgent
from saltern_states.contract import Blocked, Impact
from saltern_states.ports import HostError, MovedError
from saltern_states.testing import FakeHost
from saltern_states.upgrade_ports import GoneBack, HandedOverError, Release

from tests.states.laws import lines

OLD, NEW = "0.1.0-1~deb12", "0.2.0-1~deb12"


def node(installed: str | None = OLD, brought: bool = True) -> tuple[FakeHost, Agent]:
    host = FakeHost()
    if installed is not None:
        host.packages.put("saltern-agent", installed)
    deb = host.blobs.put(b"the new release")
    host.packages.put_deb(host.blobs.path(deb), "saltern-agent", NEW)
    if not brought:
        host.blobs.keep_only(frozenset(), float("inf"))
    return host, Agent(version=NEW, deb=deb)


def tried(want: Agent, attempt: int = 1) -> GoneBack:
    return GoneBack(Release(want.version, want.deb, attempt), "it did not reach its master")


def test_another_release_is_upgraded_to_and_the_same_is_left() -> None:
    host, want = node()

    assert lines(KIND.plan(host, want)) == [f"upgrade agent {OLD} -> {NEW} ({want.deb[:12]})"]
    host.packages.put("saltern-agent", NEW)
    assert KIND.plan(host, want) == ()


def test_it_harms_nothing_that_runs_on_the_node() -> None:
    host, want = node()

    assert [one.impact for one in KIND.plan(host, want)] == [Impact.NONE]


def test_an_older_one_is_upgraded_to_as_well() -> None:
    host, want = node(installed="9.0.0-1~deb12")

    assert lines(KIND.plan(host, want))[0].startswith("upgrade agent 9.0.0-1~deb12 -> 0.2.0")


@pytest.mark.parametrize(
    ("installed", "brought", "hindrance", "attempt", "told"),
    [
        pytest.param(None, True, "", 0, "is not installed whole by dpkg", id="no package"),
        pytest.param(OLD, True, "no systemd here", 0, "no systemd here", id="a hindrance"),
        pytest.param(OLD, False, "", 0, "not on this node yet", id="not brought"),
        pytest.param(OLD, True, "", 1, "it was tried and went back: it did not", id="tried"),
        pytest.param(OLD, True, "no way", 1, "it was tried and went back", id="tried, and no way"),
        pytest.param(OLD, True, "", 2, None, id="tried, and asked for once more than it was tried"),
    ],
)
def test_what_hinders(
    installed: str | None, brought: bool, hindrance: str, attempt: int, told: str | None
) -> None:
    host, want = node(installed, brought)
    host.upgrades.hindrance = hindrance
    host.upgrades.gone_back = tried(want, attempt) if attempt else None

    (change,) = KIND.plan(host, want)
    assert isinstance(change, Blocked) == (told is not None)
    assert (told or "upgrade agent") in str(change)


def test_while_one_is_under_way_there_is_nothing_to_do_but_wait() -> None:
    host, want = node()
    (change,) = KIND.plan(host, want)
    with pytest.raises(HandedOverError):
        KIND.apply(host, change)  # type: ignore[arg-type]

    assert KIND.plan(host, want) == (AwaitUpgrade(version=NEW),)
    assert KIND.plan(host, replace(want, version="0.3.0")) == (AwaitUpgrade(version=NEW),)
    with pytest.raises(HandedOverError):
        KIND.apply(host, AwaitUpgrade(version=NEW))
    host.upgrades.done()
    KIND.apply(host, AwaitUpgrade(version=NEW))
    assert KIND.plan(host, want) == ()


def test_a_file_of_something_else_is_not_installed() -> None:
    host, want = node()
    host.packages.put_deb(host.blobs.path(want.deb), "etcd-server", NEW)

    with pytest.raises(HostError, match="the file of that hash is etcd-server"):
        KIND.apply(host, KIND.plan(host, want)[0])  # type: ignore[arg-type]
    assert host.upgrades.going is None


def test_what_moved_since_the_plan_is_not_upgraded() -> None:
    host, want = node()
    (change,) = KIND.plan(host, want)
    host.packages.put("saltern-agent", "0.1.1-1~deb12")

    with pytest.raises(MovedError, match="plan again"):
        KIND.apply(host, change)  # type: ignore[arg-type]


def test_only_a_release_that_policy_names_is_allowed() -> None:
    """T13 of the threat model: there is no policy that allows any release."""
    claims = KIND.claims(KIND.example)

    assert claims == (Claim("release", KIND.example.deb),)
    assert not allowed(Allow(), claims[0])
    assert not allowed(Allow(releases=("1" * 64,), packages=("*",)), claims[0])
    assert allowed(Allow(releases=("1" * 64, KIND.example.deb)), claims[0])


@pytest.mark.parametrize("version", ["0:1.0", "00:1.0-1", "01:2", "", "v1", "1.0\n"])
def test_a_version_is_written_as_dpkg_writes_it(version: str) -> None:
    """dpkg leaves out an epoch of 0: what it calls installed would seem to be another one."""
    plain = {"kind": "agent/1", "version": version, "deb": "0" * 64}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(plain, Agent)
    assert msgspec.convert({**plain, "version": "1:0.2.0-1~deb12"}, Agent)


def test_it_stands_where_a_package_of_that_name_would() -> None:
    assert KIND.places(KIND.example) == ("package saltern-agent",)


@given(
    st.lists(
        st.sampled_from(["plan and apply", "well", "ill", "by hand", "again", "another file"]),
        max_size=30,
    )
)
def test_a_release_that_is_not_well_is_tried_once_each_time_that_a_person_asks(
    happenings: list[str],
) -> None:
    host, want = node()
    asked, begun = 1, 0
    for one in happenings:
        if one == "plan and apply":
            for change in KIND.plan(host, want):
                if isinstance(change, UpgradeAgent):
                    begun += 1
                    with pytest.raises(HandedOverError):
                        KIND.apply(host, change)
        elif one == "well":
            host.upgrades.done()
            assert host.packages.version("saltern-agent") in (OLD, NEW)
        elif one == "ill":
            host.upgrades.go_back("it was ill")
        elif one == "by hand" and host.upgrades.going is None:
            asked += host.packages.version("saltern-agent") != OLD
            host.packages.put("saltern-agent", OLD)
        elif one == "again":
            want, asked = replace(want, attempt=want.attempt + 1), asked + 1

    assert begun <= asked
