"""The real node: every port on the machine that this process runs on, and what tells of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from saltern_states.body import Resource

from saltern_agent.host.absent import Absent
from saltern_agent.host.accounts import Accounts
from saltern_agent.host.beneath import Root
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.certificates import Issue, NodeCertificates, never_joined, no_master
from saltern_agent.host.disk import DiskFiles
from saltern_agent.host.docker import DockerImages
from saltern_agent.host.dpkg import DebianPackages
from saltern_agent.host.events.chains import ChainSource
from saltern_agent.host.events.images import ImageSource
from saltern_agent.host.events.links import LinkSource
from saltern_agent.host.events.paths import PathSource
from saltern_agent.host.events.readings import ReadingSource
from saltern_agent.host.events.units import UnitSource
from saltern_agent.host.hashes import Hashes
from saltern_agent.host.iptables import Iptables
from saltern_agent.host.kept_hashes import KeptHashes
from saltern_agent.host.kernel import KernelModules, KernelSwaps, ProcSysctls
from saltern_agent.host.netlink import NetlinkLinks
from saltern_agent.host.sealed import CONFIG, SealedSecrets
from saltern_agent.host.systemd import SystemdUnits
from saltern_agent.host.trees import DiskTrees
from saltern_agent.host.upgrades import DebUpgrades
from saltern_agent.sources import Source
from saltern_agent.upgrade.ground import machine_ground

MACHINE: Final = Path("/")


class Node:
    """All ports of this machine. One thread uses one Node.

    `hashes_kept`: see kept_hashes.py. `config`: where the identity and the sealing key are.
    `issue` and `unreached`: the way to the master, see certificates.py.
    `root`: the directory that stands for the machine's "/"; another one has files and trees only.
    """

    def __init__(
        self,
        blobs: Path,
        hashes_kept: Path,
        config: Path = CONFIG,
        issue: Issue = no_master,
        unreached: Callable[[], str] = never_joined,
        root: Path = MACHINE,
    ) -> None:
        hashes, accounts, top = Hashes(kept=KeptHashes(hashes_kept)), Accounts(), Root(root)
        absent: Any = Absent(root)
        machine = root == MACHINE
        self.blobs = DiskBlobs(blobs, hashes=hashes)
        self.files = DiskFiles(self.blobs, top, hashes, accounts)
        self.trees = DiskTrees(self.blobs, top, hashes, accounts)
        self.sysctls = ProcSysctls() if machine else absent
        self.modules = KernelModules() if machine else absent
        self.swaps = KernelSwaps() if machine else absent
        self.links = NetlinkLinks() if machine else absent
        self.rules = Iptables() if machine else absent
        self.units = SystemdUnits() if machine else absent
        self.packages = DebianPackages() if machine else absent
        ground = machine_ground(blobs.parent, hashes_kept.parent)
        upgrades = DebUpgrades(ground, config / "master", unreached)
        self.upgrades = upgrades if machine else absent
        self.images = DockerImages() if machine else absent
        self.certificates = NodeCertificates(self.files, issue, unreached)
        self.secrets = SealedSecrets(self.blobs, config)

    def sweep(self, owned: Iterable[Resource]) -> None:
        """Remove what an agent that was killed left half-made."""
        self.files.sweep(written_in(owned))
        self.blobs.sweep()
        if not isinstance(self.packages, Absent):
            self.packages.sweep()


def written_in(owned: Iterable[Resource]) -> list[Path]:
    """Give every directory in which these resources write, sorted."""
    return sorted({Path(path).parent for resource in owned for path in resource.paths})


def event_sources(root: Path = MACHINE) -> tuple[Source, ...]:
    """Give everything that tells of changes on this machine, or below a directory of it."""
    if root != MACHINE:
        return (PathSource(root),)
    told = (PathSource(), LinkSource(), ChainSource(), UnitSource(), ImageSource())
    return (*told, ReadingSource())
