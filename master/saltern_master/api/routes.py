"""The one table of routes: what the API answers, what its document says, what a test walks.

A row names the method, the path, the types of what is asked and answered, and the call that
answers. Nothing else decides what there is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from saltern_master.api import calls, drift_calls, hold_calls, notice_calls, plan_calls, rollout_calls
from saltern_master.api.asked import Asked
from saltern_master.api.drift_requests import DriftFollow, DriftPath, DriftQuery
from saltern_master.api.drifts import DriftPage
from saltern_master.api.findings import FindingsView
from saltern_master.api.master import Master
from saltern_master.api.measures import OPEN, PLAIN
from saltern_master.api.holds import MOST_HOLD, HoldAsk, HoldsView, HoldView, ReleaseAsk
from saltern_master.api.notices import NotifyTest, NotifyView, TriedView
from saltern_master.api.plan_requests import (
    MOST_PLANNED,
    PlanEvent,
    Planned,
    PlanNodeEvent,
    PlanPath,
    PlanQuery,
)
from saltern_master.api.plans import PlanView
from saltern_master.api.requests import (
    MOST_CLUSTER_FILE,
    MOST_CSR,
    MOST_JSON,
    Approval,
    DriftEvent,
    Kubeconfig,
    NewToken,
    NodeEvent,
    NodePath,
    NodeQuery,
    ProblemEvent,
    Removal,
    TurnEvent,
    TurnPath,
)
from saltern_master.api.rollout_requests import (
    MOST_ASK,
    RolloutEvent,
    RolloutNodeEvent,
    RolloutPath,
    RolloutsQuery,
)
from saltern_master.api.rollouts import RolloutAsk, RolloutView, Steering
from saltern_master.api.service import (
    ClusterView,
    DriftView,
    NodeView,
    TokenView,
    TurnView,
    View,
)

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PEM: Final = "application/x-pem-file"
NDJSON: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Body:
    """What stands in a request: a value as JSON, or bytes as they are (`kind` bytes)."""

    kind: type
    media: str = JSON
    most: int = MOST_JSON  # bytes


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `answers`: the type of the value, or of each line of a stream."""

    method: str
    path: str
    name: str
    summary: str
    answers: Any
    call: Callable[[Master, Asked], Awaitable[object]]
    place: type[View] | None = None
    query: type[View] | None = None
    body: Body | None = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Stream:
    """One operation whose answer is lines of JSON, as things happen."""

    method: str
    path: str
    name: str
    summary: str
    answers: Any
    begin: Callable[[Master, Asked], Awaitable[AsyncIterator[object]]]
    place: type[View] | None = None
    query: type[View] | None = None
    body: None = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Text:
    """One operation whose answer is text, in one of several forms: as the client accepts."""

    method: str
    path: str
    name: str
    summary: str
    forms: tuple[str, ...]  # media types
    tell: Callable[[Master, str], Awaitable[tuple[bytes, str]]]
    answers: Any = str
    place: None = None
    query: None = None
    body: None = None
    status: int = 200


