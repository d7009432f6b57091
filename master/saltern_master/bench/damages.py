"""What the probe breaks in a node, by a system call where one will do.

It runs in the node with nothing but Python: links are spoken of to the kernel in plain netlink,
so that no program's start stands between the clock and the damage.

Numbers are of <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_addr.h>.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

DELETE_LINK, DELETE_ADDRESS = 17, 21
REQUEST, ACKNOWLEDGE = 1, 4
LOCAL = 2  # IFA_LOCAL
BRIDGE = "cbr0"


@dataclass(frozen=True)
class Damage:
    """One way to break a node. `event`: whether the kernel, or systemd, tells of it."""

    name: str
    resource: str
    act: Callable[[], None]
    by: str
    event: bool = True
    rest: float = 0.0  # seconds before the next one


def damages(bridge_address: str) -> tuple[Damage, ...]:
    """Give them all; `bridge_address` is the pod bridge's, as 10.10.0.1/24."""
    flush = ("/usr/sbin/iptables", "-t", "nat", "-F", "SALTERN-POST")
    # With its socket, or the kubelet's next question starts it before anybody looks. Not waited
    # for: where the agent starts it before it has stopped, systemctl calls that a failure.
    stop = ("/usr/bin/systemctl", "stop", "--no-block", "docker.socket", "docker.service")
    somaxconn = partial(write, "/proc/sys/net/core/somaxconn", b"128\n", os.O_WRONLY)
    edit = partial(write, "/var/lib/kubelet/config.yaml", b"# by hand\n", os.O_WRONLY | os.O_APPEND)
    remove = partial(os.unlink, "/etc/kubernetes/manifests/hello.yaml")
    loosen = partial(os.chmod, "/etc/docker/daemon.json", 0o666)
    address = partial(delete_address, BRIDGE, bridge_address)
    return (
        Damage("pod bridge deleted", "network/cbr0", partial(delete_link, BRIDGE), "netlink"),
        Damage("pod bridge's address deleted", "network/cbr0", address, "netlink"),
        Damage("own chain flushed", "network/SALTERN-POST", partial(run, flush), "iptables"),
        Damage("kubelet's configuration edited", "kubelet/config.yaml", edit, "write"),
        Damage("static manifest removed", "kubelet/manifests/hello.yaml", remove, "unlink"),
        Damage("file's mode loosened", "docker/daemon.json", loosen, "chmod"),
        Damage(
            "docker stopped",
            "docker/docker.service",
            partial(run, stop),
            "systemctl",
            rest=2.5,  # systemd starts docker.socket five times in ten seconds and no more
        ),
        Damage("kernel parameter set", "sysctl/net.core.somaxconn", somaxconn, "write", False),
    )


def run(argv: tuple[str, ...]) -> None:
    """Run a program that has to succeed."""
    subprocess.run(argv, check=True, capture_output=True, timeout=60)


def write(path: str, content: bytes, flags: int) -> None:
    """Write to a file that is there."""
    handle = os.open(path, flags)
    try:
        os.write(handle, content)
    finally:
        os.close(handle)


def delete_link(name: str) -> None:
    """Delete a link."""
    index = socket.if_nametoindex(name)
    ask(DELETE_LINK, struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0))


def delete_address(name: str, address: str) -> None:
    """Delete an address with its prefix from a link."""
    plain, _, prefix = address.partition("/")
    index = socket.if_nametoindex(name)
    header = struct.pack("=BBBBi", socket.AF_INET, int(prefix), 0, 0, index)
    ask(DELETE_ADDRESS, header + struct.pack("=HH4s", 8, LOCAL, socket.inet_aton(plain)))


def ask(kind: int, body: bytes) -> None:
    """Send one request to rtnetlink and wait for its answer; OSError where it is refused."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.bind((0, 0))
        kernel.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACKNOWLEDGE, 1, 0) + body)
        (code,) = struct.unpack_from("=i", kernel.recv(65536), 16)
    if code:
        raise OSError(-code, os.strerror(-code))
