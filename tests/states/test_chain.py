"""chain: whole, with its jump in its place, in one transaction, and nothing else touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError, convert
from msgspec.structs import replace
from saltern_states import chain, iptables_text
from saltern_states.chain import Chain, DeleteChain, Jump, Observed, Place, WriteChain, restore_text
from saltern_states.contract import Blocked, WatchChain, WatchLegacyRules
from saltern_states.ports import Backend, MovedError
from saltern_states.testing import FakeHost

RULE = "-s 10.10.5.0/24 ! -d 10.10.0.0/16 -j MASQUERADE"
WANT = Chain(table="nat", name="SALTERN-A", rules=(RULE,), jump=Jump("POSTROUTING", "last"))


def node(*lines: str, backend: Backend = "nft", table: str = "nat") -> FakeHost:
    host = FakeHost()
    host.rules.restore(backend, iptables_text.join(table, lines))
    return host


def planned(host: FakeHost, want: Chain = WANT) -> WriteChain:
    (change,) = chain.KIND.plan(host, want)
    assert isinstance(change, WriteChain)
    return change


HAVE = (":SALTERN-A - [0:0]", f"-A SALTERN-A {RULE}")


def test_a_missing_chain_is_made_with_its_jump() -> None:
    change = planned(FakeHost())

    assert str(change) == "make the chain nat/SALTERN-A (nft): 1 rule; jump from POSTROUTING, last"
    assert restore_text(change) == (
        f"*nat\n:SALTERN-A - [0:0]\n-A SALTERN-A {RULE}\n-A POSTROUTING -j SALTERN-A\nCOMMIT\n"
    )
    assert f"+-A SALTERN-A {RULE}\n" in change.detail
    assert "+-A POSTROUTING -j SALTERN-A\n" in change.detail


def test_only_the_rules_are_written_where_the_jump_is_right() -> None:
    host = node(":SALTERN-A - [0:0]", "-A SALTERN-A -j RETURN", "-A POSTROUTING -j SALTERN-A")

    change = planned(host)

    assert restore_text(change) == f"*nat\n:SALTERN-A - [0:0]\n-A SALTERN-A {RULE}\nCOMMIT\n"
    assert "-A POSTROUTING" not in change.detail.replace(" -A POSTROUTING", "")
    assert "--A SALTERN-A -j RETURN\n" in change.detail


@pytest.mark.parametrize(
    ("jumps", "place", "text"),
    [
        ((), "last", "-A POSTROUTING -j SALTERN-A\n"),
        ((), "any", "-A POSTROUTING -j SALTERN-A\n"),
        ((), "first", "-I POSTROUTING 1 -j SALTERN-A\n"),
        (
            ("-A POSTROUTING -j SALTERN-A", "-A POSTROUTING -j RETURN"),
            "last",
            "-D POSTROUTING -j SALTERN-A\n-A POSTROUTING -j SALTERN-A\n",
        ),
        (
            ("-A POSTROUTING -j RETURN", "-A POSTROUTING -j SALTERN-A"),
            "first",
            "-D POSTROUTING -j SALTERN-A\n-I POSTROUTING 1 -j SALTERN-A\n",
        ),
        (
            ("-A POSTROUTING -j SALTERN-A", "-A POSTROUTING -j SALTERN-A"),
            "any",
            "-D POSTROUTING -j SALTERN-A\n" * 2 + "-A POSTROUTING -j SALTERN-A\n",
        ),
        (
            ("-A PREROUTING -j SALTERN-A", "-A POSTROUTING -j SALTERN-A"),
            "any",
            "-D PREROUTING -j SALTERN-A\n-D POSTROUTING -j SALTERN-A\n"
            "-A POSTROUTING -j SALTERN-A\n",
        ),
    ],
)
def test_only_the_jump_is_written_where_the_rules_are_right(
    jumps: tuple[str, ...], place: Place, text: str
) -> None:
    host = node(*HAVE, *jumps)

    change = planned(host, replace(WANT, jump=Jump("POSTROUTING", place)))

    assert restore_text(change) == f"*nat\n{text}COMMIT\n"


@pytest.mark.parametrize(
    ("jumps", "place"),
    [
        (("-A POSTROUTING -j SALTERN-A",), "first"),
        (("-A POSTROUTING -j SALTERN-A",), "last"),
        (("-A POSTROUTING -j RETURN", "-A POSTROUTING -j SALTERN-A"), "last"),
        (("-A POSTROUTING -j SALTERN-A", "-A POSTROUTING -j RETURN"), "any"),
        # others' ways of calling it are theirs
        (("-A POSTROUTING -j SALTERN-A", "-A PREROUTING -s 10.0.0.1 -j SALTERN-A"), "any"),
        ((":OTHER - [0:0]", "-A OTHER -j SALTERN-A", "-A POSTROUTING -j SALTERN-A"), "any"),
    ],
)
def test_a_jump_in_its_place_is_left_alone(jumps: tuple[str, ...], place: Place) -> None:
    host = node(*HAVE, *jumps)

    assert chain.KIND.plan(host, replace(WANT, jump=Jump("POSTROUTING", place))) == ()


def test_the_order_of_rules_counts_and_their_spelling_does_not() -> None:
    two = ("-p tcp --dport 22 -j ACCEPT", "-s 10.0.0.1 -j RETURN")
    want = replace(WANT, rules=two, jump=Jump("POSTROUTING"))
    host = FakeHost()
    chain.apply(host, planned(host, want))

    spelled = ("-j ACCEPT -p tcp -m tcp --dport 22", "-s 10.0.0.1/32 -j RETURN")
    assert chain.KIND.plan(host, replace(want, rules=spelled)) == ()
    assert chain.KIND.plan(host, replace(want, rules=two[::-1])) != ()


def test_without_iptables_it_is_blocked() -> None:
    host = FakeHost()
    host.rules.installed.clear()

    (blocked,) = chain.KIND.plan(host, WANT)

    assert isinstance(blocked, Blocked)
    assert "install the package iptables" in blocked.why
    assert blocked.then == (planned(FakeHost()),)
    assert chain.KIND.plan_removal(host, WANT) == ()


def test_it_is_taken_back_in_one_transaction() -> None:
    host = node(*HAVE, "-A POSTROUTING -j SALTERN-A", "-A PREROUTING -j SALTERN-A")

    (change,) = chain.KIND.plan_removal(host, WANT)

    assert isinstance(change, DeleteChain)
    assert restore_text(change) == (
        "*nat\n"
        "-D PREROUTING -j SALTERN-A\n"
        "-D POSTROUTING -j SALTERN-A\n"
        "-F SALTERN-A\n"
        "-X SALTERN-A\n"
        "COMMIT\n"
    )
    chain.apply(host, change)
    assert chain.KIND.plan_removal(host, WANT) == ()
    assert host.rules.save("nft", "nat") == iptables_text.render(iptables_text.empty("nat"))


def test_others_that_call_it_forbid_its_removal_by_name() -> None:
    host = node(*HAVE, ":OTHER - [0:0]", "-A OTHER -s 10.0.0.1 -j SALTERN-A")

    (blocked,) = chain.KIND.plan_removal(host, WANT)

    assert isinstance(blocked, Blocked)
    assert "-A OTHER -s 10.0.0.1/32 -j SALTERN-A" in blocked.why
    assert isinstance(blocked.then[0], DeleteChain)


@pytest.mark.parametrize(
    "moved",
    [
        "-A SALTERN-A -j RETURN",
        "-A POSTROUTING -j SALTERN-A",
        "-D POSTROUTING -j SALTERN-A",
    ],
)
def test_a_change_is_refused_where_the_chain_moved(moved: str) -> None:
    host = node(*HAVE, "-A POSTROUTING -j SALTERN-A")
    write = planned(host, replace(WANT, rules=()))
    (delete,) = chain.KIND.plan_removal(host, WANT)
    host.rules.restore("nft", iptables_text.join("nat", [moved]))
    before = host.rules.save("nft", "nat")

    for change in (write, delete):
        assert not isinstance(change, Blocked)
        with pytest.raises(MovedError, match=r"cannot .*nat/SALTERN-A.*plan again"):
            chain.apply(host, change)
    assert host.rules.save("nft", "nat") == before


def test_others_rules_may_come_meanwhile() -> None:
    host = node(*HAVE)
    change = planned(host)
    host.rules.restore("nft", "*nat\n-A POSTROUTING -s 10.0.0.1 -j RETURN\nCOMMIT\n")

    chain.apply(host, change)

    assert chain.KIND.plan(host, WANT) == ()


def test_what_is_listened_to() -> None:
    assert chain.watch(WANT) == (WatchChain("nat", ("SALTERN-A", "POSTROUTING")),)
    assert chain.watch(replace(WANT, backend="legacy")) == (WatchLegacyRules("nat"),)


@pytest.mark.parametrize(
    "fields",
    [
        {"rules": ["-j ACCEPT --modprobe=/tmp/x"]},
        {"rules": ["-j ACCEPT\n-A INPUT -j DROP"]},
        {"table": "filter"},  # has no POSTROUTING
        {"name": "POSTROUTING"},
        {"name": "KUBE-SERVICES"},
    ],
)
def test_what_could_touch_more_than_its_chain_is_refused(fields: dict[str, object]) -> None:
    good = {
        "kind": "chain/1",
        "table": "nat",
        "name": "SALTERN-A",
        "rules": [],
        "jump": {"chain": "POSTROUTING"},
    }
    assert convert(good, Chain).rules == ()
    with pytest.raises(ValidationError):
        convert(good | fields, Chain)


RULES = st.lists(
    st.sampled_from(["-j RETURN", "-s 10.0.0.1 -j ACCEPT", "-p udp --dport 53 -j ACCEPT"]),
    max_size=3,
).map(tuple)
FOREIGN = st.sampled_from(["-j RETURN", "-s 10.1.0.0/16 -j MARK --set-mark 1", "-j OTHER"])
BUILT_IN = st.sampled_from(["INPUT", "FORWARD", "OUTPUT"])
JUMPS = st.builds(Jump, chain=BUILT_IN, place=st.sampled_from(["first", "last", "any"]))


@given(
    foreign=st.lists(st.tuples(BUILT_IN, FOREIGN | st.just("-j SALTERN-A")), max_size=6),
    ours=st.none() | RULES,
    rules=RULES,
    jump=JUMPS,
    backend=st.sampled_from(["nft", "legacy"]),
)
def test_it_converges_and_touches_nothing_else(
    foreign: list[tuple[str, str]],
    ours: tuple[str, ...] | None,
    rules: tuple[str, ...],
    jump: Jump,
    backend: Backend,
) -> None:
    lines = [":OTHER - [0:0]", "-A OTHER -s 10.7.0.0/16 -j DROP"]
    if ours is not None:
        lines += [":SALTERN-A - [0:0]", *(f"-A SALTERN-A {rule}" for rule in ours)]
    lines += [f"-A {c} {r}" for c, r in foreign if ours is not None or r != "-j SALTERN-A"]
    host = node(*lines, backend=backend, table="filter")
    before = without_ours(host, backend)
    want = Chain(table="filter", name="SALTERN-A", rules=rules, jump=jump, backend=backend)

    for change in chain.KIND.plan(host, want):
        assert not isinstance(change, Blocked)
        chain.apply(host, change)

    assert chain.KIND.plan(host, want) == ()
    assert without_ours(host, backend) == before
    have = chain.observe(host, want)
    assert have == Observed(True, have.rules, (jump.chain,), (), have.placed)
    assert len(have.rules or ()) == len(rules)

    for change in chain.KIND.plan_removal(host, want):
        assert not isinstance(change, Blocked)
        chain.apply(host, change)
    assert without_ours(host, backend) == before
    assert "SALTERN" not in (host.rules.save(backend, "filter") or "")


def without_ours(host: FakeHost, backend: Backend) -> list[str]:
    text = host.rules.save(backend, "filter") or ""
    return [line for line in text.splitlines() if "SALTERN-A" not in line]
