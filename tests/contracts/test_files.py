"""Files: one suite for memory, for the disk by openat2, and for the disk step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_states.ports import Entry, HostError, MovedError

from tests.contracts.grounds import GROUP, OWNER, DiskGround, FakeGround, Ground

PATH = Path("/etc/a.conf")
ONE = Entry("file", 0o640, OWNER, GROUP, sha256(b"one").hexdigest(), 3)
SYMLINK = Entry("symlink", 0, "", "")


@pytest.fixture(params=["fake", "openat2", "steps"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    if request.param == "fake":
        return FakeGround()
    return DiskGround(tmp_path, openat2=request.param == "openat2")


def test_nothing_is_none(ground: Ground) -> None:
    assert ground.files.look(PATH) is None
    assert ground.files.read(PATH) is None
    assert ground.files.names(PATH) == ()


def test_below_a_file_there_is_nothing(ground: Ground) -> None:
    ground.put_file("/etc", b"")

    assert ground.files.look(PATH) is None
    assert ground.files.read(PATH) is None
    assert ground.files.names(PATH) == ()


def test_a_file_is_told_whole(ground: Ground) -> None:
    ground.put_file("/etc/a.conf", b"one", 0o640)

    assert ground.files.look(PATH) == ONE
    assert ground.files.read(PATH) == b"one"


def test_an_edit_of_the_same_length_is_seen_at_once(ground: Ground) -> None:
    ground.put_file("/etc/a.conf", b"one", 0o640)
    assert ground.files.look(PATH) == ONE

    ground.put_file("/etc/a.conf", b"two", 0o640)

    assert ground.files.look(PATH) == replace(ONE, sha256=sha256(b"two").hexdigest())


def test_a_directory_tells_its_names_sorted(ground: Ground) -> None:
    for name in ("b", "a", ".c"):
        ground.put_file(f"/etc/{name}", b"")
    ground.put_directory("/etc", 0o750)

    assert ground.files.look(Path("/etc")) == Entry("directory", 0o750, OWNER, GROUP)
    assert ground.files.names(Path("/etc")) == (".c", "a", "b")


def test_a_symlink_is_never_followed(ground: Ground) -> None:
    ground.put_file("/real/a.conf", b"one")
    ground.put_symlink("/etc", "real")
    ground.put_symlink("/real/link", "a.conf")

    assert ground.files.look(Path("/etc")) == SYMLINK
    assert ground.files.look(PATH) == SYMLINK
    assert ground.files.look(Path("/real/link")) == SYMLINK
    attempts: tuple[Callable[[], object], ...] = (
        lambda: ground.files.read(PATH),
        lambda: ground.files.read(Path("/real/link")),
        lambda: ground.files.names(Path("/etc")),
        lambda: ground.files.write(PATH, None, b"two", 0o644, OWNER, GROUP),
        lambda: ground.files.write(PATH, SYMLINK, b"two", 0o644, OWNER, GROUP),
        lambda: ground.files.make_directory(Path("/etc/d"), 0o755, OWNER, GROUP),
        lambda: ground.files.set_access(PATH, SYMLINK, 0o600, OWNER, GROUP),
        lambda: ground.files.remove(Path("/real/link"), SYMLINK),
    )
    for refused in attempts:
        with pytest.raises(HostError, match=r"\Acannot .*real|\Acannot .*etc"):
            refused()
    assert ground.files.names(Path("/real")) == ("a.conf", "link")
    assert ground.files.read(Path("/real/a.conf")) == b"one"


def test_a_fifo_is_seen_and_left_alone(ground: Ground) -> None:
    ground.put_fifo("/etc/a.conf")

    seen = ground.files.look(PATH)

    assert seen is not None
    assert seen.type == "other"
    with pytest.raises(HostError, match=r"cannot read /etc/a.conf: it is"):
        ground.files.read(PATH)
    with pytest.raises(HostError, match=r"cannot list /etc/a.conf: it is"):
        ground.files.names(PATH)
    with pytest.raises(HostError, match=r"cannot write /etc/a.conf: it is no file \(other\)"):
        ground.files.write(PATH, seen, b"two", 0o644, OWNER, GROUP)
    with pytest.raises(HostError, match="cannot remove"):
        ground.files.remove(PATH, seen)
    assert ground.files.look(PATH) == seen


def test_write_creates_replaces_and_remove_removes(ground: Ground) -> None:
    ground.put_directory("/etc")

    ground.files.write(PATH, None, b"one", 0o640, OWNER, GROUP)
    assert ground.files.look(PATH) == ONE
    ground.files.write(PATH, ONE, b"two!", 0o4755, OWNER, GROUP)
    two = Entry("file", 0o4755, OWNER, GROUP, sha256(b"two!").hexdigest(), 4)
    assert ground.files.look(PATH) == two
    assert ground.files.names(Path("/etc")) == ("a.conf",)
    ground.files.remove(PATH, two)
    assert ground.files.names(Path("/etc")) == ()


def test_nothing_is_done_to_what_moved(ground: Ground) -> None:
    ground.put_file("/etc/a.conf", b"one", 0o640)
    old = replace(ONE, sha256=sha256(b"old").hexdigest())
    attempts: tuple[Callable[[], None], ...] = (
        lambda: ground.files.write(PATH, old, b"two", 0o640, OWNER, GROUP),
        lambda: ground.files.write(PATH, None, b"two", 0o640, OWNER, GROUP),
        lambda: ground.files.write(Path("/etc/b"), ONE, b"two", 0o640, OWNER, GROUP),
        lambda: ground.files.set_access(PATH, old, 0o600, OWNER, GROUP),
        lambda: ground.files.remove(PATH, replace(ONE, mode=0o600)),
        lambda: ground.files.make_directory(PATH, 0o755, OWNER, GROUP),
    )
    for moved in attempts:
        with pytest.raises(MovedError, match=r"\Acannot .* plan again\Z"):
            moved()
    assert ground.files.look(PATH) == ONE
    assert ground.files.names(Path("/etc")) == ("a.conf",)


def test_a_file_needs_its_directory(ground: Ground) -> None:
    with pytest.raises(HostError, match=r"cannot write /etc/a.conf: .*directory"):
        ground.files.write(PATH, None, b"one", 0o640, OWNER, GROUP)

    assert ground.files.look(Path("/etc")) is None


def test_an_account_that_is_not_there_is_named(ground: Ground) -> None:
    ground.put_directory("/etc")

    unknown = ground.files.unknown_accounts("nobody-has-this", "nor-this")
    assert unknown == ("user nobody-has-this", "group nor-this")
    assert ground.files.unknown_accounts(OWNER, "4242") == ()
    with pytest.raises(HostError, match="no user nobody-has-this"):
        ground.files.write(PATH, None, b"one", 0o640, "nobody-has-this", GROUP)
    assert ground.files.names(Path("/etc")) == ()


def test_a_number_is_called_by_its_name_where_it_has_one(ground: Ground) -> None:
    assert ground.files.called("0", "0") == ("root", "root")
    assert ground.files.called("424242", GROUP) == ("424242", GROUP)
    assert ground.files.called("nobody-has-this", "0")[0] == "nobody-has-this"


def test_files_with_accounts_kept_are_the_same_files(ground: Ground) -> None:
    kept = ground.files.with_accounts_kept()
    ground.put_file("/etc/a.conf", b"a", 0o640)  # also what comes later
    for _ in range(2):
        assert kept.look(Path("/etc/a.conf")) == ground.files.look(Path("/etc/a.conf"))
        assert kept.called("0", "0") == ("root", "root")
        assert kept.unknown_accounts("nobody-has-this", GROUP) == ("user nobody-has-this",)
    assert kept.with_accounts_kept().read(Path("/etc/a.conf")) == b"a"


def test_access_is_set_without_touching_the_content(ground: Ground) -> None:
    ground.put_file("/etc/a.conf", b"one", 0o640)

    ground.files.set_access(PATH, ONE, 0o4711, OWNER, GROUP)

    assert ground.files.look(PATH) == replace(ONE, mode=0o4711)
    directory = ground.files.look(Path("/etc"))
    assert directory is not None
    ground.files.set_access(Path("/etc"), directory, 0o2750, OWNER, GROUP)
    set_so = replace(directory, mode=0o2750, owner=OWNER, group=GROUP)
    assert ground.files.look(Path("/etc")) == set_so


def test_a_directory_is_made_once_and_removed_when_empty(ground: Ground) -> None:
    ground.files.make_directory(Path("/d"), 0o2750, OWNER, GROUP)
    entry = Entry("directory", 0o2750, OWNER, GROUP)
    assert ground.files.look(Path("/d")) == entry
    with pytest.raises(MovedError):
        ground.files.make_directory(Path("/d"), 0o755, OWNER, GROUP)
    ground.put_file("/d/a", b"")
    with pytest.raises(HostError, match="cannot remove /d: the directory is not empty"):
        ground.files.remove(Path("/d"), entry)

    ground.take("/d/a")
    ground.files.remove(Path("/d"), entry)

    assert ground.files.look(Path("/d")) is None


def test_a_blob_is_written_as_it_was_named(ground: Ground) -> None:
    ground.put_directory("/bin")
    blob = ground.put_blob(b"\x7fELF" * 100_000)

    ground.files.write_blob(Path("/bin/kubelet"), None, blob, 0o755, OWNER, GROUP)

    assert ground.files.look(Path("/bin/kubelet")) == Entry(
        "file", 0o755, OWNER, GROUP, blob, 400_000
    )
    with pytest.raises(HostError, match="cannot find blob"):
        ground.files.write_blob(Path("/bin/other"), None, "0" * 64, 0o755, OWNER, GROUP)
    assert ground.files.names(Path("/bin")) == ("kubelet",)
