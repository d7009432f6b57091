"""A cluster's master and machines that ask it to be let in, for tests of enrolment."""

from __future__ import annotations

import secrets

from saltern_master.enrol import tokens as making
from saltern_master.enrol.decide import Cluster, Decision
from saltern_master.enrol.knock import knock
from saltern_master.enrol.tokens import Meeting, make_token, token_for
from saltern_master.records.codec import hold
from saltern_master.records.nodes import Node, hold_node
from saltern_master.records.tokens import Token
from saltern_master.store import Store
from saltern_protocol import envelope
from saltern_protocol.documents import PayloadType, decode_identity
from saltern_protocol.keys import generate
from saltern_protocol.messages import PROTOCOL, Enrol, Enrolled, Refused
from saltern_protocol.root import Role, Roles, Root, encode_root
from saltern_protocol.token import JoinToken

NOW = 1_800_000_000.0
KEYS = [bytes([number]) * 32 for number in range(1, 120)]
A, B, C = KEYS[:3]
SECRET = b"s" * 32
PRIVATE = generate(lambda size: b"k" * size)
ROLE = Role(keys=(PRIVATE.public,), threshold=1)
ROOT = envelope.sign(
    PayloadType.ROOT,
    encode_root(
        Root(
            cluster="demo",
            version=1,
            epoch=1,
            expires=2_000_000_000,
            roles=Roles(root=ROLE, policy=ROLE, state=ROLE, lease=ROLE),
        )
    ),
    [PRIVATE],
)
CLUSTER = Cluster("demo", ROOT)
MEETING = Meeting(("10.0.0.1", "master.example"), 6555, 6556, b"m" * 32, "demo", ROOT)


def token(
    store: Store, node: str = "w1", secret: bytes = SECRET, node_class: str = "worker"
) -> JoinToken:
    """Make a token good for an hour."""
    wanted = token_for(node, node_class, 3600, secret, NOW)
    held = hold(store, making.held_under(wanted), Token)
    made = make_token(MEETING, hold_node(store, node), held, wanted, secret)
    store.commit(*made.writes)
    return made.carried


def asking(node: str = "w1", secret: bytes = SECRET, facts: bytes = b'{"mtu": 1400}') -> Enrol:
    return Enrol(
        protocol=PROTOCOL,
        secret=secret,
        node=node,
        sealing=b"x" * 32,
        kinds=("file/1",),
        release="1.0",
        facts=facts,
    )


def ask(store: Store, key: bytes, enrol: Enrol | None = None, now: float = NOW) -> Decision:
    return knock(store, enrol or asking(), key, CLUSTER, now, secrets.token_bytes)[0]


def reason(decision: Decision) -> str:
    assert isinstance(decision.answer, Refused), decision
    assert decision.joined is None
    assert decision.writes == ()
    return decision.answer.reason


def incarnation(decision: Decision) -> str:
    assert isinstance(decision.answer, Enrolled), decision
    return decode_identity(decision.answer.identity).incarnation


def node(store: Store, name: str = "w1") -> Node:
    found = hold_node(store, name).value
    assert found is not None
    return found
