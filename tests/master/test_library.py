"""The library: blobs by hash, an index that never points at nothing, many writers, crashes."""

from __future__ import annotations

import fcntl
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from saltern_master.library import (
    Binary,
    BlobError,
    Deb,
    Image,
    Index,
    Library,
    LibraryError,
    MissingError,
)

NOWHERE = "0" * 64


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


def written(path: Path, content: bytes) -> tuple[Path, str]:
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


def kubelet(sha256: str, version: str = "1.20.2", component: str = "kubelet") -> Binary:
    return Binary(
        version=version,
        component=component,
        architecture="amd64",
        sha256=sha256,
        size=3,
        origin="directory",
    )


def deb(package: str, sha256: str, version: str = "1.0-1") -> Deb:
    return Deb(package=package, version=version, architecture="amd64", sha256=sha256, size=3)


def left_over(library: Library) -> list[str]:
    return sorted(path.name for path in (library.home / "blobs").glob(".adding-*"))


def test_a_blob_is_found_by_its_hash_and_cannot_be_written(
    library: Library, tmp_path: Path
) -> None:
    source, sha256 = written(tmp_path / "source", b"content")

    assert library.add_blob(source) == sha256

    assert library.path(sha256).read_bytes() == b"content"
    assert library.path(sha256).stat().st_mode & 0o222 == 0
    assert left_over(library) == []


def test_what_is_written_to_the_source_later_does_not_reach_the_blob(
    library: Library, tmp_path: Path
) -> None:
    source, sha256 = written(tmp_path / "source", b"before")
    library.add_blob(source)
    with source.open("r+b") as again:
        again.write(b"after!")

    assert library.path(sha256).read_bytes() == b"before"


def test_an_adopted_file_shares_its_blocks(library: Library, tmp_path: Path) -> None:
    source, sha256 = written(tmp_path / "source", b"content")
    assert library.adopt_blob(source) == library.adopt_blob(source) == sha256

    assert library.path(sha256).samefile(source)
    assert left_over(library) == []


def test_an_adopted_link_is_followed(library: Library, tmp_path: Path) -> None:
    source, sha256 = written(tmp_path / "source", b"content")
    (tmp_path / "link").symlink_to(source)

    assert library.adopt_blob(tmp_path / "link") == sha256
    assert not library.path(sha256).is_symlink()


@pytest.mark.parametrize("add", [Library.add_blob, Library.adopt_blob])
def test_content_that_is_not_the_expected_is_refused(
    library: Library, tmp_path: Path, add: object
) -> None:
    source, sha256 = written(tmp_path / "source", b"content")
    assert callable(add)
    with pytest.raises(BlobError, match=rf"cannot add .*source.* {sha256}, expected {NOWHERE}"):
        add(library, source, NOWHERE)

    assert [path.name for path in (library.home / "blobs").iterdir()] == [".lock"]


def test_adding_heals_a_damaged_blob(library: Library, tmp_path: Path) -> None:
    source, sha256 = written(tmp_path / "source", b"content")
    library.add_blob(source)
    library.path(sha256).chmod(0o644)
    library.path(sha256).write_bytes(b"rotten")

    library.add_blob(source)

    assert library.path(sha256).read_bytes() == b"content"


def test_what_a_crash_left_is_swept_by_the_next_who_adds(library: Library, tmp_path: Path) -> None:
    source, _ = written(tmp_path / "source", b"content")
    library.add_blob(source)
    written(library.home / "blobs/.adding-0123456789abcdef", b"con")

    library.add_blob(source)

    assert left_over(library) == []


def test_what_another_is_adding_at_this_moment_is_not_swept(
    library: Library, tmp_path: Path
) -> None:
    source, _ = written(tmp_path / "source", b"content")
    library.add_blob(source)
    written(library.home / "blobs/.adding-0123456789abcdef", b"con")
    with (library.home / "blobs/.lock").open() as another:
        fcntl.flock(another, fcntl.LOCK_SH)
        library.add_blob(source)

    assert left_over(library) == [".adding-0123456789abcdef"]


def test_many_writers_lose_nothing(library: Library, tmp_path: Path) -> None:
    def add(number: int) -> None:
        source, sha256 = written(tmp_path / f"source{number}", b"%d" % (number % 5))
        library.add_blob(source)
        library.add_binary(kubelet(sha256, version=f"1.{number}.0"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))

    versions = [binary.version for binary in library.list().binaries]
    assert versions == [f"1.{number}.0" for number in range(40)]
    assert {binary.sha256 for binary in library.list().binaries} == {
        path.name for path in (library.home / "blobs").glob("[0-9a-f]*")
    }
    assert left_over(library) == []


def test_an_absent_library_is_empty(library: Library) -> None:
    assert library.list() == Index()


def test_the_index_does_not_name_what_is_not_there(library: Library) -> None:
    with pytest.raises(MissingError, match=f"cannot find blob {NOWHERE}"):
        library.add_binary(kubelet(NOWHERE))
    assert library.list() == Index()


