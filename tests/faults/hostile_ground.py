"""A node's root full of traps, what lies outside of it, and a host whose ports act on it.

DIRECTORY/node        the root: links that lead out, pipes, a socket, a second name of a canary
DIRECTORY/outside     canaries: nothing of it may be opened, and nothing may change
DIRECTORY/cwd         where the process stands: a name that is not made absolute would end here
DIRECTORY/state       blobs, parameters, modules, and a master's home
"""

from __future__ import annotations

import os
import socket
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from saltern_agent.host.accounts import Accounts
from saltern_agent.host.beneath import Root
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.disk import DiskFiles
from saltern_agent.host.hashes import Hashes
from saltern_agent.host.kernel import KernelModules, ProcSysctls
from saltern_agent.host.sealed import SealedSecrets
from saltern_agent.host.trees import DiskTrees
from saltern_states.ports import Host
from saltern_states.testing import FakeHost, FakeUnits

CANARY = b"outside, and nobody's business\n"


class HostileGround:
    """The directories, and the host."""

    def __init__(self, directory: Path, openat2: bool = True) -> None:
        self.node, self.outside = directory / "node", directory / "outside"
        self.cwd, self.state = directory / "cwd", directory / "state"
        if not self.node.exists():
            self._lay()
        self.hashes, self.accounts = Hashes(), Accounts()
        root = Root(self.node, openat2=openat2)
        self.blobs = DiskBlobs(self.state / "blobs", hashes=self.hashes)
        self.files = DiskFiles(self.blobs, root, self.hashes, self.accounts)
        self.trees = DiskTrees(self.blobs, root, self.hashes, self.accounts)
        self.sysctls = ProcSysctls(self.state / "sys")
        self.modules = KernelModules(
            self.state / "module", self.state / "lib", self.state / "config.gz", ()
        )

    def host(self) -> Host:
        """Give a node whose files, trees, blobs, parameters, modules and secrets are these."""
        host: Any = FakeHost()
        host.files, host.trees, host.blobs = self.files, self.trees, self.blobs
        host.sysctls, host.modules = self.sysctls, self.modules
        host.secrets = SealedSecrets(self.blobs, self.state / "config")
        host.units = FakeUnits(cast(Any, self.files))
        return cast(Host, host)

    def _lay(self) -> None:
        for directory in (self.node, self.outside, self.cwd, self.state / "sys" / "net"):
            directory.mkdir(parents=True)
        for directory in (self.outside, self.cwd):
            (directory / "canary").write_bytes(CANARY)
            (directory / "etc").mkdir()
            os.mkfifo(directory / "pipe")
        (self.state / "sys" / "net" / "real").write_text("1\n")
        (self.state / "sys" / "out").symlink_to(self.outside)
        for name in ("etc/own", "deep/a/b", "opt", "usr/local/bin", "etc/kubernetes/pki"):
            (self.node / name).mkdir(parents=True)
        self._traps()

    def _traps(self) -> None:
        links = {"up": "..", "out": "../outside", "abs": str(self.outside), "loop": "loop"}
        for name, target in {**links, "dead": "nowhere", "etc/up": "../.."}.items():
            (self.node / name).symlink_to(target)
        for name in ("pipe", "etc/pipe", "deep/a/pipe"):
            os.mkfifo(self.node / name)
        os.link(self.outside / "canary", self.node / "hard")
        with closing(socket.socket(socket.AF_UNIX)) as bound:
            bound.bind(str(self.node / "sock"))


def blob_name(content: bytes) -> str:
    """Give the name that a content has as a blob."""
    return sha256(content).hexdigest()


def canaries(*tops: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Give inode, mode, links and content of all that stands below some directories."""
    found = {}
    for top in tops:
        for path in (top, *sorted(top.rglob("*"))):
            seen = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (seen.st_ino, seen.st_mode, seen.st_uid, content)
    return found
