"""Reads, decides and commits, as one step; decides anew where somebody else was faster."""

from __future__ import annotations

from collections.abc import Callable

from saltern_protocol.messages import Enrol

from saltern_master.enrol.decide import Cluster, Decision, decide
from saltern_master.enrol.standing import read_standing
from saltern_master.store import ConflictError, Store, StoreError

TRIES = 100
"""Each conflict means that somebody else went on, so this many are a fault, not bad luck."""


def knock(
    store: Store,
    enrol: Enrol,
    key: bytes,
    cluster: Cluster,
    now: float,
    random: Callable[[int], bytes],
) -> tuple[Decision, int]:
    """Answer one machine; what the answer says is durable. Gives the store's revision. StoreError.

    `key` is the channel's: nothing in the message is asked who it is from.
    """
    for _ in range(TRIES):
        standing = read_standing(store, enrol.node, key.hex(), enrol.secret)
        decision = decide(enrol, standing, cluster, now, random(16).hex())
        try:
            return decision, store.commit(*decision.writes)
        except ConflictError:
            continue
    raise StoreError(f"cannot enrol {enrol.node}: the store changed {TRIES} times meanwhile")
