"""Secrets that were sealed to this node: opened with its own key, for as long as a call lasts.

* The private key and who this node is are read when something is opened: a node that joined
  since needs no restart.
* No error quotes the key, nor a content.

Layout: /etc/saltern/sealing.key (link_keys.py) and /etc/saltern/identity.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from saltern_protocol.documents import decode_identity
from saltern_protocol.errors import ProtocolError
from saltern_protocol.sealed import MAX_PLAIN, OVERHEAD, Context, open_sealed
from saltern_states.ports import Blobs, HostError

from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.host.reasons import reason
from saltern_agent.places import SettingsError

CONFIG = Path("/etc/saltern")
MAX_SEALED = MAX_PLAIN + OVERHEAD


class SealedSecrets:
    """What can be opened with the key in a directory of the agent's."""

    def __init__(self, blobs: Blobs, config: Path = CONFIG) -> None:
        self._blobs = blobs
        self._config = config

    def digest(self, blob: str, secret: str, generation: int) -> str:
        """Give the SHA-256 of the plain content of a sealed blob."""
        return sha256(self.plain(blob, secret, generation)).hexdigest()

    def plain(self, blob: str, secret: str, generation: int) -> bytes:
        """Give the plain content."""
        told = f"cannot open secret {secret} generation {generation}"
        sealed = self._sealed(blob, told)
        try:
            identity = decode_identity(self._own("identity", told))
            context = Context(
                cluster=identity.cluster, node=identity.node, secret=secret, generation=generation
            )
            return open_sealed(sealed, self._private(told), context)
        except ProtocolError as error:
            raise HostError(f"{told}: {error}") from None

    def _sealed(self, blob: str, told: str) -> bytes:
        path = self._blobs.path(blob)
        try:
            with open(path, "rb") as file:
                return file.read(MAX_SEALED + 1)
        except OSError as error:
            raise HostError(f"{told}: {path}: {reason(error)}") from error

    def _own(self, name: str, told: str) -> bytes:
        try:
            return (self._config / name).read_bytes()
        except FileNotFoundError:
            raise HostError(
                f"{told}: there is no {self._config / name}; run: saltern-agent join TOKEN"
            ) from None
        except OSError as error:
            raise HostError(f"{told}: {self._config / name}: {reason(error)}") from error

    def _private(self, told: str) -> bytes:
        try:
            return NodeKeys.read(self._config).sealing
        except SettingsError as error:
            raise HostError(f"{told}: {error}") from None
