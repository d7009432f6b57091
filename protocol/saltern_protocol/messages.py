"""The conversation: every message that a node and its master may send, in one closed table.

    node -> master    Hello, Fetch, Looked, Plan, BlobAsk, Csr, Report, Health, Condition, Reading
    master -> node    Lease, Renew, Poke, Doc, Current, Proposal, BlobPart, Cert, Ack, Beat, Again,
                      Refused, Survey
    stranger -> door  Enrol;    door -> stranger    Enrolled, Waiting, Refused

* A message is one frame of at most MAX_MESSAGE bytes; its type is a small integer that never
  changes meaning. What is not in the table for that direction is malformed.
* No message says who sent it: the channel's key does. `incarnation` in Hello is what the node
  believes of itself, to be compared with what the key stands for.
* Nothing in a message is a path, an option or a command; text is shown, never interpreted.
* A Report's items are numbered first, first + 1 …; results and drift share one numbering, so
  that their order is kept. At most one Report is unacknowledged at a time.
* Times are seconds since 1970, UTC; fractions travel as whole microseconds (`_us`), and each can
  be shown as a date, in any zone.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from saltern_protocol import wire
from saltern_protocol.condition import MAX_FINDINGS, MAX_PARTS, Finding, Part
from saltern_protocol.documents import MAX_ROOTS
from saltern_protocol.reading import MAX_FACTS, AnyFact
from saltern_protocol.report import Hindrance, Item, Outcome
from saltern_protocol.terms import Count, Digest, Incarnation, Micro, Name, Natural, ShortText, Text

PROTOCOL: Final = 1
"""The one version that is spoken; HELLO and ENROL name it, and there is no falling back."""

MAX_MESSAGE: Final = 256 * 1024
MAX_ON_WIRE: Final = MAX_MESSAGE + 1024
"""What a transport has to let through: CURVE adds to a message (33 bytes as of libzmq 4.3)."""

MAX_PART: Final = 128 * 1024
MAX_ITEMS: Final = 200
NONCE_BYTES: Final = 16
INSTANCE_BYTES: Final = 16
MOST_SPREAD: Final = 300
SURVEYS: Final = "survey/1"
"""Listed in Hello beside the kinds by an agent that answers Survey."""
UPGRADING: Final = "applying an upgrade of the agent"
"""Health.state of an agent that has handed over to another release, or back: it goes away, and one
of the two comes. Its first word is that of any agent that is at work, for who knows no more."""

Nonce = Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
NoNonce = Annotated[bytes, Meta(max_length=NONCE_BYTES)]
PlanDigest = Annotated[bytes, Meta(max_length=32)]  # of 0 or 32 bytes
Instance = Annotated[bytes, Meta(min_length=INSTANCE_BYTES, max_length=INSTANCE_BYTES)]
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
KindName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,40}/[0-9]{1,4}\Z")]
Envelope = Annotated[bytes, Meta(max_length=128 * 1024)]


class Message(Struct, frozen=True, kw_only=True, tag_field="t", forbid_unknown_fields=True):
    """What every message is."""


class Hello(Message, frozen=True, tag=1):
    """The first message over every connection. Answered by a Lease."""

    protocol: Natural
    incarnation: Incarnation
    instance: Instance  # drawn at each start of the agent: two that live show a copied key
    boot: ShortText
    root: Count  # the newest root that the node believes
    epoch: Natural  # of the document on its disk; 0: none
    version: Natural
    document: Annotated[bytes, Meta(max_length=32)]  # its hash; empty: none
    nonce: Nonce
    unacked: Natural  # the lowest number in the outbox; 0: it is empty
    kinds: Annotated[tuple[KindName, ...], Meta(max_length=200)]
    release: ShortText  # of the agent
    facts: Annotated[bytes, Meta(max_length=8 * 1024)]  # JSON, as `saltern-agent facts` prints


class Lease(Message, frozen=True, tag=2):
    """The signed word which document is the current one; lease.py reads it.

    `spread`: over how many seconds nodes that lose this master shall spread their coming back.
    """

    lease: Annotated[bytes, Meta(max_length=8 * 1024)]
    spread: Annotated[int, Meta(ge=0, le=MOST_SPREAD)] = 0


class Renew(Message, frozen=True, tag=24):
    """Ask for a lease now: it says something else than the last one. Answered by a Health with a
    nonce. It carries nothing: only what is signed for a nonce of the node's own counts."""


