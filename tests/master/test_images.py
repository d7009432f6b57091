"""Image archives: the same bytes for the same input, readable by others, nothing half-written."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.images import File, ImageConfig, ImageError, read_image, write_image
from saltern_master.images.config import full_name
from saltern_master.images.tree import layout, write_layer

GOLDEN = Path(__file__).parent.parent / "golden" / "images"
FILES = (
    File("/usr/bin/serve", b"\x7fELF, let us say", 0o755),
    File("/etc/motd", b"welcome\n"),
    File("/usr/share/" + "d" * 60 + "/" + "f" * 60, b"a name beyond 100 bytes"),
)
CONFIG = ImageConfig(
    entrypoint=("/usr/bin/serve",),
    command=("--port", "80"),
    environment={"PATH": "/usr/bin", "LANG": "C.UTF-8"},
    user="65534:65534",
    working_directory="/etc",
)

names = st.text(st.characters(exclude_characters="/", exclude_categories=["C"]), min_size=1).filter(
    lambda name: name not in {".", ".."}
)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
trees = st.dictionaries(paths, st.binary(max_size=2000), max_size=6).filter(
    lambda tree: not any(other.startswith(f"{path}/") for path in tree for other in tree)
)


def members(archive: bytes) -> dict[str, bytes | None]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {}
        for info in tar.getmembers():
            content = tar.extractfile(info)
            found[info.name] = None if content is None else content.read()
        return found


def described(archive: bytes) -> str:
    """Say everything of a tar archive's headers, in their order."""
    lines = []
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for info in tar.getmembers():
            kind = "d" if info.isdir() else "-"
            owner = f"{info.uid}:{info.gid}:{info.uname}:{info.gname}"
            lines.append(f"{kind} {info.mode:04o} {owner} {info.mtime} {info.size} {info.name}\n")
    return "".join(lines)


@pytest.fixture
def golden_archive(tmp_path: Path) -> bytes:
    path = tmp_path / "image.tar"
    write_image(path, "example/serve:1", FILES, CONFIG)
    return path.read_bytes()


def test_the_bytes_are_those_of_the_golden_file(golden_archive: bytes) -> None:
    assert described(golden_archive) == (GOLDEN / "archive.txt").read_text()
    assert hashlib.sha256(golden_archive).hexdigest() == (GOLDEN / "sha256.txt").read_text().strip()


@pytest.mark.parametrize("part", ["index.json", "manifest.json"])
def test_the_parts_with_names_are_golden(golden_archive: bytes, part: str) -> None:
    assert members(golden_archive)[part] == (GOLDEN / part).read_bytes()


def test_the_config_and_the_layer_are_golden(golden_archive: bytes) -> None:
    parts = members(golden_archive)
    [manifest] = json.loads(parts["manifest.json"] or b"")
    assert parts[manifest["Config"]] == (GOLDEN / "config.json").read_bytes()
    layer = parts[manifest["Layers"][0]]
    assert layer is not None
    assert described(layer) == (GOLDEN / "layer.txt").read_text()


def test_every_digest_is_that_of_its_content(golden_archive: bytes) -> None:
    parts = members(golden_archive)
    for name, content in parts.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(content or b"").hexdigest() == name.rpartition("/")[2]
    index = json.loads(parts["index.json"] or b"")
    [manifest] = index["manifests"]
    blob = parts["blobs/sha256/" + manifest["digest"].removeprefix("sha256:")]
    assert blob is not None
    assert len(blob) == manifest["size"]
    named = json.loads(blob)
    for part in [named["config"], *named["layers"]]:
        content = parts["blobs/sha256/" + part["digest"].removeprefix("sha256:")]
        assert content is not None
        assert len(content) == part["size"]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    written = write_image(path, "example/serve:1", FILES, CONFIG)

    assert read_image(path) == written
    assert written.archive_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [left.name for left in tmp_path.iterdir()] == ["image.tar"]


@given(tree=trees)
def test_any_files_give_a_valid_tar_and_the_same_one_twice(tree: dict[str, bytes]) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    write_layer(first, [File(path, content) for path, content in tree.items()])
    write_layer(second, [File(path, content) for path, content in reversed(tree.items())])

    found = members(first.getvalue())
    files = {f"/{name}": content for name, content in found.items() if content is not None}
    assert files == tree
    assert first.getvalue() == second.getvalue()
    order = list(found)
    for name in order:
        parent = name.rpartition("/")[0]
        assert not parent or order.index(parent) < order.index(name)


def test_a_file_of_the_host_gives_its_content_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content" * 100_000)
    source.chmod(0o600)
    from_host, from_memory = io.BytesIO(), io.BytesIO()
    write_layer(from_host, [File("/program", source, 0o755)])
    write_layer(from_memory, [File("/program", source.read_bytes(), 0o755)])

    assert from_host.getvalue() == from_memory.getvalue()


def test_wrong_paths_are_all_told() -> None:
    wrong = ["relative", "/a/../b", "/a//b", "/a/", "/", "", "/a/./b", "/line\nbreak"]
    with pytest.raises(ImageError) as caught:
        layout([File(path, b"") for path in [*wrong, "/x", "/x", "/y", "/y/z"]])

    text = str(caught.value)
    for path in wrong:
        assert f"{path!r} is not a plain absolute path" in text
    assert "'/x' is there twice" in text
    assert "'/y' is a file and a directory" in text


@pytest.mark.parametrize("name", ["echo", "Saltern/echo:1", "saltern/echo:", "a b:1", "x:1\n", ""])
def test_a_name_has_a_tag(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match="cannot name an image"):
        write_image(tmp_path / "image.tar", name, FILES, CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_gone_leaves_nothing_half_written(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"cannot read .*absent for /program"):
        write_image(
            tmp_path / "image.tar", "a/b:1", [File("/program", tmp_path / "absent")], CONFIG
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        pytest.param({}, "manifest.json", id="no manifest"),
        pytest.param({"manifest.json": b"[]"}, "0 images", id="no image"),
        pytest.param(
            {"manifest.json": b'[{"Config": "c", "RepoTags": ["a:1", "b:1"]}]'},
            "1 images with 2 names",
            id="two names",
        ),
        pytest.param(
            {"manifest.json": b'[{"Config": "c", "RepoTags": ["a:1"]}]'}, "'c'", id="no config"
        ),
        pytest.param({"manifest.json": b"[{"}, "truncated", id="no JSON"),
    ],
)
def test_an_archive_that_is_no_image_is_told(
    tmp_path: Path, parts: dict[str, bytes], found: str
) -> None:
    with (tmp_path / "image.tar").open("wb") as output:
        write_layer(output, [File(f"/{name}", content) for name, content in parts.items()])
    with pytest.raises(ImageError, match=rf"cannot read .*image\.tar.*{found}"):
        read_image(tmp_path / "image.tar")


def test_what_is_no_tar_is_told(tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"hello")
    with pytest.raises(ImageError, match="as an image archive"):
        read_image(tmp_path / "image.tar")


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("echo:1", "docker.io/library/echo:1"),
        ("saltern/echo:1", "docker.io/saltern/echo:1"),
        ("registry.example/echo:1", "registry.example/echo:1"),
        ("localhost/echo:1", "localhost/echo:1"),
    ],
)
def test_full_name(name: str, full: str) -> None:
    assert full_name(name) == full
