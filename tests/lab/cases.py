"""The ways from the base document through others and back, one for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from tests.lab.held import ARCHIVE, BASE, PARAMETER, Held, Wish

FILE = "/etc/kubernetes/probe.conf"
FOLDER = "/etc/kubernetes/probe.d"
BLOB = "/etc/kubernetes/probe.tar"
TREE = "/etc/kubernetes/probe.tree"
UNIT = "/etc/systemd/system/probe.service"
WANTED = "/etc/systemd/system/multi-user.target.wants/probe.service"
STARTED = "50-saltern-started.conf"
SERVICE = """[Service]
Environment=PROBE={}
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""
HASH = sha256(ARCHIVE).hexdigest()


@dataclass(frozen=True, slots=True)
class Step:
    """A document; the changes that must be planned, * for any text; what must move in its apply."""

    wish: Wish
    says: tuple[str, ...]
    moves: Mapping[str, str]  # from a name in the snapshot to "+", "-" or "~"
    later: tuple[str, ...] = ()  # names (* for any) that others move in consequence


Case = Callable[[Held], Iterable[Step]]


def own(
    called: str, kind: str, /, after: tuple[str, ...] = (), **spec: object
) -> dict[str, object]:
    """Give a resource of a person's own."""
    spec = {"kind": f"{kind}/1", **spec}
    return {"id": f"probe/{called}", "spec": spec, "after": [f"probe/{one}" for one in after]}


def wish(*resources: dict[str, object]) -> Wish:
    """Give the base document with more resources."""
    return Wish(resources=resources)


def file(_held: Held) -> tuple[Step, ...]:
    """A file comes, gets another text, another mode, and goes."""
    path = f"path {FILE}"
    return (
        Step(
            wish(own("f", "file", path=FILE, text="one\n")),
            (f"create {FILE} (4 bytes, 0644 root:root)",),
            {path: "+"},
        ),
        Step(
            wish(own("f", "file", path=FILE, text="two!\n")),
            (f"write {FILE} (5 bytes, 0644 root:root)",),
            {path: "~"},
        ),
        Step(
            wish(own("f", "file", path=FILE, text="two!\n", mode="0600")),
            (f"set {FILE} to 0600 root:root (was 0644 root:root)",),
            {path: "~"},
        ),
        Step(BASE, (f"remove {FILE}",), {path: "-"}),
    )


def directory(_held: Held) -> tuple[Step, ...]:
    """A directory comes with a file, holds nothing else, and goes with it."""
    folder = own("d", "directory", path=FOLDER, mode="0700", only=["a"])
    inside = own("a", "file", path=f"{FOLDER}/a", text="a\n")
    return (
        Step(
            wish(folder, inside),
            (
                f"make directory {FOLDER} (0700 root:root)",
                f"create {FOLDER}/a (2 bytes, 0644 root:root)",
            ),
            {f"path {FOLDER}": "+", f"path {FOLDER}/a": "+"},
        ),
        Step(
            BASE,
            (f"remove {FOLDER}/a", f"remove {FOLDER}"),
            {f"path {FOLDER}": "-", f"path {FOLDER}/a": "-"},
        ),
    )


def artifact(_held: Held) -> tuple[Step, ...]:
    """A content comes as a file, then unpacked beside it, and both go."""
    blob = own("blob", "artifact", path=BLOB, sha256=HASH, mode="0600")
    tree = own("tree", "artifact", path=TREE, sha256=HASH, unpack="tar")
    members = ("", "/a", "/sub", "/sub/b", "/.saltern-manifest")
    inside = [f"path {TREE}{below}" for below in members]
    return (
        Step(
            wish(blob),
            (f"create {BLOB} (artifact {HASH[:12]}, 0600 root:root)",),
            {f"path {BLOB}": "+"},
        ),
        Step(
            wish(blob, tree),
            (f"unpack artifact {HASH[:12]} to {TREE} (0755 root:root)",),
            dict.fromkeys(inside, "+"),
        ),
        Step(
            BASE,
            (f"remove {TREE} and all that is in it", f"remove {BLOB}"),
            dict.fromkeys((*inside, f"path {BLOB}"), "-"),
        ),
    )


