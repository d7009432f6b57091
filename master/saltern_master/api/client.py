"""The API as its first user calls it: the command line, over the unix socket.

What the master refuses comes out as the ServiceError that it was; a master that is not there,
as one too (`unavailable`), with what to do.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

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
from saltern_master.api.routes import JSON, PEM, YAML
from saltern_master.api.service import (
    ClusterView,
    DriftView,
    NodeView,
    ServiceError,
    TokenView,
    TurnView,
)

T = TypeVar("T")
SECONDS: Final = 60.0  # that compiling and signing a cluster may take


class Client:
    """The questions of the API, each as a method; ServiceError where one is refused.

    It is one, too, to make a client where nobody listens.
    """

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        _knock(path)
        self._path = path
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)),
            base_url="http://master",
            timeout=seconds,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def status(self) -> ClusterView:
        """Say how the whole stands."""
        return self._ask("GET", "/v1/status", ClusterView)

    def node(self, name: str) -> NodeView:
        """Give one node."""
        return self._ask("GET", f"/v1/nodes/{_part(name)}", NodeView)

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

    def remove(self, name: str) -> TurnView:
        """Begin to remove a node."""
        return self._ask("DELETE", f"/v1/nodes/{_part(name)}", TurnView)

    def make_token(self, wanted: NewToken) -> TokenView:
        """Make a token."""
        return self._ask("POST", "/v1/tokens", TokenView, json=wanted)

    def tokens(self) -> tuple[TokenView, ...]:
        """List the tokens that can be used."""
        return self._ask("GET", "/v1/tokens", tuple[TokenView, ...])

    def apply(self, file: bytes) -> TurnView:
        """Begin to roll out a cluster file."""
        return self._ask("POST", "/v1/apply", TurnView, content=file, media=YAML)

    def turn(self, number: int) -> TurnView:
        """Give a turn."""
        return self._ask("GET", f"/v1/turns/{number}", TurnView)

    def drift(self, node: str, most: int, open_only: bool) -> tuple[DriftView, ...]:
        """List drift, newest first."""
        query = {"node": node, "most": str(most), "open": "true" if open_only else "false"}
        return self._ask("GET", "/v1/drift", tuple[DriftView, ...], query=query)

    def kubeconfig(self, csr: bytes) -> str:
        """Give an administrator's kubeconfig, without its key."""
        return self._ask("POST", "/v1/kubeconfig", Kubeconfig, content=csr, media=PEM).kubeconfig

    def follow_turn(self, number: int) -> AbstractContextManager[Iterator[NodeEvent | TurnEvent]]:
        """Give a turn's events as they come, from the beginning."""
        return self._follow(f"/v1/turns/{number}/events", {}, _turn_event)

    def follow_drift(self, node: str) -> AbstractContextManager[Iterator[DriftEvent]]:
        """Give what is stored once this was entered, without end."""
        return self._follow("/v1/drift/events", {"node": node}, _drift_event)

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        json: msgspec.Struct | None = None,
        content: bytes = b"",
        media: str = JSON,
        query: dict[str, str] | None = None,
    ) -> T:
        body = content if json is None else msgspec.json.encode(json)
        with self._unreached():
            answer = self._http.request(
                method, path, content=body, params=query, headers={"Content-Type": media}
            )
            _refuse(answer)
            return msgspec.json.decode(answer.content, type=kind)

    @contextmanager
    def _follow(
        self, path: str, query: dict[str, str], read: Callable[[str], T | ProblemEvent]
    ) -> Iterator[Iterator[T]]:
        timeout = httpx.Timeout(SECONDS, read=None)
        with (
            self._unreached(),
            self._http.stream("GET", path, params=query, timeout=timeout) as answer,
        ):
            if not answer.is_success:
                answer.read()
                _refuse(answer)
            yield map(_event, map(read, answer.iter_lines()))

    @contextmanager
    def _unreached(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise ServiceError("unavailable", _nobody(self._path, error)) from error
        except msgspec.DecodeError as error:
            text = f"cannot read the master's answer: {error}; is it of another release?"
            raise ServiceError("unavailable", text) from error


def _event(event: T | ProblemEvent) -> T:
    if isinstance(event, ProblemEvent):
        raise error_of(event.problem)
    return event


def _refuse(answer: httpx.Response) -> None:
    """Raise what the master refused with."""
    if answer.is_success:
        return
    if answer.headers.get("Content-Type") == MEDIA:
        raise error_of(msgspec.json.decode(answer.content, type=Problem))
    raise ServiceError("unavailable", f"cannot do it: the master answered {answer.status_code}")


def _knock(path: Path) -> None:
    """Say at once, and in the system's own words, that nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except OSError as error:
            raise ServiceError("unavailable", _nobody(path, error)) from error


def _nobody(path: Path, error: OSError | httpx.HTTPError) -> str:
    if isinstance(error, PermissionError):
        return f"cannot reach the master on {path}: permission denied; be its user or in its group"
    why = error.strerror if isinstance(error, OSError) else error
    return (
        f"cannot reach the master on {path}: {why}; "
        f"if it does not run: saltern master run --home {path.parent.parent}"
    )


def _part(name: str) -> str:
    """Give a name as one part of a path."""
    return quote(name, safe="")


def _turn_event(line: str) -> NodeEvent | TurnEvent | ProblemEvent:
    return msgspec.json.decode(line, type=NodeEvent | TurnEvent | ProblemEvent)


def _drift_event(line: str) -> DriftEvent | ProblemEvent:
    return msgspec.json.decode(line, type=DriftEvent | ProblemEvent)