class Poke(Message, frozen=True, tag=3):
    """There is something to ask for. It carries nothing, since it may reach the wrong one."""


class Fetch(Message, frozen=True, tag=4):
    """What is there for me? Answered by Doc, Current or Proposal."""


class Doc(Message, frozen=True, tag=5):
    """A document newer than the node's; its body is a blob. Roots: those after Hello.root.

    `expects`: the digest of the plan that a person saw (Plan.digest): the node plans it first, and
    refuses it as stale where its plan is another one by now. Empty: whatever it comes to.
    """

    turn: Natural
    roots: Annotated[tuple[Envelope, ...], Meta(max_length=MAX_ROOTS)]
    policy: Envelope
    document: Annotated[bytes, Meta(max_length=16 * 1024)]
    body: Digest
    expects: PlanDigest = b""


class Current(Message, frozen=True, tag=6):
    """Nothing is newer than what the node has: it looks at everything now and says Looked.

    Also unasked, in place of a Poke, where the master knows that the node has the newest.
    """

    turn: Natural


class Proposal(Message, frozen=True, tag=7):
    """The same as Doc under a type of its own: to be planned, never kept, never applied."""

    turn: Natural
    roots: Annotated[tuple[Envelope, ...], Meta(max_length=MAX_ROOTS)]
    policy: Envelope
    proposal: Annotated[bytes, Meta(max_length=16 * 1024)]
    body: Digest


class PlanLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change that a plan found, or why none can be."""

    resource: ShortText
    verb: ShortText
    finding: ShortText
    change: Text
    impact: ShortText
    detail: Annotated[str, Meta(max_length=64 * 1024)] = ""


class Plan(Message, frozen=True, tag=8):
    """What a proposal would change. Pages are sent in order; the last one says so.

    `digest`, on the last page: SHA-256 over all changes as the node would make them, what it found
    before each among it. Two plans with one digest do the same. Empty where there is no plan.
    """

    turn: Natural
    page: Natural
    last: bool
    lines: Annotated[tuple[PlanLine, ...], Meta(max_length=1000)]
    reason: ShortText = ""
    why: Text = ""
    digest: PlanDigest = b""


class BlobAsk(Message, frozen=True, tag=9):
    """Send parts of a blob from an offset, `credit` of them at most."""

    blob: Digest
    offset: Natural
    credit: Annotated[int, Meta(ge=1, le=64)]


class BlobPart(Message, frozen=True, tag=10):
    """A part of a blob; `size` is the whole blob's, in bytes."""

    blob: Digest
    offset: Natural
    size: Natural
    data: Annotated[bytes, Meta(max_length=MAX_PART)]


class Csr(Message, frozen=True, tag=11):
    """A certificate is wanted for a resource of the node's own body. DER of PKCS#10.

    `resource` is the path of the certificate, which no two resources share, or the resource's id.
    """

    request: Natural
    resource: ShortText
    csr: Annotated[bytes, Meta(max_length=16 * 1024)]


class Cert(Message, frozen=True, tag=12):
    """The answer: PEM, the leaf first; or empty, and why not."""

    request: Natural
    chain: Annotated[bytes, Meta(max_length=64 * 1024)]
    why: Text = ""


class Report(Message, frozen=True, tag=13):
    """Results and drift, kept in the outbox until they are acknowledged."""

    first: Count
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=MAX_ITEMS)]


class Ack(Message, frozen=True, tag=14):
    """Everything up to this number is in the master's store, durably."""

    seq: Natural


