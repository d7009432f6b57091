"""What is asked of the API about plans, and the lines of a plan that is followed."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta
from saltern_protocol.terms import Name

from saltern_master.api.plans import Expected, NodePlan, PlanView
from saltern_master.api.requests import MOST_CLUSTER_FILE, Asking
from saltern_master.api.service import View

MOST_PLANNED: Final = 4 * MOST_CLUSTER_FILE
"""Bytes of a cluster file as text in JSON, and of what is expected of each node."""


class PlanQuery(Asking, frozen=True):
    """For which nodes; of all nodes of the file if not given."""

    target: Annotated[str, Meta(max_length=4096)] = ""


class PlanPath(Asking, frozen=True):
    """Which plan."""

    number: Annotated[int, Meta(ge=0, le=2**53)]


class Planned(Asking, frozen=True):
    """A plan to apply, and what is expected of each node.

    `file`: the text of its cluster file; "": the one that was applied last.
    """

    expects: Annotated[dict[Name, Expected], Meta(min_length=1)]
    file: Annotated[str, Meta(max_length=MOST_CLUSTER_FILE)] = ""


class PlanNodeEvent(View, frozen=True, tag_field="event", tag="node"):
    """A node's plan has come, or why there is none."""

    node: NodePlan


class PlanEvent(View, frozen=True, tag_field="event", tag="plan"):
    """Nobody is waited for. The last line."""

    plan: PlanView
