"""A lab node that Saltern holds, for all tests of a run: prepared once, brought back for each.

What a test does to the node is undone by what Saltern is for: the base document is applied.
"""

from __future__ import annotations

import io
import json
import secrets
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, compile_cluster
from saltern_master.compile.facts import read_facts
from saltern_master.lab import Machine, rootfs
from saltern_master.lab.trial import INCOMING, Trial
from saltern_master.library import Library
from saltern_master.signing.home import Home
from saltern_master.signing.init import sign_policy
from saltern_master.signing.policy_file import NODE, PolicyFile
from saltern_master.signing.sign import sign
from saltern_protocol.documents import decode_statement
from saltern_states.body import read_body

from tests.lab.snapshot import Snapshot, snapshot

PARAMETER = "net.ipv4.tcp_keepalive_time"
"""What cases of sysctls set; 7200 in a new network namespace (tcp(7))."""

T = TypeVar("T")
Json = dict[str, Any]

ALLOWED = msgspec.structs.replace(
    NODE,
    paths=(*NODE.paths, "/etc/systemd/system/probe.service", "/etc/systemd/system/gate.service"),
    units=(*NODE.units, "probe.service", "gate.service"),
    links=(*NODE.links, "probe*"),
    routes=("10.78.0.0/16",),
)
"""What the node may be told: the default policy, and what the tests' own resources touch."""

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "hello", "namespace": "default"},
    "spec": {
        "containers": [
            {
                "name": "echo",
                "image": "saltern/echo:1",
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"containerPort": 8080}],
            }
        ]
    },
}
GET = """
import json, subprocess, urllib.request
ask = lambda *argv: subprocess.run(argv, capture_output=True, text=True, check=True).stdout
label = "label=io.kubernetes.container.name=POD"
(pod,) = ask("docker", "ps", "--quiet", "--filter", label).split()
address = json.loads(ask("docker", "inspect", pod))[0]["NetworkSettings"]["IPAddress"]
print(address, urllib.request.urlopen(f"http://{address}:8080", timeout=2).read().decode())
"""


def _archive() -> bytes:
    """Give a tar archive of two files, one of them in a directory, the same at every run."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folder = tarfile.TarInfo("sub")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for name in ("a", "sub/b"):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(name), 0o644
            tar.addfile(member, io.BytesIO(name.encode()))
    return written.getvalue()


ARCHIVE = _archive()


def now() -> int:
    """Give the wall clock, in seconds since 1970."""
    return int(datetime.now(UTC).timestamp())


def wait_until(condition: Callable[[], T | None], what: str, seconds: float = 30) -> T:
    """Give what the condition gives once that is true; AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"after {seconds:g} s there is still not: {what}"
        time.sleep(0.05)
    return found


@dataclass(frozen=True, slots=True)
class Wish:
    """A cluster file for the one node: the tutorial's, and what differs."""

    kubelet: Mapping[str, object] = field(default_factory=lambda: {"maxPods": 60})
    sysctls: Mapping[str, str] = field(default_factory=lambda: {"net.core.somaxconn": "4096"})
    docker: Mapping[str, object] = field(default_factory=lambda: {"liveRestore": True})
    masquerade: str = "outside"
    pods: tuple[Mapping[str, object], ...] = (POD,)
    resources: tuple[Mapping[str, object], ...] = ()

    def text(self, address: str) -> str:
        """Give the file; JSON is YAML too."""
        group = {
            "match": "role=worker",
            "sysctls": self.sysctls,
            "kubelet": {"config": self.kubelet, "staticPods": self.pods},
            "resources": self.resources,
        }
        whole = {
            "apiVersion": "saltern/v1",
            "cluster": {"name": "demo", "domain": "cluster.local"},
            "kubernetes": {"version": "1.20.2"},
            "network": {"pods": "10.10.0.0/16", "perNode": 24, "masquerade": self.masquerade},
            "runtime": {"docker": self.docker},
            "nodes": [{"name": "w1", "address": address, "roles": ["worker"]}],
            "groups": [group],
        }
        return json.dumps(whole, indent=1)


BASE = Wish()


