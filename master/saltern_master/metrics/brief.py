"""uvicorn's HTTP/1.1 for a port that anybody may reach: few connections, each for a short time.

uvicorn lets go who stays silent after an answer, and waits without end for who never asks.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_OPEN: Final = 64
MOST_SECONDS: Final = 60.0


class Brief(H11Protocol):
    """One connection."""

    _ends: tuple[asyncio.TimerHandle, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, for a while."""
        super().connection_made(transport)
        if len(self.connections) > MOST_OPEN:
            transport.abort()
            return
        self._ends = (
            self.loop.call_later(self.timeout_keep_alive, self._has_asked),
            self.loop.call_later(MOST_SECONDS, transport.abort),
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        for one in self._ends:
            one.cancel()
        super().connection_lost(exc)

    def _has_asked(self) -> None:
        if self.cycle is None:
            self.transport.abort()
