"""Who a node is: pinned once, by somebody who means it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.places import Lock, Places, SettingsError, pin, read_identity
from saltern_protocol import testing
from saltern_protocol.documents import encode_identity

IDENTITY = encode_identity(testing.IDENTITY)


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


def test_without_an_identity_it_says_how_to_get_one(places: Places) -> None:
    with pytest.raises(SettingsError, match="saltern-agent pin"):
        read_identity(places)


def test_one_process_at_a_time(places: Places) -> None:
    first = Lock(places)
    with pytest.raises(SettingsError, match="another saltern-agent does"):
        Lock(places)
    first.release()
    Lock(places).release()
