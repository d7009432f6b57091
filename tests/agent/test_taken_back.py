"""What each kind takes back when its resource is gone from the body, and what it leaves.

On a node that was not touched by anybody else: afterwards it is as it was before, to the byte, but
for what the kind's own words say stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec
import pytest
from saltern_states.absent_link import AbsentLink
from saltern_states.artifact import Artifact
from saltern_states.body import Resource, make_body
from saltern_states.bridge import Bridge
from saltern_states.certificate import EXAMPLE_AUTHORITY, Certificate
from saltern_states.chain import Chain, Jump
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.image import Image
from saltern_states.kernel_module import KernelModule
from saltern_states.kinds import KINDS, kind_of
from saltern_states.package import Package
from saltern_states.pod_routes import PodRoute, PodRoutes
from saltern_states.route import Route
from saltern_states.secret import Secret
from saltern_states.swap import Swap
from saltern_states.sysctl import Sysctl
from saltern_states.unit import LivesBy, Unit

from tests.agent import plan_damages as damages
from tests.agent import plan_nodes as on
from tests.agent.plan_nodes import BLOB_NAMES, CONFIGS, DOCKER, SECRETS, Node, difference, snapshot
from tests.agent.test_converge import Memory
from tests.agent.test_plan_law import bring

CERTIFICATE = Certificate(
    path="/srv/crt",
    key="/srv/key",
    issuer="etcd",
    common_name="w1",
    usages=("client",),
    ca=EXAMPLE_AUTHORITY,
)
CHAIN = Chain(
    table="nat", name="SALTERN-A", rules=("-d 10.9.0.1/32 -j RETURN",), jump=Jump("OUTPUT", "first")
)
POD_ROUTES = PodRoutes(routes=(PodRoute(destination="10.3.0.0/24", via="10.0.0.9"),))


@dataclass(frozen=True, slots=True)
class Taken:
    """A resource, and patterns of what it leaves (plan_nodes.snapshot) when it is taken back."""

    spec: Spec
    stays: tuple[str, ...] = ()


EACH = (
    Taken(File(path="/srv/f", text="x\n")),
    Taken(Directory(path="/srv/d", only=())),
    Taken(Artifact(path="/srv/b", sha256=BLOB_NAMES["binary 1"])),
    Taken(Artifact(path="/srv/t", sha256=BLOB_NAMES["tar 1"], unpack="tar")),
    Taken(Package(name="hello")),
    # Who uses a module by now is not known; nor what a parameter was before.
    Taken(KernelModule(name="br_netfilter"), ("module br_netfilter", f"sysctl {on.PARAMETER}")),
    Taken(Sysctl(key=on.FORWARD, value="1"), (f"sysctl {on.FORWARD}",)),
    # /var/lib/docker is docker's own, and may hold what people need.
    Taken(Unit(unit=DOCKER, files=(LivesBy(path="/etc/fstab", sha256=""),)), ("path /var/lib/*",)),
    Taken(Bridge(name="cbr0", address="10.1.0.1/24")),
    # Whoever made a link can make it again; which areas were swapped on, the next boot says.
    Taken(AbsentLink(name="docker0"), ("link docker0", "sysctl net.ipv4.conf.docker0.*")),
    Taken(Route(destination="10.3.0.0/24", device="eth0")),
    Taken(POD_ROUTES),
    Taken(CHAIN),
    Taken(Image(name="pause:1", config=CONFIGS[0], archive=BLOB_NAMES["image 1"])),
    Taken(Swap(), ("swap *",)),
    Taken(CERTIFICATE),
    Taken(Secret(path="/srv/s", secret="tokens", generation=1, blob=SECRETS[0])),
)

# Another process goes on with it, and nothing is taken back: test_handed_over.py.
HANDED_OVER = {"agent/1"}


def node(spec: Spec) -> Node:
    """Give a node with all that the specs need, and nothing that they make."""
    made = Node()
    damages.iptables(made)
    damages.swapping(made)
    damages.docker(running=isinstance(spec, Image))(made)
    damages.link("docker0", "bridge", "", False)(made)
    return made


def test_every_kind_is_here() -> None:
    here = {kind_of(one.spec).name for one in EACH}
    assert here == {kind.name for kind in KINDS} - HANDED_OVER


@pytest.mark.parametrize("one", EACH, ids=lambda one: kind_of(one.spec).name)
def test_what_was_made_is_taken_back(one: Taken) -> None:
    host, memory = node(one.spec), Memory()
    before = snapshot(host)
    held = make_body((Resource(id="r", spec=one.spec),))

    _, result = bring(host, memory, held)
    assert result.converged
    assert difference(before, snapshot(host))

    _, result = bring(host, memory, make_body(()))
    assert result.converged
    left = difference(before, snapshot(host))
    assert {name for name in left if not _stays(one, name)} == set()
    assert memory.owned == {}


@pytest.mark.parametrize("one", EACH, ids=lambda one: kind_of(one.spec).name)
def test_what_is_to_be_kept_stays_as_it_is(one: Taken) -> None:
    host, memory = node(one.spec), Memory()
    bring(host, memory, make_body((Resource(id="r", spec=one.spec, on_removal="keep"),)))
    held = snapshot(host)

    planned, result = bring(host, memory, make_body(()))

    assert (planned.changes, result.changes) == (0, 0)
    assert snapshot(host) == held
    assert memory.owned == {}


def test_what_is_taken_back_comes_again() -> None:
    """Taken back and held anew, a resource is as it was the first time."""
    for one in EACH:
        host, memory = node(one.spec), Memory()
        body = make_body((Resource(id="r", spec=one.spec),))
        bring(host, memory, body)
        bring(host, memory, make_body(()))

        _, result = bring(host, memory, body)

        assert result.converged, msgspec.to_builtins(one.spec)


def _stays(one: Taken, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in one.stays)
