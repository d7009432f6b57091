"""Private keys and certificates on this node's disk.

* A key is made here and written by the same ways as every file: whole, 0600 from its first
  byte, never through a symlink. Only its public half, in a request, leaves this process.
* What the master sends is read, compared with what was asked for, and only then written.
* No error quotes a key, nor what a library says of one.

`issue` asks the master: the certificate's path (which names the resource) and a request in
DER, for PEM. It waits, for 20 s at most, and raises HostError where nothing comes. `unreached`
says why it would be asked in vain; "" where not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from saltern_states.leaf import Pair, Wanted, unlike
from saltern_states.ports import Entry, Files, HostError

if TYPE_CHECKING:
    from saltern_agent.host import x509

NO_MASTER = "this node has joined no master; run: saltern-agent join TOKEN"
KEY_FAULT = "it holds no private key (ECDSA P-256, PKCS#8)"
MAX_BYTES = 64 * 1024

Issue = Callable[[str, bytes], bytes]


def no_master(path: str, _request: bytes) -> bytes:
    """Refuse: the answer of a node that has joined nobody."""
    raise HostError(f"cannot ask for {path}: {NO_MASTER}")


def never_joined() -> str:
    """Say why nobody can be asked."""
    return NO_MASTER


def wall_clock() -> int:
    """Give the time, in seconds since 1970."""
    return int(time.clock_gettime(time.CLOCK_REALTIME))


class NodeCertificates:
    """Keys and certificates among the node's files."""

    def __init__(
        self,
        files: Files,
        issue: Issue = no_master,
        unreached: Callable[[], str] = never_joined,
        now: Callable[[], int] = wall_clock,
    ) -> None:
        self._files = files
        self._issue = issue
        self._unreached = unreached
        self._now = now

    def look(self, path: Path, key: Path, ca: str) -> Pair:
        """Read a certificate and its private key, and compare them with an authority's."""
        from saltern_agent.host import x509

        fault, private = self._key(key)
        content = self._content(path)
        leaf = x509.read_leaf(content, private, ca) if content is not None else None
        return Pair(now=self._now(), key_fault=fault, leaf=leaf)

    def unreached(self) -> str:
        """Say why no certificate can be asked for now."""
        return self._unreached()

    def make_key(self, path: Path, was: Entry | None, owner: str, group: str) -> None:
        """Make a private key."""
        from saltern_agent.host import x509

        self._files.write(path, was, x509.new_key(), 0o600, owner, group)

    def obtain(self, path: Path, was: Entry | None, key: Path, wanted: Wanted) -> None:
        """Ask for a certificate for a key, and put it there."""
        from saltern_agent.host import x509

        fault, private = self._key(key)
        if private is None:
            raise HostError(f"cannot ask for {path}: {key}: {fault or 'there is no key'}")
        pem = self._issue(str(path), x509.request(private, wanted.common_name))
        leaf = x509.read_leaf(pem, private, wanted.ca) if len(pem) <= MAX_BYTES else None
        wrong = unlike(wanted, leaf, self._now()) if leaf else ("it is none",)
        if wrong:
            raise HostError(
                f"cannot take the certificate for {path} that the master sent: {'; '.join(wrong)}"
            )
        self._files.write(path, was, pem, 0o644, "root", "root")

    def _content(self, path: Path) -> bytes | None:
        entry = self._files.look(path)
        if entry is None or entry.type != "file":
            return None
        return self._files.read(path) if entry.size <= MAX_BYTES else b""

    def _key(self, path: Path) -> tuple[str, x509.Key | None]:
        from saltern_agent.host import x509

        content = self._content(path)
        if content is None:
            return "", None
        key = x509.read_key(content)
        return ("", key) if key else (KEY_FAULT, None)
