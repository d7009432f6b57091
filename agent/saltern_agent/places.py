"""Where the agent keeps what, and the identity that an operator pinned there."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from saltern_protocol.documents import Identity, decode_identity
from saltern_protocol.errors import MalformedError, ProtocolError
from saltern_protocol.trust import Trust


class SettingsError(Exception):
    """The agent cannot begin; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Places:
    """The agent's own directories."""

    config: Path  # /etc/saltern: identity
    state: Path  # /var/lib/saltern: journal, blobs
    run: Path  # /run/saltern: control socket, mark of the boot, records of units, hashes

    @property
    def identity(self) -> Path:
        """Who this node is, and the root of its trust."""
        return self.config / "identity"

    @property
    def journal(self) -> Path:
        """What was accepted, owned and seen."""
        return self.state / "journal.db"

    @property
    def blobs(self) -> Path:
        """Contents by SHA-256."""
        return self.state / "blobs"

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.run / "agent.sock"

    @property
    def boot(self) -> Path:
        """There since the agent's first start after a boot."""
        return self.run / "restored"

    @property
    def hashes(self) -> Path:
        """Hashes of large files, as long as the node is up."""
        return self.run / "hashes"


def read_identity(places: Places) -> Identity:
    """Read what was pinned; SettingsError says how to pin one."""
    try:
        return decode_identity(places.identity.read_bytes())
    except FileNotFoundError:
        raise SettingsError(
            f"cannot start: there is no {places.identity}; `saltern sign` makes an identity for "
            "each node, `saltern-agent pin FILE` puts it here"
        ) from None
    except OSError as error:
        raise SettingsError(f"cannot read {places.identity}: {error.strerror}; be root") from error
    except MalformedError as error:
        raise SettingsError(f"cannot read {places.identity}: {error}; pin it again") from error


def pin(places: Places, data: bytes) -> Identity:
    """Put an identity in its place, if it is one and none is there already."""
    try:
        identity = decode_identity(data)
        Trust.pin(identity)
    except ProtocolError as error:
        raise SettingsError(f"cannot pin this file: {error}") from error
    places.config.mkdir(mode=0o755, parents=True, exist_ok=True)
    if places.identity.exists():
        if places.identity.read_bytes() == data:
            return identity
        raise SettingsError(
            f"cannot pin: this node has an identity already ({places.identity}); a node that is "
            "to be somebody else starts anew: stop the agent, then remove that file and "
            f"{places.state}"
        )
    temporary = places.config / ".saltern-identity"
    with temporary.open("wb") as file:
        temporary.chmod(0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(places.identity)
    return identity


class Lock:
    """That at most one process works on this node. Held until the process ends."""

    def __init__(self, places: Places) -> None:
        try:
            places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = (places.state / "lock").open("w")
        except OSError as error:
            raise SettingsError(
                f"cannot work on this node: {error}; the agent keeps what it knows in "
                f"{places.state}: see that root can write there and that its disk has free space"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise SettingsError(
                "cannot work on this node: another saltern-agent does; if `saltern-agent status` "
                "does not answer, it is starting or stopping: try again in a moment"
            ) from None

    def release(self) -> None:
        """Let another process work."""
        self._file.close()
