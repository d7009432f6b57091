"""Bundles: that one fits itself, that it is the same each time, and that a tar lists it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from saltern_master.bundle.create import add_key, create, plan
from saltern_master.bundle.layout import file_size, header
from saltern_master.bundle.manifest import (
    BundleError,
    Manifest,
    Part,
    decode_manifest,
    encode_manifest,
)
from saltern_master.bundle.needs import Contents
from saltern_master.bundle.reading import opened
from saltern_master.library import Index, Library

from tests.master.bundles import (
    KEY,
    OTHER,
    OWN_RESOURCE,
    bundle_of,
    chosen,
    made_library,
    nothing,
    other_key,
    places,
    wrong,
)
from tests.master.clusters import CONTROLLED, FULL, SMALL

GOLDEN = Path(__file__).parents[1] / "golden/bundle/small.bundle"
ALL = {"small": SMALL, "full": FULL, "controlled": CONTROLLED, "own": SMALL + OWN_RESOURCE}
EACH = pytest.mark.parametrize("text", ALL.values(), ids=ALL)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return made_library(tmp_path / "home")


@EACH
def test_the_same_content_and_key_are_the_same_bytes(library: Library, text: str) -> None:
    bundle_of(library, text, library.home / "a")
    again = made_library(library.home.parent / "another" / "home")
    bundle_of(again, text, library.home / "b")
    assert (library.home / "a").read_bytes() == (library.home / "b").read_bytes()
    assert wrong(library.home / "a") == ()


def test_the_order_of_keys_and_packages_changes_nothing(library: Library, tmp_path: Path) -> None:
    files = [tmp_path / f"saltern-agent_0.1.0-1~deb{n}_amd64.deb" for n in (12, 13)]
    for file in files:
        file.write_text(file.name)
    bundle_of(library, SMALL, tmp_path / "a", (KEY, OTHER), files)
    bundle_of(library, SMALL, tmp_path / "b", (OTHER, KEY), files[::-1])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_signature_that_comes_later_makes_the_same_file(library: Library, tmp_path: Path) -> None:
    bundle_of(library, SMALL, tmp_path / "a", (KEY, OTHER, other_key(7)))
    bundle_of(library, SMALL, tmp_path / "b", (other_key(7),))
    for key in (OTHER, KEY):
        with opened(tmp_path / "b") as bundle:
            add_key(bundle, tmp_path / "b", key)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with opened(tmp_path / "b") as bundle, pytest.raises(BundleError, match="has signed already"):
        add_key(bundle, tmp_path / "b", KEY)
    assert sorted(one.name for one in tmp_path.iterdir() if "bundle" in one.name) == []


def test_a_tar_lists_and_unpacks_it(library: Library, tmp_path: Path) -> None:
    manifest = bundle_of(library, CONTROLLED, tmp_path / "file")
    command = ["/usr/bin/tar", "--list", "--verbose", "--file", str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    names = [line.split()[-1] for line in done.stdout.splitlines()]
    assert done.stderr == ""
    assert names[:3] == ["head", "manifest.json", "cluster.yaml"]
    assert names[3:] == [f"blobs/{part.sha256}" for part in manifest.parts]
    with tarfile.open(tmp_path / "file", "r:") as tar:
        for one in tar.getmembers()[3:]:
            content = tar.extractfile(one)
            assert content is not None
            assert hashlib.sha256(content.read()).hexdigest() == one.name[6:]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 8**11 - 1])
def test_a_header_is_one_that_tar_reads(size: int) -> None:
    info = tarfile.TarInfo.frombuf(header("blobs/x", size), "ascii", "strict")
    assert (info.name, info.size, info.mode, info.mtime) == ("blobs/x", size, 0o444, 0)
    assert info.isreg()
    info = tarfile.TarInfo("manifest.json")
    info.mode, info.size = 0o444, size
    theirs = info.tobuf(tarfile.USTAR_FORMAT)
    assert (
        theirs[:148] + theirs[156:329]
        == header(info.name, size)[:148] + header(info.name, size)[156:329]
    )


def test_a_bundle_of_the_first_release_is_good_and_made_the_same(
    library: Library, tmp_path: Path
) -> None:
    """SALTERN_GOLDEN=write makes it anew: then no bundle that people have is taken any more."""
    library.add_bytes(b"")
    own = tuple(sorted(library.add_bytes(data) for data in (b"", b"x", b"y" * 512)))
    stock = chosen(library, SMALL).stock
    some = msgspec.structs.replace(stock, packages=stock.packages[:2])
    planned = plan("demo", SMALL.encode(), Contents(some, own, ()), (), library)
    create(planned, [KEY, OTHER], tmp_path / "file", nothing)
    if os.environ.get("SALTERN_GOLDEN") == "write":
        GOLDEN.write_bytes((tmp_path / "file").read_bytes())
    assert GOLDEN.read_bytes() == (tmp_path / "file").read_bytes()
    assert wrong(GOLDEN) == ()


def test_its_size_is_known_before(library: Library, tmp_path: Path) -> None:
    manifest = bundle_of(library, FULL, tmp_path / "file")
    found = places(tmp_path / "file")
    sizes = (found["head"][1], found["manifest.json"][1])
    assert file_size(*sizes, manifest) == (tmp_path / "file").stat().st_size


def test_a_content_that_is_damaged_makes_no_bundle(library: Library, tmp_path: Path) -> None:
    sha256 = chosen(library, SMALL).stock.images[0].archive_sha256
    path = library.path(sha256)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(BundleError, match="it is damaged"):
        bundle_of(library, SMALL, tmp_path / "file")
    path.write_bytes(b"short")
    with pytest.raises(BundleError, match="has 5 bytes and its entry says"):
        bundle_of(library, SMALL, tmp_path / "file")
    assert [one.name for one in tmp_path.iterdir() if one.suffix != ".deb"] == ["home"]


def test_what_is_there_is_not_overwritten(library: Library, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BundleError, match="is not overwritten"):
        bundle_of(library, SMALL, tmp_path / "file")
    with pytest.raises(BundleError, match="is no directory"):
        bundle_of(library, SMALL, tmp_path / "nowhere" / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_packages_of_ours_alone_come_along(library: Library, tmp_path: Path) -> None:
    good = tmp_path / "saltern-agent_0.1.0-1_amd64.deb"
    good.write_text("a package")
    bad = tmp_path / "vim_9.deb"
    bad.write_text("another's")
    manifest = bundle_of(library, SMALL, tmp_path / "file", agents=[good])
    assert [one.name for one in manifest.agents] == [good.name]
    with pytest.raises(BundleError) as caught:
        bundle_of(library, SMALL, tmp_path / "other", agents=[good, bad, good, tmp_path / "no"])
    assert len(caught.value.reasons) == 4  # no such file, two names, one twice


def manifest_of(library: Library, tmp_path: Path) -> Manifest:
    return bundle_of(library, SMALL + OWN_RESOURCE, tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda m: {"parts": m.parts[::-1]}, "parts: one stands twice, or out of its order"),
        (lambda m: {"parts": (m.parts[0], *m.parts)}, "parts: one stands twice"),
        (lambda m: {"parts": m.parts[1:]}, "is not among the parts"),
        (lambda m: {"own": (*m.own, "1" * 64)}, "own: one stands twice, or out of its order"),
        (lambda m: {"own": ()}, "parts: nothing names"),
        (lambda m: {"own": ("0" * 64, *m.own)}, f"own: {'0' * 64} is not among the parts"),
        (lambda m: {"stock": Index()}, "parts: nothing names"),
        (
            lambda m: {"stock": msgspec.structs.replace(m.stock, packages=m.stock.packages[::-1])},
            "stock: an entry stands twice, or out of its order",
        ),
        (lambda m: {"cluster": "../x"}, "cannot read the manifest"),
    ],
)
def test_a_manifest_fits_itself(
    library: Library, tmp_path: Path, change: object, fault: str
) -> None:
    manifest = manifest_of(library, tmp_path)
    assert callable(change)
    changed = msgspec.structs.replace(manifest, **change(manifest))
    with pytest.raises(BundleError, match=re.escape(fault)):
        encode_manifest(changed)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"form":"saltern-bundle/2"}',
        b" " * (4 * 1024 * 1024 + 1),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="cannot read"):
        decode_manifest(data)


def test_a_version_of_ten_thousand_digits_is_a_fault(library: Library, tmp_path: Path) -> None:
    manifest = manifest_of(library, tmp_path)
    one = msgspec.structs.replace(manifest.stock.binaries[0], version="9" * 10_000 + ".1.1")
    stock = msgspec.structs.replace(manifest.stock, binaries=(one,))
    with pytest.raises(BundleError, match="out of its order"):
        encode_manifest(msgspec.structs.replace(manifest, stock=stock))


def test_what_is_too_large_for_the_form_is_refused(library: Library, tmp_path: Path) -> None:
    manifest = manifest_of(library, tmp_path)
    part = msgspec.structs.replace(manifest.parts[0], size=8**11)
    with pytest.raises(BundleError, match="cannot read the manifest"):
        encode_manifest(msgspec.structs.replace(manifest, parts=(part, *manifest.parts[1:])))


def test_a_disk_without_room_is_told_before(library: Library, tmp_path: Path) -> None:
    planned = plan("demo", SMALL.encode(), chosen(library, SMALL), (), library)
    names = tuple(f"{number:064x}" for number in range(4000))
    parts = {part.sha256: part for part in planned.manifest.parts}
    parts |= {name: Part(sha256=name, size=8**11 - 1) for name in names}  # 32 TiB together
    manifest = msgspec.structs.replace(
        planned.manifest, own=names, parts=tuple(parts[name] for name in sorted(parts))
    )
    with pytest.raises(BundleError, match=r"bytes are to come and .* are free; make room"):
        create(replace(planned, manifest=manifest), [KEY], tmp_path / "file", nothing)
    assert {one.name for one in tmp_path.iterdir() if one.suffix != ".deb"} == {"home"}