def sysctl(_held: Held) -> tuple[Step, ...]:
    """A parameter is set, changed, and let go: the value stays, it is no longer ours."""
    key, path = PARAMETER, "/etc/sysctl.d/90-saltern-{}.conf"
    name, own_path = f"sysctl {key}", path.format(key)
    backlog = "net.core.somaxconn"
    return (
        Step(
            wish(own("s", "sysctl", key=key, value="7100")),
            (
                f"set {key} = 7100 (was 7200)",
                f"create {own_path} (35 bytes, 0644 root:root)",
            ),
            {name: "~", f"path {own_path}": "+"},
        ),
        Step(
            wish(own("s", "sysctl", key=key, value="7200")),
            (
                f"set {key} = 7200 (was 7100)",
                f"write {own_path} (35 bytes, 0644 root:root)",
            ),
            {name: "~", f"path {own_path}": "~"},
        ),
        Step(
            Wish(sysctls={backlog: "2048"}),
            (
                f"remove {own_path}",
                f"set {backlog} = 2048 (was 4096)",
                f"write {path.format(backlog)} (26 bytes, 0644 root:root)",
            ),
            {
                f"path {own_path}": "-",
                f"sysctl {backlog}": "~",
                f"path {path.format(backlog)}": "~",
            },
        ),
        Step(
            BASE,
            (
                f"set {backlog} = 4096 (was 2048)",
                f"write {path.format(backlog)} (26 bytes, 0644 root:root)",
            ),
            {f"sysctl {backlog}": "~", f"path {path.format(backlog)}": "~"},
        ),
    )


def bridge(_held: Held) -> tuple[Step, ...]:
    """A bridge comes, gets another address and MTU, and goes."""

    def wired(net: str, sign: str) -> dict[str, str]:
        names = (
            f"address probe0 {net}.1/24",
            f"route main unicast {net}.0/24 0",
            f"route local local {net}.1 0",
            f"route local broadcast {net}.255 0",
        )
        return dict.fromkeys(names, sign)

    return (
        Step(
            wish(own("b", "bridge", name="probe0", address="10.77.0.1/24", mtu=1400)),
            ("make the bridge probe0 with 10.77.0.1/24, MTU 1400, up",),
            {"link probe0": "+"} | wired("10.77.0", "+"),
        ),
        Step(
            wish(own("b", "bridge", name="probe0", address="10.77.1.1/24", mtu=1300)),
            (
                "set the MTU of probe0 to 1300 (was 1400)",
                "add 10.77.1.1/24 to probe0",
                "delete 10.77.0.1/24 from probe0",
            ),
            {"link probe0": "~"} | wired("10.77.0", "-") | wired("10.77.1", "+"),
        ),
        Step(BASE, ("delete the bridge probe0",), {"link probe0": "-"} | wired("10.77.1", "-")),
    )


def absent_link(held: Held) -> tuple[Step, ...]:
    """A link that somebody made goes; where it is no longer unwanted, nothing is done."""
    held.must("ip", "link", "add", "probe9", "type", "bridge")
    return (
        Step(
            wish(own("l", "absent-link", name="probe9")),
            ("delete the bridge probe9",),
            {"link probe9": "-"},
        ),
        Step(BASE, (), {}),
    )


def route(held: Held) -> tuple[Step, ...]:
    """A route comes, gets another way, and goes."""
    gateway, name = str(held.machine.network.host), "route main unicast 10.78.1.0/24 0"
    to = "10.78.1.0/24"
    return (
        Step(
            wish(own("r", "route", destination=to, via=gateway, device="host0")),
            (f"add the route to {to} via {gateway} dev host0",),
            {name: "+"},
        ),
        Step(
            wish(own("r", "route", destination=to, device="host0")),
            (f"replace the route to {to} via {gateway} dev host0 by *dev host0",),
            {name: "~"},
        ),
        Step(BASE, (f"remove the route to {to} *dev host0",), {name: "-"}),
    )


def chain(_held: Held) -> tuple[Step, ...]:
    """A chain comes with its jump, gets other rules, and goes; so does the expansion's own."""

    def probe(*rules: str) -> Wish:
        jump = {"chain": "OUTPUT", "place": "first"}
        return wish(own("c", "chain", table="nat", name="SALTERN-PROBE", rules=rules, jump=jump))

    name, builtin = "chain nat SALTERN-PROBE", "chain nat OUTPUT"
    return (
        Step(
            probe("-d 10.77.9.1/32 -j RETURN"),
            ("make the chain nat/SALTERN-PROBE (nft): 1 rule; jump from OUTPUT, first",),
            {name: "+", builtin: "~"},
        ),
        Step(
            probe("-d 10.77.9.1/32 -j RETURN", "-d 10.77.9.2/32 -j RETURN"),
            ("*the chain nat/SALTERN-PROBE (nft): *",),
            {name: "~"},
        ),
        Step(
            Wish(masquerade="none"),
            (
                "delete the chain nat/SALTERN-PROBE (nft) and its jump",
                "delete the chain nat/SALTERN-POST (nft) and its jump",
            ),
            {
                name: "-",
                builtin: "~",
                "chain nat SALTERN-POST": "-",
                "chain nat POSTROUTING": "~",
            },
        ),
        Step(
            BASE,
            ("make the chain nat/SALTERN-POST (nft): 1 rule; jump from POSTROUTING",),
            {"chain nat SALTERN-POST": "+", "chain nat POSTROUTING": "~"},
        ),
    )


