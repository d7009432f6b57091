"""Twenty-six ways to break a worker, each by a system call where one will do.

It runs in the node with nothing but Python, as bench/damages.py does. Where a program has to do it
that takes longer than the goal by itself (systemctl, dpkg), time is counted from its end: what the
agent knows before that it knows in no time.

What the agent may not mend (it follows no symlink, and replaces no mount) is only told, and taken
back here: the time to be healed is then counted from there.
"""

from __future__ import annotations

import http.client
import os
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from saltern_master.bench.damages import (
    BRIDGE,
    ask,
    delete_address,
    delete_link,
    run,
    write,
)

NEW_LINK, DELETE_ROUTE = 16, 25  # RTM_NEWLINK, RTM_DELROUTE
PROMISCUOUS = 0x100  # IFF_PROMISC
MAIN_TABLE, UNSPECIFIED, UNIVERSE, GATEWAYED = 254, 0, 0, 1
IPTABLES, SYSTEMCTL = ("/usr/sbin/iptables", "-w"), "/usr/bin/systemctl"
ETC, SITE = Path("/etc/kubernetes"), Path("/etc/kubernetes/site")
DAEMON = Path("/etc/docker/daemon.json")
KUBELET = Path("/usr/local/bin/kubelet")
ASIDE = Path("/run/saltern-bench")  # what is mounted and linked from elsewhere lies here
DOCKER = "/run/docker.sock"
IMAGE = "saltern/ask:1"


@dataclass(frozen=True)
class Damage:
    """One way to break a node."""

    name: str
    resource: str
    act: Callable[[], None]
    by: str
    event: bool = True  # whether the kernel, systemd or docker tells of it
    from_end: bool = False  # see above
    lasts: bool = False  # up to its end: nobody can mend it before
    brings: str = ""  # another resource that is off by it, and has to be mended too
    undo: Callable[[], None] | None = None  # by whom it is mended where the agent may not
    rest: float = 0.0  # seconds before the next one


def damages(pods: str = "10.10.0.0/24", address: str = "10.10.1.1/24") -> tuple[Damage, ...]:
    """Give them all; `pods`: a route that is kept, `address`: the pod bridge's own."""
    return (*_links(pods, address), *_rules(), *_docker(), *_kubelet(), *_units(), *_rest())


def _links(pods: str, address: str) -> tuple[Damage, ...]:
    bridge = "network/cbr0"
    return (
        Damage("pod bridge deleted", bridge, partial(delete_link, BRIDGE), "netlink"),
        Damage("its address changed", bridge, partial(delete_address, BRIDGE, address), "netlink"),
        Damage("its promiscuity changed", bridge, make_promiscuous, "netlink"),
        Damage("route removed", "network/pod-routes", partial(delete_route, pods), "netlink"),
    )


def _rules() -> tuple[Damage, ...]:
    post, forward = "network/SALTERN-POST", "network/SALTERN-FORWARD"
    jump = ("-t", "nat", "-D", "POSTROUTING", "-j", "SALTERN-POST")
    moved = b"*filter\n-D FORWARD -j SALTERN-FORWARD\n-I INPUT 1 -j SALTERN-FORWARD\nCOMMIT\n"
    return (
        Damage("own chain flushed", post, iptables("-t", "nat", "-F", "SALTERN-POST"), "iptables"),
        Damage("one rule removed", forward, iptables("-D", "SALTERN-FORWARD", "1"), "iptables"),
        Damage("jump removed", post, iptables(*jump), "iptables"),
        Damage("jump moved", forward, partial(restore, moved), "iptables-restore"),
    )


def _docker() -> tuple[Damage, ...]:
    edit = partial(write, str(DAEMON), b"\n", os.O_WRONLY | os.O_APPEND)
    loosen = partial(os.chown, DAEMON, 1, 1)
    return (
        Damage(
            "docker restarted with other options",
            "docker/daemon.json",
            restart_with_other_options,
            "mount, systemctl",
            lasts=True,
            brings="docker/docker.service",
            rest=3.0,  # systemd starts docker.socket five times in ten seconds and no more
        ),
        Damage("daemon.json edited", "docker/daemon.json", edit, "write"),
        Damage("its owner changed", "docker/daemon.json", loosen, "chown"),
        Damage("image removed", f"kubelet/images/{IMAGE}", remove_image, "docker"),
    )


def _kubelet() -> tuple[Damage, ...]:
    hello = "/etc/kubernetes/manifests/hello.yaml"
    config = partial(
        write, "/var/lib/kubelet/config.yaml", b"# by hand\n", os.O_WRONLY | os.O_APPEND
    )
    edit = partial(write, hello, b"# by hand\n", os.O_WRONLY | os.O_APPEND)
    stray = partial(
        write,
        str(ETC / "manifests/stray.yaml"),
        b"# nothing is declared here\n",
        os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    )
    remove = partial(os.unlink, ETC / "kubelet.conf")
    return (
        Damage("kubelet's configuration edited", "kubelet/config.yaml", config, "write", rest=1.0),
        Damage("kubelet's binary replaced", "kubelet/kubelet", replace_kubelet, "rename", rest=2.0),
        Damage("static manifest edited", "kubelet/manifests/hello.yaml", edit, "write"),
        Damage("stray manifest added", "kubelet/manifests", stray, "write"),
        Damage("kubeconfig removed", "kubelet/kubelet.conf", remove, "unlink", rest=1.0),
    )


