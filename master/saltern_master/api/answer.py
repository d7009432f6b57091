"""One request, one answer: read what was asked within its bounds, call, write what came.

* A body is read up to its route's limit and no further.
* A path, query or body that is not of the route's type is told with the field that is wrong.
* A stream ends when its client goes, when the master stops, or with a problem as its last line.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from saltern_master.api.asked import Asked
from saltern_master.api.master import Master
from saltern_master.api.problem import problem_of
from saltern_master.api.requests import ProblemEvent
from saltern_master.api.rows import JSON, NDJSON, Body, Route, Stream, Text
from saltern_master.api.service import ServiceError, View

TOGETHER: Final = 64 * 1024
"""Bytes of events that happened together, and are sent so: each write costs both ends a turn."""

Row = Route | Stream | Text


async def answer(service: Master, row: Row, request: Request, stop: asyncio.Event) -> Response:
    """Answer a request; ServiceError is for the caller to tell."""
    if isinstance(row, Text):
        data, media = await row.tell(service, request.headers.get("accept", ""))
        return Response(data, row.status, {"content-type": media})
    asked = Asked(
        place=_parameters(request.path_params, row.place, "the path"),
        query=_parameters(_once(request), row.query, "the query"),
        body=None if row.body is None else await _body(request, row.body),
    )
    if isinstance(row, Stream):
        events = await row.begin(service, asked)
        first = asyncio.create_task(_or_none(events))
        await asyncio.sleep(0)  # it listens now, so what happens once the client hears us is told
        return StreamingResponse(_lines(first, events, stop), row.status, media_type=NDJSON)
    value = await row.call(service, asked)
    return Response(msgspec.json.encode(value), row.status, media_type=JSON)


def _once(request: Request) -> dict[str, str]:
    """Give the query, each name once."""
    items = request.query_params.multi_items()
    twice = sorted(name for name, count in Counter(name for name, _ in items).items() if count > 1)
    if twice:
        raise ServiceError("invalid", f"cannot take the query: {', '.join(twice)} stands twice")
    return dict(items)


def _parameters(given: Mapping[str, Any], kind: type[View] | None, where: str) -> View | None:
    if kind is None:
        if given:
            raise ServiceError("invalid", f"cannot take {where}: nothing can be asked here")
        return None
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        raise ServiceError("invalid", f"cannot take {where}: {error}") from error


async def _body(request: Request, body: Body) -> Any:  # noqa: ANN401 - of the type the row says
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > body.most:
            text = f"cannot take the body: it is longer than {body.most} bytes"
            raise ServiceError("too-large", text)
    if body.kind is bytes:
        return bytes(data)
    try:
        return msgspec.json.decode(data, type=body.kind)
    except (ValueError, RecursionError) as error:
        raise ServiceError("invalid", f"cannot take the body: {error}") from error


async def _lines(
    waiting: asyncio.Task[object | None], events: AsyncIterator[object], stop: asyncio.Event
) -> AsyncIterator[bytes]:
    stopping = asyncio.create_task(stop.wait())
    try:
        while (event := await _or_stopped(waiting, stopping)) is not None:
            lines = bytearray()
            while event is not None:
                lines += msgspec.json.encode(event) + b"\n"
                waiting = asyncio.create_task(_or_none(events))
                event = await _at_hand(waiting) if len(lines) < TOGETHER else None
            yield bytes(lines)
    except ServiceError as error:
        yield msgspec.json.encode(ProblemEvent(problem=problem_of(error))) + b"\n"
    finally:
        stopping.cancel()
        waiting.cancel()


async def _or_stopped(
    waiting: asyncio.Task[object | None], stopping: asyncio.Task[Literal[True]]
) -> object | None:
    """Wait for the next event; None: there is none, or the master stops."""
    both: set[asyncio.Task[Any]] = {waiting, stopping}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    return waiting.result() if waiting.done() else None


async def _at_hand(waiting: asyncio.Task[object | None]) -> object | None:
    """Give the next event if it need not be waited for. An end or an error is for who waits."""
    await asyncio.sleep(0)
    there = waiting.done() and waiting.exception() is None
    return waiting.result() if there else None


async def _or_none(events: AsyncIterator[object]) -> object | None:
    return await anext(events, None)
