"""The gate: answers libzmq's question who may in (ZAP, RFC 27), in a thread of its own.

* Domain "link": the keys of the allow map, which is swapped whole. Domain "door": every key.
* 400 is said only for a key that is known to be bad: after it a client of libzmq 4.3.5 never
  tries again by itself. While there is no map yet, and when our own code fails, nothing is said;
  the handshake then ends by HANDSHAKE_IVL and the client comes again.
* One request's error ends that request and nothing else. What ends the thread all the same is
  seen by watch(), which starts it anew; one that hangs cannot be ended from outside, so watch()
  raises, the process ends, and core starts another: all of it within two seconds.
* It hangs when it made no turn although watch() was called again and again: time in which this
  process did not run at all (SIGSTOP, a machine that was paused) says nothing of the gate.
* Who holds a good key comes again as often as COMINGS lets him, and is not answered beyond it: a
  node that opened connection after connection would leave no descriptor to the others. An honest
  one, whose line was cut that often, is back within ten seconds and a handshake.
* It touches no file, no store and no other socket.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import zmq

from saltern_master.errors import MasterError
from saltern_master.front.budget import Bucket, Rate, spend
from saltern_master.front.log import Log, fingerprint

ADDRESS: Final = "inproc://zeromq.zap.01"
LINK: Final = b"link"
DOOR: Final = b"door"
HUNG_SECONDS: Final = 0.5
_LONGEST_LOOK: Final = 0.15
"""Between two calls of watch() no more than this is counted: both turn more often by far."""
_TURN_MS: Final = 100
COMINGS: Final = Rate(burst=100, per_second=0.1)
"""Connections of one key to the link."""


class GateError(MasterError):
    """Strangers could not be told from peers, so nobody is served."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whom libzmq asks about."""

    domain: bytes
    mechanism: bytes
    key: bytes


Verdict = bytes | None
"""b"200", b"400", or None: say nothing."""

Decide = Callable[[frozenset[bytes] | None, Question], Verdict]


def decide(allowed: frozenset[bytes] | None, question: Question) -> Verdict:
    """Say whether a key may in. `allowed` is None while it is not known whom to let in."""
    if question.mechanism != b"CURVE" or len(question.key) != 32:
        return b"400"
    if question.domain == DOOR:
        return b"200"
    if question.domain != LINK:
        return b"400"
    if allowed is None:
        return None
    return b"200" if question.key in allowed else b"400"


class Gate:
    """Runs the thread. Its map is replaced, never changed, so that no lock is needed."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], log: Log, decide: Decide) -> None:
        self._context, self._log, self._decide = context, log, decide
        self._allowed: frozenset[bytes] | None = None
        self._ending = threading.Event()
        self._turns = 0
        self._seen = (0, 0.0, 0.0)  # of watch(): turns, when it was called, idle seconds since
        self._comings: dict[bytes, Bucket] = {}  # of keys that may in; the gate's thread's alone
        self.refused = 0
        self._thread = self._begin()

    def allow(self, keys: frozenset[bytes]) -> None:
        """Put this map in place of the one before."""
        self._allowed = keys

    def watch(self, now: float) -> None:
        """Start the thread again if it ended; GateError if it hangs. now: seconds, monotonic."""
        if not self._thread.is_alive():
            self._log.say("the gate's thread ended; starting it again")
            self._thread = self._begin()
        turns, at, idle = self._seen
        idle = idle + min(now - at, _LONGEST_LOOK) if turns == self._turns else 0.0
        self._seen = (self._turns, now, idle)
        if idle > HUNG_SECONDS:
            raise GateError(f"cannot go on: the gate gave no sign for {idle:.1f} s")

    def close(self) -> None:
        """End the thread; nobody is let in after that."""
        self._ending.set()
        self._thread.join()

    def _begin(self) -> threading.Thread:
        self._turns += 1
        thread = threading.Thread(target=self._run, name="gate", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        with self._context.socket(zmq.ROUTER) as socket:
            socket.linger = 0
            self._bind(socket)
            while not self._ending.is_set():
                self._turns += 1
                if socket.poll(_TURN_MS):
                    self._turn(socket)

    def _bind(self, socket: zmq.Socket[bytes]) -> None:
        """Take the address; libzmq gives up that of a thread before us some moments later."""
        while not self._ending.is_set():
            try:
                socket.bind(ADDRESS)
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE:
                    raise
                self._ending.wait(_TURN_MS / 5_000)
            else:
                return

    def _turn(self, socket: zmq.Socket[bytes]) -> None:
        """Answer one request, or nobody: an error here must cost this request alone."""
        try:
            answer = self._answer(socket.recv_multipart(zmq.NOBLOCK))
            if answer is not None:
                socket.send_multipart(answer, zmq.NOBLOCK)
        except Exception as error:  # noqa: BLE001  the thread must outlive whatever it was
            self._log.say(f"cannot answer who may in: {type(error).__name__}: {error}")

    def _answer(self, request: list[bytes]) -> list[bytes] | None:
        route, empty, version, number, domain, _address, _identity, mechanism, *proof = request
        key = proof[0] if proof else b""
        verdict = self._decide(self._allowed, Question(domain, mechanism, key))
        if verdict is None or version != b"1.0":
            return None
        if verdict == b"200" and domain == LINK and not self._may_come(key):
            return None
        if verdict == b"200":
            return [route, empty, version, number, verdict, b"OK", key.hex().encode(), b""]
        self.refused += 1
        return [route, empty, version, number, verdict, b"unknown key", b"", b""]

    def _may_come(self, key: bytes) -> bool:
        """Say whether a key may have one more connection now."""
        now = self._seen[1]  # as of the last look, a tenth of a second ago
        bucket = spend(self._comings.get(key, Bucket()), COMINGS, 1, now)
        if bucket is None:
            self._log.say(f"peer {fingerprint(key)} opens too many connections: it waits")
            return False
        self._comings[key] = bucket
        return True
