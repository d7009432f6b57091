"""Files on a disk that somebody else plays with: names, races, deaths."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltern_agent.host.beneath import Root
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.disk import DiskFiles
from saltern_agent.host.hashes import COARSE_NS, FINE_NS, Hashes, settles_in
from saltern_states.ports import Entry, HostError

from tests.agent.leases import lease_held
from tests.contracts.grounds import GROUP, OWNER, DiskGround, archive

ROUNDS = 50
RACES = 1000
SECRET = b"outside and not to be touched"


@pytest.fixture
def ground(tmp_path: Path) -> DiskGround:
    (tmp_path / "outside").write_bytes(SECRET)
    return DiskGround(tmp_path)


components = st.sampled_from(
    ["..", ".", "", "etc", "up", "out", "~", "-rf", "$(id)", "a\nb", "a\0b", "\udcff", "x" * 300]
) | st.text(max_size=12)


@pytest.mark.parametrize("openat2", [True, False], ids=["openat2", "steps"])
@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(components, min_size=1, max_size=6))
def test_no_name_leads_out(
    tmp_path_factory: pytest.TempPathFactory, openat2: bool, names: list[str]
) -> None:
    top = tmp_path_factory.getbasetemp() / f"names-{openat2}"
    if not top.exists():
        top.mkdir()
        (top / "outside").write_bytes(SECRET)
        made = DiskGround(top, openat2=openat2)
        made.put_symlink("/up", "..")
        made.put_symlink("/out", "../outside")
        made.put_directory("/etc")
        made.root.close()
    ground = ReopenedGround(top, openat2)
    path = Path("/" + "/".join(names))
    with contextlib.closing(ground.root):
        for attempt in (
            lambda: ground.files.look(path),
            lambda: ground.files.read(path),
            lambda: ground.files.names(path),
            lambda: ground.files.write(path, None, b"mine", 0o644, OWNER, GROUP),
        ):
            with contextlib.suppress(HostError):
                assert attempt() != SECRET

    assert sorted(os.listdir(top)) == ["outside", "root"]
    assert (top / "outside").read_bytes() == SECRET


class ReopenedGround(DiskGround):
    """The same directory once more."""

    def __init__(self, directory: Path, openat2: bool) -> None:
        self.root = Root(directory / "root", openat2=openat2)
        self.files = DiskFiles(DiskBlobs(directory / "blobs"), self.root)


@contextlib.contextmanager
def busy(act: Callable[[], None]) -> Iterator[None]:
    """Do something again and again in another process, beside the block."""

    def loop() -> None:
        while True:
            act()

    child = in_child(loop)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def rounds(seen: set[str], wanted: set[str]) -> Iterator[int]:
    """Count RACES rounds, and more of them until the race was seen to be one."""
    yield from range(RACES)
    for number in range(RACES, 30 * RACES):
        if wanted <= seen:
            return
        yield number


def in_child(act: Callable[[], None]) -> int:
    """Run something in a child that ends without cleaning up; give its process id."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return child


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_directory_that_becomes_a_symlink_leads_nowhere(ground: DiskGround) -> None:
    outside = ground.top.parent / "elsewhere"
    outside.mkdir()
    ground.put_directory("/etc")
    etc, kept = ground.real("/etc"), ground.real("/kept")

    def swap() -> None:
        os.rename(etc, kept)
        os.symlink(outside, etc)
        for _ in range(100):  # as long as it takes to be met there
            os.lstat(etc)
        os.unlink(etc)
        os.rename(kept, etc)

    path, seen, wanted = Path("/etc/a.conf"), set[str](), {"file", "symlink"}
    with busy(swap):
        for _ in rounds(seen, wanted):
            with contextlib.suppress(HostError):
                was = ground.files.look(path)
                seen.add(was.type if was else "nothing")
                ground.files.write(path, was, b"mine", 0o644, OWNER, GROUP)

    assert wanted <= seen  # else nobody raced, and this test has shown nothing
    assert os.listdir(outside) == []
    assert os.listdir(kept if kept.exists() else etc) == ["a.conf"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_file_that_becomes_anything_else_is_never_written_through(ground: DiskGround) -> None:
    outside = ground.top.parent / "outside"
    ground.put_file("/etc/a.conf", b"first")
    ground.real("/etc").chmod(0o777)  # where only root writes nobody can race us
    real, other = ground.real("/etc/a.conf"), ground.real("/etc/other")
    makes: tuple[Callable[[], None], ...] = (
        lambda: os.symlink(outside, other),
        lambda: os.mkfifo(other),
        lambda: os.link(outside, other),
        other.touch,
    )

    def replace() -> None:
        other.unlink(missing_ok=True)  # a rename onto another name of the same file does nothing
        random.choice(makes)()
        os.rename(other, real)

    path, seen, wanted = Path("/etc/a.conf"), set[str](), {"file", "symlink", "other"}
    with busy(replace):
        for number in rounds(seen, wanted):
            with contextlib.suppress(HostError):
                was = ground.files.look(path)
                seen.add(was.type if was else "nothing")
                ground.files.read(path)
                if was is not None and number % 2:
                    ground.files.set_access(path, was, 0o600, OWNER, GROUP)
                else:
                    ground.files.write(path, was, b"mine", 0o600, OWNER, GROUP)

    assert wanted <= seen
    assert outside.read_bytes() == SECRET
    assert outside.stat().st_mode & 0o777 == 0o644
    assert set(os.listdir(ground.real("/etc"))) <= {"a.conf", "other"}


def test_a_hard_link_is_left_behind_unchanged(ground: DiskGround) -> None:
    outside = ground.top.parent / "outside"
    ground.put_directory("/etc")
    os.link(outside, ground.real("/etc/a.conf"))
    path = Path("/etc/a.conf")
    was = ground.files.look(path)
    assert was is not None

    ground.files.set_access(path, was, 0o600, OWNER, GROUP)

    assert ground.files.read(path) == SECRET
    assert ground.real("/etc/a.conf").stat().st_mode & 0o777 == 0o600
    assert (outside.stat().st_mode & 0o777, outside.stat().st_nlink) == (0o644, 1)


def kill_soon(child: int, chance: random.Random, longest: float) -> None:
    """Kill a child after a random time, whether it is done or not."""
    timer = threading.Event()
    timer.wait(chance.random() * longest)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_whoever_dies_while_writing_leaves_the_old_or_the_new(ground: DiskGround) -> None:
    contents = [bytes([65 + which]) * 2_000_000 for which in range(2)]
    ground.put_file("/etc/a.conf", contents[0])
    path, chance = Path("/etc/a.conf"), random.Random(7)
    cut_short = 0
    for number in range(ROUNDS):

        def write(number: int = number) -> None:
            ground.files.write(
                path, ground.files.look(path), contents[number % 2], 0o644, OWNER, GROUP
            )

        kill_soon(in_child(write), chance, 0.02)
        assert ground.real("/etc/a.conf").read_bytes() in contents
        cut_short += len(ground.files.sweep([Path("/etc"), Path("/no/such")]))
        assert os.listdir(ground.real("/etc")) == ["a.conf"]
    assert cut_short  # else nobody died where it matters, and this test has shown nothing


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_whoever_dies_while_unpacking_leaves_the_old_or_the_new(ground: DiskGround) -> None:
    ground.put_directory("/opt")
    path, chance = Path("/opt/cni"), random.Random(7)
    blobs = [
        ground.put_blob(archive({f"bin/{n}": bytes([which]) * 1000 for n in range(30)}))
        for which in range(2)
    ]
    ground.trees.unpack(path, None, blobs[0], 0o755, OWNER, GROUP)
    cut_short = 0
    for number in range(ROUNDS):

        def unpack(number: int = number) -> None:
            was = ground.trees.look(path)
            ground.trees.unpack(path, was, blobs[number % 2], 0o755, OWNER, GROUP)

        kill_soon(in_child(unpack), chance, 0.06)
        tree = ground.trees.look(path)
        assert tree is not None
        assert (tree.archive in blobs, tree.differs) == (True, ())
        cut_short += len(ground.files.sweep([Path("/opt")]))
        assert os.listdir(ground.real("/opt")) == ["cni"]
    assert cut_short


def test_a_sweep_passes_over_what_somebody_is_at_work_on(ground: DiskGround) -> None:
    ground.put_directory("/etc")
    swept: list[tuple[Path, ...]] = []

    def chunks() -> Iterator[bytes]:
        yield b"half"
        swept.append((*map(Path, ground.blobs.sweep()),))
        yield b"whole"

    with contextlib.suppress(HostError):
        ground.blobs.add("0" * 64, chunks())
    ground.put_file("/etc/.saltern-0123456789abcdef", b"left")
    ground.put_file("/etc/.saltern-keep", b"theirs")

    assert swept == [()]
    assert ground.files.names(Path("/etc")) == (".saltern-keep",)
    assert ground.files.sweep([Path("/etc")]) == (Path("/etc/.saltern-0123456789abcdef"),)
    assert os.listdir(ground.real("/etc")) == [".saltern-keep"]


def test_a_hash_is_believed_only_when_the_change_time_has_settled(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    found = file.stat()
    settles = settles_in(found.st_ctime_ns)
    for age, known in ((settles, False), (settles + 1, True)):
        now = found.st_ctime_ns + age
        hashes = Hashes(now=partial(int, now))
        handle = os.open(file, os.O_PATH)
        digest = hashes.of(handle, os.fstat(handle), file)
        os.close(handle)
        assert hashes.known(found) == (digest if known else None)


@pytest.mark.parametrize(
    ("ctime", "settles"),
    [
        (1_795_482_988_887_912_800, FINE_NS),
        (1_795_482_988_000_000_000, COARSE_NS),  # it keeps no fractions, or they happen to be none
        (1_795_482_988_880_000_000, COARSE_NS),
        (1_795_482_988_881_000_000, FINE_NS),
    ],
)
def test_a_change_time_settles_sooner_where_its_filesystem_keeps_fractions(
    ctime: int, settles: int
) -> None:
    assert settles_in(ctime) == settles


@pytest.mark.parametrize("question", ["look", "read"])
def test_a_lease_of_its_owner_stalls_nobody(ground: DiskGround, question: str) -> None:
    ground.put_file("/etc/a", b"a")
    begun = time.monotonic()
    with (
        lease_held(ground.real("/etc/a")),
        pytest.raises(HostError, match="cannot read /etc/a: somebody holds a lease"),
    ):
        getattr(ground.files, question)(Path("/etc/a"))
    assert time.monotonic() - begun < 5, "the kernel gives the holder 45 s"


def test_a_lease_in_a_tree_and_on_a_blob_stalls_nobody(ground: DiskGround) -> None:
    blob = ground.put_blob(archive({"a": b"a"}))
    ground.trees.unpack(Path("/opt"), None, blob, 0o755, OWNER, GROUP)
    member = ground.real("/opt/a")
    begun = time.monotonic()
    with lease_held(member), pytest.raises(HostError, match="a lease"):
        ground.trees.look(Path("/opt"))
    path = ground.blobs.path(blob)
    path.chmod(0o600)  # it is to be hashed anew
    with lease_held(path), pytest.raises(HostError, match="a lease"):
        ground.blobs.has(blob)
    assert time.monotonic() - begun < 5


def test_what_is_too_large_to_be_hashed_is_unlike_what_is_wanted_and_replaced(
    ground: DiskGround,
) -> None:
    path = Path("/etc/a")
    ground.put_file("/etc/a", b"a")
    small = ground.files.look(path)
    os.truncate(ground.real("/etc/a"), 2 << 40)
    begun = time.monotonic()

    was = ground.files.look(path)

    assert was is not None
    assert was == Entry("file", 0o644, OWNER, GROUP, "", 2 << 40)
    ground.files.write(path, was, b"a", 0o644, OWNER, GROUP)
    assert ground.files.look(path) == small
    assert time.monotonic() - begun < 5


def test_what_is_too_large_is_not_copied_to_change_its_mode(ground: DiskGround) -> None:
    path = Path("/etc/a")
    ground.put_file("/etc/a", b"a")
    os.truncate(ground.real("/etc/a"), 2 << 40)
    os.link(ground.real("/etc/a"), ground.real("/etc/b"))
    was = ground.files.look(path)
    assert was is not None
    with pytest.raises(HostError, match="cannot write /etc/a: it is larger than"):
        ground.files.set_access(path, was, 0o600, OWNER, GROUP)
    assert ground.files.look(path) == was


def test_a_member_and_a_blob_that_are_too_large_are_not_what_they_were(ground: DiskGround) -> None:
    blob = ground.put_blob(archive({"a": b"a"}))
    ground.trees.unpack(Path("/opt"), None, blob, 0o755, OWNER, GROUP)
    begun = time.monotonic()
    os.truncate(ground.real("/opt/a"), 2 << 40)
    tree = ground.trees.look(Path("/opt"))
    assert tree is not None
    assert tree.differs == ("edited a",)
    blob_file = ground.blobs.path(blob)
    blob_file.chmod(0o600)
    os.truncate(blob_file, 2 << 40)
    assert not ground.blobs.has(blob)
    assert time.monotonic() - begun < 5
