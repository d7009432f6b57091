"""What an archive may not hold, and that links inside it are kept as they are."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltern_agent.host import archive
from saltern_states.ports import HostError, Tree

from tests.contracts.grounds import GROUP, OWNER, DiskGround
from tests.contracts.grounds import archive as archive_of

PATH = Path("/opt/tree")


def member(name: str, type_: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = type_, target, 0o644
    return info


def packed(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for each in members:
            tar.addfile(each)
    return buffer.getvalue()


@pytest.fixture
def ground(tmp_path: Path) -> DiskGround:
    ground = DiskGround(tmp_path)
    ground.put_directory("/opt")
    return ground


def unpack(ground: DiskGround, content: bytes) -> Tree | None:
    blob = ground.put_blob(content)
    ground.trees.unpack(PATH, ground.trees.look(PATH), blob, 0o755, OWNER, GROUP)
    return ground.trees.look(PATH)


SYM, LNK, DIR = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


@pytest.mark.parametrize(
    ("members", "why"),
    [
        pytest.param([member("a", tarfile.CHRTYPE)], "is no file, directory or link", id="device"),
        pytest.param([member("a", tarfile.FIFOTYPE)], "is no file, directory or link", id="fifo"),
        pytest.param([member("a", SYM, "/etc/shadow")], "leads out", id="absolute link"),
        pytest.param([member("a", SYM, "../x")], "leads out", id="link climbs"),
        pytest.param([member("d/a", SYM, "../../x")], "leads out", id="link climbs too high"),
        pytest.param([member("d/a", SYM, "b/../../../x")], "leads out", id="climbs after going in"),
        pytest.param(
            [member("d/l", SYM, ".."), member("m", SYM, "d/l/../x")], "leads out", id="by another"
        ),
        pytest.param([member("a", SYM, "")], "leads out", id="empty link"),
        pytest.param(
            [member("a", SYM, "b"), member("a/c")], "lies below a, which is a symlink", id="through"
        ),
        pytest.param(
            [member("a"), member("a/c")], "lies below a, which is a file", id="below file"
        ),
        pytest.param([member("a"), member("a")], "comes twice", id="twice"),
        pytest.param([member("a", SYM, "b"), member("a")], "comes twice", id="over a link"),
        pytest.param([member("a"), member("a", DIR)], "comes twice", id="directory over a file"),
        pytest.param([member("a", LNK, "/etc/shadow")], "no earlier file", id="hard link out"),
        pytest.param([member("a", LNK, "b"), member("b")], "no earlier file", id="link forwards"),
        pytest.param([member("a\nb")], "a name that we cannot use", id="newline"),
        pytest.param([member(".saltern-manifest")], "a name that we cannot use", id="our own"),
        pytest.param([member("a//b")], "no plain name", id="empty component"),
        pytest.param([member("a/./b")], "no plain name", id="dot"),
    ],
)
def test_what_is_no_plain_member_is_refused_whole(
    ground: DiskGround, members: list[tarfile.TarInfo], why: str
) -> None:
    with pytest.raises(HostError, match=f"cannot unpack blob .*{why}"):
        unpack(ground, packed(member("good"), *members))

    assert os.listdir(ground.real("/opt")) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", archive_of({"a": os.urandom(9999)})[:-99], b"\x1f\x8b\x08" + b"\0" * 99],
    ids=["empty", "text", "cut short", "damaged gzip"],
)
def test_what_is_no_whole_archive_is_refused(ground: DiskGround, content: bytes) -> None:
    with pytest.raises(HostError, match=r"cannot unpack blob .*no whole tar archive"):
        unpack(ground, content)

    assert os.listdir(ground.real("/opt")) == []


def test_what_grows_too_large_is_refused_before_it_is_written(ground: DiskGround) -> None:
    huge = member("zeros")
    huge.size = archive.MAX_BYTES + 1  # the header says so; nothing needs to follow

    with pytest.raises(HostError, match=f"or {archive.MAX_BYTES} bytes; split it"):
        unpack(ground, huge.tobuf() + b"\0" * 1024)


def test_a_hard_link_counts_as_what_it_is_written_as(tmp_path: Path) -> None:
    """A gigabyte of zeros, named twenty thousand times, is a small archive."""
    first = member("zeros")
    first.size = archive.MAX_BYTES // 2
    with (tmp_path / "tar").open("wb") as file:  # with a hole in it
        file.write(first.tobuf())
        file.seek(first.size, os.SEEK_CUR)
        file.write(b"".join(member(f"{n}", LNK, "zeros").tobuf() for n in range(2)))
        file.write(b"\0" * 1024)

    with tarfile.open(tmp_path / "tar") as tar, pytest.raises(HostError, match="bytes; split it"):
        list(archive.parts(tar, "a" * 64))


@pytest.mark.parametrize(
    "size", [b"\x80" + b"\x7f" * 11, b"\xff" * 12], ids=["endless", "negative"]
)
def test_sizes_that_no_file_has_are_refused(ground: DiskGround, size: bytes) -> None:
    header = bytearray(member("a").tobuf())
    header[124:136], header[148:156] = size, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    after = packed(member("b"))
    with pytest.raises(HostError, match="cannot unpack blob"):
        unpack(ground, bytes(header) + after)


def test_links_that_stay_inside_are_kept(ground: DiskGround) -> None:
    first = member("lib/a.so.1")
    links = [member("lib/a.so", SYM, "a.so.1"), member("bin/a", SYM, "../lib/a.so")]

    tree = unpack(ground, packed(first, *links, member("hard", LNK, "lib/a.so.1")))

    assert tree is not None
    assert tree.differs == ()
    assert os.readlink(ground.real("/opt/tree/bin/a")) == "../lib/a.so"
    assert ground.real("/opt/tree/hard").stat().st_nlink == 1
    ground.real("/opt/tree/lib/a.so").unlink()
    ground.put_symlink("/opt/tree/lib/a.so", "../../../outside")
    edited = ground.trees.look(PATH)
    assert edited is not None
    assert edited.differs == ("edited lib/a.so",)


names = st.lists(st.sampled_from(["a", "b", "..", ".", "", "c"]), min_size=1, max_size=4).map(
    "/".join
)
members = st.tuples(names, st.sampled_from([tarfile.REGTYPE, DIR, SYM, LNK]), names)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(members, max_size=6))
def test_nothing_in_an_unpacked_tree_leads_out_of_it(
    ground: DiskGround, drawn: list[tuple[str, bytes, str]]
) -> None:
    try:
        tree = unpack(ground, packed(*(member(*each) for each in drawn)))
    except HostError:
        return

    assert tree is not None
    assert tree.differs == ()
    top = ground.real(str(PATH)).resolve()
    for directory, below, files in os.walk(top):
        for name in (*below, *files):
            with contextlib.suppress(
                OSError, RuntimeError
            ):  # a loop, or a link to nothing, leads nowhere
                assert Path(directory, name).resolve(strict=True).is_relative_to(top)
