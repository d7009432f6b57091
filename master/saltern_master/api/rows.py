"""A row of the API's table: an operation that answers a value, lines as they come, or text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from saltern_master.api.asked import Asked
from saltern_master.api.master import Master
from saltern_master.api.requests import MOST_JSON
from saltern_master.api.service import View

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
