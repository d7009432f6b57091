"""A bare booted node that ssh reaches, a master on the lab's bridge, and an operator between them.

The operator's home is this machine's with another ~/.ssh laid over it, in a mount namespace: what
ssh reads is what it reads at an operator's, and this machine's own settings are not touched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saltern_master import cache
from saltern_master.bench.crowd.body import cluster_file, policy
from saltern_master.joining.ssh import OpenSsh
from saltern_master.lab import Lab, Machine, rootfs
from saltern_master.lab.fleet import SALTERN, Fleet
from saltern_master.packages import fetch_closure

from tests.house.tree import ROOT

SECONDS = 300.0
LIVES = (
    'home=$(getent passwd root | cut -d: -f6); mount -t tmpfs -o mode=0700 tmpfs "$2" && '
    'mkdir "$2/upper" "$2/work" && '
    'mount -t overlay -o "lowerdir=$home,upperdir=$2/upper,workdir=$2/work" overlay "$home" && '
    'rm -rf "$home/.ssh" && cp -r "$1" "$home/.ssh" && chmod 0700 "$home/.ssh" && '
    'shift 2 && exec "$@"'
)
BUILD = [sys.executable, "-m", "saltern_build", "one"]
PACKAGES = {"bookworm": "agent:deb12", "trixie": "agent:deb13"}
SERVES = ("openssh-server", "sudo")


@dataclass(frozen=True)
class Stand:
    """One node and its master. ssh knows it as `w1` (root) and `ann@w1` (sudo)."""

    fleet: Fleet
    machine: Machine
    keys: Path  # what is to be the operator's ~/.ssh
    package: Path

    @property
    def ssh(self) -> OpenSsh:
        """The operator's ssh, for whoever lives in this machine's own home."""
        return OpenSsh(("-F", str(self.keys / "config-here")))

    def saltern(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command as that operator."""
        empty = self.keys.parent / "empty"
        empty.mkdir(exist_ok=True)
        live = ["/usr/bin/unshare", "--mount", "--", "/bin/sh", "-c", LIVES, "sh"]
        live += [str(self.keys), str(empty)]
        return subprocess.run(
            [*live, SALTERN, *words],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=self.fleet.environment,
            check=False,
        )

    def add(self, *words: str) -> list[dict[str, Any]]:
        """Add machines; gives what came of them."""
        given = ("--package", str(self.package), "--output", "json")
        done = self.saltern("node", "add", "--ssh", *words, *given)
        assert done.stdout, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def node(self, name: str) -> dict[str, Any]:
        """Give what the master says of a node; nothing: it has none."""
        nodes = json.loads(self.saltern("status", "--output", "json").stdout)["nodes"]
        return next((one for one in nodes if one["name"] == name), {})

    def must(self, *argv: str) -> str:
        """Run a command in the node that has to succeed."""
        done = self.machine.exec(list(argv))
        assert done.returncode == 0, (argv, done.stderr)
        return str(done.stdout)

    def say(self, *argv: str) -> str:
        """Run a command in the node, however it ends."""
        return str(self.machine.exec(list(argv)).stdout).strip()


def stand_of(lab: Lab, machine: Machine, folder: Path) -> Stand:
    """Make one, of a node that was just booted."""
    folder.chmod(0o711)
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    _let_ssh_in(machine, keys, lab.suite)
    _know(machine, keys)
    address = str(machine.node.address)
    fleet = Fleet(lab, {"w1": address}, folder / "home", folder / "cluster.yaml", print)
    text = cluster_file(["w1"], "here").replace("address: 10.8.0.1", f"address: {address}")
    fleet.cluster.write_text(text)
    fleet.saltern("init", "--cluster", "crowd")
    (fleet.home / "policy.yaml").write_text(policy())
    fleet.saltern("policy")
    fleet.start_master()
    built = subprocess.run(
        [*BUILD, PACKAGES[lab.suite]],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "packaging")},
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return Stand(fleet, machine, keys, Path(built.stdout.strip()))


def _let_ssh_in(machine: Machine, keys: Path, suite: str) -> None:
    """Install sshd and sudo, without a registry; root and ann come in by one key."""
    keygen = ["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "id")]
    subprocess.run(keygen, check=True, timeout=30, stdin=subprocess.DEVNULL)
    status = rootfs.ready(print, suite).status
    debs = fetch_closure(SERVES, status, cache.root() / "debs", print, suite=suite)
    for deb in (Path(one.path) for one in debs):
        machine.copy_in(deb, f"/root/debs/{deb.name}")
    machine.copy_in(keys / "id.pub", "/root/.ssh/authorized_keys")
    for command in (
        ["sh", "-c", "DEBIAN_FRONTEND=noninteractive dpkg --install /root/debs/*.deb"],
        ["rm", "-r", "/root/debs"],
        ["chmod", "0700", "/root/.ssh"],
        ["useradd", "--create-home", "--shell", "/bin/bash", "ann"],
        ["cp", "-r", "/root/.ssh", "/home/ann/.ssh"],
        ["chown", "-R", "ann:ann", "/home/ann/.ssh"],
        ["sh", "-c", "echo 'ann ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ann"],
        ["systemctl", "enable", "--now", "ssh"],
    ):
        _must(machine, command)


def _know(machine: Machine, keys: Path) -> None:
    """Let the operator's ssh know the node, and its host key, as `w1`."""
    public = str(machine.exec(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout).split()[:2]
    (keys / "known_hosts").write_text(f"w1 {' '.join(public)}\n")
    for place, name in (("~/.ssh", "config"), (str(keys), "config-here")):
        (keys / name).write_text(
            f"Host w1 stranger\n  HostName {machine.node.address}\n"
            "  HostKeyAlgorithms ssh-ed25519\n"
            f"  IdentityFile {place}/id\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {place}/known_hosts\n"
            "Host w1\n  HostKeyAlias w1\nHost stranger\n  HostKeyAlias stranger\n"
        )


def _must(machine: Machine, command: Sequence[str]) -> None:
    done = machine.exec(list(command), timeout=SECONDS)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
