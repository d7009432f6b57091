"""Facts of a node that compiling its body needs: read once, pinned by the master."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec

from saltern_agent.host.netlink import NetlinkLinks


class Facts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `saltern-agent facts` prints. "" and 0 where the node does not tell."""

    node: str  # the host name
    uplink: str  # the link of the default route
    mtu: int  # of the uplink, in bytes
    iptables_backend: str  # of the iptables command; nft, as on Debian, where there is none yet
    cgroup: int  # 1 or 2
    os: str  # ID of os-release: debian
    os_version: str  # VERSION_ID: 12
    kernel: str
    architecture: str  # x86_64, aarch64
    python: str
    memory_mib: int  # of the machine


def read_facts() -> Facts:
    """Read them all."""
    uplink, mtu = _uplink()
    release = platform.freedesktop_os_release()
    return Facts(
        node=platform.node(),
        uplink=uplink,
        mtu=mtu,
        iptables_backend=_iptables_backend(),
        cgroup=2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        os=release.get("ID", ""),
        os_version=release.get("VERSION_ID", ""),
        kernel=platform.release(),
        architecture=platform.machine(),
        python=platform.python_version(),
        memory_mib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
    )


def _uplink() -> tuple[str, int]:
    """Name the link of the default route that is preferred, and give its MTU."""
    links = NetlinkLinks()
    try:
        routes = links.routes("0.0.0.0/0")
        device = next((route.device for route in routes if route.device), "")
        link = links.link(device) if device else None
        return (link.name, link.mtu) if link else ("", 0)
    finally:
        links.close()


def _iptables_backend() -> str:
    command = Path("/usr/sbin/iptables")
    return "legacy" if "legacy" in str(command.resolve()) else "nft"
