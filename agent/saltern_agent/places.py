"""Where the agent keeps what; who this node is, and which master it speaks to.

* The identity is what makes a node: it is put in place last, durably. Only a join replaces it,
  once what the old one knew is put aside (anew.py).
* /etc/saltern/master is msgpack; it holds nothing secret, and is root's alone like the rest.
"""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import replace
from saltern_protocol import wire
from saltern_protocol.documents import Identity, decode_identity
from saltern_protocol.errors import MalformedError, ProtocolError
from saltern_protocol.ownership import SECRET, UNTOUCHED, Wanted
from saltern_protocol.token import Address, CurveKey, Port
from saltern_protocol.trust import Trust

from saltern_agent.host.own import read_own, shared

MAX_MASTER_BYTES: Final = 16 * 1024
LINK_PREFIX: Final = "curve25519:"
LINK_DIGITS: Final = re.compile(r"[0-9a-f]{64}\Z")
KEYS: Final = ("link.key", "sealing.key")  # host/link_keys.py makes them


class SettingsError(Exception):
    """The agent cannot begin; the text says what to do."""


class NoNodeError(SettingsError):
    """This machine is no node."""


class Master(Struct, frozen=True, kw_only=True, tag_field="type", tag="master/1"):
    """Where the master is, and the key that it proves to be it."""

    addresses: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=8)]
    link_port: Port
    server: CurveKey


@dataclass(frozen=True, slots=True)
class Places:
    """The agent's own directories, and the root of the node that it holds."""

    config: Path  # /etc/saltern: identity, master, keys
    state: Path  # /var/lib/saltern: journal, blobs
    run: Path  # /run/saltern: control socket, mark of the boot, records of units, hashes
    root: Path = Path("/")  # another one: only files and trees below it are held

    @property
    def identity(self) -> Path:
        """Who this node is, and the root of its trust."""
        return self.config / "identity"

    @property
    def master(self) -> Path:
        """Where its master is; not there on a node that has none."""
        return self.config / "master"

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


USUAL: Final = Places(Path("/etc/saltern"), Path("/var/lib/saltern"), Path("/run/saltern"))
"""Where it is on a machine that is a node."""


def refuse_shared(places: Places) -> None:
    """SettingsError with all that others than this user can touch of the agent's own.

    A journal that others may read lies in a directory that they cannot enter: an older agent made
    it so, and the journal narrows it when it is opened.
    """
    config, state = places.config, places.state
    told = "it is no secret any more: remove it, and join with a new token"
    wanted = (
        Wanted(str(config), UNTOUCHED, directory=True),
        *(Wanted(str(config / name), SECRET, if_read=told) for name in KEYS),
        Wanted(str(places.identity), UNTOUCHED),
        Wanted(str(places.master), UNTOUCHED),
        Wanted(str(state), SECRET, directory=True),
        Wanted(str(places.journal), UNTOUCHED),
        Wanted(str(state / "lock"), UNTOUCHED),
        Wanted(str(places.blobs), SECRET, directory=True),
        Wanted(str(places.run), UNTOUCHED, directory=True),
    )
    try:
        faults = shared(wanted)
    except OSError as error:
        raise SettingsError(
            f"cannot look at {error.filename}: {error.strerror}; be root"
        ) from error
    if faults:
        head = "cannot work on this node: what is the agent's own is not as it has to be:"
        raise SettingsError("\n  ".join((head, *faults)))


def read_identity(places: Places) -> Identity:
    """Read what was pinned; SettingsError says how to pin one."""
    try:
        return decode_identity(read_own(places.identity))
    except FileNotFoundError:
        raise NoNodeError(
            f"cannot start: there is no {places.identity}; `saltern sign` makes an identity for "
            "each node, `saltern-agent pin FILE` puts it here"
        ) from None
    except OSError as error:
        raise SettingsError(f"cannot read {places.identity}: {error.strerror}; be root") from error
    except MalformedError as error:
        raise SettingsError(f"cannot read {places.identity}: {error}; pin it again") from error


def pin(places: Places, data: bytes) -> Identity:
    """Put an identity in its place, if it is one and none is there already."""
    identity = _checked(data)
    if not refuse_another(places, data):
        _write(places.identity, data)
    return identity


def pin_anew(places: Places, data: bytes) -> Identity:
    """Put an identity in the place of another one's, whose journal was put aside."""
    identity = _checked(data)
    _write(places.identity, data)
    return identity


def unpin(places: Places) -> None:
    """Let this machine be no node: the identity goes first, since it is what makes one."""
    for path in (places.identity, places.master):
        try:
            path.unlink(missing_ok=True)
            _sync(places.config)
        except OSError as error:
            raise SettingsError(
                f"cannot remove {path}: {error.strerror}; be root, and see that "
                f"{places.config} can be written"
            ) from error


def _checked(data: bytes) -> Identity:
    try:
        identity = decode_identity(data)
        Trust.pin(identity)
    except ProtocolError as error:
        raise SettingsError(f"cannot pin this file: {error}") from error
    return identity


def refuse_another(places: Places, data: bytes) -> bool:
    """Say whether this very identity is pinned already; SettingsError: another one is."""
    try:
        found = read_own(places.identity)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SettingsError(f"cannot read {places.identity}: {error.strerror}; be root") from error
    if found == data:
        return True
    raise SettingsError(
        f"cannot pin: this node has an identity already ({places.identity}); a node that is "
        "to be somebody else starts anew: stop the agent, then remove that file and "
        f"{places.state}"
    )


def read_master(places: Places) -> Master | None:
    """Give where the master is; None: this node has none. SettingsError: nobody can read it."""
    try:
        return wire.unpack(read_own(places.master), Master, MAX_MASTER_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"cannot read {places.master}: {error.strerror}; be root") from error
    except MalformedError as error:
        raise SettingsError(
            f"cannot read {places.master}: {error}; `saltern-agent join TOKEN` writes it again"
        ) from error


def keep_master(places: Places, master: Master) -> None:
    """Remember where the master is, in place of what was known before."""
    _write(places.master, wire.pack_checked(master, MAX_MASTER_BYTES))


def know_master_by(places: Places, text: str) -> Master:
    """Take another key for the master's, as whoever is root here says. SettingsError."""
    digits = text.removeprefix(LINK_PREFIX)
    known = read_master(places)
    if known is None:
        raise SettingsError(
            "cannot know the master by another key: this node has none; `saltern-agent join TOKEN`"
        )
    if text == digits or not LINK_DIGITS.match(digits):
        raise SettingsError(
            f"cannot read the master's key: it is not {LINK_PREFIX} and 64 digits; copy it from "
            "what `saltern key rotate link` or `saltern key list` prints at the master"
        )
    changed = replace(known, server=bytes.fromhex(digits))
    keep_master(places, changed)
    return changed


def _write(path: Path, data: bytes) -> None:
    """Put a whole file in place of what is there, durably, for this user alone."""
    directory, temporary = path.parent, path.parent / f".saltern-{path.name}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)  # of a process that died
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync(directory)
    except OSError as error:
        raise SettingsError(
            f"cannot write {path}: {error.strerror}; be root, and see that its disk has free space"
        ) from error


def _sync(directory: Path) -> None:
    above = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(above)
    finally:
        os.close(above)


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
