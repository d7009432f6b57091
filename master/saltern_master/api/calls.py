"""From a request to a call of the service: one function per route.

A stream asks first whether there is what it shall follow, so that a wrong number or name is a
problem with a status and not a line in a stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from saltern_master.api.asked import Asked
from saltern_master.api.findings import Diagnosing, FindingsView
from saltern_master.api.measures import Measuring
from saltern_master.api.requests import (
    Approval,
    Kubeconfig,
    NewToken,
    NodeEvent,
    NodeQuery,
    Removal,
    TurnEvent,
)
from saltern_master.api.service import (
    ClusterView,
    NodeView,
    Service,
    TokenView,
    TurnNode,
    TurnView,
)
from saltern_master.api.surveys import Surveying, SurveyView
from saltern_master.api.targeted import targeted


async def status(service: Service, asked: Asked) -> ClusterView:
    """Say how the whole stands."""
    return await service.status()


async def metrics(service: Measuring, accept: str) -> tuple[bytes, str]:
    """Give the text of /metrics."""
    return await service.metrics(accept)


async def findings(service: Diagnosing, asked: Asked) -> FindingsView:
    """Give the traps that stand open."""
    return await service.findings()


async def nodes(service: Service, asked: Asked) -> tuple[NodeView, ...]:
    """List the nodes, or those that a target means."""
    query: NodeQuery = asked.query
    return targeted((await service.status()).nodes, query.target, query.explain)


async def node(service: Service, asked: Asked) -> NodeView:
    """Give one node."""
    return await service.node(asked.place.name)


async def survey(service: Surveying, asked: Asked) -> SurveyView:
    """Have a node read itself."""
    return await service.survey(asked.place.name)


async def approve(service: Service, asked: Asked) -> NodeView:
    """Let a pending machine in."""
    body: Approval = asked.body
    return await service.approve(asked.place.name, body.fingerprint)


async def revoke(service: Service, asked: Asked) -> NodeView:
    """Stop listening to a node."""
    return await service.revoke(asked.place.name)


async def unlock(service: Service, asked: Asked) -> NodeView:
    """Listen to a locked node again."""
    return await service.unlock(asked.place.name)


async def remove(service: Service, asked: Asked) -> TurnView:
    """Begin to remove a node."""
    query: Removal = asked.query
    return await service.remove(asked.place.name, query.force)


async def tokens(service: Service, asked: Asked) -> tuple[TokenView, ...]:
    """List the tokens that can be used."""
    return await service.tokens()


async def make_token(service: Service, asked: Asked) -> TokenView:
    """Make a token."""
    body: NewToken = asked.body
    return await service.make_token(body.node, body.node_class, body.seconds, body.approval)


async def apply(service: Service, asked: Asked) -> TurnView:
    """Begin to roll out a cluster file."""
    return await service.apply(asked.body)


async def turn(service: Service, asked: Asked) -> TurnView:
    """Give a turn."""
    return await service.turn(asked.place.number)


async def follow_turn(service: Service, asked: Asked) -> AsyncIterator[NodeEvent | TurnEvent]:
    """Follow a turn."""
    await service.turn(asked.place.number)
    return _turn_events(service.follow_turn(asked.place.number))


async def kubeconfig(service: Service, asked: Asked) -> Kubeconfig:
    """Give an administrator's kubeconfig."""
    return Kubeconfig(kubeconfig=await service.kubeconfig(asked.body))


async def _turn_events(
    items: AsyncIterator[TurnNode | TurnView],
) -> AsyncIterator[NodeEvent | TurnEvent]:
    async for item in items:
        yield TurnEvent(turn=item) if isinstance(item, TurnView) else NodeEvent(node=item)
