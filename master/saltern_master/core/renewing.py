"""Renewing: documents that grow old, and all that a new root, policy or key changes.

* HOME is looked at every WATCH_EVERY seconds: `saltern key` and `saltern policy` need not tell the
  master, and it need not be started anew.
* Under a new root every document that its keys did not sign is signed again, and then every
  node that believes an older root is called: it fetches the roots in between with its document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from saltern_master.core.front import Line, Log
from saltern_master.core.rolling import Rolling
from saltern_master.errors import MasterError
from saltern_master.signing.home import Home

WATCH_EVERY: Final = 2.0
"""Seconds between two looks at HOME's roots, policy and keys."""
RENEW_EVERY: Final = 3600.0
AGAIN_AFTER: Final = 60.0
"""Seconds after which what failed is tried again."""


class Renewing:
    """Keeps what nodes hold signed as HOME has it."""

    def __init__(
        self, home: Home, rolling: Rolling, line: Line, clock: Callable[[], float], log: Log
    ) -> None:
        self._home, self._rolling, self._line = home, rolling, line
        self._clock, self._log = clock, log
        self._seen = home.trust_state()
        self._due = 0.0

    async def keep(self) -> None:
        """Do so until this is cancelled."""
        while True:
            state = self._home.trust_state()
            if state != self._seen or self._clock() >= self._due:
                await self._renew(state != self._seen)
                self._seen = state
            await asyncio.sleep(WATCH_EVERY)

    async def _renew(self, changed: bool) -> None:
        try:
            renewed = await self._rolling.renew()
        except MasterError as error:
            self._log(f"documents are not renewed: {error}")
            self._due = self._clock() + AGAIN_AFTER
            return
        self._due = self._clock() + RENEW_EVERY
        if renewed:
            self._log(f"{renewed} documents were renewed")
        if changed:
            self._log(self._stands())
        self._line.send(self._rolling.call_lagging())

    def _stands(self) -> str:
        authority = self._rolling.signer.authority
        text = (
            f"signing under root {authority.root.version} (epoch {authority.root.epoch}) "
            f"and policy {authority.policy.version}"
        )
        if authority.held_back:
            text += f"; not yet under the newest root: {authority.held_back}"
        return text
