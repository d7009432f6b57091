"""A real sshd on a loopback port, out of Debian's package, and a client configuration for it.

It runs in a mount namespace of its own, in which /etc/passwd knows its unprivileged user and /run
is empty: on this machine nothing is installed and nobody's settings are changed. The package and
what it needs come by apt once, into ~/.cache/saltern/debs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from saltern_master import cache
from saltern_master.joining.ssh import OpenSsh
from saltern_master.packages import fetch_closure

SSHD = Path("/usr/sbin/sshd")
SECONDS = 20.0
STATUS = Path("/var/lib/dpkg/status")
HIDE = (
    'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/shadow" /etc/shadow && '
    'mount -t tmpfs -o mode=0755 tmpfs /run && mkdir /run/sshd && exec "$2" -D -e -f "$1/sshd"'
)


@dataclass(frozen=True)
class Sshd:
    """One that runs: `host` and `stranger` as the client's configuration has them."""

    folder: Path
    port: int
    host: str = "here"
    stranger: str = "stranger"

    @property
    def ssh(self) -> OpenSsh:
        """The client that knows of it, and of nothing else of this machine's user."""
        return OpenSsh(("-F", str(self.folder / "client")))

    @property
    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text()


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Run one until the end."""
    program, libraries = _program(folder)
    one = Sshd(folder, free_port())
    for name in ("host", "user"):
        keygen = ["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(keygen, check=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    _configure(one)
    words = ["/usr/bin/unshare", "--mount", "--", "/bin/sh", "-c", HIDE, "sh", str(folder)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*words, str(program)],
            stdin=subprocess.DEVNULL,
            stderr=log,
            env={"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries},
        )
    try:
        _wait(one, process)
        yield one
    finally:
        process.terminate()
        process.wait(SECONDS)


def free_port() -> int:
    """Give a port at which nothing listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


def _program(folder: Path) -> tuple[Path, str]:
    """Give sshd, and where its libraries are beside this machine's own."""
    if SSHD.exists():
        return SSHD, ""
    tree = folder / "tree"
    for deb in fetch_closure(["openssh-server"], STATUS, cache.root() / "debs", print):
        unpack = ["/usr/bin/dpkg-deb", "--extract", deb.path, str(tree)]
        subprocess.run(unpack, check=True, timeout=SECONDS)
    found = sorted({str(one.parent) for one in tree.rglob("*.so.*")})
    return tree / "usr/sbin/sshd", ":".join(found)


def _configure(one: Sshd) -> None:
    folder = one.folder
    shutil.copy(folder / "user.pub", folder / "authorized")
    passwd = [line for line in Path("/etc/passwd").read_text().splitlines() if "sshd:" not in line]
    passwd.append("sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin")
    (folder / "passwd").write_text("\n".join(passwd) + "\n")
    (folder / "shadow").write_text("root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n")
    public = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known").write_text(f"here {public}\n")
    (folder / "sshd").write_text(
        f"Port {one.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin prohibit-password\nMaxStartups 100\n"
    )
    (folder / "client").write_text(
        f"Host here stranger\n  HostName 127.0.0.1\n  Port {one.port}\n  User root\n"
        f"  IdentityFile {folder}/user\n  IdentitiesOnly yes\n"
        "Host here\n  HostKeyAlias here\nHost stranger\n  HostKeyAlias stranger\n"
        f"Host *\n  UserKnownHostsFile {folder}/known\n  GlobalKnownHostsFile /dev/null\n"
    )


def _wait(one: Sshd, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        assert process.poll() is None, one.log
        try:
            with closing(socket.create_connection(("127.0.0.1", one.port), 1)):
                return
        except OSError:
            assert time.monotonic() < deadline, one.log
