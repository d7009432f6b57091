"""Certificates that are wanted of the master, until it answered or was lost. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from saltern_protocol.messages import Cert

from saltern_agent.link import words


@dataclass(slots=True)
class Certificates:
    """Which requests have no answer yet."""

    asked: set[int] = field(default_factory=set)

    def answered(self, message: Cert) -> words.Give | None:
        """Give what came to whoever asked for it; None: nobody did."""
        if message.request not in self.asked:
            return None
        self.asked.discard(message.request)
        why = message.why or ("" if message.chain else "the master gave none")
        return words.Give(message.request, message.chain, why)

    def lost(self, why: str) -> list[words.Output]:
        """Tell all who asked that no answer comes."""
        told: list[words.Output] = [words.Give(one, b"", why) for one in sorted(self.asked)]
        self.asked.clear()
        return told
