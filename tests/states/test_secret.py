"""secret: compared on the node, told nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.policy import Claim
from saltern_states.changes import in_the_way
from saltern_states.contract import WatchPath
from saltern_states.ports import Entry, HostError
from saltern_states.secret import KIND, Secret
from saltern_states.testing import FakeHost

from tests.states.laws import converge, lines, take_back

SYMLINK = Entry("symlink", 0, "", "")
PATH = "/etc/kubernetes/pki/sa.key"
CANARY = b"canary-2b1f0d6c9e"


def bare() -> tuple[FakeHost, Secret]:
    host = FakeHost()
    host.files.put_directory("/etc/kubernetes/pki")
    blob = host.secrets.put(CANARY, "service-account", 3)
    return host, Secret(path=PATH, secret="service-account", generation=3, blob=blob)


WRITTEN = f"{PATH} (secret service-account, generation 3, 0600 root:root)"
Do = Callable[[FakeHost], None]


def put(content: bytes, mode: int = 0o600, owner: str = "root") -> Do:
    return lambda host: host.files.put_file(PATH, content, mode, owner)


def no_blob(host: FakeHost) -> None:
    host.blobs.contents.clear()


@pytest.mark.parametrize(
    ("before", "plan"),
    [
        pytest.param(lambda host: None, [f"create {WRITTEN}"], id="missing"),
        pytest.param(put(CANARY), [], id="right"),
        pytest.param(put(b"old"), [f"write {WRITTEN}"], id="another-content"),
        pytest.param(
            put(CANARY, 0o644), [f"set {PATH} to 0600 root:root (was 0644 root:root)"], id="mode"
        ),
        pytest.param(
            put(CANARY, owner="bin"),
            [f"set {PATH} to 0600 root:root (was 0600 bin:root)"],
            id="owner",
        ),
        pytest.param(
            lambda host: host.files.put_symlink(PATH),
            [
                f"blocked: {in_the_way(PATH, SYMLINK, 'file')}",
                f"  then write {WRITTEN}",
            ],
            id="symlink",
        ),
        pytest.param(
            lambda host: host.files.take("/etc/kubernetes/pki"),
            ["blocked: there is no directory /etc/kubernetes/pki", f"  then create {WRITTEN}"],
            id="no-directory",
        ),
    ],
)
def test_what_would_be_done(before: Do, plan: list[str]) -> None:
    host, want = bare()
    before(host)

    assert lines(converge(KIND, host, want)) == plan


def test_it_waits_for_its_blob() -> None:
    host, want = bare()
    no_blob(host)

    told = lines(converge(KIND, host, want))

    assert told == [f"blocked: blob {want.blob} is not on this node", f"  then create {WRITTEN}"]


def test_it_waits_for_its_owner() -> None:
    host, want = bare()

    told = lines(converge(KIND, host, msgspec.structs.replace(want, owner="etcd")))

    assert told[0] == f"blocked: {PATH}: this node has no user etcd"


@pytest.mark.parametrize("fields", [{"generation": 4}, {"secret": "tokens"}])
def test_an_old_blob_does_not_pass_for_a_new_one(fields: dict[str, object]) -> None:
    host, want = bare()

    with pytest.raises(HostError, match="cannot open secret"):
        KIND.plan(host, msgspec.structs.replace(want, **fields))


def test_taking_back_removes_the_file() -> None:
    host, want = bare()
    converge(KIND, host, want)

    assert lines(take_back(KIND, host, want)) == [f"remove {PATH}"]
    assert take_back(KIND, bare()[0], want) == ()


def test_what_is_no_file_stays() -> None:
    host, want = bare()
    host.files.put_directory(PATH)

    assert take_back(KIND, host, want) == ()


def test_claims_watches_and_blobs() -> None:
    want = bare()[1]

    assert KIND.claims(want) == (Claim("path", PATH),)
    assert KIND.watch(want) == (WatchPath(Path(PATH)),)
    assert KIND.blobs(want) == (want.blob,)


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "0644"},
        {"mode": "0700"},
        {"secret": "a b"},
        {"generation": 0},
        {"blob": "x"},
        {"path": "etc"},
    ],
)
def test_what_makes_no_secret_is_refused(fields: dict[str, object]) -> None:
    plain = msgspec.to_builtins(bare()[1]) | fields

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(plain, Secret)


@given(content=st.binary(max_size=200), there=st.none() | st.binary(max_size=200))
def test_law_one_pass_converges_and_tells_nothing(content: bytes, there: bytes | None) -> None:
    host = FakeHost()
    host.files.put_directory("/etc/kubernetes/pki")
    secret, old = CANARY + content, None if there is None else CANARY[::-1] + there
    blob = host.secrets.put(secret, "tokens", 1)
    want = Secret(path=PATH, secret="tokens", generation=1, blob=blob)
    if old is not None:
        host.files.put_file(PATH, old)

    told = [*converge(KIND, host, want)]
    assert host.files.read(Path(PATH)) == secret
    told += take_back(KIND, host, want)

    assert host.files.look(Path(PATH)) is None
    for change in told:
        shown = f"{change} {change.detail} {change!r}"
        assert CANARY.decode() not in shown
        assert CANARY[::-1].decode() not in shown
