"""What the lab puts into a node before its first boot: identity, network, and two remedies.

Only what the machine under the node makes necessary: a unit that gives host0 its address and, on
cgroup v1, makes the groups writable; where the host may not lower oom_score_adj, a wrapper that
comes before runc in the PATH. Nothing here is what Saltern is to declare. Pure but for write().
"""

import secrets
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from saltern_master.lab.host import Host
from saltern_master.lab.layout import Network, Node

UNIT = "saltern-lab.service"

# nspawn mounts version 1 groups read-only (but systemd's own); docker and kubelet make theirs.
_BOOT = """\
#!/bin/sh
# Written by Saltern's lab: this node's wire{groups_too}.
set -eu
ip link set dev host0 addrgenmode none up
ip address replace {address}/{prefix} dev host0
ip route replace default via {gateway} dev host0
"""
_REMOUNT = """\
for groups in /sys/fs/cgroup/*/; do
    mount -o remount,bind,rw "$groups"
done
"""

_UNIT = """\
[Unit]
Description=The wire of a node in Saltern's lab
DefaultDependencies=no
After=systemd-sysctl.service
Before=sysinit.target network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/saltern-lab/boot
"""

# runc gives up when it may not set an oom_score_adj below 0, as kubelet's pause container has.
# The JSON is docker's and containerd's own, without spaces; a quote in a value is escaped there,
# so the pattern matches nothing but the key.
_RUNC = """\
#!/bin/sh
# Written by Saltern's lab: this machine has no CAP_SYS_RESOURCE, so nobody here may lower
# oom_score_adj. The containers get 0 instead, and the real runc never sees the difference.
set -eu
calm() { [ ! -f "$1" ] || sed -i 's/"oomScoreAdj":-[0-9]*/"oomScoreAdj":0/' "$1"; }
before=
for word in "$@"; do
    case "$before" in
    --bundle | -b) calm "$word/config.json" ;;
    --process | -p) calm "$word" ;;
    esac
    before=$word
done
for runc in /usr/sbin/runc /usr/bin/runc; do
    [ ! -x "$runc" ] || exec "$runc" "$@"
done
echo "runc: not installed (this is the lab's wrapper)" >&2
exit 127
"""


def files(node: Node, network: Network, host: Host, machine_id: str) -> dict[str, tuple[int, str]]:
    """Give the files of a new node: path -> mode and text."""
    boot = _BOOT.format(
        groups_too=" and its cgroups" if host.way == "v1" else "",
        address=node.address,
        prefix=network.subnet.prefixlen,
        gateway=network.host,
    )
    chosen = {
        "etc/hostname": (0o644, f"{node.name}\n"),
        "etc/hosts": (0o644, f"127.0.0.1 localhost\n{node.address} {node.name}\n"),
        "etc/machine-id": (0o444, f"{machine_id}\n"),
        f"etc/systemd/system/{UNIT}": (0o644, _UNIT),
        "usr/local/lib/saltern-lab/boot": (0o755, boot + (_REMOUNT if host.way == "v1" else "")),
    }
    if not host.may_lower_oom:
        chosen["usr/local/sbin/runc"] = (0o755, _RUNC)
    return chosen


def write(tree: Path, chosen: Mapping[str, tuple[int, str]]) -> None:
    """Write the files into an empty tree, and have the unit started at boot."""
    tree.mkdir(mode=0o755)
    for name, (mode, text) in chosen.items():
        path = tree / PurePosixPath(name)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
    wants = tree / "etc/systemd/system/sysinit.target.wants"
    wants.mkdir(mode=0o755)
    (wants / UNIT).symlink_to(f"../{UNIT}")


def new_machine_id() -> str:
    """Give a random machine-id (machine-id(5)); with an empty one a first boot enables units."""
    return secrets.token_hex(16)
