"""T7: whoever has the state key orders what policy allows and nothing else; a new root ends that.

Two hundred documents, signed by the state key itself, each with something of every kind outside
policy, are offered to a real agent: to plan, and to apply. Policy is asked before anything is
planned: no line of a plan comes, nothing is remembered, and nothing on the node changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from saltern_agent.answers import StatusLine
from saltern_agent.client import ask
from saltern_agent.control import AskApply, AskPlan, AskStatus
from saltern_agent.events import End
from saltern_agent.places import Places, pin
from saltern_agent.show import show_status
from saltern_protocol.documents import body_hash, encode_identity
from saltern_protocol.policy import Allow, outside
from saltern_protocol.root import Root
from saltern_protocol.terms import LAST_SECOND
from saltern_protocol.testing import key, role, signed_root
from saltern_states.absent_link import AbsentLink
from saltern_states.agent import Agent
from saltern_states.artifact import Artifact
from saltern_states.body import Resource, make_body, write_body
from saltern_states.bridge import Bridge
from saltern_states.certificate import Certificate
from saltern_states.chain import Chain
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.image import Image
from saltern_states.kernel_module import KernelModule
from saltern_states.kinds import KINDS, AnyKind, kind_of
from saltern_states.package import Package
from saltern_states.pod_routes import PodRoute, PodRoutes
from saltern_states.route import Route
from saltern_states.secret import Secret
from saltern_states.swap import Swap
from saltern_states.sysctl import Sysctl
from saltern_states.unit import Unit

from tests.agent.test_root import running
from tests.faults.old_and_forged import (
    GROUP,
    IDENTITY,
    LEASE,
    OWNER,
    POLICY_3,
    ROOT_2,
    STATE,
    Parts,
    parts,
    statement,
)

DOCUMENTS = 200
NARROW = Allow(
    paths=("/etc/docker",),
    units=("docker.service", "kubelet*"),
    sysctls=("net.ipv4.*",),
    chains=("filter/SALTERN-*",),
    links=("cbr0",),
    modules=("br_netfilter",),
    packages=("docker.io",),
    routes=("10.10.0.0/16",),
    artifacts=("ab" * 32,),
    images=("cd" * 32,),
)
POLICY = replace(POLICY_3, classes={"worker": NARROW})
INSIDE = File(path="/etc/docker/daemon.json", text="kept\n", owner=OWNER, group=GROUP)
PATHS = (
    "/etc/shadow",
    "/etc/docker2/x",
    "/etc/dockerd",
    "/root/.ssh/authorized_keys",
    "/etc/saltern/identity",
    "/usr/local/bin/kubelet",
    "/etc/cron.d/x",
)
UNITS = ("ssh.service", "saltern-agent.service", "dockerd.service", "xdocker.service")
OTHER_HASHES = ("12" * 32, "34" * 32)

Wild = Callable[[Random, Spec], Spec]


def at(rng: Random, spec: Spec) -> Spec:
    return replace(spec, path=rng.choice(PATHS))


WILD: dict[type[Spec], Wild] = {
    File: at,
    Directory: at,
    Secret: at,
    Artifact: lambda rng, spec: (
        at(rng, spec)
        if rng.random() < 0.5
        else replace(spec, path="/etc/docker/a", sha256=rng.choice(OTHER_HASHES))
    ),
    Certificate: lambda rng, spec: replace(
        spec, **{rng.choice(("path", "key")): rng.choice(PATHS)}
    ),
    Package: lambda rng, spec: replace(
        spec, name=rng.choice(("openssh-server", "docker.io2")), debs=()
    ),
    KernelModule: lambda rng, spec: replace(spec, name=rng.choice(("overlay", "nbd"))),
    Sysctl: lambda rng, spec: replace(
        spec,
        key=rng.choice(("kernel.core_pattern", "net.ipv6.conf.all.forwarding", "vm.swappiness")),
    ),
    Unit: lambda rng, spec: replace(spec, unit=rng.choice(UNITS), files=()),
    Bridge: lambda rng, spec: replace(spec, name=rng.choice(("docker0", "br0"))),
    AbsentLink: lambda rng, spec: replace(spec, name=rng.choice(("eth0", "cbr00"))),
    Route: lambda rng, spec: replace(
        spec, destination=rng.choice(("0.0.0.0/0", "10.0.0.0/8", "10.11.0.0/24"))
    ),
    PodRoutes: lambda rng, spec: replace(
        spec, routes=(PodRoute(destination=f"10.{rng.randint(11, 99)}.0.0/24", via="10.9.0.3"),)
    ),
    Chain: lambda rng, spec: spec,
    Image: lambda rng, spec: replace(spec, config=rng.choice(OTHER_HASHES)),
    Swap: lambda rng, spec: spec,
    Agent: lambda rng, spec: replace(spec, deb=rng.choice(OTHER_HASHES)),
}


def documents(rng: Random) -> Iterator[tuple[Resource, ...]]:
    """Give the resources of each: of every kind in turn, alone or beside what is allowed."""
    for number in range(DOCUMENTS):
        kind = KINDS[number % len(KINDS)]
        bad = Resource(id="bad", spec=WILD[kind.spec](rng, kind.example))
        good = Resource(id="good", spec=replace(INSIDE, text=f"{number}\n"))
        yield rng.choice(((bad,), (good, bad), (bad, good)))


def made(number: int, resources: tuple[Resource, ...]) -> Parts:
    """Give a document for them, which the state key itself signs."""
    usual = parts(number, "")
    body = write_body(make_body(resources))
    document = replace(usual.document, body=body_hash(body))
    return Parts(document, body, policy=POLICY)


class Node:
    """A directory with a running agent."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "etc/docker").mkdir(parents=True)
        self.places = Places(root / "etc/saltern", root / "var/lib/saltern", root / "run/saltern")
        pin(self.places, encode_identity(IDENTITY))

    def asked(self, question: AskPlan | AskApply) -> tuple[int, End]:
        """Give how many lines came before the end, and the end."""
        *lines, end = ask(self.places.control, question)
        assert isinstance(end, End)
        return len(lines), end

    def apply(self, told: Parts) -> End:
        return self.asked(AskApply(statement(told)))[1]

    def stands(self) -> tuple[object, ...]:
        """All that the node is: its files, and what it accepted."""
        files = {
            str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else b""
            for path in sorted(self.root.rglob("*"))
            if not {"lib", "run"} & set(path.relative_to(self.root).parts[:2])
        }
        with closing(sqlite3.connect(f"file:{self.places.journal}?mode=ro", uri=True)) as journal:
            accepted = journal.execute("SELECT statement, at FROM accepted").fetchall()
            owned = journal.execute("SELECT id, resource FROM owned").fetchall()
        return files, accepted, owned


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    with running(tmp_path):
        assert node.apply(made(1, (Resource(id="good", spec=INSIDE),))).ok
        yield node


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_claims_what_it_touches(kind: AnyKind) -> None:
    for seed in range(20):
        spec = WILD[kind.spec](Random(seed), kind.example)
        assert outside(POLICY, "worker", kind_of(spec).claims(spec)), spec


