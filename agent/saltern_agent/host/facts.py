"""Facts of a node that compiling its body needs: read once, pinned by the master."""

from __future__ import annotations

import os
import platform
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from saltern_states.ports import Backend

from saltern_agent.host.netlink import NetlinkLinks

MACHINE_ID: Final = Path("/etc/machine-id")
PRODUCT_UUID: Final = Path("/sys/class/dmi/id/product_uuid")
CONTAINER: Final = Path("/run/systemd/container")
LINKS: Final = Path("/sys/class/net")
DIGITS: Final = 32


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
    machine_id: str  # a digest of /etc/machine-id, which itself is not to be told (machine-id(5))
    product_uuid: str  # the same of the board's; a container has none of its own
    mac: str  # of the uplink


def read_facts() -> Facts:
    """Read them all."""
    uplink, mtu = _uplink()
    release = platform.freedesktop_os_release()
    return Facts(
        node=platform.node(),
        uplink=uplink,
        mtu=mtu,
        iptables_backend=iptables_backend(),
        cgroup=2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        os=release.get("ID", ""),
        os_version=release.get("VERSION_ID", ""),
        kernel=platform.release(),
        architecture=platform.machine(),
        python=platform.python_version(),
        memory_mib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        machine_id=_digest(MACHINE_ID),
        product_uuid="" if CONTAINER.exists() else _digest(PRODUCT_UUID),
        mac=_word(LINKS / uplink / "address") if uplink else "",
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


def iptables_backend() -> Backend:
    """Say which tables the command iptables writes; nft, as on Debian, where there is none."""
    command = Path("/usr/sbin/iptables")
    return "legacy" if "legacy" in str(command.resolve()) else "nft"


def _digest(path: Path) -> str:
    """Give what is equal for two machines exactly where the file is, and tells nothing else."""
    word = _word(path)
    return sha256(f"saltern fact {path} {word}".encode()).hexdigest()[:DIGITS] if word else ""


def _word(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
