"""Names and numbers of users and groups.

/etc/passwd and /etc/group are read once per change (compared by stat at every
question). A name that they do not have is asked of NSS, each time: a directory service
tells us of no changes. Only a plain name is: some of NSS's modules make a path of it.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path

from saltern_states.ports import HostError

PASSWD = Path("/etc/passwd")
GROUP = Path("/etc/group")
NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")  # contract.AccountName without numbers


@dataclass(frozen=True, slots=True)
class Table:
    """One of the two files, as it was at one moment."""

    stamp: tuple[int, int, int, int]
    names: dict[int, str]
    numbers: dict[str, int]


class Accounts:
    """The accounts of this machine."""

    def __init__(self, passwd: Path = PASSWD, group: Path = GROUP) -> None:
        self._paths = (os.fspath(passwd), os.fspath(group))
        self._tables = (_read(self._paths[0]), _read(self._paths[1]))

    def names(self, uid: int, gid: int) -> tuple[str, str]:
        """Give a user's and a group's name; the number where it has none."""
        users, groups = self._current()
        owner = users.names.get(uid) or _nss_user_name(uid)
        return owner, groups.names.get(gid) or _nss_group_name(gid)

    def numbers(self, owner: str, group: str) -> tuple[int, int]:
        """Give their numbers. HostError: there is no such account."""
        uid, gid = self._find(owner, group)
        if uid is None or gid is None:
            unknown = " and no ".join(self.unknown(owner, group))
            raise HostError(f"cannot use {owner}:{group}: this node has no {unknown}; make it")
        return uid, gid

    def called(self, owner: str, group: str) -> tuple[str, str]:
        """Give each by its name, if it was given by number and has one."""
        if not owner.isdecimal() and not group.isdecimal():
            return owner, group
        uid, gid = self._find(owner, group)
        if uid is None or gid is None:
            return owner, group
        return self.names(uid, gid)

    def unknown(self, owner: str, group: str) -> tuple[str, ...]:
        """Name those that are not known; a number always is."""
        uid, gid = self._find(owner, group)
        user = (f"user {owner}",) if uid is None else ()
        return user + ((f"group {group}",) if gid is None else ())

    def _find(self, owner: str, group: str) -> tuple[int | None, int | None]:
        users, groups = self._current()
        uid = users.numbers.get(owner)
        if uid is None:
            uid = int(owner) if owner.isdecimal() else _nss_user_number(owner)
        gid = groups.numbers.get(group)
        if gid is None:
            gid = int(group) if group.isdecimal() else _nss_group_number(group)
        return uid, gid

    def _current(self) -> tuple[Table, Table]:
        users, groups = self._tables
        if users.stamp != _stamp(self._paths[0]) or groups.stamp != _stamp(self._paths[1]):
            self._tables = (_read(self._paths[0]), _read(self._paths[1]))
        return self._tables


class KeptAccounts:
    """Accounts with a memory, for one look at many files: each is asked for only once."""

    def __init__(self, real: Accounts | KeptAccounts) -> None:
        self._real = real
        self._names: dict[tuple[int, int], tuple[str, str]] = {}
        self._called: dict[tuple[str, str], tuple[str, str]] = {}
        self._unknown: dict[tuple[str, str], tuple[str, ...]] = {}

    def names(self, uid: int, gid: int) -> tuple[str, str]:
        """Give a user's and a group's name; the number where it has none."""
        asked = (uid, gid)
        if asked not in self._names:
            self._names[asked] = self._real.names(uid, gid)
        return self._names[asked]

    def numbers(self, owner: str, group: str) -> tuple[int, int]:
        """Give their numbers as they are now. HostError: there is no such account."""
        return self._real.numbers(owner, group)

    def called(self, owner: str, group: str) -> tuple[str, str]:
        """Give each by its name, if it was given by number and has one."""
        asked = (owner, group)
        if asked not in self._called:
            self._called[asked] = self._real.called(owner, group)
        return self._called[asked]

    def unknown(self, owner: str, group: str) -> tuple[str, ...]:
        """Name those that are not known; a number always is."""
        asked = (owner, group)
        if asked not in self._unknown:
            self._unknown[asked] = self._real.unknown(owner, group)
        return self._unknown[asked]


def _read(path: str) -> Table:
    stamp = _stamp(path)  # before reading: a change meanwhile makes the stamp differ next time
    names: dict[int, str] = {}
    numbers: dict[str, int] = {}
    lines = Path(path).read_text(errors="replace").splitlines() if stamp[1] else []
    for line in lines:
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdecimal():
            names.setdefault(int(fields[2]), fields[0])
            numbers.setdefault(fields[0], int(fields[2]))
    return Table(stamp, names, numbers)


def _stamp(path: str) -> tuple[int, int, int, int]:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return (0, 0, 0, 0)
    return (found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)


def _nss_user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _nss_group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _nss_user_number(name: str) -> int | None:
    if not NAME.match(name):
        return None
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _nss_group_number(name: str) -> int | None:
    if not NAME.match(name):
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
