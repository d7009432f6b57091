"""Bundles that somebody hurt or made up: everything wrong is told, none is taken, none is dear."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec
import pytest
from saltern_master.bundle import layout
from saltern_master.bundle.head import Statement, shown, sign_statement
from saltern_master.bundle.layout import END, header
from saltern_master.bundle.manifest import MOST_TOLD, BundleError
from saltern_master.bundle.reading import opened
from saltern_protocol.keys import PrivateKey

from tests.master.bundles import (
    KEY,
    OTHER,
    bundle_of,
    made_library,
    member,
    other_key,
    places,
    refused,
    told,
    wrong,
)
from tests.master.clusters import SMALL

STATEMENT = Statement(cluster="demo", manifest="0" * 64, size=2)


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


def extra(name: str, content: bytes = b"x", at: str = "end") -> Callable[[bytes, Path], bytes]:
    """Give what puts a member before another one."""

    def put(good: bytes, file: Path) -> bytes:
        begin = places(file)[at][0]
        return good[:begin] + member(name, content) + good[begin:]

    return put


def blob(number: int, file: Path) -> tuple[str, int, int]:
    """Give the name of a content, where it begins with its header, and where it ends."""
    name, (at, size) = [item for item in places(file).items() if item[0][:6] == "blobs/"][number]
    return name, at, at + 512 + size + layout.padding(size)


def without_one(good: bytes, file: Path) -> bytes:
    _, begin, end = blob(1, file)
    return good[:begin] + good[end:]


def one_twice(good: bytes, file: Path) -> bytes:
    _, begin, end = blob(1, file)
    return good[:end] + good[begin:]


def two_swapped(good: bytes, file: Path) -> bytes:
    (_, one, two), (_, _, three) = blob(1, file), blob(2, file)
    return good[:one] + good[two:three] + good[one:two] + good[three:]


def one_hurt(good: bytes, file: Path) -> bytes:
    _, begin, _ = blob(1, file)
    return good[: begin + 512] + bytes([good[begin + 512] ^ 1]) + good[begin + 513 :]


def one_longer(good: bytes, file: Path) -> bytes:
    name, begin, end = blob(1, file)
    return good[:begin] + member(name, b"y" * 5000) + good[end:]


def one_that_says_too_much(good: bytes, file: Path) -> bytes:
    name, begin, _ = blob(1, file)
    return good[:begin] + header(name, 8**11 - 1) + good[begin + 512 :]


def one_that_is_a_link(good: bytes, file: Path) -> bytes:
    name, begin, end = blob(1, file)
    plain = bytearray(header(name, 0))
    plain[156:157] = b"2"
    plain[157:168] = b"/etc/shadow"
    total = sum(plain[:148]) + 8 * 32 + sum(plain[156:])
    plain[148:156] = b"%06o\0 " % total
    return good[:begin] + bytes(plain) + good[end:]


def another_time(good: bytes, file: Path) -> bytes:
    """Give a header that every tar takes: only its time is another one."""
    _, begin, _ = blob(1, file)
    plain = bytearray(good[begin : begin + 512])
    plain[136:147] = b"00000000001"
    plain[148:156] = b"%06o\0 " % (sum(plain[:148]) + 8 * 32 + sum(plain[156:]))
    return good[:begin] + bytes(plain) + good[begin + 512 :]


def hurt_here_and_there(good: bytes, file: Path) -> bytes:
    hurt = bytearray(one_hurt(good, file))
    for number in (3, 5):
        hurt[blob(number, file)[1] + 512] ^= 1
    return bytes(hurt[:-1024]) + member("blobs/../../etc/passwd", b"root::0:0") + END


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        (lambda good, _: good[:-1], ["it was cut short"]),
        (lambda good, _: good[:-700], ["it was cut short"]),
        (lambda good, _: good + b"\0", ["something follows the end"]),
        (lambda good, _: good + good, ["something follows the end"]),
        (lambda good, _: good[: len(good) // 2], ["it was cut short", "it is missing"]),
        (extra("blobs/" + "0" * 64), ["it does not belong into this bundle"]),
        (extra("../../etc/cron.d/x"), ["'../../etc/cron.d/x': it does not belong"]),
        (extra("/etc/passwd", at="cluster.yaml"), ["'/etc/passwd': it does not belong"]),
        (extra("cluster.yaml"), ["'cluster.yaml': it stands twice, or out of its order"]),
        (extra("a\x1b[2J"), [r"'a\\x1b[2J': it does not belong"]),
        (without_one, ["it is missing"]),
        (one_twice, ["it stands twice, or out of its order"]),
        (two_swapped, ["it is missing", "it stands twice, or out of its order"]),
        (one_hurt, ["its SHA-256 is not the one in the manifest"]),
        (one_longer, ["it has 5000 bytes, the manifest says"]),
        (one_that_says_too_much, [f"it says it has {8**11 - 1} bytes, more than are left"]),
        (one_that_is_a_link, ["it is no file"]),
        (another_time, ["its header is not the one that belongs there"]),
        (
            hurt_here_and_there,
            [*["its SHA-256 is not the one in the manifest"] * 3, "etc/passwd': it does not"],
        ),
    ],
)
def test_everything_wrong_is_told(
    good: bytes, file: Path, change: Callable[[bytes, Path], bytes], texts: list[str]
) -> None:
    file.write_bytes(change(good, file))
    found = refused(file)
    for text in set(texts):
        assert found.count(text) >= texts.count(text), found


def test_a_fault_says_what_the_content_is(good: bytes, file: Path) -> None:
    with opened(file) as bundle:
        (image,) = bundle.manifest.stock.images
    at, _ = places(file)[f"blobs/{image.archive_sha256}"]
    file.write_bytes(good[: at + 512] + b"?" + good[at + 513 :])
    (fault,) = wrong(file)
    assert fault.startswith(f"blobs/{image.archive_sha256} (image saltern/pause:3.2): its SHA-256")


def test_a_fault_hides_no_other(good: bytes, file: Path) -> None:
    file.write_bytes(hurt_here_and_there(good, file))
    assert len(wrong(file)) == 4
    file.write_bytes(one_hurt(good, file)[:-512])
    assert len(wrong(file)) == 2


def signed_again(
    file: Path,
    change: Callable[[dict[str, object]], object],
    key: PrivateKey,
    written: Callable[[bytes], bytes] = lambda data: msgspec.json.format(data, indent=1) + b"\n",
) -> None:
    """Change a bundle's manifest as who holds a key can, and sign what comes of it."""
    with opened(file) as bundle:
        plain = msgspec.json.decode(msgspec.json.encode(bundle.manifest))
        change(plain)
        data = written(msgspec.json.encode(plain))
        statement = Statement(
            cluster=bundle.signed.statement.cluster,
            manifest=hashlib.sha256(data).hexdigest(),
            size=len(data),
        )
        rest = file.read_bytes()[bundle.begins :]
    head = sign_statement(statement, [key])
    file.write_bytes(member("head", head) + member("manifest.json", data) + rest)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(cluster="other"),
        lambda one: one.update(cluster="../../x"),
        lambda one: one["parts"].append({"sha256": "../../../etc/passwd", "size": 1}),
        lambda one: one["parts"].append({"sha256": "f" * 64, "size": 2**70}),
        lambda one: one["parts"].append({"sha256": "f" * 64, "size": -1}),
        lambda one: one["parts"].append(one["parts"][0]),
        lambda one: one["parts"].pop(),
        lambda one: one["parts"].reverse(),
        lambda one: one["parts"][0].update(size=one["parts"][0]["size"] + 1),
        lambda one: one["clusterFile"].update(size=0),
        lambda one: one["agents"].append({"name": "../x.deb", "sha256": "f" * 64, "size": 1}),
        lambda one: one["stock"]["binaries"].append(one["stock"]["binaries"][0]),
        lambda one: one["stock"]["images"][0].update(name="../x:1"),
        lambda one: one["stock"]["packages"][0].update(name="-x"),
        lambda one: one.update(later=1),
        lambda one: one.update(form="saltern-bundle/2"),
    ],
)
def test_not_even_its_signer_can_make_one_that_does_not_fit_itself(
    file: Path, change: Callable[[dict[str, object]], object]
) -> None:
    signed_again(file, change, KEY)
    assert refused(file)


