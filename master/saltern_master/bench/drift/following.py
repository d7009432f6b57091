"""Who follows drift at the master while something is measured, and when it was told of what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from saltern_master.api.client import Client
from saltern_master.api.drift_requests import DriftFollow
from saltern_master.api.service import DriftView
from saltern_master.lab.errors import LabError

BEGINS = 30.0  # seconds
wall = time.time  # noqa: TID251  # it is compared with what nodes and the master write down


@dataclass(frozen=True, slots=True)
class Told:
    """A record as it was told, and when that was here: after its commit."""

    at: float
    drift: DriftView


@dataclass(frozen=True, slots=True)
class Following:
    """All that was told since it began."""

    told: list[Told] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: list[str] = field(default_factory=list)  # why nothing more will be told

    def wait(self, what: str, wanted: Callable[[DriftView], bool], seconds: float) -> Told:
        """Give the first that is wanted, told already or yet to be; LabError after `seconds`."""
        deadline = time.monotonic() + seconds
        with self.changed:
            seen = 0
            while True:
                for one in self.told[seen:]:
                    if wanted(one.drift):
                        return one
                seen = len(self.told)
                left = deadline - time.monotonic()
                if self.ended or left <= 0 or not self.changed.wait(left):
                    why = "; ".join(self.ended) or f"not within {seconds:.0f} s"
                    raise LabError(f"cannot measure: {what} was not told: {why}")

    def end(self, why: str) -> None:
        """Nothing more will be told."""
        with self.changed:
            self.ended.append(why)
            self.changed.notify_all()

    def add(self, one: Told) -> None:
        """Note one more."""
        with self.changed:
            self.told.append(one)
            self.changed.notify_all()


def following(client: Client, node: str = "") -> Following:
    """Follow a node's drift, or all, in a thread of its own, which ends with the master."""
    found, begun = Following(), threading.Event()

    def follow() -> None:
        try:
            with client.follow_drift(DriftFollow(node=node)) as events:
                begun.set()
                for event in events:
                    found.add(Told(wall(), event.drift))
            found.end("the master ended")
        except Exception as error:  # noqa: BLE001  # who waits is told, whatever it is
            found.end(f"{type(error).__name__}: {error}")
        begun.set()

    threading.Thread(target=follow, name="drift", daemon=True).start()
    begun.wait(BEGINS)
    return found
