"""Asking the master for certificates, from the keeper's thread, which waits for the answer.

The loop goes on meanwhile: heartbeats do not wait for a certificate, nor it for them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from queue import Empty, SimpleQueue

from saltern_states.ports import HostError

ANSWER_SECONDS = 20.0

Answer = tuple[bytes, str]  # PEM; or empty, and why not
Ask = Callable[[int, str, bytes], None]


class Requests:
    """The questions that wait. `issue` is for the keeper's thread, all else for the loop's."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._numbers = count(1)
        self._waiting: dict[int, SimpleQueue[Answer]] = {}

    @property
    def waiting(self) -> int:
        """How many have no answer."""
        return len(self._waiting)

    def issue(self, ask: Ask, resource: str, csr: bytes, seconds: float = ANSWER_SECONDS) -> bytes:
        """Have a certificate issued for a resource; PEM. HostError says why there is none."""
        number, answers = next(self._numbers), SimpleQueue[Answer]()

        def asked() -> None:
            self._waiting[number] = answers
            ask(number, resource, csr)

        self._post(asked)
        try:
            chain, why = answers.get(timeout=seconds)
        except Empty:
            self._post(lambda: self._forget(number))
            chain, why = b"", f"the master gave no answer for {seconds:.0f} s"
        if not chain:
            raise HostError(f"cannot get a certificate for {resource}: {why}")
        return chain

    def give(self, number: int, chain: bytes, why: str) -> None:
        """Give an answer to who waits for it."""
        answers = self._waiting.pop(number, None)
        if answers is not None:
            answers.put((chain, why))

    def _forget(self, number: int) -> None:
        self._waiting.pop(number, None)
