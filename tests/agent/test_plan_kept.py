"""Bodies on which a plan once said another thing than was done: kept as they were found.

Each goes through the law of test_plan_law.py; where it is known what is to be planned, that too.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from saltern_states.artifact import Artifact
from saltern_states.body import Resource, make_body
from saltern_states.bridge import Bridge
from saltern_states.chain import Chain, Jump
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.image import Image
from saltern_states.kernel_module import KernelModule
from saltern_states.package import Deb, Package
from saltern_states.route import Route
from saltern_states.secret import Secret
from saltern_states.sysctl import Sysctl
from saltern_states.unit import LivesBy, Unit

from tests.agent import plan_damages as damages
from tests.agent import plan_nodes as on
from tests.agent.plan_damages import Damage
from tests.agent.plan_nodes import BLOB_NAMES, CONFIGS, DOCKER, OWN, SECRETS, Node
from tests.agent.test_converge import Memory
from tests.agent.test_plan_law import again, bring, lines

OWN_FILE = f"/etc/systemd/system/{OWN}"
STATIC = "[Service]\nExecStart=/srv/f\n"
SERVICE = f"{STATIC}[Install]\n"


def debs(*names: str) -> tuple[Deb, ...]:
    pairs = [name.split() for name in names]
    return tuple(
        Deb(package=name, version=version, sha256=BLOB_NAMES[f"{name} {version}"])
        for name, version in pairs
    )


def r(name: str, spec: Spec, *after: str) -> Resource:
    return Resource(id=name, spec=spec, after=after)


DOCKER_IO = r("docker", Package(name="docker.io", debs=debs("docker.io 1", "runc 1")))
RUNC = r("runc", Package(name="runc", debs=debs("runc 1")))
SYSCTL = Sysctl(key=on.PARAMETER, value="1")
MODULE = r("module", KernelModule(name="br_netfilter"))
BRIDGE = r("bridge", Bridge(name="cbr0", address="10.1.0.1/24", ports=("veth*",)))
RUNNING = Unit(unit=DOCKER)
IMAGE = Image(name="pause:1", config=CONFIGS[0], archive=BLOB_NAMES["image 1"])


def chain(name: str, place: str) -> Chain:
    return Chain(table="nat", name=f"SALTERN-{name}", rules=(), jump=Jump("OUTPUT", place))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Kept:
    """Two bodies one after the other; which changes the second's plan has, and which go beyond."""

    second: tuple[Resource, ...]
    first: tuple[Resource, ...] = ()
    foreign: tuple[Damage, ...] = ()
    since: tuple[Damage, ...] = ()
    says: tuple[str, ...] | None = None
    beyond: tuple[str, ...] = ()


