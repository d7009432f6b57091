"""directory: the table says what diff() does; the property says that it converges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.policy import Claim
from saltern_states.changes import in_the_way
from saltern_states.contract import WatchPath
from saltern_states.directory import KIND, MAX_STRAYS, SHOWN_STRAYS, Directory
from saltern_states.ports import Entry
from saltern_states.testing import FakeHost
from saltern_states.testing.files import FakeFiles

from tests.states.laws import converge, lines, take_back

SYMLINK = Entry("symlink", 0, "", "")
PATH = "/etc/kubernetes/manifests"
WANT = Directory(path=PATH, mode="0700", only=("etcd.yaml",))
MAKE = f"make directory {PATH} (0700 root:root)"


def node(*puts: Callable[[FakeHost], None]) -> FakeHost:
    host = FakeHost()
    for put in puts:
        put(host)
    return host


def there(host: FakeHost) -> None:
    host.files.put_directory(PATH, 0o700)


def full(host: FakeHost) -> None:
    there(host)
    host.files.put_file(f"{PATH}/etcd.yaml", b"a: 1\n")
    host.files.put_file(f"{PATH}/.etcd.yaml.swp", b"")


@pytest.mark.parametrize(
    ("put", "told"),
    [
        pytest.param(full, [], id="as it shall be, dot names and all"),
        pytest.param(
            lambda host: host.files.put_directory("/etc/kubernetes"), [MAKE], id="not there"
        ),
        pytest.param(
            lambda host: None,
            ["blocked: there is no directory /etc/kubernetes", f"  then {MAKE}"],
            id="no parent",
        ),
        pytest.param(
            lambda host: host.files.put_file("/etc/kubernetes"),
            ["blocked: /etc/kubernetes is no directory (file)", f"  then {MAKE}"],
            id="a file for a parent",
        ),
        pytest.param(
            lambda host: host.files.put_symlink(PATH),
            [f"blocked: {in_the_way(PATH, SYMLINK, 'directory')}", f"  then {MAKE}"],
            id="a symlink in its place",
        ),
        pytest.param(
            lambda host: host.files.put_directory(PATH, 0o755),
            [f"set {PATH} to 0700 root:root (was 0755 root:root)"],
            id="other mode",
        ),
        pytest.param(
            lambda host: host.files.put_file(f"{PATH}/etcd.yaml.bak", b"x"),
            [f"set {PATH} to 0700 root:root (was 0755 root:root)", f"remove {PATH}/etcd.yaml.bak"],
            id="a stray file",
        ),
    ],
)
def test_diff(put: Callable[[FakeHost], None], told: list[str]) -> None:
    assert lines(converge(KIND, node(put), WANT)) == told


@pytest.mark.parametrize(
    ("put", "told"),
    [
        (
            lambda host: host.files.put_directory(f"{PATH}/old"),
            [f"remove {PATH}/old"],
        ),
        (
            lambda host: host.files.put_file(f"{PATH}/old/a.yaml"),
            [
                f"blocked: {PATH}/old is a directory that shall not be there, and not empty; "
                "take it away"
            ],
        ),
        (
            lambda host: host.files.put_symlink(f"{PATH}/a.yaml"),
            [f"blocked: {PATH}/a.yaml (symlink) shall not be there; take it away"],
        ),
        (
            lambda host: host.files.put_other(f"{PATH}/a.yaml"),
            [f"blocked: {PATH}/a.yaml (other) shall not be there; take it away"],
        ),
    ],
    ids=["empty directory", "full directory", "symlink", "fifo"],
)
def test_what_is_stray_goes_or_is_named(put: Callable[[FakeHost], None], told: list[str]) -> None:
    assert lines(converge(KIND, node(full, put), WANT)) == told


def test_a_stray_file_is_shown_before_it_is_lost() -> None:
    host = node(full, lambda host: host.files.put_file(f"{PATH}/old.yaml", b"b: 2\n"))

    (change,) = KIND.plan(host, WANT)

    assert change.detail.endswith("@@ -1 +0,0 @@\n-b: 2\n")


def strays(host: FakeHost, number: int) -> None:
    full(host)
    for each in range(number):
        host.files.put_file(f"{PATH}/old-{each:05}", b"old\n")


class CountingFiles(FakeFiles):
    """Files that say how many of them were read, and which paths were looked at."""

    def __init__(self, files: FakeFiles) -> None:
        super().__init__(files.blobs)
        self.nodes, self.were_read = files.nodes, 0
        self.looked: set[str] = set()

    def look(self, path: Path) -> Entry | None:
        """Look, and note where."""
        self.looked.add(str(path))
        return super().look(path)

    def read(self, path: Path) -> bytes | None:
        """Read, and count."""
        self.were_read += 1
        return super().read(path)


def test_of_many_strays_only_the_first_are_read() -> None:
    host = node(lambda host: strays(host, MAX_STRAYS))
    host.files = files = CountingFiles(host.files)

    planned = converge(KIND, host, WANT)

    assert lines(planned) == [f"remove {PATH}/old-{each:05}" for each in range(MAX_STRAYS)]
    assert [bool(change.detail) for change in planned].count(True) == SHOWN_STRAYS
    assert files.were_read == SHOWN_STRAYS
    assert host.files.names(Path(PATH)) == (".etcd.yaml.swp", "etcd.yaml")


@pytest.mark.parametrize("number", [MAX_STRAYS + 1, 10_000])
def test_a_crowd_is_left_alone_and_counted(number: int) -> None:
    host = node(lambda host: strays(host, number))
    host.files = files = CountingFiles(host.files)

    assert lines(converge(KIND, host, WANT)) == [
        f"blocked: {PATH} holds {number} names that shall not be there, too many for an accident; "
        "look at them, and take them away or name them in `only`"
    ]
    assert (files.were_read, files.looked) == (0, {PATH})
    assert len(host.files.names(Path(PATH))) == number + 2


def test_without_only_nothing_is_stray() -> None:
    assert KIND.plan(node(full), Directory(path=PATH, mode="0700")) == ()
    assert lines(KIND.plan(node(full), Directory(path=PATH, mode="0700", only=()))) == [
        f"remove {PATH}/etcd.yaml"
    ]


def test_an_account_that_is_not_there_yet_hinders() -> None:
    want = Directory(path=PATH, owner="etcd")

    assert lines(KIND.plan(node(there), want)) == [
        f"blocked: {PATH}: this node has no user etcd",
        f"  then set {PATH} to 0755 etcd:root (was 0700 root:root)",
    ]


@pytest.mark.parametrize(
    ("put", "told"),
    [
        pytest.param(lambda host: None, [], id="not there"),
        pytest.param(there, [f"remove {PATH}"], id="empty"),
        pytest.param(full, [], id="what is in it is not ours, so it stays"),
        pytest.param(lambda host: host.files.put_file(PATH), [], id="a file is not ours"),
    ],
)
def test_remove(put: Callable[[FakeHost], None], told: list[str]) -> None:
    assert lines(take_back(KIND, node(put), WANT)) == told


def test_claims_and_watch_name_the_path() -> None:
    assert KIND.claims(WANT) == (Claim("path", PATH),)
    assert KIND.watch(WANT) == (WatchPath(Path(PATH)),)


names = st.sets(st.sampled_from(["a", "b", "c", ".d", "e"]))


@given(files=names, empty=names, only=st.none() | names, mode=st.integers(0, 0o7777))
def test_one_pass_converges_and_keeps_what_it_shall(
    files: set[str], empty: set[str], only: set[str] | None, mode: int
) -> None:
    host = node(lambda host: host.files.put_directory(PATH))
    for name in empty:
        host.files.put_directory(f"{PATH}/{name}")
    for name in files:
        host.files.put_file(f"{PATH}/{name}", name.encode())
    listed = None if only is None else tuple(sorted(only))

    converge(KIND, host, Directory(path=PATH, mode=f"{mode:04o}", only=listed))

    kept = files | empty if only is None else (files | empty) & (only | {".d"})
    assert set(host.files.names(Path(PATH))) == kept


@given(files=names, empty=names, only=st.none() | names, mode=st.integers(0, 0o7777))
def test_law_what_a_look_leaves_out_changes_no_diff(
    files: set[str], empty: set[str], only: set[str] | None, mode: int
) -> None:
    host = node(lambda host: host.files.put_directory(PATH, mode))
    for name in empty:
        host.files.put_directory(f"{PATH}/{name}")
    for name in files:
        host.files.put_file(f"{PATH}/{name}", name.encode())
    want = Directory(path=PATH, only=None if only is None else tuple(sorted(only)))

    assert KIND.diff(want, KIND.observe_for_diff(host, want)) == KIND.diff(
        want, KIND.observe(host, want)
    )
