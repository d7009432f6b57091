"""Snapshots of a node, read beside Saltern (node_reader.py), and how two of them differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from saltern_master.lab import Machine

Snapshot = Mapping[str, str]
READER = Path(__file__).with_name("node_reader.py").read_text()


def snapshot(node: Machine) -> Snapshot:
    """Read all that the node has: from the name of a thing to what it is."""
    done = node.exec(["python3", "-"], input=READER)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def difference(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """Give what came (+), went (-) and changed (~), by name."""
    signs: dict[str, str] = {}
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            signs[name] = "+"
        elif name not in after:
            signs[name] = "-"
        elif before[name] != after[name]:
            signs[name] = "~"
    return signs