class Health(Message, frozen=True, tag=15):
    """Said every 15 seconds by the loop that does the work. With a nonce: a lease is due."""

    tick: Natural  # turns of the loop: one that stands still hangs
    at_us: Micro
    state: ShortText
    version: Natural
    drift: Natural  # open
    load_percent: Natural  # one-minute load average, times 100
    memory_kib: Natural  # available
    disk_kib: Natural  # free for the agent's state
    nonce: NoNonce = b""


class Beat(Message, frozen=True, tag=16):
    """Health was heard."""


class Again(Message, frozen=True, tag=17):
    """The master does not know this connection: say Hello."""


class Refused(Message, frozen=True, tag=18):
    """The master will not: `reason` is a code."""

    reason: ShortText
    why: Text


class Looked(Message, frozen=True, tag=19):
    """The answer to Current: what a look at everything found and set right."""

    turn: Natural
    at_us: Micro
    version: Natural
    outcome: Outcome
    changes: Natural
    took_us: Micro
    why: Text = ""
    hindrances: Annotated[tuple[Hindrance, ...], Meta(max_length=64)] = ()


class Condition(Message, frozen=True, tag=23):
    """How the node's parts are and which traps stand open on it: all of it, after each Hello and
    when something of it is otherwise. Not acknowledged: the next one says it all again.
    """

    at_us: Micro
    parts: Annotated[tuple[Part, ...], Meta(max_length=MAX_PARTS)]
    findings: Annotated[tuple[Finding, ...], Meta(max_length=MAX_FINDINGS)]


class Survey(Message, frozen=True, tag=25):
    """Read yourself, for who wants to adopt you: fixed places, which the message does not name.

    Asked only of who lists SURVEYS among its kinds.
    """

    turn: Natural


class Reading(Message, frozen=True, tag=26):
    """The answer: what was read. Pages are sent in order; the last one says so."""

    turn: Natural
    page: Natural
    last: bool
    facts: Annotated[tuple[AnyFact, ...], Meta(max_length=MAX_FACTS)]
    why: Text = ""  # nothing was read, and why


class Enrol(Message, frozen=True, tag=20):
    """A machine asks to become a node. The key of the channel is to be its key."""

    protocol: Natural
    secret: Annotated[bytes, Meta(max_length=32)]  # empty: an operator shall approve
    node: Name
    sealing: Key  # X25519, what secrets are sealed to
    kinds: Annotated[tuple[KindName, ...], Meta(max_length=200)]
    release: ShortText
    facts: Annotated[bytes, Meta(max_length=8 * 1024)]


class Enrolled(Message, frozen=True, tag=21):
    """It is one: what it has to pin (documents.Identity, encoded)."""

    identity: Annotated[bytes, Meta(max_length=160 * 1024)]


class Waiting(Message, frozen=True, tag=22):
    """An operator has yet to approve this fingerprint; ask again."""

    fingerprint: ShortText


FromNode = Hello | Fetch | Looked | Plan | BlobAsk | Csr | Report | Health | Condition | Reading
FromMaster = (
    Lease
    | Renew
    | Poke
    | Doc
    | Current
    | Proposal
    | BlobPart
    | Cert
    | Ack
    | Beat
    | Again
    | Refused
    | Survey
)
FromDoor = Enrolled | Waiting | Refused


def encode(message: Message) -> bytes:
    """Give the frame of a message; MalformedError if the other side could not read it."""
    return wire.pack_checked(message, MAX_MESSAGE)


def from_node(data: bytes) -> FromNode:
    """Read what a node sent; MalformedError for anything that a node may not say."""
    return wire.unpack(data, FromNode, MAX_MESSAGE)  # type: ignore[arg-type]


def from_master(data: bytes) -> FromMaster:
    """Read what the master sent; MalformedError for anything that a master may not say."""
    return wire.unpack(data, FromMaster, MAX_MESSAGE)  # type: ignore[arg-type]


def from_stranger(data: bytes) -> Enrol:
    """Read what came to the door; MalformedError for all but Enrol."""
    return wire.unpack(data, Enrol, MAX_MESSAGE)


def from_door(data: bytes) -> FromDoor:
    """Read the door's answer."""
    return wire.unpack(data, FromDoor, MAX_MESSAGE)  # type: ignore[arg-type]
