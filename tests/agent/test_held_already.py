"""A document that comes once more: where nothing of it is new it is looked at, not applied."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.journal import Journal
from saltern_agent.link import words
from saltern_agent.link.stock import Stock
from saltern_protocol import messages, testing
from saltern_protocol.documents import body_hash, encode_statement
from saltern_protocol.messages import Doc
from saltern_states.body import Body, write_body

from tests.agent.talk import Talk, doc, standing
from tests.agent.test_journal import APPLIED

BODY = write_body(Body(()))
STATEMENT = testing.statement(BODY)
OFFER = Doc(
    turn=6,
    roots=(),
    policy=STATEMENT.policy,
    document=STATEMENT.document,
    body=body_hash(BODY),
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "journal.db")
    journal.accept(encode_statement(STATEMENT), testing.NOW)
    return journal


def held(journal: Journal, tmp_path: Path, offer: Doc) -> bool:
    stock = Stock(journal, DiskBlobs(tmp_path / "blobs"), testing.IDENTITY, lambda: testing.NOW)
    checked = stock.check(offer)
    assert isinstance(checked, words.Checked), checked
    return checked.held


def test_it_is_held_once_it_has_been_gone_through(journal: Journal, tmp_path: Path) -> None:
    assert not held(journal, tmp_path, OFFER)

    journal.finish(APPLIED)

    assert held(journal, tmp_path, OFFER)


def test_what_brings_a_newer_policy_is_taken(journal: Journal, tmp_path: Path) -> None:
    journal.finish(APPLIED)
    newer = testing.signed_policy(replace(testing.POLICY, version=2))

    assert not held(journal, tmp_path, replace(OFFER, policy=newer))


def test_a_session_looks_and_tells_the_turn() -> None:
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Poke(), 5)
    offer = doc(turn=6, version=1)
    talk.say(offer, 0.1)

    assert talk.give(words.Checked(offer, (), held=True)) == (words.Look(6),)
