"""The listener for /metrics over TCP: where it may be, and that it tells that one thing alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from saltern_master.api.measures import OPEN
from saltern_master.api.serve import SocketError
from saltern_master.metrics.address import Address, AddressError, address_of
from saltern_master.metrics.brief import MOST_OPEN
from saltern_master.metrics.listen import IDLE_SECONDS, serve_metrics

ANY = Address("127.0.0.1", 0)
SECONDS = 20


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9655", Address("127.0.0.1", 9655)),
        ("127.8.0.1:0", Address("127.8.0.1", 0)),
        ("[::1]:9655", Address("::1", 9655)),
        ("10.0.0.5:9655,anybody", Address("10.0.0.5", 9655)),
        ("0.0.0.0:9655,anybody", Address("0.0.0.0", 9655)),
        ("127.0.0.1:1,anybody", Address("127.0.0.1", 1)),
    ],
)
def test_where_it_may_be(text: str, address: Address) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["10.0.0.5:9655", "0.0.0.0:9655", "[::]:9655", "8.8.8.8:1"])
def test_who_opens_it_to_others_says_so(text: str) -> None:
    with pytest.raises(AddressError, match=f"write .*{text.rpartition(':')[2]},anybody"):
        address_of(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "9655", "localhost:9655", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536"),
        *("127.0.0.1:-1", "127.0.0.1:9655,", "127.0.0.1:9655,all", "127.0.0.1:x"),
        *("127.0.0.1:1,anybody,", "[::1]"),
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressError, match="cannot tell metrics on"):
        address_of(text)


async def tell(accept: str) -> tuple[bytes, str]:
    return f"told for {accept}\n".encode(), OPEN


def listening(
    law: Callable[[httpx.AsyncClient], Awaitable[None]], idle: int = IDLE_SECONDS
) -> Address:
    """Run a law against a listener on any port."""
    where: list[Address] = []

    async def whole() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(serve_metrics(tell, ANY, stop, where.append, idle))
        await asyncio.sleep(0)
        async with httpx.AsyncClient(base_url=f"http://{where[0]}", trust_env=False) as http:
            await law(http)
        stop.set()
        await asyncio.wait_for(running, SECONDS)

    asyncio.run(whole())
    return where[0]


def test_it_tells_metrics_as_they_are_accepted() -> None:
    async def law(http: httpx.AsyncClient) -> None:
        told = await http.get("/metrics", headers={"accept": OPEN})
        assert (told.status_code, told.text) == (200, f"told for {OPEN}\n")
        assert told.headers["content-type"] == OPEN
        head = await http.head("/metrics")
        assert (head.status_code, head.content) == (200, b"")

    listening(law)


def test_it_tells_nothing_else() -> None:
    async def law(http: httpx.AsyncClient) -> None:
        for path in ("/", "/metrics/", "/v1/status", "/v1/openapi.json", "//metrics"):
            assert (await http.get(path)).status_code == 404, path
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert (await http.request(method, "/v1/apply", content=b"x")).status_code == 404
            assert (await http.request(method, "/metrics", content=b"x")).status_code == 405

    listening(law)


@asynccontextmanager
async def silent(
    http: httpx.AsyncClient, number: int, said: bytes = b""
) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connect so often, and say nothing, or not all."""
    host, port = http.base_url.host, http.base_url.port
    opened = [await asyncio.open_connection(host, port) for _ in range(number)]
    try:
        for _, writer in opened:
            writer.write(said)
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait for a connection's end; it fails where something was said before."""
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), SECONDS) == b""


def test_who_says_nothing_keeps_nobody_from_asking_and_is_let_go() -> None:
    async def law(http: httpx.AsyncClient) -> None:
        half = b"GET /metrics HTTP/1.1\r\nx: "
        async with silent(http, 20) as mute, silent(http, 20, half) as slow:
            assert (await http.get("/metrics")).status_code == 200
            for one in (*mute, *slow):
                await ended(one)

    listening(law, idle=1)


def test_beyond_a_bound_nobody_is_let_in() -> None:
    async def law(http: httpx.AsyncClient) -> None:
        async with silent(http, MOST_OPEN) as inside, silent(http, 1) as outside:
            await ended(outside[0])
            assert not any(one.at_eof() for one in inside)

    listening(law)


def test_an_address_that_is_taken_is_named() -> None:
    async def whole() -> None:
        stop, where = asyncio.Event(), list[Address]()
        first = asyncio.create_task(serve_metrics(tell, ANY, stop, where.append))
        await asyncio.sleep(0)
        with pytest.raises(SocketError, match=f"cannot tell metrics on {where[0]}: Address"):
            await serve_metrics(tell, where[0], stop, where.append)
        stop.set()
        await asyncio.wait_for(first, SECONDS)

    asyncio.run(whole())
