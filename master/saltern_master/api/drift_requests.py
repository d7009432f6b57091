"""What is asked of the API about drift: queries, and the name in a path."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from saltern_master.api.drifts import MOST_DRIFT
from saltern_master.api.requests import Asking

Nodes = Annotated[str, Meta(max_length=4096)]
"""A node's name, or several with commas."""
Glob = Annotated[str, Meta(max_length=256)]
Moment = Annotated[str, Meta(max_length=40)]
"""Seconds since 1970, or a time of ISO 8601; UTC where it says no zone."""
DriftId = Annotated[str, Meta(max_length=128)]


class DriftFollow(Asking, frozen=True):
    """Whose drift, and of what; everything if not given.

    node: a name, or several with commas. target: see targeting.py; the nodes that it means now.
    resource: * is any run. kind: file, or file/1. since, until: when the node recorded it.
    """

    node: Nodes = ""
    target: Annotated[str, Meta(max_length=4096)] = ""
    resource: Glob = ""
    kind: Annotated[str, Meta(max_length=64)] = ""
    nature: Annotated[str, Meta(max_length=32)] = ""
    since: Moment = ""
    until: Moment = ""
    incident: bool = False


class DriftQuery(DriftFollow, frozen=True):
    """Which drift, and at most so many; open: only what has not ended.

    before: only what stands behind this one, of those that an earlier answer gave.
    """

    open: bool = False
    most: Annotated[int, Meta(ge=1, le=MOST_DRIFT)] = 100
    before: DriftId = ""


class DriftPath(Asking, frozen=True):
    """Which drift: NODE:NUMBER, as its `id` says."""

    id: DriftId
