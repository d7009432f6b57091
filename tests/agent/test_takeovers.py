"""What stood in one form goes before it comes in another, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_agent.steps import steps
from saltern_states.artifact import Artifact
from saltern_states.body import Resource, make_body
from saltern_states.chain import Chain, Jump
from saltern_states.contract import Blocked, Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.kernel_module import KernelModule
from saltern_states.kinds import kind_of
from saltern_states.testing import FakeHost

from tests.contracts.grounds import archive

FILE = File(path="/opt/x", text="x")
DIRECTORY = Directory(path="/opt/x")
NFT = Chain(table="nat", name="SALTERN-A", rules=("-j RETURN",), jump=Jump("POSTROUTING", "last"))
LEGACY = Chain(
    table="nat",
    name="SALTERN-A",
    rules=("-j RETURN",),
    jump=Jump("POSTROUTING", "last"),
    backend="legacy",
)


def node() -> tuple[FakeHost, Artifact, Artifact]:
    """Give a node with an archive as a blob, and it as a file and as a tree at one path."""
    host = FakeHost()
    host.files.put_directory("/opt")
    sha256 = host.blobs.put(archive({"a": b"a"}))
    whole = Artifact(path="/opt/x", sha256=sha256)
    return host, whole, Artifact(path="/opt/x", sha256=sha256, unpack="tar")


def go(host: FakeHost, id_before: str, before: Spec, after: Spec) -> None:
    """Hold one resource, then be given the other in its place."""
    old, new = Resource(id=id_before, spec=before), Resource(id="x", spec=after)
    for body, owned in (((old,), {}), ((new,), {old.id: old})):
        for step in steps(make_body(body), owned):
            kind = kind_of(step.resource.spec)
            plan = {"hold": kind.plan, "remove": kind.plan_removal}.get(step.verb)
            for change in plan(host, step.resource.spec) if plan else ():
                assert not isinstance(change, Blocked), str(change)
                kind.apply(host, change)


@pytest.mark.parametrize("id_before", ["x", "y"])
@pytest.mark.parametrize("before", ["whole", "tree", "file", "directory"])
@pytest.mark.parametrize("after", ["whole", "tree", "file", "directory"])
def test_each_form_makes_way_for_each_other(before: str, after: str, id_before: str) -> None:
    host, whole, tree = node()
    forms = {"whole": whole, "tree": tree, "file": FILE, "directory": DIRECTORY}

    go(host, id_before, forms[before], forms[after])

    assert kind_of(forms[after]).plan(host, forms[after]) == ()


@pytest.mark.parametrize("id_before", ["x", "y"])
@pytest.mark.parametrize(("before", "after"), [(NFT, LEGACY), (LEGACY, NFT)])
def test_a_chain_leaves_the_back_end_that_it_was_in(
    id_before: str, before: Chain, after: Chain
) -> None:
    host = FakeHost()

    go(host, id_before, before, after)

    assert "SALTERN-A" not in (host.rules.save(before.backend, "nat") or "")
    assert kind_of(after).plan(host, after) == ()


def test_a_chain_whose_place_another_takes_is_taken_back() -> None:
    host = FakeHost()
    other = Chain(table="nat", name="SALTERN-B", rules=("-j RETURN",), jump=NFT.jump)

    go(host, "y", NFT, other)

    assert "SALTERN-A" not in (host.rules.save("nft", "nat") or "")


def test_a_module_that_is_spelled_otherwise_keeps_one_file() -> None:
    host = FakeHost()
    host.files.put_directory("/etc/modules-load.d")
    host.modules.loadable.add("br_netfilter")

    go(host, "x", KernelModule(name="br-netfilter"), KernelModule(name="br_netfilter"))

    assert host.files.names(Path("/etc/modules-load.d")) == ("saltern-br_netfilter.conf",)