def test_of_two_hundred_documents_outside_policy_none_is_applied_or_even_planned(
    node: Node,
) -> None:
    before, applied = node.stands(), 0
    for number, resources in enumerate(documents(Random(7)), 2):
        data = statement(made(number, resources))
        for question in (AskPlan(data), AskApply(data)):
            lines, end = node.asked(question)
            assert (lines, end.ok, end.reason) == (0, False, "outside-policy"), (resources, end)
        applied += node.stands() != before
    assert applied == 0

    assert node.apply(made(DOCUMENTS + 2, (Resource(id="good", spec=INSIDE),))).ok


def test_a_class_that_policy_does_not_know_may_touch_nothing(node: Node) -> None:
    told = made(2, (Resource(id="good", spec=INSIDE),))
    unknown = replace(POLICY, version=4, classes={"control-plane": NARROW})
    end = node.apply(Parts(told.document, told.body, policy=unknown))
    assert (end.ok, end.reason) == (False, "outside-policy")


def test_a_root_that_drops_the_key_ends_it(node: Node) -> None:
    """The thief's next document is refused, and the master's under the new key is taken."""
    third: Root = replace(ROOT_2, version=3, roles=replace(ROOT_2.roles, state=role([key(23)], 1)))
    good = (Resource(id="good", spec=replace(INSIDE, text="under root 3\n")),)
    told = made(2, good)
    roots = (*told.roots, signed_root(third))
    assert node.apply(Parts(told.document, told.body, POLICY, roots, (key(23),))).ok

    stolen = made(3, (Resource(id="good", spec=replace(INSIDE, text="stolen\n")),))
    for chain in (roots, told.roots):  # whoever carries it may leave the newest root out
        end = node.apply(Parts(stolen.document, stolen.body, POLICY, chain, (STATE,)))
        assert (end.ok, end.reason) == (False, "unsigned")
    end = node.apply(Parts(stolen.document, stolen.body, POLICY, roots, (LEASE,)))
    assert (end.ok, end.reason) == (False, "unsigned")
    text = (node.root / "etc/docker/daemon.json").read_text()
    assert text == "under root 3\n"
    assert node.apply(Parts(stolen.document, stolen.body, POLICY, roots, (key(23),))).ok


def test_status_says_under_what_it_stands_and_until_when(node: Node) -> None:
    line, _ = ask(node.places.control, AskStatus())
    assert isinstance(line, StatusLine)
    status = line.status
    assert (status.root, status.policy) == (2, 3)
    assert (status.root_expires, status.policy_expires) == (ROOT_2.expires, POLICY.expires)
    shown = list(show_status(line, 0, 1.0))
    assert "trust      root 2 until 9999-12-31" in "\n".join(shown)
    late = list(show_status(line, 0, float(LAST_SECOND)))
    assert "policy 3 ended" in "\n".join(late)
