"""What the API stands on, in memory: for tests of the API and of the command line.

It keeps the same contract suite as core (tests/contracts/test_service.py). What machines and
nodes would say is said by the methods under "levers"; time stands still until told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from saltern_master.api.drifts import DriftAsk, DriftPage, DriftPolicyView
from saltern_master.api.findings import FindingsView, NodeFindings, noted_views
from saltern_master.api.plans import Expected
from saltern_master.api.service import (
    AlarmView,
    ClusterView,
    DriftView,
    NodeState,
    NodeView,
    Result,
    ServiceError,
    TokenView,
    TurnNode,
    TurnView,
)
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.doctor.file import file_traps
from saltern_master.metrics.measure import measure
from saltern_master.metrics.scene import Scene
from saltern_master.metrics.text import exposition
from saltern_master.records.drift_log import NAME
from saltern_master.testing.holds import FakeHolds
from saltern_master.testing.kubeconfig import FakeAuthority
from saltern_master.testing.notices import FakeNotices
from saltern_master.testing.plans import FakePlans
from saltern_master.testing.rollouts import FakeRollouts
from saltern_master.testing.surveys import FakeSurveys


class FakeService(FakeHolds, FakeNotices, FakePlans, FakeRollouts, FakeSurveys):
    """A master in memory. `now` in seconds since 1970."""

    def __init__(self, now: Callable[[], float]) -> None:
        FakeHolds.__init__(self)
        FakeNotices.__init__(self)
        FakePlans.__init__(self)
        FakeRollouts.__init__(self)
        self.now = now
        self._file = b""
        self._nodes: dict[str, NodeView] = {}
        self._tokens: dict[str, TokenView] = {}
        self._turns: dict[int, TurnView] = {}
        self._drift: list[DriftView] = []
        self.policies: dict[str, DriftPolicyView] = {}  # by resource
        self._told: list[tuple[int | str, TurnNode | DriftView]] = []
        self._alarms: dict[tuple[str, str], AlarmView] = {}
        self._cluster = ("demo", "1.20.2")
        self._authority = FakeAuthority()
        self._following = 0
        self._moved = asyncio.Condition()

    async def status(self) -> ClusterView:
        """Say how the whole stands."""
        name, version = self._cluster
        return ClusterView(
            cluster=name,
            revision=self._applied(),
            version=version,
            nodes=tuple(
                self.held_node(node)
                for _, node in sorted(self._nodes.items())
                if node.state != "removed"
            ),
            alarms=tuple(self._alarms.values()),
        )

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Give the text of /metrics, as core does."""
        scene = Scene(now=self.now(), release="0", cluster=await self.status())
        return exposition(measure(scene), accept)

    async def findings(self) -> FindingsView:
        """Give the traps of the file that was applied last; its nodes tell none."""
        return FindingsView(
            now=self.now(),
            revision=self._applied(),
            file=noted_views(file_traps(load(self._file).cluster)) if self._file else (),
            between=(),
            nodes=tuple(
                NodeFindings(node=name, connected=one.connected, told_at=0.0)
                for name, one in sorted(self._nodes.items())
                if one.state in ("joined", "removing", "locked")
            ),
        )

    async def node(self, name: str) -> NodeView:
        """Give one node."""
        return self.held_node(self._known(name))

    async def make_token(
        self, node: str, node_class: str, seconds: int, approval: bool
    ) -> TokenView:
        """Make a token."""
        if node in self._nodes and self._nodes[node].state not in ("revoked", "removed"):
            text = f"cannot make a token for {node}: it has joined; run: saltern node remove {node}"
            raise ServiceError("conflict", text)
        secret = f"fake-{node}-{len(self._tokens)}"
        made = TokenView(
            id=sha256(secret.encode()).hexdigest()[:12],
            node=node,
            node_class=node_class,
            expires=self.now() + seconds,
            used=False,
            approval=approval,
            token=secret,
        )
        self._tokens[secret] = made
        return made

    async def tokens(self) -> tuple[TokenView, ...]:
        """List the tokens that can be used."""
        return tuple(
            msgspec.structs.replace(one, token="")
            for one in self._tokens.values()
            if not one.used and one.expires > self.now()
        )

    async def approve(self, node: str, fingerprint: str) -> NodeView:
        """Let a pending machine in."""
        known = self._known(node)
        if known.state != "pending":
            raise ServiceError("conflict", f"cannot approve {node}: it is {known.state}")
        if known.fingerprint != fingerprint:
            text = f"cannot approve {node}: the machine that asks shows {known.fingerprint}"
            raise ServiceError("conflict", text)
        return await self._put(known, state="joined", connected=True)

    async def revoke(self, node: str) -> NodeView:
        """Stop listening to a node."""
        return await self._put(self._known(node), state="revoked", connected=False)

    async def unlock(self, node: str) -> NodeView:
        """Listen to a locked node again."""
        known = self._known(node)
        if known.state != "locked":
            raise ServiceError("conflict", f"cannot unlock {node}: it is {known.state}")
        self._alarms.pop(("locked", node), None)
        return await self._put(known, state="joined")

    async def remove(self, node: str, force: bool) -> TurnView:
        """Begin to remove a node; at once where it was revoked, or with `force`."""
        known = self._known(node)
        if known.state == "removed":
            raise ServiceError("not-found", f"cannot remove {node}: it was removed already")
        if not force and known.state not in ("revoked", "locked"):
            await self._put(known, state="removing")
            return await self._begin((node,), self._revision(), ())
        await self._put(known, state="removed", connected=False)
        number = (await self._begin((), self._revision(), ())).turn
        why = "it is forgotten; what stands on the machine is left there"
        standing = TurnNode(node=node, result="changed", why=why)
        self._turns[number] = msgspec.structs.replace(
            self._turns[number], nodes=(standing,), ended=self.now()
        )
        return self._turns[number]

    async def apply(self, file: bytes) -> TurnView:
        """Begin to roll out a cluster file."""
        self.refuse_while_rolling("apply a cluster file")
        try:
            cluster = load(file).cluster
        except ClusterFileError as error:
            head = str(error).partition("\n")[0]
            raise ServiceError("invalid", head, tuple(map(str, error.faults))) from error
        self._file = file
        self._cluster = (cluster.cluster.name, cluster.kubernetes.version)
        names = tuple(node.name for node in cluster.nodes)
        for node in cluster.nodes:
            if node.name in self._nodes:
                known = self._nodes[node.name]
                await self._put(
                    known,
                    address=str(node.address),
                    roles=node.roles,
                    labels=dict(node.labels),
                    wanted=known.wanted + 1,
                )
        return await self._begin(names, self._revision() + 1, ())

    async def apply_planned(self, file: bytes, expects: Mapping[str, Expected]) -> TurnView:
        """Apply exactly what was planned."""
        self.refuse_while_rolling("apply a plan")
        return await super().apply_planned(file, expects)

    async def turn(self, number: int) -> TurnView:
        """Give a turn."""
        if number not in self._turns:
            raise ServiceError("not-found", f"cannot find turn {number}")
        return self._turns[number]

    async def follow_turn(self, number: int) -> AsyncIterator[TurnNode | TurnView]:
        """Give each node's new standing, and the turn at its end."""
        standing, told = (await self.turn(number)).nodes, len(self._told)
        for one in standing:
            if one.result != "waiting":
                yield one
        while len(self._told) > told or not self._turns[number].ended:
            for whose, what in await self._news(told):
                if whose == number and isinstance(what, TurnNode):
                    yield what
                told += 1
        yield self._turns[number]

    async def drift(self, ask: DriftAsk) -> tuple[DriftView, ...]:
        """List drift, newest first."""
        end = self._at(ask.before) if ask.before else len(self._drift)
        return tuple(filter(ask.means, reversed(self._drift[:end])))[: ask.most]

    async def one_drift(self, name: str) -> DriftPage:
        """Give all of one drift."""
        at = self._at(name)
        one = self._drift[at]
        later = [other for other in self._drift[at + 1 :] if other.node == one.node]
        return DriftPage(
            drift=one,
            now=self.now(),
            connected=self._nodes[one.node].connected,
            policy=self.policies.get(one.resource),
            after=tuple(each.id for each in reversed(later) if each.resource == one.resource),
        )

    def _at(self, name: str) -> int:
        if NAME.match(name) is None:
            raise ServiceError("invalid", f"cannot look for the drift {name}: it is no id")
        for at, one in enumerate(self._drift):
            if one.id == name:
                return at
        raise ServiceError("not-found", f"cannot find the drift {name}: there is none")

    async def follow_drift(self, ask: DriftAsk) -> AsyncIterator[DriftView]:
        """Give drift as it comes."""
        told = len(self._told)
        async with self._moved:
            self._following += 1
            self._moved.notify_all()
        while True:
            for _, what in await self._news(told):
                if isinstance(what, DriftView) and ask.means(what):
                    yield what
                told += 1

    async def kubeconfig(self, csr: bytes) -> str:
        """Give an administrator's kubeconfig."""
        return self._authority.kubeconfig(self._cluster[0], csr)

    # Levers: what machines and nodes say.

    async def join(self, token: str, fingerprint: str) -> None:
        """Let a machine come with a token."""
        known = self._tokens[token]
        self._tokens[token] = msgspec.structs.replace(known, used=True)
        state: NodeState = "pending" if known.approval else "joined"
        node = NodeView(
            name=known.node,
            node_class=known.node_class,
            state=state,
            fingerprint=fingerprint,
            incarnation=sha256(token.encode()).hexdigest()[:32],
            connected=not known.approval,
            seen_at=self.now(),
        )
        await self._put(node)

    async def report(self, turn: int, node: str, result: Result, changes: int, why: str) -> None:
        """Let a node say how a turn went."""
        known = self._turns[turn]
        standing = TurnNode(
            node=node,
            result=result,
            version=self._nodes[node].wanted if node in self._nodes else 0,
            changes=changes,
            seconds=self.now() - known.began,
            why=why,
        )
        await self._stand(turn, standing)
        if result in ("converged", "changed") and node in self._nodes:
            of = self._nodes[node]
            await self._put(of, version=of.wanted, health="converged", seen_at=self.now())

    async def begun(self, turn: int) -> None:
        """Wait until a turn has begun."""
        async with self._moved:
            await self._moved.wait_for(lambda: turn in self._turns)

    async def followed(self) -> None:
        """Wait until somebody follows drift."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._following > 0)

    async def deviate(self, node: str, resource: str, **fields: Any) -> None:  # noqa: ANN401
        """Let a node find a resource that is not as declared; `fields` of DriftView besides."""
        number, now = len(self._drift) + 1, self.now()
        seen = DriftView(
            node=node,
            number=number,
            resource=resource,
            kind="file/1",
            since=now,
            recorded=now,
            stored=now,
            seen="event",
            found=("other content",),
            id=f"{node}:{number}",
        )
        seen = msgspec.structs.replace(seen, **fields)
        self._drift.append(seen)
        await self._tell(node, seen)

    async def heal(self, node: str, resource: str) -> None:
        """Let a node set it right."""
        for at, one in enumerate(self._drift):
            if (one.node, one.resource, one.healed) == (node, resource, 0.0):
                healed = msgspec.structs.replace(one, healed=self.now(), outcome="healed")
                self._drift[at] = healed
                await self._tell(node, healed)

    async def alarm(self, kind: str, node: str, why: str, remedy: str) -> None:
        """Let something be wrong."""
        self._alarms[kind, node] = AlarmView(
            kind=kind, node=node, since=self.now(), why=why, remedy=remedy
        )

    async def lock(self, node: str) -> None:
        """Let two machines speak with one node's key."""
        await self._put(self._known(node), state="locked", connected=False)
        await self.alarm("locked", node, "two machines have its key", "saltern node unlock")

    async def set_node(self, name: str, **fields: Any) -> None:  # noqa: ANN401 - fields of NodeView
        """Let the master know something else of a node."""
        await self._put(self._known(name), **fields)

    def _known(self, name: str) -> NodeView:
        if name not in self._nodes:
            raise ServiceError("not-found", f"cannot find the node {name}; run: saltern node list")
        return self._nodes[name]

    def _revision(self) -> int:
        applied = max((turn.revision for turn in self._turns.values()), default=0)
        return max(applied, self.rolled_revision())

    def _applied(self) -> int:
        applied = max((turn.revision for turn in self._turns.values()), default=0)
        return max(applied, self.done_revision())

    async def _put(self, node: NodeView, **fields: Any) -> NodeView:  # noqa: ANN401
        self._nodes[node.name] = msgspec.structs.replace(node, **fields)
        return self._nodes[node.name]

    async def _begin(
        self, names: tuple[str, ...], revision: int, notes: tuple[str, ...]
    ) -> TurnView:
        number = len(self._turns) + 1
        self._turns[number] = TurnView(
            turn=number,
            revision=revision,
            began=self.now(),
            ended=0.0,
            notes=notes,
            nodes=tuple(TurnNode(node=name, result="waiting") for name in names),
        )
        async with self._moved:
            self._moved.notify_all()
        for name in names:
            if name not in self._nodes or not self._nodes[name].connected:
                why = "it is not connected"
                await self._stand(number, TurnNode(node=name, result="unreachable", why=why))
        return self._turns[number]

    async def _stand(self, number: int, standing: TurnNode) -> None:
        turn = self._turns[number]
        nodes = tuple(standing if one.node == standing.node else one for one in turn.nodes)
        ended = 0.0 if any(one.result == "waiting" for one in nodes) else self.now()
        self._turns[number] = msgspec.structs.replace(turn, nodes=nodes, ended=ended)
        await self._tell(number, standing)

    async def _tell(self, whose: int | str, what: TurnNode | DriftView) -> None:
        async with self._moved:
            self._told.append((whose, what))
            self._moved.notify_all()

    async def _news(self, told: int) -> tuple[tuple[int | str, TurnNode | DriftView], ...]:
        async with self._moved:
            await self._moved.wait_for(lambda: len(self._told) > told)
            return tuple(self._told[told:])
