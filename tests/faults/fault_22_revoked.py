"""Fault 22: nodes are revoked while they are connected and speak.

A real master; `rounds` nodes, each with a report under way at every moment, over connections that
stay open. They are revoked one by one, at moments of chance, and go on: they say it all again, and
some connect anew. What counts is in the store, with the master's own time: what was stored more
than a second after the revocation was asked for.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

import zmq
from saltern_master.api.drift_requests import DriftQuery
from saltern_protocol import messages
from saltern_protocol.messages import Ack, Report
from saltern_protocol.report import DriftSeen

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.master.core_stand import now
from tests.master.front_stand import Lines, Node, dial, many_lines
from tests.master.homes import made_home
from tests.master.test_core_process import Joined, Master, hello, joined, running

GRACE = 1.0  # seconds
AFTERWARDS = 2.0
SPEAK_EVERY = 0.05  # at most so often: within a node's own budget


@dataclass(slots=True)
class Speaker:
    """A node that reports without end."""

    name: str
    joined: Joined
    node: Node
    revoke_at: float  # monotonic
    revoked: float = 0.0  # the master's clock
    seq: int = 1
    acked: int = 0
    spoke: float = 0.0
    late: int = 0  # acknowledgements of what was said after the grace
    again: list[Node] = field(default_factory=list)

    def speak(self) -> None:
        """Say the next report, or the same once more, and hear what came."""
        while self.node.socket.poll(0):
            message = messages.from_master(self.node.socket.recv())
            if isinstance(message, Ack) and message.seq == self.seq:
                self.acked, self.seq = self.acked + 1, self.seq + 1
                self.late += bool(self.revoked) and self.spoke > self.revoked + GRACE
        if now() - self.spoke >= SPEAK_EVERY:
            self.spoke = now()
            at = round(self.spoke * 1e6)
            seen = DriftSeen(
                number=self.seq,
                resource=f"file-{self.seq}",
                kind="file/1",
                since_us=at,
                recorded_us=at,
                seen="inotify",
                found=("other content",),
            )
            self.node.say(Report(first=self.seq, items=(seen,)))

    def return_anew(self, lines: Lines) -> None:
        """Connect once more with the key that is revoked."""
        token = self.joined.token
        one = dial(lines, self.joined.keys, token.server, token.link_port)
        one.say(hello(self.joined.incarnation, 0))
        self.again.append(one)

    def returned(self) -> int:
        """Count the handshakes that a revoked key got through."""
        events = [one.event(1) for one in self.again if one.monitor.poll(0)]
        return events.count(zmq.EVENT_HANDSHAKE_SUCCEEDED)


def run(trial: Trial) -> Seen:
    """Let all speak, revoke one after the other, and look into the store."""
    chance = random.Random(trial.seed)
    trial.directory.chmod(0o711)
    home = made_home(trial.directory)
    with running(home) as master, many_lines() as lines:
        speakers = _speakers(master, lines, trial.rounds, chance)
        until = max(one.revoke_at for one in speakers) + GRACE + AFTERWARDS
        while time.monotonic() < until:
            for one in speakers:
                one.speak()
                if not one.revoked and time.monotonic() >= one.revoke_at:
                    one.revoked = now()
                    master.client.revoke(one.name)
                if one.revoked and not one.again and now() > one.revoked + GRACE:
                    one.return_anew(lines)
            time.sleep(0.005)
        back = sum(one.returned() for one in speakers)
        stored = {
            one.name: master.client.drift(DriftQuery(node=one.name, most=1000)) for one in speakers
        }
    late = [
        view for one in speakers for view in stored[one.name] if view.stored > one.revoked + GRACE
    ]
    mute = sum(not stored[one.name] for one in speakers)
    return Seen(
        trial.rounds,
        (
            Figure("messages stored after t + 1 s", len(late)),
            Figure("acknowledged after t + 1 s", sum(one.late for one in speakers)),
            Figure("revoked keys let in again", back),
            Figure("nodes that were not heard before", mute),
        ),
    )


def _speakers(
    master: Master, lines: Lines, count: int, chance: random.Random
) -> tuple[Speaker, ...]:
    members = {f"w{number}": joined(master, lines, f"w{number}") for number in range(1, count + 1)}
    nodes = {name: one.connect() for name, one in members.items()}
    began = time.monotonic()
    return tuple(
        Speaker(name, members[name], nodes[name], began + 0.5 + chance.random()) for name in members
    )


FAULT = Fault(
    number=22,
    what="revoked while connected",
    short=4,
    full=40,
    run=run,
    alone=True,
)
