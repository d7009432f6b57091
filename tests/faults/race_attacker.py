"""A hostile local user: swaps one component of a path for something else, over and over.

A process of its own that knows nothing of Saltern: python race_attacker.py. A line of JSON names
what is put where; it swaps until the next line comes and says "met N", how often it did.
"""

import ctypes
import json
import os
import random
import select
import shutil
import socket
import sys
from contextlib import suppress

AT_FDCWD, RENAME_EXCHANGE = -100, 2
RENAMEAT2 = 276 if os.uname().machine in ("aarch64", "riscv64") else 316
KINDS = (
    "file-link",
    "directory-link",
    "climbing-link",
    "pipe",
    "hard-link",
    "socket",
    "twin",
    "gone",
)


def main() -> None:
    """Obey until standard input ends."""
    line = sys.stdin.readline()
    while line:
        order = json.loads(line)
        met = swap_until_told(order) if order else 0
        print(f"met {met}", flush=True)
        line = sys.stdin.readline()


def swap_until_told(order: dict[str, str]) -> int:
    """Swap, dwell, swap back; the place is left as it was found, if anything is left of it."""
    libc = ctypes.CDLL(None, use_errno=True)
    place, other = os.fsencode(order["place"]), os.fsencode(order["place"] + ".other")
    chance, count = random.Random(order["place"]), 0
    print("on", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        with suppress(OSError):
            if count % 20 == 0:
                clear(other)
                plant(order["kind"], os.fsdecode(other), order["outside"])
            for _ in range(2):
                if order["kind"] == "gone":
                    os.rename(place, other)
                    place, other = other, place
                else:
                    libc.syscall(RENAMEAT2, AT_FDCWD, place, AT_FDCWD, other, RENAME_EXCHANGE)
                for _ in range(chance.randint(1, 40)):
                    os.path.lexists(place)
        count += 1
    return count


def plant(kind: str, other: str, outside: str) -> None:
    """Make the thing that is swapped in."""
    if kind == "file-link":
        os.symlink(f"{outside}/canary", other)
    elif kind == "directory-link":
        os.symlink(outside, other)
    elif kind == "climbing-link":
        os.symlink("../" * other.count("/") + outside.lstrip("/"), other)
    elif kind == "pipe":
        os.mkfifo(other)
    elif kind == "hard-link":
        os.link(f"{outside}/canary", other)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(other)
    elif kind == "twin":
        os.mkdir(other)
        for name in ("dir", "leaf", "sub", "tree", "inner", ".saltern-0123456789abcdef"):
            os.symlink(f"{outside}/canary" if name == "leaf" else outside, f"{other}/{name}")


def clear(other: bytes) -> None:
    """Take away what was swapped in before."""
    if os.path.isdir(other) and not os.path.islink(other):
        shutil.rmtree(other)
    elif os.path.lexists(other):
        os.unlink(other)


if __name__ == "__main__":
    main()
