"""Joining: what each answer of the master's door means, and what is believed of it.

* Who is at the door is proved by the channel (the token's CURVE key); what it hands out is
  compared with the token again: node, cluster, and the first root by its SHA-256. A
  door that hands out another root gets nothing from us.
* Asking again does no harm: for the same key and the same token the answer is the same. So
  silence is asked again until the deadline, and a crash anywhere is mended by the same command.
* Waits are spread by chance, since machines are often started together.
* No effect in here: sockets, clocks, chance and terminal are handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Final, Protocol

from saltern_protocol import envelope
from saltern_protocol.documents import Identity, decode_identity
from saltern_protocol.errors import MalformedError, ProtocolError, printable
from saltern_protocol.messages import Enrolled, FromDoor, Refused, Waiting, from_door
from saltern_protocol.token import JoinToken
from saltern_protocol.trust import Trust

from saltern_agent.places import SettingsError

FIRST_WAIT: Final = 1.0  # seconds
LONGEST_WAIT: Final = 15.0
APPROVAL_WAIT: Final = 5.0  # a person is slower than this


class JoinError(SettingsError):
    """This machine did not join; the text says what to do."""


class NoAnswerError(JoinError):
    """It has not joined yet: nobody refused it, and asking again may well help."""


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer came, and what is known of why."""

    why: str


class Door(Protocol):
    """Where a stranger may ask."""

    def ask(self, address: str, frame: bytes) -> bytes | Silence:
        """Say one frame at an address of the token's; give the answer, or why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What joining needs of the world: seconds, waiting, chance from 0 to 1, and a listener."""

    monotonic: Callable[[], float]
    pause: Callable[[float], None]
    chance: Callable[[], float]
    tell: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Granted:
    """The master took this machine; `data` is the identity as it is to be pinned."""

    identity: Identity
    data: bytes


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Not yet: ask again after so many seconds, more or less."""

    seconds: float
    why: str


def judge(heard: FromDoor | Silence, token: JoinToken, attempt: int) -> Granted | AskAgain:
    """Say what an answer means; JoinError where asking again would change nothing."""
    match heard:
        case Enrolled():
            return Granted(believe(heard.identity, token), heard.identity)
        case Waiting():
            why = "the master waits for an operator to approve this machine's key"
            return AskAgain(APPROVAL_WAIT, why)
        case Refused():
            raise JoinError(
                f'cannot join as "{token.node}": the master refused ({printable(heard.reason)}): '
                f"{printable(heard.why)}"
            )
        case Silence():
            return AskAgain(min(FIRST_WAIT * 2.0 ** min(attempt, 8), LONGEST_WAIT), heard.why)


def believe(data: bytes, token: JoinToken) -> Identity:
    """Give the identity that the door handed out, if it is what the token promised."""
    try:
        identity = decode_identity(data)
        found = sha256(envelope.decode(identity.root).payload).digest()
        if found != token.root:
            raise JoinError(
                f"cannot join: the master hands out a root with the fingerprint {found.hex()}, "
                f"and the token names {token.root.hex()}; if the cluster's root was made anew, "
                "make a new token; else somebody has the master's key: do not join"
            )
        Trust.pin(identity)
    except ProtocolError as error:
        raise JoinError(f"cannot join: what the master handed out is no identity: {error}") from (
            error
        )
    if (identity.cluster, identity.node) != (token.cluster, token.node):
        raise JoinError(
            f'cannot join: the master handed out node "{identity.node}" of cluster '
            f'"{identity.cluster}", and the token is for "{token.node}" of "{token.cluster}"; '
            "make a new token"
        )
    return identity


def join(
    token: JoinToken, frame: bytes, door: Door, around: Surroundings, patience: float
) -> Granted:
    """Ask at the door for at most `patience` seconds; JoinError says why it came to nothing."""
    deadline = around.monotonic() + patience
    told = ""
    for attempt in count():
        address = token.addresses[attempt % len(token.addresses)]
        step = judge(_read(door.ask(address, frame), address), token, attempt)
        if isinstance(step, Granted):
            return step
        if step.why != told:
            around.tell(told := step.why)
        wait = step.seconds * (0.5 + around.chance())
        if around.monotonic() + wait >= deadline:
            break
        around.pause(wait)
    raise NoAnswerError(
        f"cannot join within {patience:g} s: {told}; the same command goes on where this one ended"
    )


def _read(heard: bytes | Silence, address: str) -> FromDoor | Silence:
    if isinstance(heard, Silence):
        return heard
    try:
        return from_door(heard)
    except MalformedError as error:
        raise JoinError(
            f"cannot join: the master at {address} gave an answer that this release does not "
            f"know ({error}); install the agent of the master's release"
        ) from error
