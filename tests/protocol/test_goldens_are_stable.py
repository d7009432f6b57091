"""What nodes and masters of two releases say to each other has golden bytes: the rest of it.

Messages are in test_messages.py, documents in test_golden.py, tokens and seals in their own tests.
Here: what stands in a body, one example of each kind. SALTERN_GOLDEN=write makes the files of
tests/golden/bodies anew: a changed file means nodes that cannot hold what a master compiles, or
documents signed before that mean something else now.
"""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import fill

import pytest
from saltern_states.body import Body, Resource, read_body, write_body
from saltern_states.kinds import KINDS, AnyKind

GOLDEN = Path(__file__).parent.parent / "golden" / "bodies"


def path_of(kind: AnyKind) -> Path:
    return GOLDEN / f"{kind.name.replace('/', '-')}.hex"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_bytes_of_a_kind_never_change(kind: AnyKind) -> None:
    body = Body((Resource(id="one", spec=kind.example, part_of="test"),))
    data = write_body(body)
    if os.environ.get("SALTERN_GOLDEN") == "write":
        path_of(kind).parent.mkdir(parents=True, exist_ok=True)
        path_of(kind).write_text(fill(data.hex(), 96) + "\n")
    golden = bytes.fromhex(path_of(kind).read_text())
    assert data == golden
    assert read_body(golden) == body


def test_every_golden_file_is_looked_at() -> None:
    assert set(GOLDEN.iterdir()) == set(map(path_of, KINDS))
