"""What a machine is: read from what the first script said there, and what stands against it. Pure.

* Nothing that it said is believed to be more than text: no value of it is run, or is a path.
* Every reason against it is told at once, each with what to do on that machine.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from saltern_protocol.documents import MAX_IDENTITY_BYTES, Identity, decode_identity
from saltern_protocol.errors import MalformedError, printable

from saltern_master.errors import MasterError
from saltern_master.joining.choosing import System

MOST_TEXT: Final = 4 * MAX_IDENTITY_BYTES
MOST_VALUE: Final = 200

Rise = Literal["root", "sudo", "password", "none"]
"""How one is root there: one is; by sudo; not without a password; there is no sudo."""


class UnreadableError(MasterError):
    """What came back is not what the script says: a login shell that talks, or none."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is on a machine."""

    system: System
    rise: Rise = "none"
    systemd: bool = False
    installed: str = ""  # the version of the agent's package; "": it is not there
    running: bool = False  # its agent
    identity: Identity | None = None  # that it has; None: it is no node
    damaged: bool = False  # it has one that nobody can read


def read_seen(text: str) -> Seen:
    """Read what the script said; UnreadableError."""
    said = _pairs(text[:MOST_TEXT])
    if said.get("end") != ["yes"]:
        last = printable(text.strip()[-MOST_VALUE:]) or "nothing"
        raise UnreadableError(f"what it said cannot be read (its last words: {last})")
    first = {name: values[0] for name, values in said.items()}
    identity, damaged = _identity(first.get("identity", ""))
    return Seen(
        system=System(
            kernel=first.get("kernel", ""),
            machine=first.get("machine", ""),
            id=first.get("ID", ""),
            like=tuple(first.get("ID_LIKE", "").split()),
            release=first.get("VERSION_ID", ""),
            pretty=first.get("PRETTY_NAME", ""),
            pythons=tuple(said.get("python", ())),
        ),
        rise=_rise(first.get("rise", "")),
        systemd=first.get("systemd") == "yes",
        installed=first.get("installed", ""),
        running=first.get("running") == "active",
        identity=identity,
        damaged=damaged,
    )


def against(seen: Seen) -> Iterator[str]:
    """Give what stands against making a node of it, whichever package there is for it."""
    if seen.system.kernel != "Linux":
        yield f"it runs {seen.system.kernel or 'no system that we know'}, and nodes run Linux"
    if seen.rise == "password":
        yield (
            "sudo wants a password there, and nobody is asked; let that user do all without one "
            "(visudo: USER ALL=(ALL) NOPASSWD: ALL), or go in as root (root@HOST)"
        )
    if seen.rise == "none":
        yield "that user is not root, and there is no sudo; install it, or go in as root"
    if not seen.systemd:
        yield "it does not run systemd, which starts the agent"
    if seen.damaged:
        yield (
            "it has an identity that this release cannot read; see there: "
            "saltern-agent join --again TOKEN"
        )


def _pairs(text: str) -> dict[str, list[str]]:
    """Read the lines of ours; what a login shell says before them is passed over."""
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("saltern:"):
            name, given, value = line.removeprefix("saltern:").partition("=")
            if given:
                kept = value if name == "identity" else printable(_unquoted(value)[:MOST_VALUE])
                said.setdefault(name, []).append(kept)
    return said


def _unquoted(value: str) -> str:
    """Take the quotes off that os-release(5) allows; a shell's escapes stay as they are."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _rise(word: str) -> Rise:
    match word:
        case "root" | "sudo" | "password":
            return word
    return "none"


def _identity(encoded: str) -> tuple[Identity | None, bool]:
    """Give the identity, and whether there is one that cannot be read."""
    if not encoded:
        return None, False
    try:
        return decode_identity(b64decode(encoded, validate=True)), False
    except (ValueError, MalformedError):  # b64decode() has two sorts of ValueError
        return None, True
