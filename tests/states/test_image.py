"""image: what is loaded in each case, and that docker is never started by looking."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.policy import Allow, Claim, allowed
from saltern_states.contract import Blocked, WatchImage, WatchUnit
from saltern_states.image import KIND, Image
from saltern_states.ports import HostError, MovedError
from saltern_states.testing import FakeHost

from tests.states.laws import converge, lines, take_back

CONFIG, OTHER = "c" * 64, "d" * 64
DOCKER = "docker.service"
LOAD = f"load image pause:1 sha256:{CONFIG[:12]}"


def node() -> tuple[FakeHost, Image]:
    host = FakeHost()
    host.units.install(DOCKER)
    host.units.start(DOCKER)
    archive = host.blobs.put(b"an archive")
    host.images.put_archive(host.blobs.path(archive), "pause:1", CONFIG)
    return host, Image(name="pause:1", config=CONFIG, archive=archive)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(lambda host: None, [LOAD], id="not there"),
        pytest.param(lambda host: host.images.put("pause:1", CONFIG), [], id="there"),
        pytest.param(
            lambda host: host.images.put("pause:1", OTHER),
            [f"{LOAD} (was sha256:{OTHER[:12]})"],
            id="another under its name",
        ),
        pytest.param(
            lambda host: host.units.stop(DOCKER),
            ["blocked: docker.service is inactive", f"  then {LOAD}"],
            id="docker stopped",
        ),
        pytest.param(
            lambda host: host.blobs.contents.clear(),
            ["blocked: the archive of pause:1 is not on this node yet", f"  then {LOAD}"],
            id="no archive",
        ),
    ],
)
def test_what_is_lacking_is_loaded(damage: Callable[[FakeHost], None], told: list[str]) -> None:
    host, want = node()
    damage(host)

    assert lines(converge(KIND, host, want)) == told


def test_a_docker_that_is_stopped_is_not_asked() -> None:
    host, want = node()
    host.units.stop(DOCKER)
    host.images.silent = True

    assert isinstance(KIND.plan(host, want)[0], Blocked)
    host.units.start(DOCKER)
    with pytest.raises(HostError, match="docker does not answer"):
        KIND.plan(host, want)


def test_an_archive_with_something_else_in_it_is_no_success() -> None:
    host, want = node()
    host.images.put_archive(host.blobs.path(want.archive), "pause:1", OTHER)
    (load,) = KIND.plan(host, want)
    assert not isinstance(load, Blocked)

    KIND.apply(host, load)

    assert lines(KIND.plan(host, want)) == [f"{LOAD} (was sha256:{OTHER[:12]})"]


def test_a_name_that_moved_is_refused() -> None:
    host, want = node()
    (load,) = KIND.plan(host, want)
    assert not isinstance(load, Blocked)
    host.images.put("pause:1", OTHER)

    with pytest.raises(MovedError, match="plan again"):
        KIND.apply(host, load)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            lambda host: host.images.put("pause:1", CONFIG),
            ["remove image pause:1 sha256:cccccccccccc"],
        ),
        (lambda host: host.images.put("pause:1", OTHER), []),
        (lambda host: None, []),
        (lambda host: host.units.stop(DOCKER), ["blocked: docker.service is inactive"]),
        (
            lambda host: (
                host.units.stop(DOCKER),
                host.files.take(f"/usr/lib/systemd/system/{DOCKER}"),
                host.units.reload_daemon(),
            ),
            [],
        ),
    ],
    ids=["ours", "another's", "gone", "docker stopped", "docker removed"],
)
def test_removal_takes_what_is_ours(damage: Callable[[FakeHost], None], told: list[str]) -> None:
    host, want = node()
    damage(host)

    assert lines(take_back(KIND, host, want)) == told


def test_claims_blobs_and_watches() -> None:
    _, want = node()

    assert KIND.claims(want) == (Claim("image", CONFIG), Claim("artifact", want.archive))
    assert KIND.places(want) == ("image pause:1",)
    assert KIND.blobs(want) == (want.archive,)
    assert {WatchUnit(DOCKER), WatchImage(want.name)} <= set(KIND.watch(want))


def test_a_policy_that_pins_what_is_brought_pins_its_archive_too() -> None:
    _, want = node()
    archive = Claim("artifact", want.archive)

    for pinned, refused in (((), archive), ((want.archive,), None)):
        allow = Allow(images=(CONFIG,), artifacts=pinned)
        found = [claim for claim in KIND.claims(want) if not allowed(allow, claim)]
        assert found == ([refused] if refused else [])


@given(st.lists(st.sampled_from(["start", "stop", "ours", "another's"])))
def test_whatever_was_done_to_docker_it_converges(damages: list[str]) -> None:
    host, want = node()
    for damage in damages:
        harm(host, damage)

    converge(KIND, host, want)
    host.units.start(DOCKER)
    converge(KIND, host, want)

    assert host.images.digest("pause:1") == f"sha256:{CONFIG}"
    take_back(KIND, host, want)
    assert host.images.digest("pause:1") is None


def harm(host: FakeHost, damage: str) -> None:
    if damage == "start":
        host.units.start(DOCKER)
    elif damage == "stop":
        host.units.stop(DOCKER)
    elif damage == "ours":
        host.images.put("pause:1", CONFIG)
    elif damage == "another's":
        host.images.put("pause:1", OTHER)
