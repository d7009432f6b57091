"""Core as the HTTP API sees it: the Service. What it is asked is answered from the office."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from cryptography import x509

from saltern_master.api.drifts import DriftAsk, DriftPage
from saltern_master.api.findings import FindingsView
from saltern_master.api.holds import HoldAsk, HoldsView, HoldView, ReleaseAsk
from saltern_master.api.notices import NotifyView, TriedView
from saltern_master.api.plans import Expected, NodePlan, PlanView
from saltern_master.api.rollouts import RolloutAsk, RolloutNode, RolloutView, Steering
from saltern_master.api.service import (
    ClusterView,
    DriftView,
    NodeView,
    ServiceError,
    TokenView,
    TurnNode,
    TurnView,
)
from saltern_master.api.surveys import SurveyView
from saltern_master.compile.kubeconfig import PORT
from saltern_master.core import views
from saltern_master.core.diagnosis import diagnosis
from saltern_master.core.glance import Glance
from saltern_master.core.hold_desk import HoldDesk, held_view
from saltern_master.core.kept_turns import read_turn
from saltern_master.core.measures import NEWEST, known_of, scene_of, told
from saltern_master.core.office import Office
from saltern_master.core.settings import addresses_of
from saltern_master.core.turns import Turn, view_of
from saltern_master.enrol.standing import EnrolError
from saltern_master.enrol.tokens import Meeting
from saltern_master.errors import MasterError
from saltern_master.front.frames import Expel
from saltern_master.notify.troubles import Known
from saltern_master.pki.csr import public_key_of_pem
from saltern_master.pki.kubeconfig import for_admin
from saltern_master.records.health import Health, every_health, health_of
from saltern_master.records.nodes import Node, every_node, hold_pending
from saltern_master.signing.home import link_public
from saltern_master.store import ConflictError, StoreError

SECRET_BYTES: Final = 32
READY_WAIT: Final = 5.0


class Core:
    """What people and programs ask a master."""

    def __init__(self, office: Office, random: Callable[[int], bytes]) -> None:
        self._office, self._random = office, random
        self._glance = Glance(office)
        self._holds = HoldDesk(office.holding, office.known, office.clock)

    async def status(self) -> ClusterView:
        """Say how the whole stands."""
        with _told():
            return self._whole(self._nodes())

    def _whole(self, nodes: tuple[NodeView, ...]) -> ClusterView:
        office, applied = self._office, self._office.rolling.applied
        cluster, alarms = applied.cluster, office.look_for_alarms()
        load = office.desk.seen.load
        return ClusterView(
            cluster=office.rolling.signer.cluster,
            revision=applied.revision,
            version=cluster.kubernetes.version if cluster is not None else "",
            nodes=nodes,
            kubernetes=dict(office.kubernetes.ready),
            front=msgspec.structs.asdict(load) if load is not None else {},
            alarms=tuple(map(views.alarm_view, alarms)),
        )

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Give the text of /metrics and its media type."""
        with _told():
            scene = scene_of(self._office, self._whole(await self._glance.nodes()))
        return await asyncio.to_thread(told, scene, accept)

    async def known(self) -> Known:
        """Give what notifications are decided by."""
        with _told():
            view = self._whole(await self._glance.nodes())
            return known_of(self._office, view, await self.rollouts(NEWEST))

    async def notifications(self) -> NotifyView:
        """Give who is told, how that goes, and what is wrong."""
        return await self._office.notifying.list()

    async def test_notifications(self, receiver: str) -> tuple[TriedView, ...]:
        """Send a test and give what came back; not-found, invalid."""
        return await self._office.notifying.test(receiver)

    async def findings(self) -> FindingsView:
        """Give the traps that stand open: in the file applied last, on nodes, between them."""
        office, applied = self._office, self._office.rolling.applied
        return diagnosis(
            office.known.peers,
            office.known.gone,
            applied.cluster,
            applied.revision,
            office.clock(),
        )

    async def node(self, name: str) -> NodeView:
        """Give one node; not-found."""
        with _told():
            found = [one for one in self._nodes(hidden=True) if one.name == name]
        if not found:
            raise ServiceError("not-found", f"cannot find the node {name}; see: saltern status")
        return found[0]

    async def survey(self, name: str) -> SurveyView:
        """Have a node read itself, for its adoption; not-found, conflict, unavailable."""
        return await self._office.surveys.survey(name)

    async def make_token(
        self, node: str, node_class: str, seconds: int, approval: bool
    ) -> TokenView:
        """Make a token; conflict where the node has joined already."""
        meeting, now = await self._meeting(), self._office.clock()
        secret = b"" if approval else self._random(SECRET_BYTES)
        with _told():
            made = self._office.members.make_token(meeting, node, node_class, seconds, secret, now)
        return views.token_view(*made)

    async def tokens(self) -> tuple[TokenView, ...]:
        """List the tokens that can still be used."""
        with _told():
            good = self._office.members.good_tokens(self._office.clock())
        return tuple(map(views.token_view, good))

    async def approve(self, node: str, fingerprint: str) -> NodeView:
        """Let a pending machine in, by the fingerprint that it shows."""
        office = self._office
        with _told():
            office.members.approve(node, fingerprint, office.clock())
            office.line.send(office.joined(node))
        return await self.node(node)

    async def revoke(self, node: str) -> NodeView:
        """Stop listening to a node's key, from its next message on."""
        office = self._office
        with _told():
            known = office.members.revoke(node, office.clock())
            office.left(Expel(key=bytes.fromhex(known.key)), node, "it was revoked")
        return await self.node(node)

    async def unlock(self, node: str) -> NodeView:
        """Listen to a locked node again: one machine alone has its key now."""
        office = self._office
        with _told():
            office.members.unlock(node)
            office.line.send(office.unlocked(node))
        return await self.node(node)

    async def remove(self, node: str, force: bool) -> TurnView:
        """Begin to drain a node, take back what stands on it, and forget it; gives the turn.

        One that is not heard (revoked, locked), and any with `force`, is forgotten at once.
        """
        office = self._office
        with _told():
            why = office.leaving.at_once(node, force)
            if why:
                return view_of(office.forget(node, why))
            turn = office.leaving.begin(node)
        office.start(office.leaving.empty(node, turn.number, office.end))
        office.patience.stir()
        return view_of(turn)

    async def apply(self, file: bytes) -> TurnView:
        """Compile, sign and begin to roll out; invalid, with all faults, for a bad file."""
        with _told():
            turn = await self._office.rolling.apply(file)
        self._office.want_nodes()
        return view_of(turn)

    async def plan(self, file: bytes, target: str) -> PlanView:
        """Begin to plan a cluster file, or the one that was applied last."""
        with _told():
            return await self._office.plans.plan(file, target)

    async def plan_so_far(self, number: int) -> PlanView:
        """Give a plan; not-found."""
        return await self._office.plans.plan_so_far(number)

    async def follow_plan(self, number: int) -> AsyncIterator[NodePlan | PlanView]:
        """Give each node's plan as it comes; the whole when nobody is waited for."""
        async for one in self._office.plans.follow_plan(number):
            yield one

    async def apply_planned(self, file: bytes, expects: dict[str, Expected]) -> TurnView:
        """Apply exactly what was planned; conflict where it is stale."""
        with _told():
            turn = await self._office.plans.apply_planned(file, expects)
        self._office.want_nodes()
        return turn

    async def start_rollout(self, ask: RolloutAsk) -> RolloutView:
        """Compile, plan and begin a rollout."""
        with _told():
            return await self._office.driving.start_rollout(ask)

    async def rollouts(self, most: int) -> tuple[RolloutView, ...]:
        """List rollouts, the newest first."""
        with _told():
            return await self._office.driving.rollouts(most)

    async def rollout(self, number: int) -> RolloutView:
        """Give one rollout; not-found."""
        with _told():
            return await self._office.driving.rollout(number)

    async def follow_rollout(self, number: int) -> AsyncIterator[RolloutNode | RolloutView]:
        """Give a rollout's nodes and head as they move."""
        async for one in self._office.driving.follow_rollout(number):
            yield one

    async def steer_rollout(self, number: int, steering: Steering) -> RolloutView:
        """Pause, resume, abort, undo, or skip a node."""
        with _told():
            return await self._office.driving.steer_rollout(number, steering)

    async def turn(self, number: int) -> TurnView:
        """Give a turn; not-found."""
        return view_of(self._turn(number))

    async def follow_turn(self, number: int) -> AsyncIterator[TurnNode | TurnView]:
        """Give each node's new standing as it comes; the TurnView when all have ended."""
        async for one in self._office.followers.turn(self._turn(number)):
            yield one

    async def drift(self, ask: DriftAsk) -> tuple[DriftView, ...]:
        """List drift, newest first; invalid where too much would have to be read."""
        with _told():
            return await self._office.drifts.listed(ask)

    async def one_drift(self, name: str) -> DriftPage:
        """Give all of one, by its id; invalid, not-found."""
        with _told():
            return await self._office.drifts.page(name, self._office.clock())

    async def follow_drift(self, ask: DriftAsk) -> AsyncIterator[DriftView]:
        """Give drift as it is stored, as it becomes otherwise and as it ends, without end."""
        async for one in self._office.followers.drift(ask):
            yield one

    async def hold(self, ask: HoldAsk) -> tuple[HoldView, ...]:
        """Hold nodes from now on; not-found, invalid."""
        with _told():
            return await self._holds.hold(ask, self._nodes())

    async def release(self, ask: ReleaseAsk) -> tuple[HoldView, ...]:
        """Hold nodes no longer; gives what held them. not-found, invalid."""
        with _told():
            return await self._holds.release(ask, self._nodes())

    async def holds(self) -> HoldsView:
        """Give persons' holds, and all windows."""
        return self._holds.holds()

    async def kubeconfig(self, csr: bytes) -> str:
        """Give an administrator's kubeconfig, for a CSR's public key (PEM)."""
        office = self._office
        cluster = office.rolling.applied.cluster
        with _told():
            public_key_of_pem(csr)  # what is no request is told as that, whatever else is lacking
        if cluster is None or not cluster.endpoint:
            raise ServiceError(
                "unavailable",
                "cannot give a kubeconfig: no cluster file with a control plane was applied yet; "
                "run: saltern apply",
            )
        with _told():
            return for_admin(
                cluster.cluster.name,
                f"https://{cluster.endpoint}:{PORT}",
                office.authorities.of["kubernetes"],
                csr,
                int(office.clock()),
                x509.random_serial_number(),
            )

    def _turn(self, number: int) -> Turn:
        with _told():
            known = self._office.known.turns.get(number) or read_turn(self._office.store, number)
        if known is None:
            raise ServiceError("not-found", f"cannot find turn {number}")
        return known

    def _nodes(self, hidden: bool = False) -> tuple[NodeView, ...]:
        office, applied = self._office, self._office.rolling.applied
        where = views.places(applied.cluster, applied.allocation)
        health = {one.node: one for one in every_health(office.store)}
        found = {
            one.name: self._node(one, health.get(one.name), where.get(one.name))
            for one in every_node(office.store)
            if one.state in views.SHOWN and (hidden or one.state != "removed")
        }
        for held in hold_pending(office.store):
            pending = held.value
            if pending is not None and pending.expires > office.clock():
                place = where.get(pending.node) or views.nowhere(pending.node)
                found.setdefault(pending.node, views.pending_view(pending, place))
        return tuple(found[name] for name in sorted(found))

    def _node(self, node: Node, kept: Health | None, where: NodeView | None) -> NodeView:
        known = self._office.known
        peer = known.peers.get(node.name)
        health = kept
        if peer is not None and peer.health is not None:
            health = health_of(node.name, peer.health, peer.heard)
        connected = node.name not in known.gone
        view = views.node_view(node, peer, connected, health, where or views.nowhere(node.name))
        return msgspec.structs.replace(view, hold=held_view(peer, self._office.clock()))

    async def _meeting(self) -> Meeting:
        """Say where machines find this master: as soon as its front listens."""
        office = self._office
        try:
            async with asyncio.timeout(READY_WAIT):
                ready = await office.desk.seen.listening()
        except TimeoutError as error:
            text = "cannot make a token: the front does not listen yet; see the master's log"
            raise ServiceError("unavailable", text) from error
        with _told():
            return Meeting(
                addresses=addresses_of(office.settings),
                link_port=ready.link_port,
                door_port=ready.door_port,
                server=link_public(office.link_key),
                cluster=office.rolling.signer.cluster,
                root=office.rolling.signer.root_envelope,
            )


@contextmanager
def _told() -> Iterator[None]:
    """Tell the errors of core's parts as the service does."""
    try:
        yield
    except EnrolError as error:
        raise ServiceError(error.code, str(error)) from error
    except StoreError as error:
        code = "conflict" if isinstance(error, ConflictError) else "unavailable"
        raise ServiceError(code, str(error)) from error
    except ServiceError:
        raise
    except MasterError as error:
        raise ServiceError("invalid", str(error)) from error
