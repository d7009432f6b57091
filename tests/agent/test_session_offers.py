"""Offers that meet: one on its way, being applied or fetched when the next one comes."""

from __future__ import annotations

from saltern_agent.link import words
from saltern_agent.link.session import HEALTH_EVERY
from saltern_protocol import messages, testing

from tests.agent.talk import Talk, doc, standing

BODY, BLOB = testing.DOCUMENT.body, bytes(range(32))


def test_a_newer_document_takes_the_place_of_one_that_is_on_its_way() -> None:
    talk = Talk()
    talk.connect(version=1)
    first, second = doc(turn=1, version=1), doc(turn=2, version=2)
    talk.say(first)
    talk.give(words.Checked(first, (BODY,)))
    talk.say(messages.Poke())

    refuse, check = talk.say(second)
    assert isinstance(refuse, words.Refuse)
    assert refuse.reason == "superseded"
    assert check == words.Check(second)
    assert talk.give(words.Checked(first, ())) == ()  # an answer to what is of no interest


def test_a_blob_that_an_earlier_offer_brought_is_not_waited_for() -> None:
    """Its last write ends after the newer offer asked for the same: the parts come to nobody."""
    talk = Talk()
    talk.connect(version=1)
    first, second = doc(turn=1, version=1), doc(turn=2, version=2)
    talk.say(first)
    talk.give(words.Checked(first, (BODY,)))
    talk.say(messages.BlobPart(blob=BODY, offset=0, size=1, data=b"\x80"))
    talk.say(messages.Poke())
    talk.say(second)
    talk.give(words.Checked(second, (BODY,)))
    assert talk.give(words.Kept(BODY)) == (words.Check(second),)
    talk.say(messages.BlobPart(blob=BODY, offset=0, size=1, data=b"\x80"))
    for _ in range(6):
        talk.give(words.Tick(), HEALTH_EVERY)
        talk.say(messages.Beat())
    assert talk.session.state == "up", talk.session.why


def test_a_document_that_is_being_applied_is_not_begun_anew() -> None:
    talk = Talk(standing(1))
    talk.connect(version=2)
    offer = doc(turn=1, version=2)
    talk.say(offer)
    assert talk.give(words.Checked(offer, ())) == (words.Take(offer),)

    talk.say(messages.Poke())
    assert talk.say(offer) == ()
    talk.give(words.Over(offer))
    talk.say(messages.Poke())
    assert talk.say(offer) == (words.Check(offer),)


def test_what_was_kept_and_is_wanted_again_is_not_fetched_without_end() -> None:
    talk = Talk()
    talk.connect(version=1)
    offer = doc(turn=1, version=1)
    talk.say(offer)
    talk.give(words.Checked(offer, (BODY,)))
    talk.say(messages.BlobPart(blob=BODY, offset=0, size=1, data=b"x"))
    talk.give(words.Kept(BODY))

    (refuse,) = talk.give(words.Checked(offer, (BODY,)))
    assert isinstance(refuse, words.Refuse)
