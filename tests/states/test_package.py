"""package: what is installed in each case, and that it converges."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.policy import Claim
from saltern_states.contract import Blocked
from saltern_states.package import KIND, Deb, Package
from saltern_states.ports import HostError, MovedError
from saltern_states.testing import FakeHost

from tests.states.laws import converge, lines, take_back

ETCD, LIBC = b"deb of etcd", b"deb of libc"


def bring(host: FakeHost, content: bytes, name: str, version: str, *needs: str) -> Deb:
    blob = host.blobs.put(content)
    host.packages.put_deb(host.blobs.path(blob), name, version, needs)
    return Deb(package=name, version=version, sha256=blob)


def node() -> tuple[FakeHost, Package]:
    host = FakeHost()
    debs = (
        bring(host, ETCD, "etcd-server", "3.4.23-4", "libc6"),
        bring(host, LIBC, "libc6", "2.36-9"),
    )
    return host, Package(name="etcd-server", debs=debs)


@pytest.mark.parametrize(
    ("have", "told"),
    [
        pytest.param({}, ["install etcd-server 3.4.23-4, libc6 2.36-9"], id="nothing"),
        pytest.param({"libc6": "2.36-9"}, ["install etcd-server 3.4.23-4"], id="what it needs"),
        pytest.param(
            {"libc6": "2.36-10", "etcd-server": "3.4.23-1"},
            ["install etcd-server 3.4.23-1 -> 3.4.23-4"],
            id="an older one, and a newer library",
        ),
        pytest.param({"libc6": "2.36-9", "etcd-server": "3.4.23-4"}, [], id="all"),
        pytest.param({"libc6": "2.36-9", "etcd-server": "3.5.0-1"}, [], id="newer, any will do"),
        pytest.param(
            {"libc6": "2.31-1", "etcd-server": "3.4.23-4"},
            ["install libc6 2.31-1 -> 2.36-9"],
            id="an old library",
        ),
    ],
)
def test_of_the_debs_only_what_is_lacking_or_older_comes(
    have: dict[str, str], told: list[str]
) -> None:
    host, want = node()
    for name, version in have.items():
        host.packages.put(name, version)

    assert lines(converge(KIND, host, want)) == told


@pytest.mark.parametrize(
    ("have", "version", "told"),
    [
        ("", "", ["install socat candidate"]),
        ("", "1.7.4-4", ["install socat 1.7.4-4"]),
        ("1.7.3", "", []),
        ("1.7.3", "1.7.4-4", ["install socat 1.7.3 -> 1.7.4-4"]),
        ("1.7.4-4", "1.7.4-4", []),
        ("1.8", "1.7.4-4", ["blocked: socat 1.8 is newer than 1.7.4-4; remove it, or declare it"]),
    ],
)
def test_from_the_nodes_own_repositories(have: str, version: str, told: list[str]) -> None:
    host = FakeHost()
    host.packages.offer("socat", "1.7.4-4")
    if have:
        host.packages.put("socat", have)

    assert lines(converge(KIND, host, Package(name="socat", version=version))) == told


def test_a_half_installed_package_is_installed_again() -> None:
    host, want = node()
    converge(KIND, host, want)
    host.packages.half.add("etcd-server")

    assert lines(converge(KIND, host, want)) == ["install etcd-server 3.4.23-4"]


def test_a_deb_that_is_not_here_hinders_and_the_plan_says_what_then() -> None:
    host, want = node()
    host.packages.put("libc6", "2.31-1")
    del host.blobs.contents[want.debs[0].sha256]

    assert lines(KIND.plan(host, want)) == [
        "blocked: not on this node yet: etcd-server 3.4.23-4",
        "  then install etcd-server 3.4.23-4, libc6 2.31-1 -> 2.36-9",
    ]


def test_a_deb_that_is_not_called_for_need_not_be_here() -> None:
    host, want = node()
    host.packages.put("libc6", "2.36-9")
    del host.blobs.contents[want.debs[1].sha256]

    assert lines(converge(KIND, host, want)) == ["install etcd-server 3.4.23-4"]


def test_removal_takes_the_named_package_only() -> None:
    host, want = node()
    converge(KIND, host, want)

    assert lines(take_back(KIND, host, want)) == ["remove etcd-server 3.4.23-4"]
    assert host.packages.version("libc6") == "2.36-9"


def test_removal_never_takes_others_along() -> None:
    host, want = node()
    converge(KIND, host, want)
    host.packages.put("a-persons-tool", "1", ("etcd-server",))
    (change,) = KIND.plan_removal(host, want)
    assert not isinstance(change, Blocked)

    with pytest.raises(HostError, match="a-persons-tool would go too"):
        KIND.apply(host, change)


def test_what_moved_is_refused() -> None:
    host, want = node()
    (change,) = KIND.plan(host, want)
    assert not isinstance(change, Blocked)
    host.packages.put("libc6", "2.40-1")

    with pytest.raises(MovedError, match=r"expected none, found 2\.40-1"):
        KIND.apply(host, change)
    assert host.packages.version("etcd-server") is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": "socat"}, "not among its own debs"),
        ({"version": "9"}, "debs hold 3.4.23-4, not 9"),
        ({"debs": "twice"}, "twice"),
    ],
)
def test_a_closure_that_contradicts_itself_is_refused(changed: dict[str, str], why: str) -> None:
    _, want = node()
    fields = msgspec.to_builtins(want) | changed
    if changed.get("debs"):
        fields["debs"] = msgspec.to_builtins(want.debs) * 2

    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(fields, Package)


def test_what_runs_as_root_is_claimed_and_brought() -> None:
    _, want = node()
    blobs = tuple(deb.sha256 for deb in want.debs)

    assert KIND.blobs(want) == blobs
    assert set(KIND.claims(want)) == {
        Claim("package", "etcd-server"),
        Claim("package", "libc6"),
        *(Claim("artifact", blob) for blob in blobs),
    }


VERSION = st.sampled_from([None, "1", "2.36-9", "3.4.23-4", "3.4.23-4~bpo", "9"])


@given(VERSION, VERSION, st.sets(st.sampled_from(["etcd-server", "libc6"])))
def test_whatever_is_there_it_converges_and_goes(
    etcd: str | None, libc: str | None, half: set[str]
) -> None:
    host, want = node()
    for name, version in (("etcd-server", etcd), ("libc6", libc)):
        if version is not None:
            host.packages.put(name, version)
            if name in half and version in ("1", "2.36-9"):
                host.packages.half.add(name)

    converge(KIND, host, want)
    take_back(KIND, host, want)
    assert host.packages.version("etcd-server") is None


def test_a_file_of_another_package_than_it_says_is_not_installed() -> None:
    host, want = node()
    (etcd, _) = want.debs
    host.packages.put_deb(host.blobs.path(etcd.sha256), "openssh-server-evil", "1")
    (install,) = KIND.plan(host, want)
    assert not isinstance(install, Blocked)

    with pytest.raises(HostError, match="the file of that hash is openssh-server-evil 1"):
        KIND.apply(host, install)

    assert host.packages.installed == {}


@pytest.mark.parametrize(
    "debs", [(), (Deb(package="saltern-agent", version="2", sha256="0" * 64),)]
)
def test_the_agent_itself_is_no_package_of_these(debs: tuple[Deb, ...]) -> None:
    """T13: it becomes what policy's releases name by hash, and `packages: ["*"]` names none."""
    with pytest.raises(ValueError, match="saltern-agent: it is upgraded by agent/1"):
        Package(name="saltern-agent", debs=debs)


def test_the_agent_itself_does_not_come_along_with_another_package_either() -> None:
    names = ("etcd-server", "saltern-agent")
    debs = tuple(Deb(package=name, version="2", sha256="0" * 64) for name in names)
    with pytest.raises(ValueError, match="saltern-agent: it is upgraded by agent/1"):
        Package(name="etcd-server", debs=debs)
    body = msgspec.json.encode(
        {"kind": "package/1", "name": "etcd-server", "debs": [msgspec.to_builtins(d) for d in debs]}
    )
    with pytest.raises(msgspec.ValidationError, match="agent/1"):
        msgspec.json.decode(body, type=Package)
