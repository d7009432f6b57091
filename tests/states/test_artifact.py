"""artifact: tables for a binary and for a tree; the properties say that they converge."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.policy import Claim
from saltern_states.artifact import KIND, Artifact
from saltern_states.changes import in_the_way
from saltern_states.ports import Entry
from saltern_states.testing import FakeHost

from tests.states.laws import converge, lines, take_back

SYMLINK = Entry("symlink", 0, "", "")
CONTENT = b"\x7fELF"
BLOB = sha256(CONTENT).hexdigest()
BINARY = Artifact(path="/usr/local/bin/kubelet", sha256=BLOB)
CREATE = f"create {BINARY.path} (artifact {BLOB[:12]}, 0755 root:root)"
WRITE = f"write {BINARY.path} (artifact {BLOB[:12]}, 0755 root:root)"


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = archive({"bridge": b"1", "lib/a": b"2"})
TAR = sha256(ARCHIVE).hexdigest()
TREE = Artifact(path="/opt/cni", sha256=TAR, unpack="tar")
UNPACK = f"unpack artifact {TAR[:12]} to /opt/cni (0755 root:root)"


def node() -> FakeHost:
    host = FakeHost()
    host.blobs.put(CONTENT)
    host.blobs.put(ARCHIVE)
    host.files.put_directory("/usr/local/bin")
    host.files.put_directory("/opt")
    return host


def put(path: str, content: bytes, mode: int = 0o755) -> Callable[[FakeHost], None]:
    return lambda host: host.files.put_file(path, content, mode)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        pytest.param(lambda host: None, [CREATE], id="not there"),
        pytest.param(put(BINARY.path, CONTENT), [], id="as it shall be"),
        pytest.param(put(BINARY.path, b"old"), [WRITE], id="another"),
        pytest.param(
            put(BINARY.path, CONTENT, 0o644),
            [f"set {BINARY.path} to 0755 root:root (was 0644 root:root)"],
            id="not executable",
        ),
        pytest.param(
            lambda host: host.blobs.contents.clear(),
            [f"blocked: artifact {BLOB} is not on this node yet", f"  then {CREATE}"],
            id="no blob",
        ),
        pytest.param(
            lambda host: host.files.take("/usr/local/bin"),
            ["blocked: there is no directory /usr/local/bin", f"  then {CREATE}"],
            id="no directory",
        ),
        pytest.param(
            lambda host: host.files.put_symlink(BINARY.path),
            [f"blocked: {in_the_way(BINARY.path, SYMLINK, 'file')}", f"  then {WRITE}"],
            id="a symlink (alternatives)",
        ),
    ],
)
def test_diff_of_a_binary(act: Callable[[FakeHost], None], told: list[str]) -> None:
    host = node()
    act(host)

    assert lines(converge(KIND, host, BINARY)) == told


def test_a_binary_that_is_right_needs_no_blob() -> None:
    host = node()
    put(BINARY.path, CONTENT)(host)
    host.blobs.contents.clear()

    assert KIND.plan(host, BINARY) == ()


def test_an_account_that_is_not_there_yet_hinders_both() -> None:
    for want in (
        Artifact(path=BINARY.path, sha256=BLOB, owner="etcd"),
        Artifact(path=TREE.path, sha256=TAR, unpack="tar", owner="etcd"),
    ):
        (blocked,) = converge(KIND, node(), want)
        assert str(blocked) == f"blocked: {want.path}: this node has no user etcd"


@pytest.mark.parametrize(
    ("act", "told"),
    [
        pytest.param(lambda host: None, [UNPACK], id="not there"),
        pytest.param(lambda host: converge(KIND, host, TREE), [], id="as it shall be"),
        pytest.param(lambda host: host.files.put_directory("/opt/cni"), [UNPACK], id="empty"),
        pytest.param(
            put("/opt/cni/theirs", b""),
            [
                "blocked: /opt/cni holds files that we did not unpack; take them away first",
                f"  then {UNPACK}",
            ],
            id="others' files",
        ),
        pytest.param(
            put("/opt/cni", b""),
            [
                "blocked: /opt/cni is no directory (file); take it away first",
                f"  then {UNPACK}",
            ],
            id="a file",
        ),
        pytest.param(
            lambda host: host.files.take("/opt"),
            ["blocked: there is no directory /opt", f"  then {UNPACK}"],
            id="no parent",
        ),
        pytest.param(
            lambda host: host.blobs.contents.clear(),
            [f"blocked: artifact {TAR} is not on this node yet", f"  then {UNPACK}"],
            id="no blob",
        ),
    ],
)
def test_diff_of_a_tree(act: Callable[[FakeHost], None], told: list[str]) -> None:
    host = node()
    act(host)

    assert lines(converge(KIND, host, TREE)) == told


def test_a_tree_that_was_changed_is_unpacked_anew_and_the_plan_says_why() -> None:
    host = node()
    converge(KIND, host, TREE)
    put("/opt/cni/bridge", b"edited")(host)
    put("/opt/cni/stray", b"")(host)
    host.files.take("/opt/cni/lib/a")

    (change,) = converge(KIND, host, TREE)

    assert (str(change), change.detail) == (UNPACK, "edited bridge\nmissing lib/a\nstray stray\n")
    assert host.files.names(Path("/opt/cni")) == ("bridge", "lib")


def test_only_the_mode_of_a_tree_is_set_alone() -> None:
    host = node()
    converge(KIND, host, TREE)
    want = Artifact(path=TREE.path, sha256=TAR, unpack="tar", mode="0700", group="0")

    assert lines(converge(KIND, host, want)) == [
        "set /opt/cni to 0700 root:root (was 0755 root:root)".replace("root:root (", "root:0 (")
    ]


def test_remove() -> None:
    host = node()
    assert take_back(KIND, host, BINARY) == take_back(KIND, host, TREE) == ()
    converge(KIND, host, BINARY)
    converge(KIND, host, TREE)
    put("/opt/cni/stray", b"")(host)
    put("/opt/theirs/a", b"")(host)

    (change,) = take_back(KIND, host, TREE)

    assert (str(change), change.detail) == (
        "remove /opt/cni and all that is in it",
        "stray stray\n",
    )
    assert lines(take_back(KIND, host, BINARY)) == [f"remove {BINARY.path}"]
    theirs = Artifact(path="/opt/theirs", sha256=TAR, unpack="tar")
    assert take_back(KIND, host, theirs) == ()
    assert host.files.names(Path("/opt")) == ("theirs",)


def test_claims_and_blobs_name_the_content() -> None:
    assert KIND.claims(TREE) == (Claim("path", "/opt/cni"), Claim("artifact", TAR))
    assert KIND.blobs(TREE) == (TAR,)


contents = st.dictionaries(st.sampled_from(["a", "b", "d/c"]), st.binary(max_size=3), max_size=3)


@given(old=contents, new=contents, edits=contents)
def test_one_pass_leaves_exactly_the_members(
    old: dict[str, bytes], new: dict[str, bytes], edits: dict[str, bytes]
) -> None:
    host = node()
    for members in (old, new):
        blob = host.blobs.put(archive(members))
        converge(KIND, host, Artifact(path="/opt/cni", sha256=blob, unpack="tar"))
        for name, content in edits.items():
            host.files.put_file(f"/opt/cni/{name}", content)
        converge(KIND, host, Artifact(path="/opt/cni", sha256=blob, unpack="tar"))
        files = {
            str(path.relative_to("/opt/cni")): node.content
            for path, node in host.files.nodes.items()
            if path.is_relative_to("/opt/cni") and node.type == "file"
        }
        assert files == members
