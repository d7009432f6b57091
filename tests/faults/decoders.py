"""Every decoder of what comes from outside, with goldens to mutate, and the errors it may end with.

WIRE: what stands on a connection, in a signed envelope, in a token or in a certificate. FILES: what
a person wrote or asked for, and what checks a signature for each input: those take a hundred times
as long, and get a hundredth of the inputs.

What was read is used where that can fail as well: a message is put to the rule of the front, to
core's conversation and to a node's session; an envelope is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from msgspec.structs import replace
from saltern_agent.control import AskApply, AskDrift, AskPlan, AskStatus, read_question, to_json
from saltern_agent.host.x509 import new_key, read_key, read_leaf, request
from saltern_agent.link import words
from saltern_agent.link.session import Session
from saltern_agent.outbox import Batch
from saltern_master.cluster.load import load
from saltern_master.core import conversation
from saltern_master.core.peer import Peer
from saltern_master.core.peer import Session as CoreSession
from saltern_master.core.signer import read_signer
from saltern_master.errors import MasterError
from saltern_master.front import frames, peer
from saltern_master.pki.csr import public_key_of
from saltern_master.records.codec import Held
from saltern_master.records.nodes import Node, node_key
from saltern_master.signing.policy_file import default_policy, read_policy
from saltern_protocol import messages, sealed, testing
from saltern_protocol.documents import decode_document, decode_identity, decode_statement
from saltern_protocol.envelope import decode as decode_envelope
from saltern_protocol.errors import ProtocolError
from saltern_protocol.keys import PublicKey
from saltern_protocol.lease import decode_lease
from saltern_protocol.policy import decode_policy
from saltern_protocol.report import Item
from saltern_protocol.root import decode_root
from saltern_protocol.token import JoinToken
from saltern_protocol.trust import Trust
from saltern_protocol.wire import pack, unpack
from saltern_states.body import Body, BodyError, Resource, read_body, write_body
from saltern_states.kinds import KINDS

from tests.agent.talk import ABOUT, NEW, lease
from tests.agent.test_x509 import CA, PLAIN
from tests.agent.test_x509 import KEY as CERTIFIED
from tests.faults.api_requests import REQUESTS, asking
from tests.master.clusters import FULL, SMALL
from tests.master.homes import made_home
from tests.protocol.examples import ALL, DRIFT, FROM_DOOR, FROM_MASTER, FROM_NODE, FROM_STRANGER
from tests.protocol.test_golden import VALUES
from tests.protocol.test_sealed import BOB, CONTEXT, SEALED
from tests.protocol.test_token import TOKEN

TOLD: Final = (ProtocolError, MasterError, BodyError)
KEY: Final = bytes(range(32))
Decode = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Decoder:
    """One decoder. `share`: how many of a hundred inputs it gets; `told`: how it may refuse."""

    decode: Decode
    goldens: tuple[bytes, ...]
    share: int = 100
    told: tuple[type[Exception], ...] = TOLD


def every_decoder(directory: Path) -> Mapping[str, Decoder]:
    """Give them all; what has to be on a disk is made in an empty directory."""
    return {
        **_messages(),
        **_documents(),
        **_texts(),
        **_frames(),
        **_machines(directory),
        **_signed(),
        **_files(),
    }


def _messages() -> dict[str, Decoder]:
    readers: tuple[tuple[str, Decode, Mapping[str, messages.Message]], ...] = (
        ("from a node", messages.from_node, FROM_NODE),
        ("from a master", messages.from_master, FROM_MASTER),
        ("from a stranger", messages.from_stranger, FROM_STRANGER),
        ("from the door", messages.from_door, FROM_DOOR),
    )
    return {
        name: Decoder(read, tuple(map(messages.encode, examples.values())))
        for name, read, examples in readers
    }


def _documents() -> dict[str, Decoder]:
    decoders: dict[str, Decode] = {
        "an envelope": decode_envelope,
        "a document": decode_document,
        "a root": decode_root,
        "a policy": decode_policy,
        "a lease": decode_lease,
        "an identity": decode_identity,
        "a statement": decode_statement,
    }
    goldens = tuple(data for _, data, _ in VALUES.values())
    item = Decoder(lambda data: unpack(data, Item, 1 << 18), (pack(DRIFT),))  # type: ignore[arg-type]
    body = Body(tuple(Resource(id=f"r{n}", spec=kind.example) for n, kind in enumerate(KINDS)))
    alone = tuple(write_body(Body((one,))) for one in body.resources)
    return {name: Decoder(read, goldens) for name, read in decoders.items()} | {
        "an item of the outbox": item,
        "a body": Decoder(read_body, alone),
    }


def _texts() -> dict[str, Decoder]:
    public = str(testing.STRANGER.public)
    asked = (AskStatus(), AskDrift(), AskPlan(), AskApply(statement=b"\x80"))
    broken = (ValueError, RecursionError)  # as Control takes them
    return {
        "a token": Decoder(
            lambda data: JoinToken.parse(data.decode("latin-1")), (TOKEN.text().encode(),)
        ),
        "a token past its checksum": Decoder(
            lambda data: unpack(data, JoinToken, 4096), (pack(TOKEN),)
        ),
        "a public key": Decoder(
            lambda data: PublicKey.parse(data.decode("latin-1")), (public.encode(),)
        ),
        "a question to the agent": Decoder(read_question, tuple(map(to_json, asked)), told=broken),
    }


def _frames() -> dict[str, Decoder]:
    said = tuple(map(messages.encode, ALL.values()))
    up: tuple[frames.Frame, ...] = (
        frames.Ready(link_port=1, door_port=2),
        *(frames.Heard(key=KEY, data=data) for data in said[:3]),
        frames.Up(key=KEY),
        frames.Silent(key=KEY),
        frames.Knock(route=b"route", key=KEY, data=said[0]),
        frames.Load(
            messages=1, bytes_in=2, bytes_out=3, refused=4, malformed=5, dropped=6, cpu_us=7
        ),
    )
    down: tuple[frames.Frame, ...] = (
        frames.Setup(bind="127.0.0.1", link_port=0, door_port=0, blobs="/b", secret=KEY),
        frames.Peers(keys=(KEY, bytes(32))),
        frames.Admit(key=KEY),
        frames.Expel(key=KEY),
        frames.Grant(key=KEY, blobs=(KEY,)),
        frames.Tell(key=KEY, data=said[0]),
        frames.Answer(route=b"route", data=said[0]),
    )

    def stream(data: bytes) -> object:
        cut = frames.Frames()
        return [frames.to_core(one) for one in cut.feed(data)]

    bare = {"up": tuple(map(pack, up)), "down": tuple(map(pack, down))}
    whole = tuple(frames.to_bytes(one) for one in up)
    too_long = (*TOLD, ValueError)  # of Frames.feed: whoever sent it is cut off
    return {
        "a frame for core": Decoder(frames.to_core, bare["up"]),
        "a frame for the front": Decoder(frames.to_front, bare["down"]),
        "a stream of frames": Decoder(stream, (*whole, b"".join(whole)), told=too_long),
    }


def _machines(directory: Path) -> dict[str, Decoder]:
    """What a message does to whom it is for."""
    said = tuple(map(messages.encode, FROM_NODE.values()))
    told = tuple(map(messages.encode, FROM_MASTER.values()))
    greeted = peer.Session(route=b"r")
    return {
        "a message to the front": Decoder(lambda data: peer.hear(greeted, b"r", data, 1.0), said),
        "a message to core": Decoder(_core(directory), said, share=10),
        "a message to a node": Decoder(_node(), told),
    }


def _core(directory: Path) -> Decode:
    signer = read_signer(made_home(directory))
    node = Node(
        name="w1", node_class="worker", state="joined", incarnation=testing.DOCUMENT.incarnation,
        key=KEY.hex(), sealing=KEY.hex(), facts={}, kinds=(), release="",
    )  # fmt: skip
    greeted = Peer(Held(node_key("w1"), node, 1), session=CoreSession(greeted=True))

    def decode(data: bytes) -> object:
        return conversation.hear(greeted, messages.from_node(data), signer, testing.NOW)

    return decode


def _node() -> Decode:
    """A session that is up, and comes up again whenever what it heard made it give up."""
    nonces, seconds = count(1), count(1)
    nonce = bytes(16)

    def next_nonce() -> bytes:
        nonlocal nonce
        nonce = next(nonces).to_bytes(16, "big")
        return nonce

    session = Session(ABOUT, NEW, Batch(), lambda: 0.0, next_nonce)

    def decode(data: bytes) -> object:
        now = float(next(seconds))
        if session.state != "up":
            session.hear(words.Tick(), session.due())
            session.hear(words.Opened(), now)
            session.hear(words.Came(messages.encode(lease(1, nonce))), now)
        return session.hear(words.Came(data), now)

    return decode


def _signed() -> dict[str, Decoder]:
    """What checks a signature, or opens a seal, for each input."""
    goldens = (
        testing.signed_root(replace(testing.ROOT, version=2)),
        testing.signed_policy(testing.POLICY),
        testing.signed_document(testing.DOCUMENT),
        testing.signed_lease(testing.LEASE),
    )
    pinned, believer, who = Trust.pin(testing.IDENTITY), testing.trust(), testing.IDENTITY
    asks, private = (request(CERTIFIED, "w1"),), (new_key(),)

    def accept(data: bytes) -> object:
        return believer.accept(data, testing.BODY, who, None, testing.NOW)

    return {
        "a root to walk to": Decoder(pinned.walk, goldens, share=2),
        "a policy to take": Decoder(pinned.with_policy, goldens, share=2),
        "a document to accept": Decoder(accept, goldens, share=2),
        "a lease to believe": Decoder(
            lambda data: believer.lease(data, who, testing.LEASE.nonce), goldens, share=2
        ),
        "a sealed secret": Decoder(
            lambda data: sealed.open_sealed(data, BOB, CONTEXT), (SEALED,), share=2
        ),
        "a request for a certificate": Decoder(public_key_of, asks, share=2),
        "a certificate": Decoder(lambda data: read_leaf(data, CERTIFIED, CA), (PLAIN,), share=2),
        "a private key": Decoder(read_key, private, share=2),
    }


def _files() -> dict[str, Decoder]:
    cluster = tuple(text.encode() for text in (SMALL, FULL))
    return {
        "a cluster file": Decoder(load, cluster, share=1),
        "a policy file": Decoder(read_policy, (default_policy().encode(),), share=1),
        "a request to the API": Decoder(asking(), REQUESTS, share=1),
    }