def test_a_newer_binary_takes_the_place_of_the_older(library: Library, tmp_path: Path) -> None:
    first = library.add_blob(written(tmp_path / "one", b"one")[0])
    second = library.add_blob(written(tmp_path / "two", b"two")[0])
    library.add_binary(kubelet(first))
    library.add_binary(kubelet(second))

    assert library.binary("1.20.2", "kubelet").sha256 == second
    assert library.path(first).is_file()  # an older document may still name it


def test_what_is_missing_says_how_it_comes(library: Library) -> None:
    with pytest.raises(MissingError, match=r"kubelet 1\.20\.2.*run: saltern binaries add 1\.20\.2"):
        library.binary("1.20.2", "kubelet")
    with pytest.raises(MissingError, match=r"saltern/echo:1.*run: saltern images add"):
        library.image("saltern/echo:1")
    with pytest.raises(MissingError, match=r"docker\.io.*run: saltern packages add docker\.io"):
        library.packages("docker.io")


def test_an_image_is_found_by_its_name(library: Library, tmp_path: Path) -> None:
    archive = library.add_blob(written(tmp_path / "image.tar", b"tar")[0])
    image = Image(name="saltern/echo:1", config_digest=NOWHERE, archive_sha256=archive, size=3)
    library.add_image(image)

    assert library.image("saltern/echo:1") == image
    assert Library(library.home).list() == Index(images=(image,))


def test_a_package_comes_with_what_it_needs(library: Library, tmp_path: Path) -> None:
    one, first = written(tmp_path / "one.deb", b"one")
    two, second = written(tmp_path / "two.deb", b"two")
    library.add_package_set(
        "docker.io", [(deb("runc", first), one), (deb("docker.io", second), two)]
    )

    assert library.packages("docker.io") == (deb("docker.io", second), deb("runc", first))
    assert library.path(first).read_bytes() == b"one"


def test_a_package_set_with_one_wrong_file_does_not_come_in(
    library: Library, tmp_path: Path
) -> None:
    one, first = written(tmp_path / "one.deb", b"one")
    with pytest.raises(BlobError, match=r"cannot add .*one\.deb"):
        library.add_package_set("docker.io", [(deb("runc", first), one), (deb("a", NOWHERE), one)])
    assert library.list() == Index()


def test_what_could_not_be_read_again_is_not_written(library: Library, tmp_path: Path) -> None:
    one, first = written(tmp_path / "one.deb", b"one")
    with pytest.raises(LibraryError, match=r"cannot write .*version"):
        library.add_package_set("runc", [(deb("runc", first, version="not a version"), one)])
    assert library.list() == Index()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(b'{"format": "saltern-lib', "truncated", id="cut off"),
        pytest.param(b'{"format": "saltern-library/9"}', "saltern-library/9", id="newer format"),
        pytest.param(b'{"blobs": []}', "unknown field `blobs`", id="unknown field"),
    ],
)
def test_an_index_that_is_not_understood_is_no_empty_library(
    library: Library, content: bytes, found: str
) -> None:
    library.home.mkdir()
    (library.home / "library.json").write_bytes(content)
    with pytest.raises(LibraryError, match=rf"cannot read .*library\.json: .*{re.escape(found)}"):
        library.list()


def test_what_a_crash_left_of_the_index_does_no_harm(library: Library, tmp_path: Path) -> None:
    sha256 = library.add_blob(written(tmp_path / "one", b"one")[0])
    library.add_binary(kubelet(sha256))
    written(library.home / ".library.json-0123456789abcdef", b'{"form')

    library.add_binary(kubelet(sha256, component="kubectl"))

    assert [binary.component for binary in library.list().binaries] == ["kubectl", "kubelet"]
    assert list(library.home.glob(".library.json-*")) == []


@pytest.mark.parametrize("name", ["", "../library.json", NOWHERE + "\n", NOWHERE.upper() + "A"])
def test_only_a_hash_names_a_blob(library: Library, name: str) -> None:
    with pytest.raises(BlobError, match="cannot name a blob"):
        library.path(name)


def test_many_come_at_once_and_what_is_here_is_not_written_again(library: Library) -> None:
    contents = [f"body {number}".encode() for number in range(50)]
    library.ensure_all(contents[:10])
    names = [hashlib.sha256(one).hexdigest() for one in contents]
    before = library.path(names[0]).stat().st_ino

    library.ensure_all([*contents, contents[-1]])
    library.ensure_all(())

    assert [library.path(name).read_bytes() for name in names] == contents
    assert library.path(names[0]).stat().st_ino == before
    assert {library.path(name).stat().st_mode & 0o777 for name in names} == {0o444}
    assert left_over(library) == []


def test_of_many_that_cannot_all_come_nothing_half_is_left(library: Library) -> None:
    library.ensure_all([b"one"])
    (library.home / "blobs" / hashlib.sha256(b"two").hexdigest()).mkdir()

    with pytest.raises(BlobError, match="cannot add 2 blobs"):
        library.ensure_all([b"two", b"three"])

    assert left_over(library) == []
