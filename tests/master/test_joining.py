"""Machines become nodes: the stories, on machines in memory and a real API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace as other
from hashlib import sha256
from pathlib import Path
from threading import Barrier

import pytest
from msgspec.structs import replace
from saltern_master.joining.adding import COMES, Added
from saltern_master.joining.packages import NoPackagesError, packages_at, packages_of
from saltern_master.library import Library, Release
from saltern_master.testing.ssh import DEBIAN_12
from saltern_protocol import testing
from saltern_protocol.documents import encode_identity

from tests.master.api_stand import master as running
from tests.master.joining_stand import DEB, Stand, stand_of


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    (tmp_path / "packages").mkdir()
    with running(tmp_path) as here:
        yield stand_of(here, tmp_path / "packages")


def states(stand: Stand) -> dict[str, str]:
    return {one.name: one.state for one in stand.client.status().nodes}


def test_bare_machines_become_nodes_and_each_step_is_told(stand: Stand) -> None:
    w1, w2 = stand.machine("w1"), stand.machine("w2", "ann@10.9.0.22", rise="sudo")
    added = stand.add("w1", "w2=ann@10.9.0.22")

    assert [(one.name, one.result, one.why, one.package) for one in added] == [
        ("w1", "added", "", DEB),
        ("w2", "added", "", DEB),
    ]
    assert states(stand) == {"w1": "joined", "w2": "joined"}
    assert w1.heard == w2.heard == ["look", "reach", "install", "join", "start"]
    assert w1.running
    assert [one.partition(": ")[2] for one in stand.told if one.startswith("w2")] == [
        "looking at it",
        "trying the master's ports from there",
        f"copying and installing {DEB}",
        "joining as w2",
        "starting the agent",
        "waiting for its agent",
    ]
    assert sorted(one.name for one in stand.ended) == ["w1", "w2"]


def test_again_it_changes_nothing(stand: Stand) -> None:
    w1 = stand.machine("w1")
    stand.add()
    w1.heard.clear()

    (again,) = stand.add()
    assert (again.result, w1.heard) == ("already", ["look"])

    w1.running = False
    stand.connect("w1", False)
    (once_more,) = stand.add()
    assert (once_more.result, w1.running) == ("already", True)
    assert w1.heard == ["look", "look", "start"]


CUT = ("look", "reach", "install", "join", "start")


@pytest.mark.parametrize("rise", ["root", "sudo"])
@pytest.mark.parametrize("at", CUT)
def test_where_the_line_is_cut_the_same_command_goes_on(stand: Stand, at: str, rise: str) -> None:
    w1 = stand.machine("w1", rise=rise, lost_at=at)
    (cut,) = stand.add()
    assert cut.result == ("unreached" if at == "look" else "failed")
    assert "closed the connection" in cut.why
    assert bool(cut.left) == (at != "look")

    (again,) = stand.add()
    assert again.result == ("already" if at == "start" else "added"), again.why
    assert (w1.running, states(stand)) == (True, {"w1": "joined"})


@pytest.mark.parametrize("at", CUT)
def test_what_may_be_left_is_told_where_a_step_comes_to_no_end(stand: Stand, at: str) -> None:
    w1 = stand.machine("w1", hangs_at=at)
    (cut,) = stand.add()
    assert (cut.result, bool(cut.left)) == ("failed", at != "look"), cut
    assert "no end" in cut.why

    (again,) = stand.add()
    assert again.result == ("already" if at == "start" else "added"), again.why
    assert w1.running


def test_an_agent_that_was_stopped_for_a_join_without_end_runs_again(stand: Stand) -> None:
    w1 = stand.machine("w1")
    stand.add()
    stand.master.do(stand.master.fake.remove("w1", True))
    w1.hangs_at = "join"
    stand.add()

    assert w1.running
    assert w1.heard[-3:] == ["stop", "join", "start"]


def test_a_master_that_ends_meanwhile_leaves_what_is_told(stand: Stand) -> None:
    def gone() -> None:
        stand.client.gone = True

    stand.machine("w1", started=gone)
    (one,) = stand.add()

    assert one.result == "failed"
    assert "it has joined" in one.left


@pytest.mark.parametrize("words", ["installed=\u00b2", "identity=\u00e9"])
def test_a_machine_of_strange_words_costs_itself_alone(stand: Stand, words: str) -> None:
    w1, w2 = stand.machine("w1", more=words), stand.machine("w2")
    one, two = stand.add("w1", "w2")

    assert (one.result, two.result) == ("added" if "installed" in words else "failed", "added")
    assert w2.running
    assert w1.running == (one.result == "added")


def test_an_error_of_our_own_is_told_with_the_others_results(stand: Stand) -> None:
    def broken(_: str) -> bytes | str:
        raise ZeroDivisionError("a fault of ours")

    stand.machine("w1", joins=broken)
    stand.machine("w2")
    one, two = stand.add("w1", "w2")

    assert (one.result, two.result) == ("failed", "added")
    assert "a fault of ours" in one.why


def put(**fields: object) -> Callable[[Stand], None]:
    def lever(stand: Stand) -> None:
        for name, value in fields.items():
            setattr(stand.machines["w1"], name, value)

    return lever


def name_is_taken(stand: Stand) -> None:
    view = stand.master.do(stand.master.fake.make_token("w1", "worker", 60, False))
    stand.master.do(stand.master.fake.join(view.token, "another key"))


HERE = encode_identity(replace(testing.IDENTITY, node="w9"))


@pytest.mark.parametrize(
    ("lever", "result", "why", "left", "heard"),
    [
        (put(trouble="Host key verification failed."), "unreached", "ssh w1", "", []),
        (put(trouble="Permission denied (publickey)."), "unreached", "ssh-copy-id w1", "", []),
        (put(hangs=True), "failed", "no end within", "", []),
        (put(rise="password"), "failed", "NOPASSWD", "", ["look"]),
        (put(rise="none"), "failed", "no sudo", "", ["look"]),
        (put(systemd=False), "failed", "systemd", "", ["look"]),
        (put(system=other(DEBIAN_12, release="11")), "failed", DEB, "", ["look"]),
        (put(identity=HERE), "failed", "saltern node remove w9 --clean", "", ["look"]),
        (put(identity=b"nothing"), "failed", "--again", "", ["look"]),
        (name_is_taken, "failed", "saltern node remove w1", "", ["look"]),
        (
            put(open=frozenset({"10.9.0.1/6555"})),
            "failed",
            "10.9.0.1 port 6556",
            "token",
            ["look", "reach"],
        ),
        (
            put(refuses="saltern-agent : Depends: python3.11 but it is not installable"),
            "failed",
            "no Python",
            "token",
            ["look", "reach", "install"],
        ),
        (
            put(joins=lambda _: 'saltern-agent: cannot join as "w1": refused (revoked)'),
            "failed",
            "refused (revoked)",
            "installed there, and it has not joined",
            ["look", "reach", "install", "join"],
        ),
        (
            put(started=lambda: None),
            "failed",
            "journalctl -u saltern-agent",
            "it has joined",
            ["look", "reach", "install", "join", "start"],
        ),
    ],
)
def test_a_machine_that_cannot_be_added_says_why_and_what_is_left(
    stand: Stand, lever: Callable[[Stand], None], result: str, why: str, left: str, heard: list[str]
) -> None:
    w1 = stand.machine("w1")
    stand.machine("w2")
    lever(stand)
    one, two = stand.add("w1", "w2")

    assert one.result == result
    assert why in one.why
    assert left in one.left
    assert bool(one.left) == bool(left)
    assert w1.heard == heard
    assert two.result == "added", "the others go on"
    assert (stand.now >= COMES) == ("journalctl" in why)


def test_one_whose_master_forgot_it_joins_anew_with_its_agent_at_rest(stand: Stand) -> None:
    w1 = stand.machine("w1")
    stand.add()
    stand.master.do(stand.master.fake.remove("w1", True))
    before = w1.identity
    w1.heard.clear()
    (added,) = stand.add()

    assert (added.result, added.package) == ("added", "")
    assert w1.heard == ["look", "reach", "stop", "join", "start"]
    assert w1.identity != before


def test_one_that_may_not_join_anew_is_left_as_it_was(stand: Stand) -> None:
    w1 = stand.machine("w1")
    stand.add()
    stand.master.do(stand.master.fake.remove("w1", True))
    w1.joins = lambda _: "saltern-agent: cannot join: and holds 3 resources for it"
    (added,) = stand.add()

    assert "holds 3 resources" in added.why
    assert w1.running
    assert w1.heard[-3:] == ["stop", "join", "start"]


def test_an_older_agent_is_replaced_and_a_newer_one_stays(stand: Stand) -> None:
    older = stand.machine("w1", installed="0.0.9-1~deb12")
    newer = stand.machine("w2", installed="0.2.0-1~deb12")
    added = stand.add("w1", "w2")

    assert [one.package for one in added] == [DEB, ""]
    assert (older.installed, newer.installed) == ("0.1.0-1~deb12", "0.2.0-1~deb12")


def test_the_token_is_in_nothing_that_anybody_is_told(stand: Stand) -> None:
    stand.machine("w1", joins=lambda _: "saltern-agent: no")
    stand.machine("w2")
    added = stand.add("w1", "w2")

    told = f"{added!r} {stand.told!r}"
    assert len(stand.client.secrets) == 2
    assert not [one for one in stand.client.secrets if one in told]


def test_the_slow_hold_up_nobody(stand: Stand) -> None:
    """Three that wait for one another: one after the other they would never end."""
    together = Barrier(3, timeout=20)
    for name in ("w1", "w2", "w3"):
        made = stand.machine(name)
        joins = made.joins
        made.joins = lambda token, joins=joins: (together.wait(), joins(token))[1]  # type: ignore[misc]

    assert [one.result for one in stand.add("w1", "w2", "w3")] == ["added"] * 3


def test_an_interrupt_ends_what_waits_and_begins_nothing_new(stand: Stand) -> None:
    names = [f"w{number}" for number in range(1, 201)]
    for name in names:
        stand.machine(name, started=lambda: None)

    def interrupted(_added: Added) -> None:
        raise KeyboardInterrupt

    stand.machines["w1"].rise = "none"
    stand.at_end = interrupted
    with pytest.raises(KeyboardInterrupt):
        stand.add(*names)

    assert sum(bool(one.heard) for one in stand.machines.values()) < len(names)


def test_the_librarys_releases_are_what_is_installed(stand: Stand, tmp_path: Path) -> None:
    library, content = Library(tmp_path / "home"), b"a release"
    file = tmp_path / "any.deb"
    file.write_bytes(content)
    release = Release(
        version="0.2.0",
        package="0.2.0-1~deb12",
        python="3.11",
        architecture="amd64",
        sha256=sha256(content).hexdigest(),
        size=len(content),
    )
    library.add_release(release, file)
    stand.packages = packages_of(library)
    w1 = stand.machine("w1")
    (added,) = stand.add()

    assert (added.result, w1.installed) == ("added", "0.2.0-1~deb12")
    assert added.package == "saltern-agent_0.2.0-1~deb12_amd64.deb"


def test_an_empty_library_says_how_a_package_comes_in(tmp_path: Path) -> None:
    with pytest.raises(NoPackagesError, match="saltern releases add"):
        packages_of(Library(tmp_path))


def test_a_library_that_cannot_be_read_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "library.json").write_text("{")
    with pytest.raises(NoPackagesError, match="--package FILE"):
        packages_of(Library(tmp_path))


def test_of_a_directory_what_is_no_package_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / DEB).write_bytes(b"1")
    (tmp_path / "README").write_bytes(b"2")

    assert [one.name for one in packages_at([tmp_path])] == [DEB]
    assert packages_at([tmp_path, tmp_path / DEB]) == packages_at([tmp_path / DEB])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["absent"], "No such file"),
        (["absent.deb"], "No such file"),
        (["README"], "saltern-agent_0.1.0-1~deb12_amd64.deb"),
        (["empty"], "none is in it"),
    ],
)
def test_what_is_no_package_is_told_with_what_would_be_one(
    tmp_path: Path, given: list[str], said: str
) -> None:
    (tmp_path / "README").write_text("no package")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoPackagesError, match="cannot") as caught:
        packages_at([tmp_path / one for one in given])
    assert said in str(caught.value)