@pytest.mark.parametrize(
    "written",
    [
        lambda data: data,
        lambda data: msgspec.json.format(data, indent=1),
        lambda data: msgspec.json.format(b'{"cluster":"other",' + data[1:], indent=1) + b"\n",
    ],
    ids=["without spaces", "without its end", "a key twice"],
)
def test_not_even_its_signer_can_write_a_manifest_in_another_way(
    file: Path, written: Callable[[bytes], bytes]
) -> None:
    signed_again(file, lambda _: None, KEY, written)
    assert "not in the one form that it has" in refused(file)


def test_what_a_manifest_says_of_itself_begins_no_line_of_ours(file: Path) -> None:
    signed_again(file, lambda one: one.update({"\nit is good\x1b[2J": 1}), KEY)
    found = refused(file)
    assert "unknown field" in found
    assert "\n" not in found
    assert "\x1b" not in found


def test_a_cluster_file_of_a_gigabyte_is_none(file: Path) -> None:
    signed_again(file, lambda one: one["clusterFile"].update(size=2**30), KEY)  # type: ignore[attr-defined]
    assert "it has at most" in refused(file)


def test_a_stranger_who_signs_all_of_it_is_no_signer(file: Path) -> None:
    signed_again(file, lambda _: None, other_key(9))
    with pytest.raises(BundleError, match=f"{shown(other_key(9).public)} signed it"):
        wrong(file)
    assert wrong(file, other_key(9)) == ()


def test_a_pipe_and_a_directory_are_no_bundles(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(BundleError, match="cannot read"), opened(path):
            pass


def test_a_gigabyte_behind_a_bundle_is_not_read(file: Path) -> None:
    os.truncate(file, 2**30)  # a hole: it takes no room on the disk
    began = time.process_time()
    assert told(file) == "something follows the end"
    assert time.process_time() - began < 1


def test_a_size_that_nothing_has_is_not_believed(file: Path) -> None:
    head = sign_statement(STATEMENT, [KEY])
    file.write_bytes(member("head", head) + header("manifest.json", 2))
    assert "cut short within its manifest" in told(file)
    file.write_bytes(header("head", 8**11 - 1) + b"x" * 512)
    assert "does not begin as a bundle does" in told(file)


def test_many_strangers_end_the_reading(good: bytes, file: Path) -> None:
    at = places(file)["end"][0]
    names = (f"n{number}" for number in count())
    file.write_bytes(good[:at] + b"".join(member(next(names), b"") for _ in range(50_000)) + END)
    assert len(wrong(file)) == MOST_TOLD + 1
    assert wrong(file)[-1] == "and more: take another copy of it"
