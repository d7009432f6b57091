"""Conversations about a document that expects a plan, and is refused since the plan is another."""

from __future__ import annotations

from collections.abc import Callable

from saltern_agent.link import words
from saltern_agent.link.session import HEALTH_EVERY
from saltern_agent.outbox import Batch
from saltern_protocol import messages
from saltern_protocol.lease import RENEW_SECONDS

from tests.agent.talk import Talk, doc, lease, standing
from tests.agent.test_journal import APPLIED

SEEN = bytes(range(32))  # the digest of the plan that a person saw


def refused_as_stale() -> Talk:
    """Poked: a document that expects a plan, all of which is here; the node's plan is another."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Poke(), 5)
    offer = doc(turn=6, version=2, expects=SEEN)
    talk.say(offer, 0.1)
    talk.give(words.Checked(offer, ()))
    talk.give(words.Waits(Batch(1, (APPLIED,), 1)), 0.3)
    talk.give(words.Over(offer, "stale"))
    talk.say(messages.Ack(seq=1), 0.1)
    talk.give(words.Waits(Batch()))
    return talk


def a_stale_document() -> Talk:
    """It is told once. The next lease names it, and it is not fetched again; nor is it forgotten:
    poked, the node takes the same document without the question."""
    talk = refused_as_stale()
    until, said = talk.now + RENEW_SECONDS, len(talk.lines)
    while talk.now < until:
        talk.give(words.Tick(), HEALTH_EVERY)
        talk.say(messages.Beat())
    talk.lines[said:-3] = ["         … Health and Beat, until a lease is due"]
    talk.say(lease(2, talk.nonce), 0.1)
    talk.say(messages.Poke(), 1)
    offer = doc(turn=7, version=2)
    talk.say(offer, 0.1)
    talk.give(words.Checked(offer, ()))
    talk.give(words.Stands(standing(2)), 0.2)
    talk.give(words.Over(offer))
    return talk


def a_stale_document_asked_again() -> Talk:
    """Somebody asks anew, with the same question or another one: it is planned anew."""
    talk = refused_as_stale()
    for turn, expects in ((7, SEEN), (8, SEEN[::-1])):
        talk.say(messages.Poke(), 5)
        offer = doc(turn, version=2, expects=expects)
        talk.say(offer, 0.1)
        talk.give(words.Checked(offer, ()))
        talk.give(words.Over(offer, "stale"), 0.2)
    return talk


def a_stale_document_after_a_loss() -> Talk:
    """Who was away is asked once more; by then nobody may want to know the plan any more."""
    talk = refused_as_stale()
    talk.give(words.Lost("the connection was closed"), 1)
    talk.give(words.Tick(), 0.5)
    talk.give(words.Opened(), 0.1)
    talk.say(lease(2, talk.nonce), 0.1)
    offer = doc(turn=0, version=2)
    talk.say(offer, 0.1)
    talk.give(words.Checked(offer, ()))
    return talk


STORIES: tuple[Callable[[], Talk], ...] = (
    a_stale_document,
    a_stale_document_asked_again,
    a_stale_document_after_a_loss,
)