@dataclass(slots=True)
class Held:
    """The node, what was seen while it was first converged, and how to go on with it."""

    trial: Trial
    machine: Machine
    bare: Snapshot = field(default_factory=dict)
    plan_of_all: tuple[Json, ...] = ()
    after_plan: Snapshot = field(default_factory=dict)
    apply_of_all: tuple[Json, ...] = ()
    converged: Snapshot = field(default_factory=dict)
    base_body: str = ""
    brought: set[str] = field(default_factory=set)

    @property
    def home(self) -> Home:
        """The master's directory, with the keys."""
        return Home(self.trial.home)

    @property
    def out(self) -> Path:
        """Where what is signed lies on the host."""
        return self.trial.home / "out"

    def sign(self, wish: Wish = BASE) -> Path:
        """Compile and sign; gives the statement's path on the host."""
        file = load(wish.text(str(self.machine.node.address)).encode())

        def compiled(allocation: Allocation) -> Compilation:
            path = self.home.facts_file("w1")
            facts = read_facts(path.read_bytes(), str(path))
            stock = Library(self.trial.home).list()
            return compile_cluster(file, {"w1": facts}, allocation, stock)

        (signed,) = sign(self.home, "demo", compiled, self.out, now(), secrets.token_bytes)
        return signed.statement

    def bring(self, statement: bytes, name: str = "w1.statement") -> str:
        """Carry a statement to the node; gives its path there."""
        path = f"{INCOMING}/{name}"
        done = self.machine.exec(["tee", path], input=statement)
        assert done.returncode == 0, done.stderr
        return path

    def offer(self, wish: Wish = BASE) -> str:
        """Sign a wish and carry it to the node; gives the statement's path there."""
        statement = self.sign(wish)
        for blob in (self.out / "blobs").iterdir():
            if blob.name not in self.brought:
                self.machine.copy_in(blob, f"{INCOMING}/blobs/{blob.name}")
                self.brought.add(blob.name)
        return self.bring(statement.read_bytes())

    def resource_of_package(self, name: str) -> Json:
        """Give the resource of a package that the library has with all that it needs."""
        (found,) = (one for one in Library(self.trial.home).list().packages if one.name == name)
        debs = [
            {"package": deb.package, "version": deb.version, "sha256": deb.sha256}
            for deb in found.debs
        ]
        return {"id": f"probe/{name}", "spec": {"kind": "package/1", "name": name, "debs": debs}}

    def kinds_of_base(self) -> set[str]:
        """Name the kinds of the resources in the base document, as it is signed."""
        body = read_body(decode_statement(self.sign().read_bytes()).body)
        return {str(one.spec.__struct_config__.tag) for one in body.resources}

    def agent(self, *argv: str, timeout: float = 120) -> tuple[Json, ...]:
        """Ask saltern-agent in the node for JSON lines."""
        done = self.machine.exec(["saltern-agent", *argv, "--output", "json"], timeout=timeout)
        assert done.stdout, done.stderr
        return tuple(json.loads(line) for line in done.stdout.splitlines())

    def plan(self, path: str) -> tuple[Json, ...]:
        """Plan a statement; gives the lines."""
        return self.agent("plan", path, "--blobs", f"{INCOMING}/blobs")

    def apply(self, path: str) -> tuple[Json, ...]:
        """Apply a statement; gives the lines, of which the last must be well."""
        told = self.agent("apply", path, "--blobs", f"{INCOMING}/blobs")
        assert told[-1]["ok"], (hindrances(told), told[-1])
        return told

    def status(self) -> Json:
        """Ask how things stand; {} where no agent answers."""
        done = self.machine.exec(["saltern-agent", "status", "--output", "json"])
        return json.loads(done.stdout) if done.stdout else {}

    def state(self) -> str:
        """Give the one word of how things stand; "" where no agent answers."""
        told = self.status()
        return told["status"]["state"] if told and not told["working"] else ""

    def drift(self) -> tuple[Json, ...]:
        """Give what drifted, newest first."""
        done = self.machine.exec(["saltern-agent", "drift", "--output", "json"])
        assert done.returncode == 0, done.stderr
        return tuple(json.loads(line) for line in done.stdout.splitlines())

    def must(self, *argv: str, timeout: float = 60) -> str:
        """Run a program in the node that has to succeed; gives what it printed."""
        done = self.machine.exec(argv, timeout=timeout)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout

    def snapshot(self) -> Snapshot:
        """Read the node beside Saltern."""
        return snapshot(self.machine)

    def pod_says(self) -> str:
        """Ask the one pod over HTTP from the node: its address and answer; "" where it is mute."""
        return self.machine.exec(["python3", "-c", GET]).stdout.strip()

    def settle(self) -> None:
        """Have the agent hold the base document, and the pod answer."""
        self.must("systemctl", "start", "saltern-agent")
        told = wait_until(self.status, "an agent that answers")["status"]
        if (told["body"], told["state"]) != (self.base_body, "converged"):
            self.apply(self.offer())
            wait_until(lambda: self.state() == "converged", "the base document, converged")
        # A parameter that is no longer declared keeps its last value: here, the kernel's own again.
        self.must("/usr/sbin/sysctl", "--quiet", "--write", f"{PARAMETER}=7200")
        wait_until(self.pod_says, "a pod that answers", 60)


def prepare(held: Held) -> None:
    """Bring the bare node to the base document, and write down all that is seen on the way."""
    trial = held.trial
    trial.stock()
    base = rootfs.ready(trial.show).status
    trial.saltern("packages", "add", "hello", "--base", str(base))
    archive = trial.home / "probe.tar"
    archive.write_bytes(ARCHIVE)
    trial.saltern("blobs", "add", str(archive))
    policy = msgspec.to_builtins(PolicyFile(api_version="saltern/v1", classes={"worker": ALLOWED}))
    held.home.policy_file.write_text(json.dumps(policy))
    sign_policy(held.home, now())
    trial.install()
    trial.learn()
    path = held.offer()
    held.machine.copy_in(held.out / "w1.identity", f"{INCOMING}/w1.identity")
    trial.pin()
    held.bare = held.snapshot()
    held.plan_of_all = held.plan(path)
    held.after_plan = held.snapshot()
    held.apply_of_all = held.apply(path)
    held.must("systemctl", "enable", "--now", "saltern-agent")
    held.base_body = wait_until(held.status, "an agent that answers")["status"]["body"]
    held.settle()
    held.converged = held.snapshot()


def changes(lines: Sequence[Json]) -> list[tuple[str, str]]:
    """Give (resource, what is changed) of a plan or an apply, in order."""
    return [
        (line["resource"], one["text"])
        for line in lines
        if line["type"] in ("planned", "done")
        for one in line["changes"]
    ]


def hindrances(lines: Sequence[Json]) -> list[str]:
    """Give why something cannot be done, of a plan or an apply."""
    return [f"{line['resource']}: {line['why']}" for line in lines if line.get("why")]
