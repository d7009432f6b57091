"""A node's reading of itself, as the API tells it: what an adoption begins with."""

from __future__ import annotations

from typing import Protocol

from saltern_protocol.policy import Allow
from saltern_protocol.reading import AnyFact

from saltern_master.api.service import View


class SurveyView(View, frozen=True):
    """What a node says of itself, and what the policy lets nodes of its class be told.

    All facts are the node's word: data, which whoever shows it escapes.
    """

    node: str
    node_class: str
    incarnation: str
    version: int  # of the document that it has; 0: none, so nothing on it is held
    facts: tuple[AnyFact, ...]
    allow: Allow


class Surveying(Protocol):
    """What core does for who wants to adopt a node."""

    async def survey(self, name: str) -> SurveyView:
        """Have a node read itself; nothing is changed there.

        not-found: no such node; conflict: its agent is too old, or it is asked already;
        unavailable: it is not connected, or did not answer.
        """
        ...
