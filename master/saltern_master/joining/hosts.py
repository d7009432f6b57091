"""Which machine shall be which node: what a person wrote, checked before anything is done. Pure.

    [NAME=][USER@]HOST      NAME: HOST itself, where it is left out

* HOST is what the person's own ssh knows: a name, an alias of its configuration, an address.
* None can be taken for an option, nor for more than one word, wherever it is passed on.
* All faults of a command line are told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import msgspec
from saltern_protocol.errors import printable
from saltern_protocol.terms import Name

from saltern_master.errors import MasterError

USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")
HOST: Final = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}\Z")
MOST: Final = 1000


class HostsError(MasterError):
    """What was written does not say which machine shall be which node."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, as ssh is told, and the node that it shall be."""

    name: str
    host: str  # USER@HOST or HOST


def read_machines(words: Sequence[str]) -> tuple[Machine, ...]:
    """Read what a person wrote; HostsError has all faults."""
    read = [_read(word) for word in words[:MOST]]
    machines = tuple(one for one in read if isinstance(one, Machine))
    faults = [one for one in read if isinstance(one, str)]
    faults += _twice("node", (one.name for one in machines))
    faults += _twice("machine", (one.host for one in machines))
    if len(words) > MOST:
        faults.append(f"{len(words)} machines are too many at once: {MOST} at most")
    if faults:
        raise HostsError("\n  ".join(("cannot add these machines:", *faults)))
    return machines


def _read(word: str) -> Machine | str:
    name, given, host = word.partition("=")
    if not given:
        name, host = "", word
    user, at, bare = host.rpartition("@")
    shown = printable(word)
    if not HOST.match(bare) or (at and not USER.match(user)):
        return f"{shown!r}: no machine can be called so: write HOST, USER@HOST or NAME=HOST"
    if not name and _is_address(bare):
        return f"{shown!r} is an address: say what the node shall be called, NAME={shown}"
    try:
        msgspec.convert(name or bare, Name)
    except msgspec.ValidationError:
        return (
            f"{printable(name or bare)!r} can be no node's name: small letters, digits, dashes and "
            f"dots, 63 at most, with a letter or a digit at both ends; write NAME={printable(host)}"
        )
    return Machine(name or bare, host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{what} {name} is named twice"
        seen.add(name)
