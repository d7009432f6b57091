"""The real node: every port on the machine that this process runs on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.disk import DiskFiles
from saltern_agent.host.docker import DockerImages
from saltern_agent.host.dpkg import DebianPackages
from saltern_agent.host.events.dbus import UnitSource
from saltern_agent.host.events.inotify import PathSource
from saltern_agent.host.events.mounts import MountSource
from saltern_agent.host.events.netlink import ChainSource, LinkSource
from saltern_agent.host.iptables import IptablesRules
from saltern_agent.host.kernel import KernelModules, KernelSwaps, ProcSysctls
from saltern_agent.host.netlink import NetlinkLinks
from saltern_agent.host.systemd import SystemdUnits
from saltern_agent.sources import Source