ROUTES: Final[tuple[Route | Stream | Text, ...]] = (
    Text(
        "GET",
        "/metrics",
        "metrics",
        "Numbers for a Prometheus, as the text format 0.0.4 or as OpenMetrics 1.0.",
        (PLAIN, OPEN),
        calls.metrics,
    ),
    Route("GET", "/v1/status", "status", "How the whole stands.", ClusterView, calls.status),
    Route(
        "GET",
        "/v1/findings",
        "findings",
        "The traps that stand open: in the file applied last, on each node, between nodes.",
        FindingsView,
        calls.findings,
    ),
    Route(
        "GET",
        "/v1/nodes",
        "listNodes",
        "All nodes, or those that a target means, with what each of its terms finds.",
        tuple[NodeView, ...],
        calls.nodes,
        query=NodeQuery,
    ),
    Route("GET", "/v1/nodes/{name}", "node", "One node.", NodeView, calls.node, place=NodePath),
    Route(
        "POST",
        "/v1/nodes/{name}/approve",
        "approveNode",
        "Let a pending machine in, by the fingerprint that it shows.",
        NodeView,
        calls.approve,
        place=NodePath,
        body=Body(Approval),
    ),
    Route(
        "POST",
        "/v1/nodes/{name}/revoke",
        "revokeNode",
        "Stop listening to a node's key, from its next message on.",
        NodeView,
        calls.revoke,
        place=NodePath,
    ),
    Route(
        "POST",
        "/v1/nodes/{name}/unlock",
        "unlockNode",
        "Listen to a locked node again: one machine alone has its key now.",
        NodeView,
        calls.unlock,
        place=NodePath,
    ),
    Route(
        "DELETE",
        "/v1/nodes/{name}",
        "removeNode",
        "Begin to drain a node, take back what stands on it, and forget it. One that is not "
        "heard (revoked, locked), and any with force, is forgotten at once: what stands on it "
        "stays there.",
        TurnView,
        calls.remove,
        place=NodePath,
        query=Removal,
        status=202,
    ),
    Route(
        "GET",
        "/v1/tokens",
        "listTokens",
        "The tokens that are neither used nor expired. None is told again.",
        tuple[TokenView, ...],
        calls.tokens,
    ),
    Route(
        "POST",
        "/v1/tokens",
        "makeToken",
        "Make a token for a node that shall join. It is told this once.",
        TokenView,
        calls.make_token,
        body=Body(NewToken),
        status=201,
    ),
    Route(
        "POST",
        "/v1/apply",
        "apply",
        "Compile, sign and begin to roll out a cluster file.",
        TurnView,
        calls.apply,
        body=Body(bytes, YAML, MOST_CLUSTER_FILE),
        status=202,
    ),
    Route(
        "POST",
        "/v1/plans",
        "plan",
        "Begin to ask nodes what a cluster file would change; an empty one: the one applied last.",
        PlanView,
        plan_calls.plan,
        query=PlanQuery,
        body=Body(bytes, YAML, MOST_CLUSTER_FILE),
        status=202,
    ),
    Route(
        "POST",
        "/v1/plans/apply",
        "applyPlanned",
        "Begin to apply exactly what was planned, or refuse it as stale, with what moved.",
        TurnView,
        plan_calls.apply_planned,
        body=Body(Planned, JSON, MOST_PLANNED),
        status=202,
    ),
    Route(
        "GET",
        "/v1/plans/{number}",
        "planSoFar",
        "A plan, as far as nodes have told it.",
        PlanView,
        plan_calls.plan_so_far,
        place=PlanPath,
    ),
    Stream(
        "GET",
        "/v1/plans/{number}/events",
        "followPlan",
        "Each node's plan as it comes, and the whole when nobody is waited for.",
        PlanNodeEvent | PlanEvent | ProblemEvent,
        plan_calls.follow_plan,
        place=PlanPath,
    ),
    Route(
        "GET",
        "/v1/notify",
        "notifications",
        "Who is told, how that goes, and what is wrong as far as it was or will be told.",
        NotifyView,
        notice_calls.notifications,
    ),
    Route(
        "POST",
        "/v1/notify/test",
        "testNotifications",
        "Send receivers a test, and give what came back.",
        tuple[TriedView, ...],
        notice_calls.test_notifications,
        body=Body(NotifyTest),
    ),
    Route("GET", "/v1/turns/{number}", "turn", "One turn.", TurnView, calls.turn, place=TurnPath),
    Stream(
        "GET",
        "/v1/turns/{number}/events",
        "followTurn",
        "Each node's new standing as it comes, and the turn when all have ended.",
        NodeEvent | TurnEvent | ProblemEvent,
        calls.follow_turn,
        place=TurnPath,
    ),
    Route(
        "GET",
        "/v1/drift",
        "listDrift",
        "Drift, newest first: all, or what fits all that is asked.",
        tuple[DriftView, ...],
        drift_calls.drift,
        query=DriftQuery,
    ),
    Stream(
        "GET",
        "/v1/drift/events",
        "followDrift",
        "Drift as it is stored, becomes otherwise and ends, without end.",
        DriftEvent | ProblemEvent,
        drift_calls.follow_drift,
        query=DriftFollow,
    ),
    Route(
        "GET",
        "/v1/drift/{id}",
        "drift",
        "All of one drift, with what its node's document says is done about it.",
        DriftPage,
        drift_calls.one_drift,
        place=DriftPath,
    ),
    Route(
        "GET",
        "/v1/holds",
        "listHolds",
        "Who is held, and all windows.",
        HoldsView,
        hold_calls.holds,
    ),
    Route(
        "POST",
        "/v1/holds",
        "hold",
        "Tell these nodes' drift and leave it alone, for so long.",
        tuple[HoldView, ...],
        hold_calls.hold,
        body=Body(HoldAsk, JSON, MOST_HOLD),
        status=201,
    ),
    Route(
        "DELETE",
        "/v1/holds",
        "release",
        "Hold nodes no longer; gives what held them.",
        tuple[HoldView, ...],
        hold_calls.release,
        query=ReleaseAsk,
    ),
    Route(
        "POST",
        "/v1/kubeconfig",
        "kubeconfig",
        "An administrator's kubeconfig, for the public key of a certificate request (PEM).",
        Kubeconfig,
        calls.kubeconfig,
        body=Body(bytes, PEM, MOST_CSR),
    ),
    Route(
        "GET",
        "/v1/rollouts",
        "listRollouts",
        "Rollouts, newest first, without their nodes.",
        tuple[RolloutView, ...],
        rollout_calls.rollouts,
        query=RolloutsQuery,
    ),
    Route(
        "POST",
        "/v1/rollouts",
        "startRollout",
        "Begin to bring nodes to a cluster file wave by wave, or queue that.",
        RolloutView,
        rollout_calls.start_rollout,
        body=Body(RolloutAsk, JSON, MOST_ASK),
        status=202,
    ),
    Route(
        "GET",
        "/v1/rollouts/{number}",
        "rollout",
        "One rollout; 0: the one that goes on, or the newest.",
        RolloutView,
        rollout_calls.rollout,
        place=RolloutPath,
    ),
    Stream(
        "GET",
        "/v1/rollouts/{number}/events",
        "followRollout",
        "Each node as it moves, the rollout as it does, and all of it when it is over.",
        RolloutNodeEvent | RolloutEvent | ProblemEvent,
        rollout_calls.follow_rollout,
        place=RolloutPath,
    ),
    Route(
        "POST",
        "/v1/rollouts/{number}/steer",
        "steerRollout",
        "Pause, resume, abort or undo a rollout, or skip one of its nodes.",
        RolloutView,
        rollout_calls.steer_rollout,
        place=RolloutPath,
        body=Body(Steering),
    ),
)
