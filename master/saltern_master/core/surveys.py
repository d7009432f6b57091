"""Surveys: a node is asked to read itself, and its pages are gathered for who asked.

* Nothing is stored: a reading is good for the one who asked, and for no later day.
* Pages count while somebody waits for them, from the node that was asked, under the number that
  it was asked with; all else is dropped. What a node may say is bounded here too.
* They may come in any order: where core has too much put by, it takes what comes (heavy.py).
* A connection that is lost ends nothing by itself: who waited is told after PATIENCE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from saltern_protocol.errors import printable
from saltern_protocol.messages import SURVEYS, Reading, Survey, encode
from saltern_protocol.policy import Allow
from saltern_protocol.reading import MAX_PAGES, AnyFact

from saltern_master.api.service import ServiceError
from saltern_master.api.surveys import SurveyView
from saltern_master.core.front import Line
from saltern_master.core.known import SPEAKING, Known
from saltern_master.core.peer import Peer
from saltern_master.core.signer import Signer
from saltern_master.front.frames import Tell

PATIENCE: Final = 45.0
"""Seconds: a reading is done in one, but waits for what the node has in hand."""
MOST_OPEN: Final = 8


class Going:
    """A survey that somebody waits for; it ends with the facts, or with why there are none."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.done: asyncio.Future[tuple[AnyFact, ...] | str]
        self.done = asyncio.get_running_loop().create_future()
        self.pages: dict[int, Reading] = {}

    @property
    def is_whole(self) -> bool:
        """Whether the last page is here, and all before it."""
        return any(one.last and len(self.pages) > number for number, one in self.pages.items())


class Surveys:
    """Asks nodes to read themselves. All of it in core's event loop."""

    def __init__(
        self,
        known: Known,
        line: Line,
        signer: Callable[[], Signer],
        random: Callable[[int], bytes],
        patience: float = PATIENCE,
    ) -> None:
        self._known, self._line, self._signer = known, line, signer
        self._patience = patience
        self._number = int.from_bytes(random(4)) << 20
        self._going: dict[str, Going] = {}

    async def survey(self, name: str) -> SurveyView:
        """Ask one node, and wait for its last page. ServiceError."""
        peer = self._asked(name)
        self._number += 1
        going = self._going[name] = Going(self._number)
        try:
            key, ask = bytes.fromhex(peer.node.key), encode(Survey(turn=going.number))
            self._line.send([Tell(key=key, data=ask)])
            async with asyncio.timeout(self._patience):
                told = await going.done
        except TimeoutError as error:
            text = f"cannot read {name}: it did not answer within {self._patience:.0f} s"
            text = f"{text}; see saltern status, and try again"
            raise ServiceError("unavailable", text) from error
        finally:
            del self._going[name]
        if isinstance(told, str):
            raise ServiceError("conflict", f"cannot read {name}: it says: {printable(told)}")
        return self._view(peer, told)

    def heard(self, name: str, page: Reading) -> None:
        """Take a page, if it is the one that is waited for."""
        going = self._going.get(name)
        if going is None or going.done.done():
            return
        if page.turn != going.number or page.page in going.pages:
            return
        going.pages[page.page] = page
        if page.why or page.page >= MAX_PAGES:
            going.done.set_result(page.why or f"more than {MAX_PAGES} pages")
        elif going.is_whole:
            ordered = (going.pages[number] for number in sorted(going.pages))
            going.done.set_result(tuple(fact for one in ordered for fact in one.facts))

    def _asked(self, name: str) -> Peer:
        peer = self._known.peers.get(name)
        if peer is None or peer.node.state not in SPEAKING:
            raise ServiceError("not-found", f"cannot find the node {name}; see: saltern status")
        if name in self._known.gone or not peer.session.greeted:
            raise ServiceError("unavailable", f"cannot read {name}: it is not connected")
        if SURVEYS not in peer.node.kinds:
            text = f"cannot read {name}: its agent, {peer.node.release}, cannot read a node"
            raise ServiceError("conflict", f"{printable(text)}; install a newer one there")
        if name in self._going or len(self._going) >= MOST_OPEN:
            text = f"cannot read {name}: it, or many others, are being read; wait a moment"
            raise ServiceError("conflict", text)
        return peer

    def _view(self, peer: Peer, facts: tuple[AnyFact, ...]) -> SurveyView:
        node, policy = peer.node, self._signer().policy
        return SurveyView(
            node=node.name,
            node_class=node.node_class,
            incarnation=node.incarnation,
            version=peer.session.held,
            facts=facts,
            allow=policy.classes.get(node.node_class, Allow()),
        )
