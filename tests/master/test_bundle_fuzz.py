"""Bytes, cuts, insertions and blocks moved about: none of it is taken, none an uncaught error.

A bundle has one form to the byte, so any other byte anywhere makes it another one.
"""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltern_master.bundle import layout
from saltern_master.bundle.head import read_head
from saltern_master.bundle.manifest import BundleError, decode_manifest

from tests.master.bundles import KEY, OTHER, bundle_of, made_library, places, refused, told, wrong
from tests.master.clusters import SMALL

UNSHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give a small bundle that is good."""
    place = tmp_path_factory.mktemp("good")
    bundle_of(made_library(place / "home"), SMALL, place / "file", (KEY, OTHER))
    assert wrong(place / "file") == ()
    return (place / "file").read_bytes()


@pytest.fixture
def file(good: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(good)
    return path


@given(st.data())
@UNSHARED
def test_no_other_byte_is_taken(good: bytes, tmp_path: Path, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != good[at]))
    (tmp_path / "x").write_bytes(good[:at] + bytes([byte]) + good[at + 1 :])
    assert refused(tmp_path / "x")


def test_no_bit_of_head_headers_or_end_is_another(good: bytes, file: Path) -> None:
    """Each seventh byte of what is between the contents, where a reader might skip one."""
    found = places(file)
    at_risk = [*range(found["manifest.json"][0])]
    at_risk += [begin + one for begin, _ in found.values() for one in range(512)]
    chance = random.Random(1)
    for at in at_risk[::7]:
        hurt = bytearray(good)
        hurt[at] ^= 1 << chance.randrange(8)
        file.write_bytes(hurt)
        assert told(file), at


@given(st.data())
@UNSHARED
def test_no_cut_is_taken(good: bytes, tmp_path: Path, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(good) - 1))
    end = data.draw(st.integers(begin + 1, len(good)))
    instead = data.draw(st.binary(max_size=1600).filter(lambda one: one != good[begin:end]))
    (tmp_path / "x").write_bytes(good[:begin] + instead + good[end:])
    assert refused(tmp_path / "x")


@given(st.data())
@UNSHARED
def test_no_blocks_moved_about_are_taken(good: bytes, tmp_path: Path, data: st.DataObject) -> None:
    blocks = [good[at : at + 512] for at in range(0, len(good), 512)]
    at, to = (data.draw(st.integers(0, len(blocks) - 1)) for _ in range(2))
    many = data.draw(st.integers(1, 4))
    how = data.draw(st.sampled_from(["move", "copy", "drop"]))
    taken = blocks[at : at + many]
    moved = blocks[:] if how == "copy" else blocks[:at] + blocks[at + many :]
    moved[to:to] = [] if how == "drop" else taken
    hurt = b"".join(moved)
    (tmp_path / "x").write_bytes(hurt)
    assert hurt == good or refused(tmp_path / "x")


@given(st.binary(max_size=4096))
@UNSHARED
def test_no_noise_is_an_uncaught_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert refused(tmp_path / "x")
    for read in (read_head, decode_manifest):
        with suppress(BundleError):
            read(data)
    layout.read_header(data.ljust(512, b"\0")[:512])