def unit(_held: Held) -> tuple[Step, ...]:
    """A unit comes, restarts for another text of its file, and goes."""

    def probe(number: int) -> Wish:
        text = SERVICE.format(number)
        lives_by = {"path": UNIT, "sha256": sha256(text.encode()).hexdigest()}
        return wish(
            own("file", "file", path=UNIT, text=text),
            own("unit", "unit", after=("file",), unit="probe.service", files=[lives_by]),
        )

    paths = (f"path {UNIT}", f"path {WANTED}", f"path {UNIT}.d", f"path {UNIT}.d/{STARTED}")
    all_of_it = (*paths, "unit probe.service", "unit-file probe.service")
    return (
        Step(
            probe(1),
            (
                f"create {UNIT} (* bytes, 0644 root:root)",
                f"make directory {UNIT}.d (0755 root:root)",
                f"create {UNIT}.d/{STARTED} (* bytes, 0644 root:root)",
                "systemctl daemon-reload (for probe.service)",
                "enable probe.service",
                "start probe.service (was inactive)",
            ),
            dict.fromkeys(all_of_it, "+"),
        ),
        Step(
            probe(2),
            (
                f"write {UNIT} (* bytes, 0644 root:root)",
                "systemctl daemon-reload (for probe.service)",
                f"restart probe.service: it runs with another {UNIT}",
            ),
            {f"path {UNIT}": "~", "unit probe.service": "~"},
        ),
        Step(
            BASE,
            (
                "stop probe.service (was active)",
                "disable probe.service",
                f"remove {UNIT}.d/{STARTED}",
                f"remove {UNIT}.d",
                "systemctl daemon-reload (for probe.service)",
                "remove /run/saltern/started/probe.service",
                f"remove {UNIT}",
            ),
            dict.fromkeys(all_of_it, "-"),
        ),
    )


def package(held: Held) -> tuple[Step, ...]:
    """A package comes and goes."""
    return (
        Step(wish(held.resource_of_package("hello")), ("install hello *",), {"package hello": "+"}),
        Step(BASE, ("remove hello *",), {"package hello": "-"}),
    )


def image(held: Held) -> tuple[Step, ...]:
    """A pod goes with its image, and comes back with it. The pod itself is the kubelet's doing."""
    assert "image/1" in held.kinds_of_base(), "the base document declares the pod's image"
    moves = {"path /etc/kubernetes/manifests/hello.yaml": "-", "image saltern/echo:1": "-"}
    later = ("container *", "link veth*", "image <none>:<none>")
    return (
        Step(
            Wish(pods=()),
            ("remove /etc/kubernetes/manifests/hello.yaml", "remove image saltern/echo:1 sha256:*"),
            moves,
            later,
        ),
        Step(
            BASE,
            (
                "load image saltern/echo:1 sha256:*",
                "create /etc/kubernetes/manifests/hello.yaml (* bytes, 0600 root:root)",
            ),
            dict.fromkeys(moves, "+"),
            later,
        ),
    )


def kubelet(_held: Held) -> tuple[Step, ...]:
    """Another configuration restarts the kubelet, and nothing else."""
    path = "/var/lib/kubelet/config.yaml"
    moves = {f"path {path}": "~", "unit kubelet.service": "~"}
    says = (
        f"write {path} (* bytes, 0600 root:root)",
        f"restart kubelet.service: it runs with another {path}",
    )
    return (Step(Wish(kubelet={"maxPods": 61}), says, moves), Step(BASE, says, moves))


def docker(_held: Held) -> tuple[Step, ...]:
    """Another option restarts docker; the pod runs on, by live-restore."""
    path = "/etc/docker/daemon.json"
    moves = {f"path {path}": "~", "unit docker.service": "~"}
    says = (
        f"write {path} (* bytes, 0644 root:root)",
        f"restart docker.service: it runs with another {path}",
    )
    options = {"liveRestore": True, "logging": {"maxFiles": 4}}
    return (Step(Wish(docker=options), says, moves), Step(BASE, says, moves))


CASES: tuple[Case, ...] = (
    file,
    directory,
    artifact,
    sysctl,
    bridge,
    absent_link,
    route,
    chain,
    unit,
    package,
    image,
    kubelet,
    docker,
)
