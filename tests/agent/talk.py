"""A conversation between a session and a master that a test plays, written down as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from itertools import count

import msgspec
from msgspec.structs import replace
from saltern_agent.link import words
from saltern_agent.link.session import Session
from saltern_agent.outbox import Batch
from saltern_protocol import messages, testing
from saltern_protocol.documents import Document, PayloadType, document_hash, encode_document
from saltern_protocol.envelope import sign
from saltern_protocol.lease import sign_lease

ABOUT = words.About(
    instance=b"i" * 16,
    identity=testing.IDENTITY,
    boot="boot-1",
    kinds=("file/1",),
    release="1",
    facts=b"{}",
)
NEW = words.Standing(testing.trust())


def standing(version: int) -> words.Standing:
    """Give what a node stands by that has taken a version."""
    return words.Standing(testing.trust(), 1, version, hash_of(version))


def document(version: int) -> Document:
    return replace(testing.DOCUMENT, version=version)


def hash_of(version: int) -> bytes:
    return document_hash(encode_document(document(version)))


def lease(version: int, nonce: bytes) -> messages.Lease:
    """Give the master's word that a version is the current one."""
    payload = replace(
        testing.LEASE,
        version=version,
        document=hash_of(version) if version else None,
        nonce=nonce,
    )
    return messages.Lease(lease=sign_lease(payload, testing.LEASE_KEYS))


def doc(turn: int, version: int, expects: bytes = b"") -> messages.Doc:
    """Give a document as the master sends it. `expects`: the digest of the plan of it, if any."""
    return messages.Doc(
        turn=turn,
        roots=(),
        policy=testing.signed_policy(testing.POLICY),
        document=testing.signed_document(document(version)),
        body=testing.DOCUMENT.body,
        expects=expects,
    )


def proposal(turn: int, version: int) -> messages.Proposal:
    """Give a proposal as the master sends it."""
    return messages.Proposal(
        turn=turn,
        roots=(),
        policy=testing.signed_policy(testing.POLICY),
        proposal=sign(PayloadType.PROPOSAL, encode_document(document(version)), testing.STATE_KEYS),
        body=testing.DOCUMENT.body,
    )


@dataclass
class Talk:
    """One session; `lines` is what was said and done."""

    standing: words.Standing = NEW
    batch: Batch = field(default_factory=Batch)
    now: float = 0.0
    lines: list[str] = field(default_factory=list)
    nonces: count[int] = field(default_factory=lambda: count(1))
    nonce: bytes = b""
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.session = Session(ABOUT, self.standing, self.batch, lambda: 0.5, self.next_nonce)

    def next_nonce(self) -> bytes:
        self.nonce = next(self.nonces).to_bytes(16, "big")
        return self.nonce

    def give(self, given: words.Input, after: float = 0.0) -> tuple[words.Output, ...]:
        """Let something happen, so many seconds later."""
        self.now += after
        self.lines.append(f"{self.now:6.1f} {shown(given)}")
        done = self.session.hear(given, self.now)
        self.lines.extend(f"         {shown(one)}" for one in done)
        return done

    def say(self, message: messages.Message, after: float = 0.0) -> tuple[words.Output, ...]:
        """Let the master say something."""
        self.now += after
        self.lines.append(f"{self.now:6.1f} < {told(message)}")
        done = self.session.hear(words.Came(messages.encode(message)), self.now)
        self.lines.extend(f"         {shown(one)}" for one in done)
        return done

    def connect(self, version: int = 0) -> None:
        """Come up, to a master that says this version is current."""
        self.give(words.Tick())
        self.give(words.Opened(), 0.1)
        self.say(lease(version, self.nonce), 0.1)

    @property
    def text(self) -> str:
        return "\n".join([*self.lines, f"         = {self.session.state} {self.session.why}\n"])


def shown(value: words.Input | words.Output) -> str:
    """Show an input or an output in a line."""
    if isinstance(value, words.Send | words.Say):
        return f"> {told(value.message)}"
    parts = (f"{one.name}={part(getattr(value, one.name))}" for one in fields(value))
    return f"{type(value).__name__}({', '.join(parts)})"


def told(message: messages.Message) -> str:
    """Show a message in a line."""
    values = msgspec.structs.asdict(message).items()
    return f"{type(message).__name__}({', '.join(f'{name}={part(one)}' for name, one in values)})"


def part(value: object) -> str:
    """Show a field; long bytes by their length, what is signed by its name."""
    if isinstance(value, Batch):
        return f"{len(value.items)} of {value.waiting} from {value.first}"
    if isinstance(value, words.Standing):
        return f"version {value.version}"
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 4 else f"{value.hex()[:6]}…{len(value)} B"
    if isinstance(value, tuple):
        return f"[{', '.join(part(one) for one in value)}]"
    if isinstance(value, msgspec.Struct):
        return type(value).__name__
    return repr(value)
