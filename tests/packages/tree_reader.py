"""Run on a node by its own python3: every path of its root file system, and what it is.

Prints one JSON object: path -> type, mode, owner, and size and hash or target. Other file systems
(/proc, /sys, /run, /tmp, the host's own directories) are not gone into.
"""

import hashlib
import json
import os
import stat
import sys


def told(path: str) -> str:
    """Say what stands at a path."""
    seen = os.lstat(path)
    head = f"{stat.filemode(seen.st_mode)} {seen.st_uid}:{seen.st_gid}"
    if stat.S_ISLNK(seen.st_mode):
        return f"{head} -> {os.readlink(path)}"
    if stat.S_ISREG(seen.st_mode):
        with open(path, "rb") as file:
            return f"{head} {seen.st_size} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    return head


def walk(top: str, device: int) -> dict[str, str]:
    """Read all below a directory that lies on one device."""
    found = {}
    for folder, below, names in os.walk(top):
        kept = []
        for name in below + names:
            path = os.path.join(folder, name)
            found[path] = told(path)
            if name in below and not os.path.islink(path) and os.lstat(path).st_dev == device:
                kept.append(name)
        below[:] = kept
    return found


print(json.dumps(walk("/", os.lstat("/").st_dev)))
sys.stdout.flush()
