"""Probes: a look from the master at a node's address, as a strategy asks for it.

A connection is made and closed again; a GET follows no redirect and reads no body. Nothing of the
node's answer is taken but its status.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
from saltern_protocol.errors import printable

from saltern_master.rollouts.strategy import Probe

LONGEST: Final = 200

Probing = Callable[[str, Probe], Awaitable[str]]
"""Say why a probe of an address failed; "": it is good."""


async def probe(address: str, wanted: Probe) -> str:
    """Say why a probe of an IPv4 address failed; "": it is good. Takes its time-out at most."""
    name = f"port {wanted.port}{wanted.path}"
    try:
        async with asyncio.timeout(wanted.timeout):
            if not wanted.path:
                return await _connect(address, wanted.port)
            status = await _get(address, wanted)
    except TimeoutError:
        return f"{name} gave no answer in {wanted.timeout:g} s"
    except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{name} is not reached: {printable(str(error) or type(error).__name__)[:LONGEST]}"
    return "" if status == wanted.status else f"{name} answers {status}, not {wanted.status}"


async def _connect(address: str, port: int) -> str:
    _, writer = await asyncio.open_connection(address, port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ""


async def _get(address: str, wanted: Probe) -> int:
    url = f"http://{address}:{wanted.port}{wanted.path}"
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None) as client,
        client.stream("GET", url) as answer,
    ):
        return answer.status_code
