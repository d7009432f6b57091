"""Nodes in memory that are in any state, and snapshots of them that ask no port.

What a module, a package, a service or a bridge brings along is made here as real ones bring it: a
plan cannot know of it before it is there.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from saltern_states.testing import FakeHost
from saltern_states.testing.kernel import FakeModules
from saltern_states.testing.links import FakeLinks
from saltern_states.testing.packages import FakeDeb, FakePackages
from saltern_states.testing.units import FakeUnits

DOCKER = "docker.service"
OWN = "own.service"
PARAMETER = "net.bridge.bridge-nf-call-iptables"
FORWARD = "net.ipv4.ip_forward"
OF_BRIDGE = "net.ipv4.conf.cbr0.rp_filter"
DOCKER_FILE = "[Service]\nExecStart=/usr/sbin/dockerd\nExecReload=/bin/kill -HUP\n[Install]\n"
SEALED = b"very secret\n"
CONFIGS = ("1" * 64, "2" * 64)


SYSTEM = ("/run/saltern/started", "/usr/lib/systemd/system", "/usr/sbin", "/var/lib")


class Modules(FakeModules):
    """Modules that bring parameters."""

    def __init__(self, host: Node) -> None:
        super().__init__(built_in=["ext4"], loadable=["br_netfilter", "overlay", "ext4"])
        self.host = host

    def load(self, name: str) -> None:
        super().load(name)
        if name.replace("-", "_") == "br_netfilter":
            self.host.sysctls.values.setdefault(PARAMETER, "0")


class Links(FakeLinks):
    """Links that bring parameters."""

    def __init__(self, host: Node) -> None:
        super().__init__()
        self.host = host

    def add_bridge(self, name: str) -> None:
        super().add_bridge(name)
        self.host.sysctls.values[f"net.ipv4.conf.{name}.rp_filter"] = "2"

    def delete(self, name: str) -> None:
        super().delete(name)
        self.host.sysctls.values.pop(f"net.ipv4.conf.{name}.rp_filter", None)


class Packages(FakePackages):
    """Packages that bring files, an account, a unit and iptables."""

    def __init__(self, host: Node) -> None:
        super().__init__()
        self.host = host

    def _install(self, coming: dict[str, FakeDeb]) -> None:
        new = coming.keys() - self.installed.keys()
        super()._install(coming)
        if "docker.io" in coming:
            version = coming["docker.io"].version.encode()
            self.host.files.put_file("/usr/sbin/dockerd", b"dockerd " + version)
        if "docker.io" in new:
            self.host.files.put_directory("/etc/docker")
            self.host.files.users["docker"] = self.host.files.groups["docker"] = 100
            self.host.units.install(DOCKER, DOCKER_FILE)
            self.host.units.enabled.add(DOCKER)
        if "iptables" in new:
            self.host.rules.installed = {"nft", "legacy"}


class Units(FakeUnits):
    """Services that make directories."""

    host: Node

    def start(self, unit: str) -> None:
        super().start(unit)
        if unit == DOCKER:
            self.host.files.put_directory("/var/lib/docker")


class Node(FakeHost):
    """A small Debian machine, with all blobs that its bodies can ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.modules = Modules(self)
        self.links = Links(self)
        self.packages = Packages(self)
        self.upgrades.packages = self.packages
        self.units = Units(self.files)
        self.units.host = self
        for path in (
            "/etc/systemd/system",
            "/etc/sysctl.d",
            "/etc/modules-load.d",
            "/srv",
            *SYSTEM,
        ):
            self.files.put_directory(path)
        self.files.put_file("/etc/fstab", b"/dev/sda1 / ext4\n/dev/sda2 none swap sw 0 0\n")
        self.sysctls.values[FORWARD] = "0"
        self.links.add("eth0")
        self.links.add_address("eth0", "10.0.0.1/24")
        self.rules.installed = set()
        self.packages.put("base", "1")
        for content in BLOBS.values():
            self.blobs.put(content)
        for number, secret in enumerate((SEALED, b"another\n"), 1):
            self.secrets.put(secret, "tokens", number)
        for number in (1, 2):
            where = Path("/var/lib/saltern/blobs", BLOB_NAMES[f"image {number}"])
            self.images.put_archive(where, "pause:1", CONFIGS[number - 1])
        for name, version in (
            ("docker.io", "1"),
            ("docker.io", "2"),
            ("runc", "1"),
            ("iptables", "1"),
        ):
            where = Path("/var/lib/saltern/blobs", BLOB_NAMES[f"{name} {version}"])
            self.packages.put_deb(where, name, version)
        for name in ("iptables", "hello"):
            self.packages.offer(name, "1")


def _tar(content: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo("bin/x")
        member.size, member.mode = len(content), 0o755
        tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


BLOBS: Mapping[str, bytes] = {
    "binary 1": b"binary one",
    "binary 2": b"binary two",
    "tar 1": _tar(b"one"),
    "tar 2": _tar(b"two"),
    **{f"image {number}": b"image %d" % number for number in (1, 2)},
    **{name: name.encode() for name in ("docker.io 1", "docker.io 2", "runc 1", "iptables 1")},
}
_STORE = FakeHost()
BLOB_NAMES = {name: _STORE.blobs.put(content) for name, content in BLOBS.items()}
SECRETS = tuple(
    _STORE.secrets.put(content, "tokens", number)
    for number, content in enumerate((SEALED, b"another\n"), 1)
)

Snapshot = Mapping[str, object]


def snapshot(node: Node) -> Snapshot:
    """Give all that the node is, from the fakes' own insides."""
    found: dict[str, object] = {f"path {path}": one for path, one in node.files.nodes.items()}
    found |= {f"sysctl {key}": value for key, value in node.sysctls.values.items()}
    found |= {f"module {name}": "loaded" for name in node.modules.loaded}
    found |= {f"swap {name}": "on" for name in node.swaps.areas}
    found |= {f"link {name}": one for name, one in node.links.table.items()}
    found |= {f"port {name}": bridge for name, bridge in node.links.ports.items()}
    found |= {f"route {one}": "there" for one in node.links.added}
    found["iptables"] = frozenset(node.rules.installed)
    for (backend, table), one in node.rules.tables.items():
        for chain in one.policies:
            rules = one.rules.get(chain, ())
            if one.policies[chain] != "ACCEPT" or rules:
                found[f"chain {backend} {table} {chain}"] = (one.policies[chain], rules)
    for name, loaded in node.units.loaded.items():
        runs = (loaded.active, loaded.invocation, loaded.main_pid)
        if loaded.active != "inactive":
            found[f"unit {name}"] = runs
    found |= {f"enabled {name}": True for name in node.units.enabled}
    found |= {f"masked {name}": True for name in node.units.masked}
    found |= {f"package {name}": one for name, one in node.packages.installed.items()}
    found |= {f"half {name}": True for name in node.packages.half}
    found |= {f"image {name}": one for name, one in node.images.digests.items()}
    found |= {f"account {name}": True for name in node.files.users}
    return found


def difference(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """Give what came (+), went (-) and changed (~), by name."""
    signs = dict.fromkeys(before.keys() - after.keys(), "-")
    signs |= dict.fromkeys(after.keys() - before.keys(), "+")
    return signs | {
        name: "~" for name in before.keys() & after.keys() if before[name] != after[name]
    }
