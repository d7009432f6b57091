"""Who a node is: pinned once, by somebody who means it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.control import AskPlan
from saltern_agent.events import End
from saltern_agent.places import (
    Lock,
    Master,
    Places,
    SettingsError,
    keep_master,
    pin,
    read_identity,
    read_master,
)
from saltern_agent.running import run_agent, work_here
from saltern_protocol import testing
from saltern_protocol.documents import encode_identity

IDENTITY = encode_identity(testing.IDENTITY)
MASTER = Master(addresses=("10.0.0.1",), link_port=6555, server=bytes(range(32)))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "etc", tmp_path / "state", tmp_path / "run")


def test_what_was_pinned_is_read_back_and_only_root_may_read_it(places: Places) -> None:
    assert pin(places, IDENTITY) == testing.IDENTITY
    assert read_identity(places) == testing.IDENTITY
    assert places.identity.stat().st_mode & 0o777 == 0o600


def test_the_same_may_be_pinned_again_and_another_may_not(places: Places) -> None:
    pin(places, IDENTITY)
    pin(places, IDENTITY)

    with pytest.raises(SettingsError, match="has an identity already"):
        pin(places, encode_identity(replace(testing.IDENTITY, node="w2")))
    assert read_identity(places) == testing.IDENTITY


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        IDENTITY[:-1],
        encode_identity(replace(testing.IDENTITY, root=testing.signed_root(testing.ROOT, ()))),
    ],
    ids=["empty", "nonsense", "cut off", "root that nobody signed"],
)
def test_what_is_no_identity_is_refused(places: Places, data: bytes) -> None:
    with pytest.raises(SettingsError, match="cannot pin this file"):
        pin(places, data)
    assert not places.identity.exists()


def test_where_the_master_is_can_change(places: Places) -> None:
    assert read_master(places) is None
    keep_master(places, MASTER)
    moved = replace(MASTER, addresses=("10.0.0.2", "master.example"))
    keep_master(places, moved)
    assert read_master(places) == moved
    assert places.master.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in places.config.iterdir()] == ["master"]


@pytest.mark.parametrize("data", [b"", b"nonsense", IDENTITY, bytes(20_000)])
def test_a_master_that_nobody_can_read_is_told(places: Places, data: bytes) -> None:
    places.config.mkdir()
    places.master.write_bytes(data)
    with pytest.raises(SettingsError, match="join TOKEN"):
        read_master(places)


def test_nothing_is_written_through_a_symlink_that_stands_in_the_way(
    places: Places, tmp_path: Path
) -> None:
    places.config.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (places.config / ".saltern-identity").symlink_to(victim)
    pin(places, IDENTITY)
    assert victim.read_text() == "untouched"
    assert not places.identity.is_symlink()


def test_without_an_identity_it_says_how_to_get_one(places: Places) -> None:
    with pytest.raises(SettingsError, match="saltern-agent pin"):
        read_identity(places)


def test_a_place_that_cannot_be_written_is_told_and_what_to_do(
    tmp_path: Path, places: Places
) -> None:
    pin(places, IDENTITY)
    (tmp_path / "state").write_text("a file, where no directory can be made: not even by root")

    with pytest.raises(SettingsError, match=r"cannot work on this node: .* free space"):
        Lock(places)
    with pytest.raises(SettingsError, match="cannot work on this node"):
        list(work_here(places, AskPlan()))
    with pytest.raises(SettingsError, match="cannot work on this node"):
        run_agent(places)


def test_a_journal_that_cannot_be_read_refuses_a_command_in_one_line(places: Places) -> None:
    pin(places, IDENTITY)
    places.state.mkdir(mode=0o700)
    places.journal.write_bytes(b"this is no database" * 100)
    places.journal.chmod(0o600)

    (end,) = work_here(places, AskPlan())

    assert isinstance(end, End)
    assert end.error.startswith(f"cannot open the journal {places.journal}: ")


def test_one_process_at_a_time(places: Places) -> None:
    first = Lock(places)
    with pytest.raises(SettingsError, match="another saltern-agent does"):
        Lock(places)
    first.release()
    Lock(places).release()