def _units() -> tuple[Damage, ...]:
    proxy = "kube-proxy/kube-proxy.service"
    stop = (SYSTEMCTL, "stop", "--no-block", "kube-proxy.service")
    mask = (SYSTEMCTL, "mask", "--runtime", "--now", "kube-proxy.service")
    limits = Path("/etc/systemd/system/docker.service.d/10-limits.conf")
    return (
        Damage("unit stopped", proxy, partial(run, stop), "systemctl", rest=3.0),
        Damage("unit masked", proxy, partial(run, mask), "systemctl", from_end=True, rest=3.0),
        Damage("drop-in removed", "docker/limits.conf", limits.unlink, "unlink", rest=3.0),
    )


def _rest() -> tuple[Damage, ...]:
    somaxconn = partial(write, "/proc/sys/net/core/somaxconn", b"128\n", os.O_WRONLY)
    saved = partial(os.unlink, "/etc/sysctl.d/90-saltern-net.core.somaxconn.conf")
    purge = ("/usr/bin/dpkg", "--remove", "socat")
    return (
        Damage("kernel parameter set", "sysctl/net.core.somaxconn", somaxconn, "write", False),
        Damage("its file removed", "sysctl/net.core.somaxconn", saved, "unlink"),
        Damage("key's mode loosened", "pki/kubelet", loosen_key, "chmod"),
        Damage("package removed", "kubelet/socat", partial(run, purge), "dpkg", from_end=True),
        Damage(
            "directory replaced by a symlink",
            "site/folder",
            link_site,
            "rename",
            undo=unlink_site,
        ),
        Damage("a file mounted over", "site/contact", mount_over, "mount", undo=unmount),
    )


def iptables(*words: str) -> Callable[[], None]:
    """Give what runs iptables."""
    return partial(run, (*IPTABLES, *words))


def restore(table: bytes) -> None:
    """Have iptables-restore make one transaction."""
    argv = ("/usr/sbin/iptables-restore", "-w", "--noflush")
    subprocess.run(argv, input=table, check=True, capture_output=True, timeout=60)


def make_promiscuous() -> None:
    """Set the bridge's flag as `ip link set … promisc on` does."""
    index = socket.if_nametoindex(BRIDGE)
    ask(NEW_LINK, struct.pack("=BxHiII", UNSPECIFIED, 0, index, PROMISCUOUS, PROMISCUOUS))


def delete_route(destination: str) -> None:
    """Delete the main table's route to an IPv4 network."""
    network, _, prefix = destination.partition("/")
    body = struct.pack(
        "=BBBBBBBBI", socket.AF_INET, int(prefix), 0, 0, MAIN_TABLE, 0, 255, UNIVERSE, 0
    )
    ask(DELETE_ROUTE, body + struct.pack("=HH4s", 8, GATEWAYED, socket.inet_aton(network)))


def put(path: Path, content: bytes) -> None:
    """Bring a file by rename."""
    part = path.with_name(f".{path.name}.by-hand")
    part.write_bytes(content)
    part.rename(path)


def restart_with_other_options() -> None:
    """As a foreigner who puts the file back; it is mounted over, or the agent were faster."""
    ASIDE.mkdir(exist_ok=True)
    other = ASIDE / "daemon.json"
    other.write_bytes(DAEMON.read_bytes().replace(b'"10m"', b'"11m"'))
    run(("/usr/bin/mount", "--bind", str(other), str(DAEMON)))
    try:
        run((SYSTEMCTL, "restart", "docker.service"))
    finally:
        run(("/usr/bin/umount", str(DAEMON)))


def remove_image() -> None:
    """Ask docker itself, by its socket."""
    docker = http.client.HTTPConnection("docker", timeout=60)
    docker.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        docker.sock.connect(DOCKER)
        docker.request("DELETE", f"/images/{IMAGE}?force=1")
        answer = docker.getresponse()
        if answer.status != http.client.OK:
            raise OSError(answer.status, answer.read(1000).decode(errors="replace"))
    finally:
        docker.close()


def replace_kubelet() -> None:
    """Put a program in the kubelet's place by rename, which running ones do not notice."""
    put(KUBELET, Path("/bin/true").read_bytes())


def loosen_key() -> None:
    """Let everybody read a private key."""
    (ETC / "pki/kubelet.key").chmod(0o644)


def link_site() -> None:
    """Put a symlink where a directory was declared."""
    SITE.rename(SITE.with_name("moved"))
    SITE.symlink_to("moved")


def unlink_site() -> None:
    """Put the directory back."""
    SITE.unlink()
    SITE.with_name("moved").rename(SITE)


def mount_over() -> None:
    """Mount another file over a file."""
    ASIDE.mkdir(exist_ok=True)
    other = ASIDE / "contact"
    other.write_bytes(b"somebody else\n")
    run(("/usr/bin/mount", "--bind", str(other), str(SITE / "contact")))


def unmount() -> None:
    """Take the mount away."""
    run(("/usr/bin/umount", str(SITE / "contact")))