CASES = {
    "two packages need a third": Kept((DOCKER_IO, RUNC), says=("install docker.io 1, runc 1",)),
    "a unit's file goes before the unit": Kept(
        (),
        first=(r("u", Unit(unit=OWN, running=False)), r("f", File(path=OWN_FILE, text=SERVICE))),
        says=(f"remove {OWN_FILE}",),
    ),
    "one daemon-reload is enough for two units": Kept(
        (
            r("one", File(path=OWN_FILE, text=SERVICE + "#2\n")),
            r("two", File(path=OWN_FILE.replace("own", "two"), text=SERVICE + "#2\n")),
            r("u1", Unit(unit=OWN), "one", "two"),
            r("u2", Unit(unit="two.service"), "one", "two"),
        ),
        first=(
            r("one", File(path=OWN_FILE, text=SERVICE)),
            r("two", File(path=OWN_FILE.replace("own", "two"), text=SERVICE)),
            r("u1", Unit(unit=OWN), "one", "two"),
            r("u2", Unit(unit="two.service"), "one", "two"),
        ),
        says=(
            f"write {OWN_FILE} (40 bytes, 0644 root:root)",
            f"write {OWN_FILE.replace('own', 'two')} (40 bytes, 0644 root:root)",
            f"systemctl daemon-reload (for {OWN})",
        ),
    ),
    "a parameter goes with its bridge": Kept(
        (r("s", Sysctl(key=on.OF_BRIDGE, value="0", persist=False)),),
        first=(BRIDGE,),
        says=("delete the bridge cbr0",),
    ),
    "a parameter is supposed to come with a module": Kept(
        (MODULE, r("s", SYSCTL, "module")),
        says=(
            "load kernel module br_netfilter",
            "create /etc/modules-load.d/saltern-br_netfilter.conf (13 bytes, 0644 root:root)",
            f"set {on.PARAMETER} = 1",
            f"create /etc/sysctl.d/90-saltern-{on.PARAMETER}.conf (39 bytes, 0644 root:root)",
        ),
    ),
    "a parameter comes with a module that it does not name": Kept(
        (MODULE, r("s", SYSCTL)),
        says=(
            "load kernel module br_netfilter",
            "create /etc/modules-load.d/saltern-br_netfilter.conf (13 bytes, 0644 root:root)",
        ),
        beyond=(
            f"set {on.PARAMETER} = 1 (was 0)",
            f"create /etc/sysctl.d/90-saltern-{on.PARAMETER}.conf (39 bytes, 0644 root:root)",
        ),
    ),
    "what no package lifts, stays": Kept(
        (DOCKER_IO, r("f", File(path="/srv/f", text="x\n"), "docker")),
        foreign=(damages.entry("/srv/f", "symlink"),),
        says=("install docker.io 1, runc 1",),
    ),
    "a link is no parameter's module": Kept(
        (BRIDGE, r("f", File(path="/srv/none/f", text=""), "bridge")),
        says=("make the bridge cbr0 with 10.1.0.1/24, up",),
    ),
    "a package brings a directory unasked": Kept(
        (DOCKER_IO, r("d", Directory(path="/etc/docker")))
    ),
    "a package brings an account": Kept(
        (DOCKER_IO, r("f", File(path="/etc/docker/daemon.json", text="", group="docker"), "docker"))
    ),
    "what comes after what was supposed": Kept(
        (DOCKER_IO, r("s", SYSCTL, "docker"), r("f", File(path="/srv/f", text=""), "s")),
    ),
    "a package enables the unit that was disabled before it came": Kept(
        (r("u", Unit(unit=DOCKER, enabled=False, running=False)), DOCKER_IO),
        beyond=(f"disable {DOCKER}",),
    ),
    "an image while docker stops": Kept(
        (r("i", IMAGE), r("u", Unit(unit=DOCKER, enabled=False, running=False))),
        first=(r("u", RUNNING), r("i", IMAGE, "u")),
        foreign=(damages.docker(True),),
    ),
    "an image goes when docker has stopped": Kept(
        (),
        first=(r("i", IMAGE), r("u", RUNNING)),
        foreign=(damages.docker(True),),
    ),
    "a route over a bridge that is to come": Kept(
        (BRIDGE, r("r", Route(destination="10.3.0.0/24", via="10.1.0.9", device="cbr0"))),
        says=(
            "make the bridge cbr0 with 10.1.0.1/24, up",
            "add the route to 10.3.0.0/24 via 10.1.0.9 dev cbr0",
        ),
    ),
    "a route to the network of a bridge that is to come": Kept(
        (BRIDGE, r("r", Route(destination="10.1.0.0/24", device="eth0"))),
        says=("make the bridge cbr0 with 10.1.0.1/24, up",),
    ),
    "a bridge gets another name, and its ports go along": Kept(
        (r("bridge", Bridge(name="cbr1", address="10.1.0.1/24", ports=("veth*",))),),
        first=(BRIDGE,),
        since=(damages.port("veth1", "cbr0"),),
        says=(
            "delete the bridge cbr0",
            "make the bridge cbr1 with 10.1.0.1/24, up",
            "make veth1 a port of cbr1",
        ),
    ),
    "who is last stays last": Kept(
        (r("last", chain("A", "last")), r("any", chain("B", "any"))),
        foreign=(damages.iptables,),
        beyond=("write the chain nat/SALTERN-A (nft): jump from OUTPUT, last",),
    ),
    "an archive may hold what a unit runs": Kept(
        (
            r("f", File(path=OWN_FILE, text=SERVICE)),
            r("t", Artifact(path="/srv/t", sha256=BLOB_NAMES["tar 1"], unpack="tar")),
            r("u", Unit(unit=OWN, binary="/srv/t/bin/y"), "f"),
        ),
    ),
    "who needs what the node refused, and does not say so": Kept(
        (
            r("r", Route(destination="10.3.0.0/24", via="10.1.0.9", device="eth0")),
            r("f", File(path=OWN_FILE, text=SERVICE), "r"),
            r("u", Unit(unit=OWN)),
        ),
    ),
    "what a mask hid is static, so that enabling it leaves nothing": Kept(
        (r("f", File(path=OWN_FILE, text=STATIC)), r("u", Unit(unit=OWN), "f")),
        first=(r("f", File(path=OWN_FILE, text=STATIC)), r("u", Unit(unit=OWN), "f")),
        since=(damages.unit(OWN, "mask"),),
        says=(f"unmask {OWN}", f"enable {OWN}"),
    ),
    "a package brings less to do than was supposed, after what the node refused": Kept(
        (
            r("f", File(path=OWN_FILE, text=SERVICE)),
            r("r", Route(destination="10.3.0.0/24", via="10.1.0.9", device="eth0")),
            DOCKER_IO,
            r("u", Unit(unit=DOCKER, enabled=False), "docker"),
        ),
    ),
    "a secret restarts who lives by it, also where nobody said after": Kept(
        (
            r("s", Secret(path="/srv/f", secret="tokens", generation=2, blob=SECRETS[1])),
            r("u", Unit(unit=DOCKER, files=(LivesBy(path="/srv/f", sha256=""),))),
        ),
        first=(
            r("s", Secret(path="/srv/f", secret="tokens", generation=1, blob=SECRETS[0])),
            r("u", Unit(unit=DOCKER, files=(LivesBy(path="/srv/f", sha256=""),))),
        ),
        foreign=(damages.docker(True),),
        says=(
            "write /srv/f (secret tokens, generation 2, 0600 root:root)",
            f"restart {DOCKER}: it runs with another /srv/f",
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_done_as_planned(name: str) -> None:
    case = CASES[name]
    node, memory = Node(), Memory()
    for one in case.foreign:
        one(node)
    bring(node, memory, make_body(case.first))
    for one in case.since:
        one(node)
    body = make_body(case.second)

    planned, result = bring(node, memory, body)

    again(node, memory, body, result)
    said = [line for one in planned.steps for line in lines(one.changes)]
    assert case.says is None or said == list(case.says)
    assert [line for one in result.done for line in lines(one.beyond)] == list(case.beyond)
