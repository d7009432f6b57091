"""What is told of a thing that others may touch: all of it, and what to do."""

from __future__ import annotations

import stat

import pytest
from saltern_protocol.ownership import (
    SECRET,
    UNREAD,
    UNTOUCHED,
    Found,
    Wanted,
    faults,
    way_faults,
)

FILE, DIRECTORY = stat.S_IFREG, stat.S_IFDIR


@pytest.mark.parametrize(
    ("denied", "mode", "told"),
    [
        (SECRET, 0o600, ""),
        (SECRET, 0o400, ""),
        (SECRET, 0o640, "others can read it (mode 0640); run: chmod 0600 /k; make it anew"),
        (SECRET, 0o602, "others can write it (mode 0602); run: chmod 0600 /k"),
        (SECRET, 0o677, "others can read and write and enter it (mode 0677)"),
        (UNTOUCHED, 0o644, ""),
        (UNTOUCHED, 0o664, "others can write it (mode 0664); run: chmod 0644 /k"),
        (UNREAD, 0o711, ""),
        (UNREAD, 0o755, "others can read it (mode 0755); run: chmod 0711 /k; make it anew"),
    ],
)
def test_bits_that_others_have(denied: int, mode: int, told: str) -> None:
    found = faults(Wanted("/k", denied, if_read="make it anew"), Found(FILE | mode, 7), 7)
    assert len(found) == bool(told)
    assert told in "".join(found)


@pytest.mark.parametrize(
    ("type_", "directory", "told"),
    [
        (stat.S_IFLNK, False, "it is a symlink; take it away and put a file itself there"),
        (stat.S_IFIFO, False, "it is a pipe; "),
        (stat.S_IFSOCK, False, "it is a socket; "),
        (stat.S_IFCHR, False, "it is a device; "),
        (DIRECTORY, False, "it is a directory; "),
        (FILE, True, "it is a file; take it away and put a directory itself there"),
    ],
)
def test_what_is_no_such_thing(type_: int, directory: bool, told: str) -> None:
    found = faults(Wanted("/k", SECRET, directory=directory), Found(type_ | 0o600, 7), 7)
    assert len(found) == 1
    assert told in found[0]


def test_all_is_told_at_once_and_fit_for_a_terminal() -> None:
    found = faults(Wanted("/\x9bk", SECRET), Found(FILE | 0o666, 1000), 0)
    assert len(found) == 2
    assert "belongs to user 1000" in found[0]
    assert all(line.isprintable() for line in found)


def test_a_way_that_anybody_can_bend() -> None:
    well = [("/", Found(DIRECTORY | 0o755, 0)), ("/tmp", Found(DIRECTORY | 0o1777, 0))]
    assert way_faults(well) == ()
    (told,) = way_faults([*well, ("/srv", Found(DIRECTORY | 0o777, 0))])
    assert "/srv" in told
    assert "chmod o-w /srv" in told
