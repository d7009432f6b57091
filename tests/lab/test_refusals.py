"""A document that the node may not believe is refused with its own reason, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from saltern_protocol import envelope, wire
from saltern_protocol.documents import (
    Document,
    PayloadType,
    Statement,
    body_hash,
    decode_document,
    decode_statement,
    encode_document,
    encode_statement,
)
from saltern_protocol.keys import PrivateKey
from saltern_protocol.testing import STRANGER
from saltern_states.body import TAG

from tests.lab.cases import FILE, own
from tests.lab.held import Held, Wish, now
from tests.lab.snapshot import difference

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

Alter = Callable[[Document], Document]


def with_resources(*resources: dict[str, object]) -> bytes:
    return wire.pack({"type": TAG, "resources": list(resources)})


def changed(**fields: object) -> Alter:
    return lambda document: msgspec.structs.replace(document, **fields)


GOOD = own("f", "file", path=FILE, text="never\n")
CYCLE = with_resources(
    own("a", "file", after=("b",), path=FILE, text=""),
    own("b", "file", after=("a",), path=f"{FILE}2", text=""),
)
TWICE = b"\x83" + b"".join(
    wire.pack(part) for part in ("type", TAG, "resources", [GOOD], "resources", [])
)
DOCUMENTS: dict[str, Alter] = {
    "expired": changed(issued=now() - 7200, expires=now() - 3600),
    "rollback": changed(version=1),
    "wrong-node": changed(node="w2"),
    "wrong-cluster": changed(cluster="other"),
    "wrong-incarnation": changed(incarnation="0" * 32),
    "wrong-epoch": changed(epoch=9),
}
BODIES = {
    "a cycle": (CYCLE, "bad-body", "wait for one another"),
    "a kind that nobody knows": (with_resources(own("f", "spell", path=FILE)), "bad-body", "kind"),
    "a path with ..": (
        with_resources(own("f", "file", path="/etc/kubernetes/../passwd", text="")),
        "bad-body",
        "path",
    ),
    "a key twice": (TWICE, "bad-body", "twice"),
    "outside policy": (
        with_resources(own("f", "file", path="/etc/shadow", text="")),
        "outside-policy",
        "/etc/shadow",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _unchanged(_prepared: Held) -> Iterator[None]:
    """All of them together change nothing on the node, nor is anything taken back meanwhile."""
    _prepared.settle()
    before, known, drift = _prepared.snapshot(), _prepared.status()["status"], _prepared.drift()
    yield
    after = _prepared.status()["status"]
    assert (after["version"], after["body"]) == (known["version"], known["body"])
    assert _prepared.drift() == drift
    assert difference(before, _prepared.snapshot()) == {}


@pytest.fixture(scope="module")
def real(_prepared: Held) -> Statement:
    """A good statement, newer than what the node has, to forge others from."""
    newer = Wish(sysctls={"net.core.somaxconn": "3000"})  # the same body would not be signed anew
    return decode_statement(_prepared.sign(newer).read_bytes())


@pytest.mark.parametrize("reason", DOCUMENTS)
def test_a_document_that_is_not_for_this_node_now(held: Held, real: Statement, reason: str) -> None:
    refused(held, forged(held, real, DOCUMENTS[reason], with_resources(GOOD)), reason, "")


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_not_good(held: Held, real: Statement, name: str) -> None:
    body, reason, text = BODIES[name]
    refused(held, forged(held, real, lambda document: document, body), reason, text)


def test_a_signature_of_a_stranger(held: Held, real: Statement) -> None:
    strange = forged(held, real, lambda one: one, with_resources(GOOD), STRANGER)
    refused(held, strange, "unsigned", "")


def test_a_body_that_is_not_the_signed_one(held: Held, real: Statement) -> None:
    other = msgspec.structs.replace(real, body=with_resources(GOOD))
    refused(held, encode_statement(other), "wrong-body", "")


def forged(
    held: Held, real: Statement, alter: Alter, body: bytes, key: PrivateKey | None = None
) -> bytes:
    """Give a statement like a real one, with another document for another body."""
    document = decode_document(envelope.decode(real.document).payload)
    document = msgspec.structs.replace(alter(document), body=body_hash(body))
    keys = [key or held.home.key("state")]
    signed = envelope.sign(PayloadType.DOCUMENT, encode_document(document), keys)
    return encode_statement(msgspec.structs.replace(real, document=signed, body=body))


def refused(held: Held, statement: bytes, reason: str, text: str) -> None:
    """Demand that it is refused for this reason, also when it is only planned."""
    path = held.bring(statement, "bad.statement")
    for verb in ("plan", "apply"):
        (end,) = held.agent(verb, path)
        assert (end["ok"], end["reason"]) == (False, reason), end
        assert text in end["error"]
    held.must("test", "!", "-e", FILE)
