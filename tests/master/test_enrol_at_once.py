"""Of many machines that use one token at once, one becomes the node: in memory and in a file."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from saltern_master.enrol.decide import Decision, decide
from saltern_master.enrol.standing import read_standing
from saltern_master.records.nodes import owner_key
from saltern_master.store import ConflictError, MemoryStore, SqliteStore, Store
from saltern_protocol.messages import Enrolled

from tests.master.enrolling import (
    CLUSTER,
    KEYS,
    NOW,
    SECRET,
    ask,
    asking,
    node,
    reason,
    token,
)


def machine(store: Store, key: bytes, told: dict[bytes, Decision]) -> Iterator[None]:
    """A machine that asks until it is answered; others come between its steps."""
    while key not in told:
        standing = read_standing(store, "w1", key.hex(), SECRET)
        yield
        decision = decide(asking(), standing, CLUSTER, NOW, secrets.token_hex(16))
        with suppress(ConflictError):
            store.commit(*decision.writes)
            told[key] = decision


def one_won(told: dict[bytes, Decision], store: Store) -> bool:
    won = [key for key, one in told.items() if isinstance(one.answer, Enrolled)]
    lost = {reason(one) for key, one in told.items() if key not in won}
    owners = [entry.key for entry in store.list("keys/")]
    return (
        len(won) == 1
        and node(store) == told[won[0]].joined
        and lost <= {"token"}
        and owners == [owner_key(won[0].hex())]
    )


@settings(max_examples=50, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 100))
def test_of_a_hundred_who_use_one_token_at_once_one_wins(chance: Random, count: int) -> None:
    store = MemoryStore()
    token(store)
    told: dict[bytes, Decision] = {}
    running = {key: machine(store, key, told) for key in KEYS[:count]}
    while running:
        key = chance.choice(list(running))
        if next(running[key], "answered") == "answered":
            del running[key]

    assert len(told) == count
    assert one_won(told, store)


def test_it_is_so_with_threads_and_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    first = SqliteStore(path)
    token(first)

    def some(keys: list[bytes]) -> dict[bytes, Decision]:
        mine = SqliteStore(path)
        told = {key: ask(mine, key) for key in keys}
        mine.close()
        return told

    told: dict[bytes, Decision] = {}
    with ThreadPoolExecutor(4) as threads:
        for part in threads.map(some, [KEYS[at:100:4] for at in range(4)]):
            told |= part

    assert len(told) == 100
    assert one_won(told, first)
    first.close()
