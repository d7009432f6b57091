"""chain on the real kernel, with both back ends: the planned changes and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from saltern_states import chain
from saltern_states.chain import Chain, Jump
from saltern_states.ports import Backend, HostError

from tests.states.laws import converge, lines, take_back
from tests.system.namespace import run
from tests.system.network_snapshot import NetworkNode, network_node, rules, snapshot

pytestmark = pytest.mark.system

OTHERS = """\
*nat
:OTHER - [0:0]
-A OTHER -s 10.7.0.0/16 -j RETURN
-A POSTROUTING -m comment --comment "not SALTERN-A" -j OTHER
-A POSTROUTING -d 10.6.0.0/16 -j RETURN
COMMIT
"""

WANT = Chain(
    table="nat",
    name="SALTERN-A",
    rules=(
        "-s 10.10.5.0/24 ! -d 10.10.0.0/16 -m addrtype ! --dst-type LOCAL -j MASQUERADE",
        '-p tcp --dport 53 -m comment --comment "it is \\"ours\\"" -s 10.1.2.3 -j RETURN',
        "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        "-p udp -m multiport --dports 53,4789 -m limit --limit 5/min -j RETURN",
    ),
    jump=Jump("POSTROUTING", "last"),
)


@pytest.fixture
def node() -> Iterator[NetworkNode]:
    with network_node() as node:
        yield node


@pytest.fixture(params=["nft", "legacy"])
def backend(request: pytest.FixtureRequest, node: NetworkNode) -> Any:  # noqa: ANN401  # a Backend
    run(f"/usr/sbin/iptables-{request.param}-restore", "--noflush", given=OTHERS)
    return request.param


def jumps(backend: Backend) -> list[str]:
    return [line for line in rules(backend) if line.startswith("-A POSTROUTING")]


def test_a_chain_comes_and_goes_alone(node: NetworkNode, backend: Backend) -> None:
    want = replace(WANT, backend=backend)
    before = snapshot()

    assert lines(converge(chain.KIND, node, want)) == [
        f"make the chain nat/SALTERN-A ({backend}): 4 rules; jump from POSTROUTING, last"
    ]

    after = snapshot()
    assert [line for line in after.rules if line not in before.rules] == [
        ":SALTERN-A -",
        "-A POSTROUTING -j SALTERN-A",
        "-A SALTERN-A -s 10.10.5.0/24 ! -d 10.10.0.0/16 -m addrtype ! --dst-type LOCAL"
        " -j MASQUERADE",
        '-A SALTERN-A -s 10.1.2.3/32 -p tcp -m tcp --dport 53 -m comment --comment "it is'
        ' \\"ours\\"" -j RETURN',
        "-A SALTERN-A -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-A SALTERN-A -p udp -m multiport --dports 53,4789 -m limit --limit 5/min -j RETURN",
    ]
    assert [line for line in after.rules if "SALTERN-A " not in f"{line} " or "not S" in line] == [
        *before.rules
    ]
    assert (after.links, after.routes) == (before.links, before.routes)
    assert jumps(backend)[-1] == "-A POSTROUTING -j SALTERN-A"

    take_back(chain.KIND, node, want)
    assert snapshot() == before


def test_the_jump_moves_past_others_and_they_stay(node: NetworkNode, backend: Backend) -> None:
    others = jumps(backend)
    mine = "-A POSTROUTING -j SALTERN-A"
    first = replace(WANT, backend=backend, jump=Jump("POSTROUTING", "first"))
    last = replace(WANT, backend=backend)
    converge(chain.KIND, node, first)
    assert jumps(backend) == [mine, *others]
    program = f"/usr/sbin/iptables-{backend}"
    run(program, "-t", "nat", "-I", "POSTROUTING", "1", "-s", "10.5.0.0/16", "-j", "RETURN")
    run(program, "-t", "nat", "-A", "POSTROUTING", "-j", "SALTERN-A")
    late = "-A POSTROUTING -s 10.5.0.0/16 -j RETURN"
    assert jumps(backend) == [late, mine, *others, mine]

    assert lines(converge(chain.KIND, node, first)) == [
        f"write the chain nat/SALTERN-A ({backend}): jump from POSTROUTING, first"
    ]
    assert jumps(backend) == [mine, late, *others]

    converge(chain.KIND, node, last)
    assert jumps(backend) == [late, *others, mine]


def test_a_strangers_rule_in_our_chain_goes(node: NetworkNode, backend: Backend) -> None:
    want = replace(WANT, backend=backend)
    converge(chain.KIND, node, want)
    before = snapshot()
    run(f"/usr/sbin/iptables-{backend}", "-t", "nat", "-A", "SALTERN-A", "-j", "ACCEPT")

    (change,) = converge(chain.KIND, node, want)

    assert "--A SALTERN-A -j ACCEPT\n" in change.detail
    assert snapshot() == before


def test_the_other_back_end_is_not_touched(node: NetworkNode, backend: Backend) -> None:
    other: Backend = "legacy" if backend == "nft" else "nft"
    before = rules(other)

    converge(chain.KIND, node, replace(WANT, backend=backend))

    assert rules(other) == before


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("--dport 53 -j RETURN", "--dport 53 -j RETURN"),
        ("-m nosuchmatch -j RETURN", "nosuchmatch"),
        ("-j NO-SUCH-CHAIN", "NO-SUCH-CHAIN"),
    ],
)
def test_a_rule_that_iptables_refuses_is_named(
    node: NetworkNode, backend: Backend, rule: str, named: str
) -> None:
    want = replace(WANT, backend=backend, rules=(*WANT.rules, rule))
    before = snapshot()

    with pytest.raises(HostError, match=named):
        converge(chain.KIND, node, want)

    assert snapshot() == before


@pytest.mark.parametrize("table", ["filter", "mangle", "raw"])
def test_every_table(node: NetworkNode, backend: Backend, table: Any) -> None:  # noqa: ANN401
    want = Chain(
        table=table,
        name="SALTERN-OUTPUT",
        rules=("-d 10.0.0.0/8 -j ACCEPT",),
        jump=Jump("OUTPUT", "first"),
        backend=backend,
    )
    before = rules(backend)

    converge(chain.KIND, node, want)
    assert f"*{table}" in rules(backend)
    take_back(chain.KIND, node, want)

    assert [line for line in rules(backend) if line.startswith("-A")] == [
        line for line in before if line.startswith("-A")
    ]
