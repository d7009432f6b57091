"""The API as its first user calls it: the command line, over the unix socket.

What the master refuses comes out as the ServiceError that it was; a master that is not there,
as one too (`unavailable`), with what to do.

It stands on the standard library's http.client: every command waits for this module's imports,
and those of an HTTP library of its own take longer than all else that `saltern status` does.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from saltern_master.api.drift_requests import DriftFollow, DriftQuery
from saltern_master.api.drifts import DriftPage
from saltern_master.api.findings import FindingsView
from saltern_master.api.holds import HoldAsk, HoldsView, HoldView, ReleaseAsk
from saltern_master.api.notices import NotifyTest, NotifyView, TriedView
from saltern_master.api.plan_requests import PlanEvent, Planned, PlanNodeEvent
from saltern_master.api.plans import PlanView
from saltern_master.api.problem import MEDIA, Problem, error_of
from saltern_master.api.requests import (
    Approval,
    DriftEvent,
    Kubeconfig,
    NewToken,
    NodeEvent,
    ProblemEvent,
    TurnEvent,
)
from saltern_master.api.rollout_requests import RolloutEvent, RolloutNodeEvent
from saltern_master.api.rollouts import RolloutAsk, RolloutView, Steering
from saltern_master.api.rows import JSON, PEM, YAML
from saltern_master.api.service import (
    ClusterView,
    DriftView,
    NodeView,
    ServiceError,
    TokenView,
    TurnView,
)
from saltern_master.api.surveys import SurveyView

T = TypeVar("T")
SECONDS: Final = 60.0  # that compiling and signing a cluster may take


class Client:
    """The questions of the API, each as a method and a connection of its own.

    ServiceError: it was refused, or nobody is there. Nothing is asked before a method is called.
    """

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        self._path = path
        self._seconds = seconds

    def status(self) -> ClusterView:
        """Say how the whole stands."""
        return self._ask("GET", "/v1/status", ClusterView)

    def findings(self) -> FindingsView:
        """Give the traps that stand open."""
        return self._ask("GET", "/v1/findings", FindingsView)

    def node(self, name: str) -> NodeView:
        """Give one node."""
        return self._ask("GET", f"/v1/nodes/{_part(name)}", NodeView)

    def survey(self, name: str) -> SurveyView:
        """Have a node read itself."""
        return self._ask("POST", f"/v1/nodes/{_part(name)}/survey", SurveyView)

    def approve(self, name: str, fingerprint: str) -> NodeView:
        """Let a pending machine in."""
        return self._ask(
            "POST",
            f"/v1/nodes/{_part(name)}/approve",
            NodeView,
            json=Approval(fingerprint=fingerprint),
        )

    def revoke(self, name: str) -> NodeView:
        """Stop listening to a node."""
        return self._ask("POST", f"/v1/nodes/{_part(name)}/revoke", NodeView)

    def unlock(self, name: str) -> NodeView:
        """Listen to a locked node again."""
        return self._ask("POST", f"/v1/nodes/{_part(name)}/unlock", NodeView)

    def remove(self, name: str, force: bool) -> TurnView:
        """Begin to remove a node; with `force`, forget it at once."""
        query = {"force": "true"} if force else {}
        return self._ask("DELETE", f"/v1/nodes/{_part(name)}", TurnView, query=query)

    def make_token(self, wanted: NewToken) -> TokenView:
        """Make a token."""
        return self._ask("POST", "/v1/tokens", TokenView, json=wanted)

    def tokens(self) -> tuple[TokenView, ...]:
        """List the tokens that can be used."""
        return self._ask("GET", "/v1/tokens", tuple[TokenView, ...])

    def apply(self, file: bytes) -> TurnView:
        """Begin to roll out a cluster file."""
        return self._ask("POST", "/v1/apply", TurnView, content=file, media=YAML)

    def nodes(self, target: str, explain: bool) -> tuple[NodeView, ...]:
        """List the nodes that a target means; to explain it, all, with what it finds on each."""
        query = {"target": target, "explain": "true" if explain else "false"}
        return self._ask("GET", "/v1/nodes", tuple[NodeView, ...], query=query)

    def plan(self, file: bytes, target: str) -> PlanView:
        """Begin to plan a cluster file; an empty one: the one that was applied last."""
        query = {"target": target}
        return self._ask("POST", "/v1/plans", PlanView, content=file, media=YAML, query=query)

    def plan_so_far(self, number: int) -> PlanView:
        """Give a plan."""
        return self._ask("GET", f"/v1/plans/{number}", PlanView)

    def follow_plan(
        self, number: int
    ) -> AbstractContextManager[Iterator[PlanNodeEvent | PlanEvent]]:
        """Give each node's plan as it comes, and the whole at the end."""
        return self._follow(f"/v1/plans/{number}/events", {}, _plan_event)

    def apply_planned(self, planned: Planned) -> TurnView:
        """Begin to apply exactly what was planned."""
        return self._ask("POST", "/v1/plans/apply", TurnView, json=planned)

    def turn(self, number: int) -> TurnView:
        """Give a turn."""
        return self._ask("GET", f"/v1/turns/{number}", TurnView)

    def drift(self, query: DriftQuery) -> tuple[DriftView, ...]:
        """List drift, newest first."""
        return self._ask("GET", "/v1/drift", tuple[DriftView, ...], query=_words(query))

    def one_drift(self, name: str) -> DriftPage:
        """Give all of one drift, by its id."""
        return self._ask("GET", f"/v1/drift/{_part(name)}", DriftPage)

    def hold(self, ask: HoldAsk) -> tuple[HoldView, ...]:
        """Hold nodes."""
        return self._ask("POST", "/v1/holds", tuple[HoldView, ...], json=ask)

    def release(self, ask: ReleaseAsk) -> tuple[HoldView, ...]:
        """Hold nodes no longer; gives what held them."""
        everybody = "true" if ask.all else "false"
        query = {"nodes": ask.nodes, "target": ask.target, "all": everybody}
        return self._ask("DELETE", "/v1/holds", tuple[HoldView, ...], query=query)

    def holds(self) -> HoldsView:
        """Give persons' holds, and all windows."""
        return self._ask("GET", "/v1/holds", HoldsView)

    def notifications(self) -> NotifyView:
        """Say who is told, and what there is to tell."""
        return self._ask("GET", "/v1/notify", NotifyView)

    def test_notifications(self, receiver: str) -> tuple[TriedView, ...]:
        """Send one receiver, or all, a test."""
        asked = NotifyTest(receiver=receiver)
        return self._ask("POST", "/v1/notify/test", tuple[TriedView, ...], json=asked)

    def kubeconfig(self, csr: bytes) -> str:
        """Give an administrator's kubeconfig, without its key."""
        return self._ask("POST", "/v1/kubeconfig", Kubeconfig, content=csr, media=PEM).kubeconfig

    def follow_turn(self, number: int) -> AbstractContextManager[Iterator[NodeEvent | TurnEvent]]:
        """Give a turn's events as they come, from the beginning."""
        return self._follow(f"/v1/turns/{number}/events", {}, _turn_event)

    def follow_drift(self, query: DriftFollow) -> AbstractContextManager[Iterator[DriftEvent]]:
        """Give what is stored once this was entered, without end."""
        return self._follow("/v1/drift/events", _words(query), _drift_event)

    def start_rollout(self, ask: RolloutAsk) -> RolloutView:
        """Begin a rollout, or queue it."""
        return self._ask("POST", "/v1/rollouts", RolloutView, json=ask)

    def rollouts(self, most: int) -> tuple[RolloutView, ...]:
        """List rollouts, newest first, without their nodes."""
        query = {"most": str(most)}
        return self._ask("GET", "/v1/rollouts", tuple[RolloutView, ...], query=query)

    def rollout(self, number: int) -> RolloutView:
        """Give a rollout; 0: the one that goes on, or the newest."""
        return self._ask("GET", f"/v1/rollouts/{number}", RolloutView)

    def steer_rollout(self, number: int, steering: Steering) -> RolloutView:
        """Pause, resume, abort or undo a rollout, or skip one of its nodes."""
        return self._ask("POST", f"/v1/rollouts/{number}/steer", RolloutView, json=steering)

    def follow_rollout(
        self, number: int
    ) -> AbstractContextManager[Iterator[RolloutNodeEvent | RolloutEvent]]:
        """Give a rollout's events as they come, until it is over."""
        return self._follow(f"/v1/rollouts/{number}/events", {}, _rollout_event)

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        json: msgspec.Struct | None = None,
        content: bytes = b"",
        media: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> T:
        body = content if json is None else msgspec.json.encode(json)
        with self._asked(method, _url(path, query or {}), body, media) as (_, answer):
            return msgspec.json.decode(answer.read(), type=kind)

    @contextmanager
    def _follow(
        self, path: str, query: dict[str, str], read: Callable[[bytes], T | ProblemEvent]
    ) -> Iterator[Iterator[T]]:
        with self._asked("GET", _url(path, query), b"", JSON) as (link, answer):
            link.settimeout(None)  # nothing may happen for long
            yield map(_event, map(read, answer))

    @contextmanager
    def _asked(
        self, method: str, url: str, body: bytes, media: str
    ) -> Iterator[tuple[socket.socket, HTTPResponse]]:
        """Ask, and give the answer if it is no refusal."""
        connection = HTTPConnection("master")
        try:
            with closing(connection), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(self._seconds)
                link.connect(str(self._path))
                connection.sock = link
                connection.request(method, url, body, {"Content-Type": media})
                with closing(connection.getresponse()) as answer:
                    _refuse(answer)
                    yield link, answer
        except (OSError, HTTPException) as error:
            raise ServiceError("unavailable", _nobody(self._path, error)) from error
        except msgspec.DecodeError as error:
            text = f"cannot read the master's answer: {error}; is it of another release?"
            raise ServiceError("unavailable", text) from error


