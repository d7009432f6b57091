"""The ports of a node that know keys: certificates, and secrets that were sealed to it.

They keep the laws of ports/, and these:

* A private key is made on the node and leaves it by no method. No key, and nothing of a
  secret, is in an error's text.
* A certificate is written only when it is what was asked for (leaf.unlike).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from saltern_states.leaf import Pair, Wanted

if TYPE_CHECKING:
    from saltern_states.ports import Entry


class Certificates(Protocol):
    """Private keys made here, and certificates that the master's authorities give for them."""

    def look(self, path: Path, key: Path, ca: str) -> Pair:
        """Read a certificate and its private key, and compare them with an authority's (PEM)."""
        ...

    def unreached(self) -> str:
        """Say why no certificate can be asked for now; "" where one can."""
        ...

    def make_key(self, path: Path, was: Entry | None, owner: str, group: str) -> None:
        """Make a private key (ECDSA P-256, PKCS#8 in PEM, mode 0600) in place of `was`."""
        ...

    def obtain(self, path: Path, was: Entry | None, key: Path, wanted: Wanted) -> None:
        """Ask for a certificate for a key, and put it in place of `was` (mode 0644, root).

        Waits for the master. HostError, and nothing written: it is not reached, refuses, or
        sent what was not asked for.
        """
        ...


class Secrets(Protocol):
    """Contents that were sealed to this node: their blobs can be opened here and nowhere else."""

    def digest(self, blob: str, secret: str, generation: int) -> str:
        """Give the SHA-256 of the plain content of a sealed blob.

        HostError: the blob is not here, or not sealed to this node as that secret's generation.
        """
        ...

    def plain(self, blob: str, secret: str, generation: int) -> bytes:
        """Give the plain content, for the one file that shall hold it."""
        ...
