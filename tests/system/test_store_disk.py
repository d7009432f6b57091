"""The master's store on a disk that is full: it is told, nothing is lost, and it goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

CHILD = """
import os, sys
from pathlib import Path
from saltern_master.store import Expect, Put, SqliteStore, StoreError

place = Path(sys.argv[1])
store = SqliteStore(place / "store.db")
done = 0
try:
    while True:
        store.commit(*(Put(f"{done:06}/{n}", os.urandom(20_000)) for n in range(3)))
        done += 1
except StoreError as error:
    print(error)
try:
    store.commit(Put("again", b"x" * 60_000))
    raise SystemExit("a full disk took more")
except StoreError:
    pass
assert len(store.list("")) == 3 * done > 3, done
assert store.get("again") is None
(place / "filler").unlink()
store.commit(Put("again", b"x" * 60_000), Expect("again", 0))
store.close()
again = SqliteStore(place / "store.db")
assert len(again.list("")) == 3 * done + 1
again.close()
"""


def test_a_full_disk_is_told_and_the_store_goes_on_when_there_is_room(tmp_path: Path) -> None:
    script = (
        'set -e; /usr/bin/mount -t tmpfs -o size=4m tmpfs "$1"; '
        '/usr/bin/head -c 1500000 /dev/zero > "$1/filler"; exec "$2" -c "$3" "$1"'
    )
    argv = ["/usr/bin/unshare", "--mount", "--propagation=private", "--", "/bin/sh", "-c", script]
    done = subprocess.run(
        [*argv, "sh", str(tmp_path), sys.executable, CHILD],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"cannot write {tmp_path}/store.db: database or disk is full; ")
    assert "bytes free; free space in it" in done.stdout