def _event(event: T | ProblemEvent) -> T:
    if isinstance(event, ProblemEvent):
        raise error_of(event.problem)
    return event


def _refuse(answer: HTTPResponse) -> None:
    """Raise what the master refused with."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return
    if answer.headers.get_content_type() == MEDIA:
        raise error_of(msgspec.json.decode(answer.read(), type=Problem))
    raise ServiceError("unavailable", f"cannot do it: the master answered {answer.status}")


def _nobody(path: Path, error: OSError | HTTPException) -> str:
    if isinstance(error, PermissionError):
        return f"cannot reach the master on {path}: permission denied; be its user or in its group"
    why = (error.strerror if isinstance(error, OSError) else None) or str(error) or repr(error)
    home = path.parent.parent
    owner = _owner(home)
    if not (home / "keys").is_dir():
        return (
            f"cannot reach the master on {path}: {why}; {home} is no master's directory yet: give "
            f"the right one with --home or SALTERN_HOME, or make it: "
            f"{owner and f'runuser -u {owner} -- '}saltern init {home}"
        )
    begin = "systemctl start saltern-master" if owner else f"saltern master run --home {home}"
    return f"cannot reach the master on {path}: {why}; if it does not run: {begin}"


def _owner(home: Path) -> str:
    """Name the user whose directory it is, where root asks and it is not root's, as a package's."""
    try:
        return "" if os.geteuid() or not home.stat().st_uid else home.owner()
    except (OSError, KeyError):  # not there, or of a user without a name
        return ""


def _url(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _words(query: msgspec.Struct) -> dict[str, str]:
    """Give what a query asks for as it stands in an address."""
    plain = msgspec.to_builtins(query, str_keys=True)
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in plain.items()
        if value not in ("", False)
    }


def _part(name: str) -> str:
    """Give a name as one part of a path."""
    return quote(name, safe="")


def _turn_event(line: bytes) -> NodeEvent | TurnEvent | ProblemEvent:
    return msgspec.json.decode(line, type=NodeEvent | TurnEvent | ProblemEvent)


def _plan_event(line: bytes) -> PlanNodeEvent | PlanEvent | ProblemEvent:
    return msgspec.json.decode(line, type=PlanNodeEvent | PlanEvent | ProblemEvent)


def _drift_event(line: bytes) -> DriftEvent | ProblemEvent:
    return msgspec.json.decode(line, type=DriftEvent | ProblemEvent)


def _rollout_event(line: bytes) -> RolloutNodeEvent | RolloutEvent | ProblemEvent:
    return msgspec.json.decode(line, type=RolloutNodeEvent | RolloutEvent | ProblemEvent)
