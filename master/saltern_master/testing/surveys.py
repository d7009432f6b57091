"""Nodes that read themselves, in memory: the part of the fake master that adoption asks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from saltern_protocol.policy import Allow
from saltern_protocol.reading import AnyFact

from saltern_master.api.service import NodeView, ServiceError
from saltern_master.api.surveys import SurveyView


class FakeSurveys:
    """What each node would say of itself is said by survey_is()."""

    _nodes: dict[str, NodeView]  # the whole fake's
    _surveys: Mapping[str, tuple[tuple[AnyFact, ...], Allow]] = MappingProxyType({})

    def survey_is(self, name: str, facts: tuple[AnyFact, ...], allow: Allow) -> None:
        """Let a node have this to say, under this policy."""
        self._surveys = {**self._surveys, name: (facts, allow)}

    async def survey(self, name: str) -> SurveyView:
        """Have a node read itself; not-found, unavailable."""
        known = self._nodes.get(name)
        if known is None or known.state not in ("joined", "removing"):
            raise ServiceError("not-found", f"cannot find the node {name}; see: saltern status")
        if not known.connected:
            raise ServiceError("unavailable", f"cannot read {name}: it is not connected")
        facts, allow = self._surveys.get(name, ((), Allow()))
        return SurveyView(
            node=name,
            node_class=known.node_class,
            incarnation=known.incarnation,
            version=known.version,
            facts=facts,
            allow=allow,
        )
