"""A ground: files, blobs and trees under test, with a second way to put things there.

What a test puts there goes past the port: into the fake's dict, or to the disk by plain
calls of the operating system. The accounts are those of whoever runs the tests, so that
no test needs root.
"""

from __future__ import annotations

import grp
import io
import os
import pwd
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from saltern_agent.host.accounts import Accounts
from saltern_agent.host.beneath import Root
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.disk import DiskFiles
from saltern_agent.host.hashes import Hashes
from saltern_agent.host.trees import DiskTrees
from saltern_states.ports import Blobs, Files, Trees
from saltern_states.testing.files import FakeBlobs, FakeFiles
from saltern_states.testing.trees import FakeTrees

OWNER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name


class Ground(Protocol):
    """Ports, and how a test prepares what they shall find."""

    @property
    def files(self) -> Files:
        """Under test."""
        ...

    @property
    def trees(self) -> Trees:
        """Under test."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Under test."""
        ...

    def put_file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Let a file stand there, and directories above it."""
        ...

    def put_directory(self, path: str, mode: int = 0o755) -> None:
        """Let a directory stand there."""
        ...

    def put_symlink(self, path: str, target: str) -> None:
        """Let a symlink stand there."""
        ...

    def put_fifo(self, path: str) -> None:
        """Let a FIFO stand there."""
        ...

    def put_blob(self, content: bytes) -> str:
        """Bring a blob; give its name."""
        ...

    def take(self, path: str) -> None:
        """Take a file away."""
        ...


class FakeGround:
    """In memory."""

    def __init__(self) -> None:
        self.blobs = FakeBlobs()
        self.files = FakeFiles(self.blobs)
        self.files.users[OWNER] = os.geteuid()
        self.files.groups[GROUP] = os.getegid()
        self.trees = FakeTrees(self.files)

    def put_file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self.files.put_file(path, content, mode, OWNER, GROUP)

    def put_directory(self, path: str, mode: int = 0o755) -> None:
        self.files.put_directory(path, mode, OWNER, GROUP)

    def put_symlink(self, path: str, target: str) -> None:
        self.files.put_symlink(path)

    def put_fifo(self, path: str) -> None:
        self.files.put_other(path)

    def put_blob(self, content: bytes) -> str:
        return self.blobs.put(content)

    def take(self, path: str) -> None:
        self.files.take(path)


class DiskGround:
    """Below a directory of the test's own."""

    def __init__(self, directory: Path, *, openat2: bool = True) -> None:
        self.top = directory / "root"
        self.top.mkdir()
        self.root = Root(self.top, openat2=openat2)
        self.hashes = Hashes()
        self.blobs = DiskBlobs(directory / "blobs")
        self.files = DiskFiles(self.blobs, self.root, self.hashes, Accounts())
        self.trees = DiskTrees(self.blobs, self.root, self.hashes, Accounts())

    def real(self, path: str) -> Path:
        """Where it is on this machine."""
        real = self.top / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        return real

    def put_file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        real = self.real(path)
        real.write_bytes(content)
        real.chmod(mode)

    def put_directory(self, path: str, mode: int = 0o755) -> None:
        real = self.real(path)
        real.mkdir(exist_ok=True)
        real.chmod(mode)

    def put_symlink(self, path: str, target: str) -> None:
        self.real(path).symlink_to(target)

    def put_fifo(self, path: str) -> None:
        os.mkfifo(self.real(path))

    def put_blob(self, content: bytes) -> str:
        blob = sha256(content).hexdigest()
        self.blobs.add(blob, [content])
        return blob

    def take(self, path: str) -> None:
        self.real(path).unlink()


def archive(members: Mapping[str, bytes | None], mode: int = 0o755, kind: str = "w:gz") -> bytes:
    """Make a tar archive of files, and of directories where the content is None."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=kind) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.mode = mode
            member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            member.size = len(content or b"")
            tar.addfile(member, io.BytesIO(content or b""))
    return buffer.getvalue()
