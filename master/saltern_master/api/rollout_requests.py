"""What is asked of the API about rollouts, beside their own values: which one, and its events."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from saltern_master.api.requests import MOST_CLUSTER_FILE, MOST_JSON, Asking
from saltern_master.api.rollouts import RolloutNode, RolloutView
from saltern_master.api.service import View

MOST_ASK: Final = 2 * MOST_CLUSTER_FILE + MOST_JSON
"""Bytes of a RolloutAsk: in JSON each end of a line and each quote takes two."""
MOST_ROLLOUTS: Final = 1000


class RolloutPath(Asking, frozen=True):
    """Which rollout; 0: the one that goes on, or the newest."""

    number: Annotated[int, Meta(ge=0, le=2**53)]


class RolloutsQuery(Asking, frozen=True):
    """How many, the newest first."""

    most: Annotated[int, Meta(ge=1, le=MOST_ROLLOUTS)] = 20


class RolloutNodeEvent(View, frozen=True, tag_field="event", tag="node"):
    """A node has moved."""

    node: RolloutNode


class RolloutEvent(View, frozen=True, tag_field="event", tag="rollout"):
    """The rollout itself has moved. The last one has its nodes, and the rollout is over."""

    rollout: RolloutView
