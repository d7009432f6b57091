"""How a node is booted: systemd-nspawn's arguments and environment. Pure.

Each option is there because a kubelet, docker or the host needs it (systemd-nspawn(1)):

* all capabilities, and the keyring and bpf system calls: docker and runc use them; Landlock's: a
  master's front keeps itself in by it, and nspawn lets nobody;
* API VFS writable: a kubelet sets kernel parameters, and dies where it cannot;
* /dev/kmsg: a kubelet watches the kernel's log for the out-of-memory killer;
* register=no, keep-unit: the host need not run systemd, and systemd need not know;
* settings, link-journal, resolv-conf, timezone off: nothing of the host's leaks in;
* no lock files: a killed nspawn would leave them behind.
"""

from collections.abc import Sequence

from saltern_master.lab.host import Host
from saltern_master.lab.layout import REAL, Network, Place

NSPAWN = "/usr/bin/systemd-nspawn"
LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
FORCE_RESTART = 133  # nspawn's exit status when a node with keep-unit wants to be booted again


def arguments(place: Place, network: Network, host: Host) -> tuple[str, ...]:
    """Give the command line that boots a node."""
    modules = ["--bind-ro=/lib/modules"] if host.modules else []
    return (
        NSPAWN,
        "--quiet",
        f"--directory={place.root}",
        f"--machine={place.machine}",
        f"--hostname={place.node}",
        "--register=no",
        "--keep-unit",
        "--settings=no",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=pipe",
        "--capability=all",
        f"--system-call-filter=@keyring bpf {LANDLOCK}",
        f"--network-bridge={network.bridge}",
        "--bind=/dev/kmsg",
        *(f"--bind={place.real(name)}:/var/lib/{name}" for name in REAL),
        *modules,
        "--boot",
    )


def environment(host: Host) -> dict[str, str]:
    """Give nspawn's whole environment."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0" if host.way == "v1" else "1",
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes",
        "SYSTEMD_NSPAWN_LOCK": "0",
    }


def as_service(place: Place, argv: Sequence[str], environ: dict[str, str]) -> tuple[str, ...]:
    """Wrap a node's boot in a delegated transient service, as systemd-nspawn@.service does."""
    properties = {
        "Delegate": "yes",
        "KillMode": "mixed",
        "RestartForceExitStatus": str(FORCE_RESTART),
        "SuccessExitStatus": str(FORCE_RESTART),
        "TasksMax": "infinity",
        "LimitNOFILE": "infinity",
        "StandardOutput": f"append:{place.console}",
        "StandardError": f"append:{place.console}",
    }
    return (
        "/usr/bin/systemd-run",
        "--quiet",
        "--collect",
        f"--unit={place.unit}",
        *(f"--property={name}={value}" for name, value in properties.items()),
        *(f"--setenv={name}={value}" for name, value in environ.items()),
        "--",
        *argv,
    )
