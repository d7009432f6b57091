"""file: the table says what diff() does; the property says that it converges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_protocol.policy import Claim
from saltern_states.changes import MAX_SHOWN_BYTES, WriteFile, in_the_way
from saltern_states.contract import WatchPath
from saltern_states.file import KIND, File
from saltern_states.ports import Entry, MovedError
from saltern_states.testing import FakeHost

from tests.states.laws import converge, lines, take_back

SYMLINK = Entry("symlink", 0, "", "")
PATH = "/etc/docker/daemon.json"
WANT = File(path=PATH, text="{}\n", mode="0640", group="docker")
WRITE = f"write {PATH} (3 bytes, 0640 root:docker)"
CREATE = f"create {PATH} (3 bytes, 0640 root:docker)"


def node() -> FakeHost:
    host = FakeHost()
    host.files.groups["docker"] = 999
    return host


@pytest.mark.parametrize(
    ("put", "told"),
    [
        pytest.param(
            lambda host: host.files.put_file(PATH, b"{}\n", 0o640, "root", "docker"),
            [],
            id="as it shall be",
        ),
        pytest.param(
            lambda host: host.files.put_directory("/etc/docker"), [CREATE], id="not there"
        ),
        pytest.param(
            lambda host: host.files.put_file(PATH, b"[]\n", 0o640, "root", "docker"),
            [WRITE],
            id="other content",
        ),
        pytest.param(
            lambda host: host.files.put_file(PATH, b"{}\n", 0o644, "root", "root"),
            [f"set {PATH} to 0640 root:docker (was 0644 root:root)"],
            id="other mode and group",
        ),
        pytest.param(
            lambda host: host.files.put_directory("/etc"),
            ["blocked: there is no directory /etc/docker", f"  then {CREATE}"],
            id="no directory",
        ),
        pytest.param(
            lambda host: host.files.put_file("/etc/docker"),
            ["blocked: /etc/docker is no directory (file)", f"  then {CREATE}"],
            id="a file for a directory",
        ),
        pytest.param(
            lambda host: host.files.put_symlink("/etc/docker"),
            [f"blocked: {in_the_way(PATH, SYMLINK, 'file')}", f"  then {WRITE}"],
            id="behind a symlink",
        ),
        pytest.param(
            lambda host: host.files.put_directory(PATH),
            [f"blocked: {PATH} is no file (directory); take it away first", f"  then {WRITE}"],
            id="a directory in its place",
        ),
        pytest.param(
            lambda host: host.files.groups.pop("docker"),
            [
                f"blocked: {PATH}: this node has no group docker",
                "  then blocked: there is no directory /etc/docker",
                f"  then   then {CREATE}",
            ],
            id="no such group yet",
        ),
    ],
)
def test_diff(put: Callable[[FakeHost], None], told: list[str]) -> None:
    host = node()
    put(host)

    assert lines(converge(KIND, host, WANT)) == told


def test_an_account_by_number_is_the_one_that_the_disk_names() -> None:
    host = node()
    host.files.put_directory("/etc/docker")
    want = File(path=PATH, text="{}\n", owner="0", group="999")

    assert len(converge(KIND, host, want)) == 1


@pytest.mark.parametrize(
    ("put", "told"),
    [
        pytest.param(lambda host: None, [], id="not there"),
        pytest.param(
            lambda host: host.files.put_file(PATH, b"any"), [f"remove {PATH}"], id="a file"
        ),
        pytest.param(lambda host: host.files.put_symlink(PATH), [], id="a symlink is not ours"),
        pytest.param(lambda host: host.files.put_directory(PATH), [], id="a directory is not"),
    ],
)
def test_remove(put: Callable[[FakeHost], None], told: list[str]) -> None:
    host = node()
    put(host)

    assert lines(take_back(KIND, host, WANT)) == told


def test_the_detail_is_a_diff_of_text_and_a_line_for_the_rest() -> None:
    host, want = node(), replace(WANT, mode="0644")
    host.files.put_file(PATH, b"one\ntwo")
    assert KIND.plan(host, want)[0].detail == (
        f"--- {PATH}\n+++ {PATH}\n@@ -1,2 +1 @@\n-one\n-two\n+{{}}\n"
    )
    host.files.put_file(PATH, b"\xff\xfe")
    assert KIND.plan(host, want)[0].detail == f"binary {PATH}: 2 bytes -> 3 bytes\n"
    assert KIND.plan_removal(host, want)[0].detail == f"binary {PATH}: 2 bytes -> 0 bytes\n"


def test_what_is_too_large_to_show_is_written_all_the_same() -> None:
    host = node()
    host.files.put_file(PATH, b"x" * (MAX_SHOWN_BYTES + 1))

    (change,) = converge(KIND, host, WANT)

    assert isinstance(change, WriteFile)
    assert change.before is None


def test_what_moved_since_the_plan_is_left_alone() -> None:
    host = node()
    host.files.put_file(PATH, b"old")
    (change,) = KIND.plan(host, WANT)
    assert isinstance(change, WriteFile)
    host.files.put_file(PATH, b"theirs")

    with pytest.raises(MovedError):
        KIND.apply(host, change)

    assert host.files.read(Path(PATH)) == b"theirs"


@pytest.mark.parametrize(
    "path", ["etc/a", "/", "", "/etc/../a", "/etc//a", "/etc/.", "/etc/a/", "/a\n", "/a\0b"]
)
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"at `\$.path`"):
        msgspec.convert({"kind": "file/1", "path": path, "text": ""}, File)


def test_claims_and_watch_name_the_path() -> None:
    assert KIND.claims(WANT) == (Claim("path", PATH),)
    assert KIND.watch(WANT) == (WatchPath(Path(PATH)),)


modes = st.integers(0, 0o7777)


@given(
    have=st.none() | st.tuples(st.binary(max_size=9), modes, st.sampled_from(["root", "docker"])),
    text=st.text(max_size=9),
    mode=modes,
    group=st.sampled_from(["root", "docker", "0", "999", "7"]),
)
def test_one_pass_converges_and_does_what_it_said(
    have: tuple[bytes, int, str] | None, text: str, mode: int, group: str
) -> None:
    host = node()
    host.files.put_directory("/etc/docker")
    if have:
        host.files.put_file(PATH, have[0], have[1], "root", have[2])
    before = dict(host.files.nodes)

    planned = converge(KIND, host, File(path=PATH, text=text, mode=f"{mode:04o}", group=group))

    changed = {path for path in host.files.nodes if host.files.nodes[path] != before.get(path)}
    assert changed == ({Path(PATH)} if planned else set())
    assert host.files.read(Path(PATH)) == text.encode()
