"""iptables: in memory, and of this kernel in a network namespace, with both back ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from saltern_agent.host.iptables import Iptables
from saltern_states import iptables_text
from saltern_states.ports import Backend, HostError, Rules
from saltern_states.testing.rules import FakeRules

from tests.system.namespace import network_namespace

REAL = pytest.mark.system


@pytest.fixture(params=["fake", pytest.param("kernel", marks=REAL)])
def rules(request: pytest.FixtureRequest) -> Iterator[Rules]:
    if request.param == "fake":
        yield FakeRules()
        return
    with network_namespace():
        real = Iptables()
        yield real
        real.close()


@pytest.fixture(params=["nft", "legacy"])
def backend(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401  # a Backend
    return request.param


def restored(rules: Rules, backend: Backend, *lines: str, table: str = "nat") -> tuple[str, ...]:
    rules.restore(backend, iptables_text.join(table, lines))
    return lines_of(rules, backend, table)


def lines_of(rules: Rules, backend: Backend, table: str = "nat") -> tuple[str, ...]:
    """Give the table without its built-in chains' own lines."""
    text = rules.save(backend, table)
    assert text is not None
    built_in = iptables_text.BUILT_IN[table]
    lines = iptables_text.split(text)[table]
    return tuple(line for line in lines if line[1:].split(" ")[0] not in built_in)


@pytest.mark.parametrize("table", list(iptables_text.BUILT_IN))
def test_a_fresh_table_is_empty(rules: Rules, backend: Backend, table: str) -> None:
    text = rules.save(backend, table)

    assert text == iptables_text.render(iptables_text.empty(table))


def test_a_table_that_iptables_has_not_is_refused(rules: Rules, backend: Backend) -> None:
    with pytest.raises(HostError, match="cannot look at the table broute"):
        rules.save(backend, "broute")


def test_what_is_restored_is_what_is_saved(rules: Rules, backend: Backend) -> None:
    saved = restored(
        rules,
        backend,
        ":SALTERN-A - [0:0]",
        '-A SALTERN-A -p tcp --dport 22 -m comment --comment "a \\"b\\"" -s 10.0.0.1 -j RETURN',
        "-A SALTERN-A -j MASQUERADE",
        "-A POSTROUTING -j SALTERN-A",
    )

    assert saved == (
        ":SALTERN-A - [0:0]",
        "-A POSTROUTING -j SALTERN-A",
        "-A SALTERN-A -s 10.0.0.1/32 -p tcp -m tcp --dport 22"
        ' -m comment --comment "a \\"b\\"" -j RETURN',
        "-A SALTERN-A -j MASQUERADE",
    )


def test_only_the_declared_chain_is_emptied(rules: Rules, backend: Backend) -> None:
    restored(
        rules,
        backend,
        ":SALTERN-A - [0:0]",
        ":OTHER - [0:0]",
        "-A SALTERN-A -j RETURN",
        "-A OTHER -j RETURN",
        "-A POSTROUTING -s 10.0.0.0/8 -j OTHER",
    )

    saved = restored(rules, backend, ":SALTERN-A - [0:0]", "-A SALTERN-A -j ACCEPT")

    assert sorted(saved) == [
        "-A OTHER -j RETURN",
        "-A POSTROUTING -s 10.0.0.0/8 -j OTHER",
        "-A SALTERN-A -j ACCEPT",
        ":OTHER - [0:0]",
        ":SALTERN-A - [0:0]",
    ]


def test_a_declared_built_in_chain_keeps_its_rules(rules: Rules, backend: Backend) -> None:
    restored(rules, backend, "-A FORWARD -s 10.0.0.0/8 -j ACCEPT", table="filter")

    restored(rules, backend, ":FORWARD DROP [0:0]", table="filter")

    table = iptables_text.parse("filter", rules.save(backend, "filter") or "")
    assert table.policies["FORWARD"] == "DROP"
    assert table.rules_of("FORWARD") == ("-s 10.0.0.0/8 -j ACCEPT",)


def test_a_jump_moves_within_one_input(rules: Rules, backend: Backend) -> None:
    restored(rules, backend, ":SALTERN-A - [0:0]", "-A POSTROUTING -j SALTERN-A")
    restored(rules, backend, "-A POSTROUTING -j RETURN")

    last = restored(rules, backend, "-D POSTROUTING -j SALTERN-A", "-A POSTROUTING -j SALTERN-A")
    first = restored(rules, backend, "-D POSTROUTING -j SALTERN-A", "-I POSTROUTING 1 -j SALTERN-A")

    assert last[1:] == ("-A POSTROUTING -j RETURN", "-A POSTROUTING -j SALTERN-A")
    assert first[1:] == ("-A POSTROUTING -j SALTERN-A", "-A POSTROUTING -j RETURN")


def test_a_chain_goes_with_its_jump(rules: Rules, backend: Backend) -> None:
    restored(
        rules,
        backend,
        ":SALTERN-A - [0:0]",
        "-A SALTERN-A -j RETURN",
        "-A POSTROUTING -j SALTERN-A",
    )

    gone = ("-D POSTROUTING -j SALTERN-A", "-F SALTERN-A", "-X SALTERN-A")

    assert restored(rules, backend, *gone) == ()


@pytest.mark.parametrize(
    "bad",
    [
        "-A SALTERN-A --dport 22 -j RETURN",  # no protocol
        "-A SALTERN-A -j NOSUCHTARGET",
        "-A NOSUCHCHAIN -j RETURN",
        "-D POSTROUTING -j SALTERN-A",  # not there
        "-X OTHER",  # called
        "-J what",
    ],
)
def test_one_refused_line_leaves_all_as_it_was(rules: Rules, backend: Backend, bad: str) -> None:
    before = restored(
        rules,
        backend,
        ":SALTERN-A - [0:0]",
        ":OTHER - [0:0]",
        "-A SALTERN-A -j RETURN",
        "-A POSTROUTING -j OTHER",
    )

    with pytest.raises(HostError, match=r"^cannot restore"):
        restored(rules, backend, ":SALTERN-A - [0:0]", "-A SALTERN-A -j ACCEPT", bad)

    assert lines_of(rules, backend) == before


def test_a_refused_rule_is_named(rules: Rules, backend: Backend) -> None:
    with pytest.raises(HostError, match=r"-A SALTERN-A --dport 22 -j RETURN"):
        restored(rules, backend, ":SALTERN-A - [0:0]", "-A SALTERN-A --dport 22 -j RETURN")


@pytest.mark.parametrize(
    "text", ["", "*nat\n", "*nat\nCOMMIT\n*filter\nCOMMIT\n", "-A INPUT -j DROP\nCOMMIT\n"]
)
def test_only_one_whole_table_is_taken(rules: Rules, backend: Backend, text: str) -> None:
    with pytest.raises(HostError, match="cannot restore"):
        rules.restore(backend, text)


def test_the_back_ends_are_apart(rules: Rules) -> None:
    nft = restored(rules, "nft", ":SALTERN-A - [0:0]", "-A POSTROUTING -j SALTERN-A")

    assert lines_of(rules, "legacy") == ()
    assert restored(rules, "legacy", ":SALTERN-B - [0:0]") == (":SALTERN-B - [0:0]",)
    assert lines_of(rules, "nft") == nft
