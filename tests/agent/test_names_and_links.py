"""What a hostile user's links and names come to where no race is needed to see it."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.host.accounts import Accounts
from saltern_agent.host.hashes import Hashes
from saltern_agent.host.manifest import Manifest, Member, differences
from saltern_agent.host.transaction import run

COUNT = 20
UNPACKED, EDITED = b"as it was unpacked", b"somebody edited it"


def test_a_look_at_a_tree_stays_in_it_when_a_directory_becomes_a_link(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for directory, content in ((tree / "sub", EDITED), (outside, UNPACKED)):
        directory.mkdir(parents=True)
        for number in range(COUNT):
            (directory / str(number)).write_bytes(content)
            (directory / str(number)).chmod(0o644)
    file = Member("file", 0o644, sha256(UNPACKED).hexdigest())
    members = {f"sub/{number}": file for number in range(COUNT)}
    (tree / "sub").chmod(0o755)
    members["sub"] = Member("directory", 0o755)
    manifest = Manifest(archive="a", uid=os.geteuid(), gid=os.getegid(), members=members)
    handle = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)

    found = differences(handle, manifest, Hashes())
    first = next(found)
    (tree / "sub").rename(tmp_path / "aside")
    (tree / "sub").symlink_to(outside)
    told = {first, *found}
    os.close(handle)

    assert told == {f"edited sub/{number}" for number in range(COUNT)}


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", "a\0b", "-x", "A", "a b", "\x9bx", ""])
def test_a_name_that_is_no_plain_one_is_asked_of_nobody(name: str) -> None:
    assert Accounts().unknown(name, name) == (f"user {name}", f"group {name}")


def test_maintainer_scripts_make_files_for_all(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        command = ["/usr/bin/touch", "--", str(tmp_path / "made")]
        run("make a file", command, {"PATH": "/usr/bin"}, 10)
    finally:
        os.umask(before)

    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o644
