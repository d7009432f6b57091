"""Which nodes a target means: a table of terms, every fault, and laws over generated targets."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from saltern_master.api.service import NodeView
from saltern_master.measures import ORDERS, Versions, amount, compared
from saltern_master.subjects import WORDS, Subject, label_keys, subject
from saltern_master.targeting import Found, Target, TargetError, choose, parse

CP1 = Subject(
    name="cp1",
    node_class="control-plane",
    roles=("control-plane", "etcd"),
    labels={"zone": "a", "os": "old", "example.org/rack": "3"},
    state="joined",
    connected=True,
    release="0.2.0",
    facts={
        "kernel": "6.1.0-13-amd64",
        "architecture": "x86_64",
        "os": "debian",
        "osVersion": "12",
        "python": "3.11.2",
        "memoryMib": 15_900,
        "mtu": 1500,
        "cgroup": 2,
        "iptablesBackend": "nft",
    },
)
W1 = Subject(
    name="w1",
    node_class="worker",
    roles=("worker",),
    labels={"zone": "a", "example.org/rack": "12"},
    state="joined",
    release="0.2.0-rc1",
    facts={
        "kernel": "5.10.0-28-amd64",
        "architecture": "aarch64",
        "memoryMib": 3900,
        "mtu": 9000,
        "iptablesBackend": "legacy",
    },
)
W2 = Subject(name="w2", node_class="worker", roles=("worker",), labels={"zone": "b", "empty": ""})
ALL = (CP1, W1, W2)
LABELS = label_keys(ALL)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "cp1 w1 w2"),
        ("  ", "cp1 w1 w2"),
        ("w1", "w1"),
        ("w*", "w1 w2"),
        ("cp1|w2", "cp1 w2"),
        ("name=*1", "cp1 w1"),
        ("name!=w*", "cp1"),
        ("!w*", "cp1"),
        ("!name!=w*", "w1 w2"),
        (" role = worker , zone = a ", "w1"),
        ("role=etcd", "cp1"),
        ("role!=worker", "cp1"),
        ("class=worker", "w1 w2"),
        ("zone=a|b", "cp1 w1 w2"),
        ("zone!=a|b", ""),
        ("zone=*", "cp1 w1 w2"),
        ("empty=", "w2"),
        ("empty=*", "w2"),
        ("!empty=*", "cp1 w1"),
        ("os=old", ""),
        ("os=debian", "cp1"),
        ("label.os=old", "cp1"),
        ("example.org/rack>3", "w1"),
        ("example.org/rack<=3", "cp1"),
        ("label.example.org/rack>=3", "cp1 w1"),
        ("kernel<6", "w1"),
        ("kernel=6.1", "cp1"),
        ("kernel<=6", "cp1 w1"),
        ("kernel>6", ""),
        ("kernel=6.1.*", "cp1"),
        ("kernel!=6", "w1 w2"),
        ("!kernel<6", "cp1 w2"),
        ("arch=amd64", "cp1"),
        ("arch=x86_64", "cp1"),
        ("arch=arm*", "w1"),
        ("os-version>=12", "cp1"),
        ("python>=3.11", "cp1"),
        ("memory>=4G", "cp1 w1"),
        ("memory>=4Gi", "cp1"),
        ("memory<3900.5Mi", "w1"),
        ("memory=3900Mi", "w1"),
        ("mtu>1500", "w1"),
        ("cgroup=2", "cp1"),
        ("iptables=legacy", "w1"),
        ("release<0.2", "w1"),
        ("release=0.2.0", "cp1"),
        ("release>=0.2.0-rc1", "cp1 w1"),
        ("connected", "cp1"),
        ("!connected", "w1 w2"),
        ("connected=no", "w1 w2"),
        ("state=joined", "cp1 w1"),
        ("role=worker,zone=a,kernel<6,name=w*", "w1"),
    ],
)
def test_whom_a_target_means(text: str, names: str) -> None:
    assert parse(text, LABELS).of(ALL) == tuple(names.split())


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("zoen=a", ["zoen=a: there is no zoen; did you mean zone?; words: name, role,"]),
        ("label.nope=a", ["label.nope=a: there is no label.nope"]),
        ("qqqqqq=a", ["labels here: empty, example.org/rack, os, zone"]),
        ("=a", ["=a: there is no word; words: name"]),
        ("role=wroker", ["role=wroker: it is one of worker, control-plane, etcd, bare"]),
        ("state=well", ["it is one of offline, pending, joined"]),
        ("role<worker", ["role<worker: it has no order; use = or !="]),
        ("kernel<new", ["kernel<new: compare it with a version such as 6, 6.1"]),
        ("kernel<6*|5", ["| can stand after = and != alone"]),
        ("kernel<6*", ["kernel<6*: * can stand after = and != alone"]),
        ("zone>b", ["zone>b: compare it with a version"]),
        ("memory>4", ["memory>4: compare it with an amount such as 512Mi, 16G or 16Gi"]),
        ("memory>lots", ["an amount such as"]),
        ("name=", ["name=: the value is missing"]),
        ("W1", ["W1: a node's name has small letters"]),
        ("zone==a", ["zone==a: one operator is enough"]),
        ("w1,", ["nothing: a term is missing beside a comma"]),
        ("!", ["!: a term is missing"]),
        ("w1,w2", ["w1, w2: no node has two names; one of them is w1|w2"]),
        ("zoen=a,role=x,memory>4", ["zoen", "role=x", "memory>4"]),
        ("\x1b[2J=a", ["\\x1b[2J=a: there is no"]),
    ],
)
def test_every_fault_is_told_with_what_there_is(text: str, faults: list[str]) -> None:
    with pytest.raises(TargetError) as caught:
        parse(text, LABELS)
    assert len(caught.value.faults) == len(faults)
    assert all(part in told for part, told in zip(faults, caught.value.faults, strict=True))
    count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
    assert str(caught.value).splitlines()[0].endswith(f": {count}")
    assert "\x1b" not in str(caught.value)


def test_a_target_that_is_too_long_is_refused() -> None:
    with pytest.raises(TargetError, match="longer than 4096"):
        parse("w" * 5000)


def test_a_target_of_nobody_says_what_each_term_means() -> None:
    with pytest.raises(TargetError) as caught:
        choose("zone=a,kernel>6", ALL)
    (fault,) = caught.value.faults
    assert fault.startswith(
        "no node is meant: zone=a: 2 of 3 nodes, kernel>6: 0 of 3 nodes; "
        "there are: cp1, w1, w2; words: name, role, "
    )
    assert fault.endswith("; labels here: empty, example.org/rack, os, zone")
    assert choose("zone=a", ALL) == ("cp1", "w1")
    assert choose("", ()) == ()


def test_each_term_is_explained_with_what_was_found() -> None:
    target = parse("role=worker,kernel<6,!zone=b", LABELS)

    assert target.explain(W1) == (
        Found("role=worker", True, "worker"),
        Found("kernel<6", True, "5.10.0-28-amd64"),
        Found("!zone=b", True, "a"),
    )
    assert target.explain(CP1)[:2] == (
        Found("role=worker", False, "control-plane,etcd"),
        Found("kernel<6", False, "6.1.0-13-amd64"),
    )
    assert target.explain(W2)[1:] == (Found("kernel<6", False, ""), Found("!zone=b", False, "b"))


def test_facts_count_as_they_are_now() -> None:
    view = NodeView(
        name="w1",
        node_class="worker",
        state="joined",
        fingerprint="",
        labels={"zone": "a"},
        facts={"kernel": "5.10.0", "mtu": 1500},
        facts_now={"kernel": "6.1.0"},
    )

    assert parse("kernel>=6,mtu=1500,zone=a", ["zone"]).matches(subject(view))


@pytest.mark.parametrize(
    ("found", "value", "order"),
    [
        ("6.1.0-13-amd64", "6.1", 0),
        ("6.1", "6.1.0", 0),
        ("6.1.0-13-amd64", "6.1.0-14", -1),
        ("5.10.0", "5.9", 1),
        ("6.5.0-azure", "6.5", 0),
        ("6.1-rc2", "6.1", -1),
        ("6.1-rc2", "6", 0),
        ("6.1-rc2", "6.1-rc10", -1),
        ("6.1", "6.1-rc1", 1),
        ("0.2.0.dev3", "0.2.0", -1),
        ("v1.20.2", "1.20", 0),
        ("", "1", None),
        ("1", "x", None),
        ("9" * 5000, "1", None),
    ],
)
def test_versions_are_compared_as_far_as_they_were_written(
    found: str, value: str, order: int | None
) -> None:
    assert compared(found, value) == order


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("2k", 2000), ("2Ki", 2048), ("1.5G", 1.5e9), ("1Ti", 2**40), ("1K", None)],
)
def test_amounts_have_the_units_of_kubernetes(text: str, size: float | None) -> None:
    assert amount(text) == size


versions = st.from_regex(r"\A[0-9]{1,3}([.-][0-9]{1,3}){0,3}(-rc[0-9]|-amd64)?\Z")


@given(versions, versions)
def test_of_two_versions_one_order_holds(found: str, value: str) -> None:
    holds = {sign: Versions().holds(sign, found, value) for sign in ORDERS}

    assert holds["<"] + holds["="] + holds[">"] == 1
    assert holds["<="] == (holds["<"] or holds["="])
    assert holds[">="] == (holds[">"] or holds["="])


SIGNS = ("=", "!=", "<", "<=", ">", ">=")
values = st.one_of(
    st.sampled_from(["w1", "worker", "a", "b", "6", "5.10", "4Gi", "joined", "yes", "w*", "a|b"]),
    st.text(max_size=5),
)
terms = st.one_of(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "!"]),
        st.sampled_from([*WORDS, *LABELS, *(f"label.{one}" for one in LABELS)]),
        st.sampled_from(SIGNS),
        values,
    ),
    st.sampled_from(["w1", "w*", "!w2", "connected"]),
)


def read(text: str) -> Target | None:
    try:
        return parse(text, LABELS)
    except TargetError as error:
        if not error.faults:
            raise
        return None


@given(st.text())
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    read(text)


@given(terms, terms)
def test_a_comma_gives_those_that_both_mean(one: str, other: str) -> None:
    both, first, second = read(f"{one},{other}"), read(one), read(other)
    if both is None or first is None or second is None:
        return
    expected = [name for name in first.of(ALL) if name in second.of(ALL)]

    assert list(both.of(ALL)) == expected
    assert all(both.matches(node) == all(each.holds for each in both.explain(node)) for node in ALL)


@example("example.org/rack=,0")  # what is written at random has commas too, and so two terms
@example("zone=a,role=worker")
@given(terms)
def test_not_gives_all_others_of_those_that_the_terms_behind_it_mean(text: str) -> None:
    target, other = read(text), read(f"!{text}")
    if target is None or other is None or text.startswith("!"):
        return
    behind = read(text.partition(",")[2])  # ! is one term's: what is behind a comma stays as it is

    assert behind is not None
    assert {*target.of(ALL), *other.of(ALL)} == {*behind.of(ALL)}
    assert not set(target.of(ALL)) & set(other.of(ALL))
