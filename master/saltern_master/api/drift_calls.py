"""From a request about drift to a call of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator

from saltern_master.api import drift_asked
from saltern_master.api.asked import Asked
from saltern_master.api.drift_requests import DriftFollow, DriftQuery
from saltern_master.api.drifts import DriftPage
from saltern_master.api.master import Master
from saltern_master.api.requests import DriftEvent
from saltern_master.api.service import DriftView, NodeView, ServiceError


async def drift(service: Master, asked: Asked) -> tuple[DriftView, ...]:
    """List drift."""
    query: DriftQuery = asked.query
    strange = await _strange(service, query)
    nodes = await _nodes(service, query, strange)
    return await service.drift(drift_asked.read_list(query, nodes, strange))


async def one_drift(service: Master, asked: Asked) -> DriftPage:
    """Give all of one."""
    return await service.one_drift(asked.place.id)


async def follow_drift(service: Master, asked: Asked) -> AsyncIterator[DriftEvent]:
    """Follow drift."""
    query: DriftFollow = asked.query
    strange = await _strange(service, query)
    ask = drift_asked.read(query, await _nodes(service, query, strange), strange)
    return _events(service.follow_drift(ask))


async def _strange(service: Master, query: DriftFollow) -> tuple[str, ...]:
    """Name those that are asked for, and neither are nor were there."""
    found: list[str] = []
    for name in drift_asked.names(query):
        try:
            await service.node(name)
        except ServiceError as error:
            if error.code != "not-found":
                raise
            found.append(name)
    return tuple(found)


async def _nodes(
    service: Master, query: DriftFollow, strange: tuple[str, ...]
) -> tuple[NodeView, ...]:
    """Give the nodes that a target may mean, or of which others are told."""
    return (await service.status()).nodes if strange or query.target.strip() else ()


async def _events(items: AsyncIterator[DriftView]) -> AsyncIterator[DriftEvent]:
    async for item in items:
        yield DriftEvent(drift=item)
