"""Bodies of several kinds over few names, so that resources meet, and damages to what they hold."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from saltern_states.absent_link import AbsentLink
from saltern_states.artifact import Artifact
from saltern_states.body import Body, BodyError, Resource, make_body
from saltern_states.bridge import Bridge
from saltern_states.certificate import EXAMPLE_AUTHORITY, Certificate
from saltern_states.chain import Chain, Jump
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.image import Image
from saltern_states.kernel_module import KernelModule
from saltern_states.package import Deb, Package
from saltern_states.pod_routes import PodRoute, PodRoutes
from saltern_states.ports import RouteEntry
from saltern_states.route import Route
from saltern_states.secret import Secret
from saltern_states.swap import Swap
from saltern_states.sysctl import Sysctl
from saltern_states.unit import LivesBy, Unit

from tests.agent import plan_damages as damages
from tests.agent import plan_nodes as on
from tests.agent.plan_nodes import BLOB_NAMES, CONFIGS, DOCKER, OWN, SECRETS

FOLDERS = ("/srv/a", "/srv/a/b", "/etc/docker")
PATHS = ("/srv/a/f", "/srv/f", "/srv/a/b/f", "/etc/docker/daemon.json", "/srv/a")
OWN_FILE = f"/etc/systemd/system/{OWN}"
OWN_TEXTS = tuple(
    f"[Service]\nExecStart=/srv/a/{name}\n{install}"
    for name in "fx"
    for install in ("[Install]\n", "")
)
ADDRESSES = ("10.1.0.1/24", "10.1.0.2/24", "10.2.0.1/24")
RULES = ("-d 10.9.0.1/32 -j RETURN", "-s 10.1.0.0/24 -j MASQUERADE")

KINDS_OF_ENTRY = ("directory", "symlink", "other")

_path = st.sampled_from(PATHS)
_owner = st.sampled_from(["root", "root", "docker"])
_file = st.builds(
    File,
    path=_path,
    text=st.sampled_from(["", "x\n"]),
    mode=st.sampled_from(["0644", "0600"]),
    owner=_owner,
)
_unit_file = st.builds(File, path=st.just(OWN_FILE), text=st.sampled_from(OWN_TEXTS))
_directory = st.builds(
    Directory,
    path=st.sampled_from(FOLDERS),
    mode=st.sampled_from(["0755", "0700"]),
    owner=_owner,
    only=st.sampled_from([None, None, ("f", "b"), ()]),
)
_artifact = st.one_of(
    st.builds(
        Artifact,
        path=_path,
        sha256=st.sampled_from([BLOB_NAMES["binary 1"], BLOB_NAMES["binary 2"]]),
    ),
    st.builds(
        Artifact,
        path=st.sampled_from(["/srv/t", "/srv/a", "/srv/a/t"]),
        sha256=st.sampled_from([BLOB_NAMES["tar 1"], BLOB_NAMES["tar 2"]]),
        unpack=st.just("tar"),
        mode=st.sampled_from(["0755", "0700"]),
    ),
)
_secret = st.builds(
    lambda path, number: Secret(
        path=path, secret="tokens", generation=number, blob=SECRETS[number - 1]
    ),
    _path,
    st.sampled_from([1, 2]),
)
_certificate = st.builds(
    Certificate,
    path=st.sampled_from(["/srv/a/crt", "/srv/f"]),
    key=st.sampled_from(["/srv/a/key", "/srv/key"]),
    issuer=st.just("etcd"),
    common_name=st.sampled_from(["w1", "w2"]),
    usages=st.just(("client",)),
    ca=st.just(EXAMPLE_AUTHORITY),
)


def _debs(*names: str) -> tuple[Deb, ...]:
    pairs = (name.split() for name in names)
    return tuple(
        Deb(package=name, version=version, sha256=BLOB_NAMES[f"{name} {version}"])
        for name, version in pairs
    )


_package = st.sampled_from(
    [
        Package(name="docker.io", debs=_debs("docker.io 1", "runc 1")),
        Package(name="docker.io", debs=_debs("docker.io 2")),
        Package(name="runc", debs=_debs("runc 1")),
        Package(name="iptables", debs=_debs("iptables 1", "runc 1")),
        Package(name="iptables"),
        Package(name="hello"),
    ]
)
_module = st.builds(
    KernelModule, name=st.sampled_from(["br_netfilter", "overlay", "ext4"]), persist=st.booleans()
)
_sysctl = st.builds(
    Sysctl,
    key=st.sampled_from([on.PARAMETER, on.FORWARD, on.OF_BRIDGE]),
    value=st.sampled_from(["0", "1"]),
    persist=st.booleans(),
)
_lives_by = st.lists(
    st.sampled_from(["/srv/f", "/srv/a/f", "/srv/a/crt", "/etc/docker/daemon.json"]),
    max_size=2,
    unique=True,
).map(lambda paths: tuple(LivesBy(path=path, sha256="") for path in paths))
_unit = st.one_of(
    st.builds(
        Unit,
        unit=st.just(DOCKER),
        enabled=st.booleans(),
        running=st.booleans(),
        files=_lives_by,
        binary=st.sampled_from([None, "/usr/sbin/dockerd"]),
    ),
    st.builds(
        Unit,
        unit=st.just(OWN),
        enabled=st.booleans(),
        running=st.booleans(),
        files=_lives_by,
        binary=st.sampled_from([None, "/srv/a/f"]),
    ),
)
_bridge = st.builds(
    Bridge,
    name=st.sampled_from(["cbr0", "cbr1"]),
    address=st.sampled_from(ADDRESSES),
    mtu=st.sampled_from([None, 1400]),
    promiscuous=st.booleans(),
    ports=st.sampled_from([(), ("veth*",)]),
)
_absent = st.builds(AbsentLink, name=st.sampled_from(["docker0", "cbr1", "eth0"]))
_route = st.one_of(
    st.builds(
        Route,
        destination=st.sampled_from(["10.3.0.0/24", "10.2.0.0/24"]),
        via=st.sampled_from(["", "10.1.0.9"]),
        device=st.sampled_from(["cbr0", "cbr1", "eth0"]),
        metric=st.sampled_from([0, 5]),
    ),
    st.builds(Route, destination=st.just("10.3.0.0/24"), type=st.just("unreachable")),
)
_pod_routes = st.lists(st.sampled_from(["10.3.0.0/24", "10.4.0.0/24"]), unique=True).map(
    lambda found: PodRoutes(
        routes=tuple(PodRoute(destination=one, via="10.0.0.9") for one in sorted(found))
    )
)
_chain = st.builds(
    Chain,
    table=st.just("nat"),
    name=st.sampled_from(["SALTERN-A", "SALTERN-B"]),
    rules=st.lists(st.sampled_from(RULES), max_size=2).map(tuple),
    jump=st.builds(
        Jump,
        chain=st.sampled_from(["POSTROUTING", "OUTPUT"]),
        place=st.sampled_from(["first", "last", "any"]),
    ),
)
_image = st.sampled_from(
    [
        Image(name="pause:1", config=CONFIGS[number - 1], archive=BLOB_NAMES[f"image {number}"])
        for number in (1, 2)
    ]
)

SPECS: st.SearchStrategy[Spec] = st.one_of(
    _file,
    _unit_file,
    _directory,
    _artifact,
    _secret,
    _certificate,
    _package,
    _module,
    _sysctl,
    _unit,
    _bridge,
    _absent,
    _route,
    _pod_routes,
    _chain,
    _image,
    st.just(Swap()),
)


def resources(specs: Sequence[tuple[str, Spec, Sequence[int], bool]]) -> Body:
    """Give a body of as many of these as go together: what no body can have is left out."""
    body = Body()
    for name, spec, after, keep in specs:
        there = [one.id for one in body.resources]
        before = (
            tuple(dict.fromkeys(there[number % len(there)] for number in after)) if there else ()
        )
        wanted = Resource(id=name, spec=spec, after=before, on_removal="keep" if keep else "remove")
        try:
            body = make_body((*body.resources, wanted))
        except BodyError:
            continue
    return body


BODIES: st.SearchStrategy[Body] = st.lists(
    st.tuples(
        st.sampled_from([f"r{number}" for number in range(10)]),
        SPECS,
        st.lists(st.integers(0, 9), max_size=3),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=8,
    unique_by=lambda one: one[0],
).map(resources)

_places = st.sampled_from(
    [
        *PATHS,
        *FOLDERS,
        OWN_FILE,
        f"{OWN_FILE}.d",
        "/srv/t",
        "/srv/t/bin/x",
        "/srv/a/crt",
        "/srv/a/key",
        "/etc/sysctl.d",
        "/etc/modules-load.d",
        f"/etc/sysctl.d/90-saltern-{on.FORWARD}.conf",
        "/srv/a/stray",
        "/etc/fstab",
        "/usr/sbin/dockerd",
        f"/run/saltern/started/{DOCKER}",
        "/srv",
    ]
)
_links = st.sampled_from(["cbr0", "cbr1", "docker0", "eth0", "veth1"])
_entries = st.sampled_from(
    [
        RouteEntry("10.3.0.0/24", "", "eth0", 0, 83),
        RouteEntry("10.3.0.0/24", "", "eth0", 5, 83),
        RouteEntry("10.3.0.0/24", "", "cbr1", 0, 4),
        RouteEntry("10.4.0.0/24", "10.0.0.7", "eth0", 0, 84),
        RouteEntry("10.5.0.0/24", "10.0.0.7", "eth0", 0, 84),
        RouteEntry("10.3.0.0/24", "", "", 0, 83, "unreachable"),
    ]
)
_unit_damages = ["mask", "crash", "stop", "restart", "disable", "reload daemon"]
DAMAGES: st.SearchStrategy[damages.Damage] = st.one_of(
    st.builds(damages.put, _places, st.sampled_from([b"stranger\n", b"x\n", b""])),
    st.builds(
        damages.entry, _places, st.sampled_from(["nothing", "directory", "symlink", "other"])
    ),
    st.builds(
        damages.access,
        _places,
        st.sampled_from([0o644, 0o600, 0o755]),
        st.sampled_from(["root", "docker"]),
    ),
    st.builds(
        damages.link,
        _links,
        st.sampled_from(["bridge", "veth", "dummy", ""]),
        st.sampled_from(["", "10.0.0.1/24", *ADDRESSES]),
        st.booleans(),
    ),
    st.builds(damages.no_link, _links),
    st.builds(damages.another_address, _links, st.sampled_from(ADDRESSES)),
    st.builds(damages.mtu, _links, st.just(1300)),
    st.builds(damages.port, st.just("veth1"), st.sampled_from(["cbr0", "cbr1", "none"])),
    st.builds(damages.route, _entries),
    st.builds(
        damages.chains,
        st.lists(st.sampled_from(["POSTROUTING", "OUTPUT"]), max_size=2).map(tuple),
        st.lists(st.sampled_from(RULES), max_size=2).map(tuple),
    ),
    st.builds(damages.docker, st.booleans()),
    st.builds(damages.unit, st.sampled_from([DOCKER, OWN]), st.sampled_from(_unit_damages)),
    st.builds(
        damages.sysctl,
        st.sampled_from([on.PARAMETER, on.FORWARD, on.OF_BRIDGE]),
        st.sampled_from([None, "0", "1"]),
    ),
    st.builds(damages.module, st.sampled_from(["br_netfilter", "overlay"])),
    st.builds(
        damages.package,
        st.sampled_from(["docker.io", "runc", "hello", "iptables"]),
        st.sampled_from([None, "0", "1", "3"]),
        st.booleans(),
    ),
    st.builds(damages.image, st.sampled_from([None, *CONFIGS])),
    st.builds(damages.no_blob, st.sampled_from([*BLOB_NAMES.values(), *SECRETS])),
    st.sampled_from(
        [
            damages.account,
            damages.no_routes,
            damages.others_rule,
            damages.iptables,
            damages.flushed,
            damages.swapping,
            damages.unreachable,
            damages.later,
        ]
    ),
)
