"""certificate: what is asked for, when, and what is done without the master."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.policy import Claim
from saltern_states.certificate import (
    EXAMPLE_AUTHORITY,
    KIND,
    Certificate,
    Observed,
    wanted,
)
from saltern_states.changes import in_the_way
from saltern_states.contract import WatchPath, WatchTimer
from saltern_states.leaf import DAY, Leaf, Pair, due, unlike
from saltern_states.ports import Entry, HostError
from saltern_states.testing import FakeHost

from tests.states.laws import converge, lines, take_back

SYMLINK = Entry("symlink", 0, "", "")
PKI = "/etc/kubernetes/pki"
CRT, KEY = f"{PKI}/kubelet.crt", f"{PKI}/kubelet.key"
WANT = Certificate(
    path=CRT,
    key=KEY,
    issuer="kubernetes",
    common_name="system:node:w1",
    organizations=("system:nodes",),
    dns=("w1", "w1.example"),
    addresses=("10.9.0.21",),
    usages=("client", "server"),
    days=30,
    ca=EXAMPLE_AUTHORITY,
)
ASK = f"request {CRT} from authority kubernetes: "
AWAY = "the master was not heard for 40 s; see its log"
Do = Callable[[FakeHost], None]


def bare() -> FakeHost:
    host = FakeHost()
    host.files.put_directory(PKI)
    return host


def held() -> FakeHost:
    host = bare()
    converge(KIND, host, WANT)
    return host


def later(days: float) -> Do:
    def do(host: FakeHost) -> None:
        host.certificates.now += int(days * DAY)

    return do


def away(host: FakeHost) -> None:
    host.certificates.unreachable = AWAY


def made_for(**fields: object) -> Do:
    """Somebody put a certificate there that was made for another Spec."""

    def do(host: FakeHost) -> None:
        host.files.take(CRT)
        converge(KIND, host, msgspec.structs.replace(WANT, **fields))

    return do


def put(path: str, mode: int = 0o644) -> Do:
    return lambda host: host.files.put_file(path, b"else", mode)


def both(*steps: Do) -> Do:
    def do(host: FakeHost) -> None:
        for step in steps:
            step(host)

    return do


def open_to_all(host: FakeHost) -> None:
    host.files.put_file(KEY, host.files.read(Path(KEY)) or b"", 0o644)


def open_certificate(host: FakeHost) -> None:
    host.files.put_file(CRT, host.files.read(Path(CRT)) or b"", 0o666)


NEW_KEY = f"make key {KEY} (0600 root:root): "
WRONG_KEY = "it holds no private key (ECDSA P-256, PKCS#8)"
ANEW = f"{ASK}its key is made anew"

TABLE = [
    pytest.param(lambda host: None, [], id="right"),
    pytest.param(lambda host: host.files.take(KEY), [f"{NEW_KEY}there is none", ANEW], id="no-key"),
    pytest.param(lambda host: host.files.take(CRT), [f"{ASK}there is none"], id="no-certificate"),
    pytest.param(put(KEY), [f"{NEW_KEY}{WRONG_KEY}", ANEW], id="no-key-in-it"),
    pytest.param(
        put(CRT), [f"{ASK}what stands there is no certificate"], id="no-certificate-in-it"
    ),
    pytest.param(open_to_all, [f"set {KEY} to 0600 root:root (was 0644 root:root)"], id="key-mode"),
    pytest.param(
        open_certificate, [f"set {CRT} to 0644 root:root (was 0666 root:root)"], id="mode"
    ),
    pytest.param(
        both(
            lambda host: host.files.take(KEY),
            lambda h: h.files.put_file(KEY, b"fake private key 99\n", 0o600),
        ),
        [f"{ASK}it is of another key"],
        id="another-key",
    ),
    pytest.param(
        made_for(common_name="system:node:w2"),
        [f"{ASK}its common name is system:node:w2"],
        id="subject",
    ),
    pytest.param(
        made_for(organizations=("system:masters", "system:nodes")),
        [f"{ASK}its organizations are system:masters, system:nodes and not system:nodes"],
        id="organizations",
    ),
    pytest.param(made_for(dns=()), [f"{ASK}its dns are none and not w1, w1.example"], id="names"),
    pytest.param(
        made_for(addresses=("10.9.0.22",)),
        [f"{ASK}its addresses are 10.9.0.22 and not 10.9.0.21"],
        id="addresses",
    ),
    pytest.param(
        made_for(usages=("client",)),
        [f"{ASK}its usages are client and not client, server"],
        id="usages",
    ),
    pytest.param(
        made_for(usages=("server", "client"), dns=("w1.example", "w1")), [], id="another-order"
    ),
    pytest.param(
        made_for(ca=EXAMPLE_AUTHORITY.replace("MIIB", "MIIC")),
        [f"{ASK}it is not signed by that authority"],
        id="authority",
    ),
    pytest.param(made_for(days=365), [f"{ASK}its life is 365.0 days"], id="life"),
    pytest.param(later(19.9), [], id="two-thirds-and-a-bit"),
    pytest.param(later(20.1), [f"{ASK}it ends on 2027-02-14"], id="due"),
    pytest.param(later(31), [f"{ASK}it ended on 2027-02-14"], id="expired"),
    pytest.param(
        later(-1),
        [f"{ASK}it begins on 2027-01-15, and this node's clock says 2027-01-14"],
        id="not-yet",
    ),
    pytest.param(both(later(20.1), away), [], id="due-without-master"),
    pytest.param(
        both(later(31), away),
        [f"blocked: {AWAY}", f"  then {ASK}it ended on 2027-02-14"],
        id="expired-without-master",
    ),
    pytest.param(
        both(open_to_all, away),
        [f"set {KEY} to 0600 root:root (was 0644 root:root)"],
        id="mode-without-master",
    ),
    pytest.param(
        lambda host: host.files.put_symlink(KEY),
        [
            f"blocked: {in_the_way(KEY, SYMLINK, 'file')}",
            f"  then {NEW_KEY}it is a symlink",
            f"  then {ANEW}",
        ],
        id="symlink",
    ),
    pytest.param(
        both(lambda host: host.files.take(CRT), lambda host: host.files.put_directory(CRT)),
        [
            f"blocked: {CRT} is no file (directory); take it away first",
            f"  then {ASK}what stands there is no certificate",
        ],
        id="directory",
    ),
    pytest.param(
        lambda host: host.files.take(PKI),
        [
            f"blocked: there is no directory {PKI}",
            f"  then {NEW_KEY}there is none",
            f"  then {ASK}there is none",
        ],
        id="no-directory",
    ),
]


@pytest.mark.parametrize(("before", "plan"), TABLE)
def test_what_would_be_done(before: Do, plan: list[str]) -> None:
    host = held()
    before(host)

    planned = converge(KIND, host, WANT)

    assert lines(planned) == plan


def test_a_bare_node_gets_a_key_and_then_its_certificate() -> None:
    host = bare()

    assert lines(converge(KIND, host, WANT)) == [f"{NEW_KEY}there is none", f"{ASK}there is none"]
    for path, mode in ((KEY, 0o600), (CRT, 0o644)):
        entry = host.files.look(Path(path))
        assert entry is not None
        assert (entry.mode, entry.owner, entry.group) == (mode, "root", "root")
    assert host.certificates.asked == [CRT]


def test_the_key_can_be_anothers() -> None:
    host, want = bare(), msgspec.structs.replace(WANT, key_owner="etcd", key_group="0")
    blocked = lines(converge(KIND, host, want))
    assert blocked[0] == f"blocked: {KEY}: this node has no user etcd"

    host.files.users["etcd"] = 105
    converge(KIND, host, want)

    entry = host.files.look(Path(KEY))
    assert entry is not None
    assert (entry.owner, entry.group) == ("etcd", "root")


def test_renewal_can_be_said_in_days() -> None:
    want = msgspec.structs.replace(WANT, renew_before_days=3)
    host = bare()
    converge(KIND, host, want)

    later(26.9)(host)
    assert converge(KIND, host, want) == ()
    later(0.2)(host)
    assert [str(one) for one in converge(KIND, host, want)] == [f"{ASK}it ends on 2027-02-14"]


def test_renewal_keeps_the_key() -> None:
    host = held()
    key, first = host.files.read(Path(KEY)), host.files.read(Path(CRT))

    later(21)(host)
    converge(KIND, host, WANT)

    assert host.files.read(Path(KEY)) == key
    assert host.files.read(Path(CRT)) != first


def test_what_was_not_asked_for_is_not_taken() -> None:
    host = bare()
    host.certificates.sends = lambda asked: replace(asked, organizations=("system:masters",))
    planned = KIND.plan(host, WANT)
    KIND.apply(host, planned[0])  # type: ignore[arg-type]

    with pytest.raises(HostError, match=r"cannot take the certificate .*system:masters"):
        KIND.apply(host, planned[1])  # type: ignore[arg-type]

    assert host.files.look(Path(CRT)) is None


def test_a_stranger_who_was_quicker_is_not_overwritten() -> None:
    host = bare()
    planned = KIND.plan(host, WANT)
    host.files.put_file(KEY, b"theirs")

    with pytest.raises(HostError, match="plan again"):
        KIND.apply(host, planned[0])  # type: ignore[arg-type]


def test_taking_back_removes_both() -> None:
    host = held()

    assert lines(take_back(KIND, host, WANT)) == [f"remove {CRT}", f"remove {KEY}"]
    assert host.files.names(Path(PKI)) == ()
    assert take_back(KIND, bare(), WANT) == ()


def test_taking_back_leaves_what_is_no_file() -> None:
    host = bare()
    host.files.put_symlink(CRT)
    host.files.put_directory(KEY)

    assert take_back(KIND, host, WANT) == ()


def test_no_line_and_no_detail_holds_a_key() -> None:
    host = held()
    open_to_all(host)
    content = host.files.read(Path(KEY)) or b""
    told = [KIND.plan(host, WANT), KIND.plan_removal(host, WANT)]
    put(CRT)(host)
    told.append(KIND.plan(host, WANT))

    assert content
    for change in [each for changes in told for each in changes]:
        assert content.decode().strip() not in f"{change} {change.detail} {change!r}"


def test_claims_and_watches() -> None:
    assert KIND.claims(WANT) == (Claim("path", CRT), Claim("path", KEY))
    assert KIND.watch(WANT) == (WatchPath(Path(CRT)), WatchPath(Path(KEY)), WatchTimer(3600))
    assert not KIND.volatile


TEXTS = st.sampled_from(["system:node:w1", "other", ""])
NAMES = st.sets(st.sampled_from(["w1", "w1.example", "else"])).map(sorted).map(tuple)
TIMES = st.integers(0, 100 * DAY)
LEAVES = st.builds(
    Leaf,
    common_name=TEXTS,
    organizations=NAMES,
    dns=NAMES,
    addresses=st.sampled_from([(), ("10.9.0.21",)]),
    usages=st.sampled_from([(), ("client",), ("client", "server"), ("1.2.3",)]),
    not_before=TIMES,
    not_after=TIMES,
    of_key=st.booleans(),
    of_issuer=st.booleans(),
    odd=st.sampled_from([(), ("it is an authority's",)]),
)
ENTRIES = st.none() | st.builds(
    Entry,
    type=st.sampled_from(["file", "directory", "symlink", "other"]),
    mode=st.sampled_from([0o600, 0o644]),
    owner=st.sampled_from(["root", "bin"]),
    group=st.just("root"),
)
SEEN = st.builds(
    Observed,
    key=ENTRIES,
    certificate=ENTRIES,
    pair=st.builds(
        Pair,
        now=TIMES,
        key_fault=st.sampled_from(["", WRONG_KEY]),
        leaf=st.none() | LEAVES,
    ),
    key_parent=ENTRIES,
    parent=ENTRIES,
    unknown=st.sampled_from([(), ("user x",)]),
    unreached=st.sampled_from(["", AWAY]),
)


@given(SEEN)
def test_law_every_sight_has_an_answer_and_rest_means_right(seen: Observed) -> None:
    changes = KIND.diff(WANT, seen)
    KIND.remove(WANT, seen)

    if changes == ():
        leaf = seen.pair.leaf
        assert leaf is not None
        assert unlike(wanted(WANT), leaf, seen.pair.now) == ()
        assert seen.unreached or not due(wanted(WANT), leaf, seen.pair.now)
        assert seen.key is not None
        assert (seen.key.type, seen.key.mode, seen.key.owner) == ("file", 0o600, "root")


STEPS = st.sampled_from(
    [
        lambda host: host.files.take(KEY),
        lambda host: host.files.take(CRT),
        put(KEY),
        put(CRT),
        open_certificate,
        later(-3),
        later(9),
        later(40),
    ]
)


@given(st.lists(STEPS, max_size=5))
def test_law_one_pass_converges_and_taking_back_leaves_nothing(steps: list[Do]) -> None:
    host = held()
    for step in steps:
        step(host)

    converge(KIND, host, WANT)
    pair = host.certificates.look(Path(CRT), Path(KEY), WANT.ca)

    assert pair.leaf is not None
    assert unlike(wanted(WANT), pair.leaf, pair.now) == ()
    take_back(KIND, host, WANT)
    assert host.files.names(Path(PKI)) == ()
