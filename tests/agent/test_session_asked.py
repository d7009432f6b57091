"""What a master asks of a node: not without end, and not where it has signed nothing."""

from __future__ import annotations

import pytest
from saltern_agent.link import words
from saltern_agent.link.pace import AT_ONCE
from saltern_protocol import messages, testing
from saltern_protocol.lease import sign_lease

from tests.agent.talk import Talk, lease, standing


def test_a_lease_is_asked_for_at_once_and_once() -> None:
    talk = Talk(standing(1))
    talk.connect(version=1)
    (asked,) = talk.say(messages.Renew())
    assert asked == words.SendHealth(talk.nonce)
    assert talk.say(messages.Renew()) == ()  # the one that comes is signed after this was said
    talk.say(lease(1, talk.nonce))
    assert talk.say(messages.Renew()) == (words.SendHealth(talk.nonce),)


@pytest.mark.parametrize("ask", [messages.Poke(), messages.Current(turn=1), messages.Renew()])
def test_a_master_that_asks_without_end_is_left(ask: messages.Message) -> None:
    talk = Talk(standing(1))
    talk.connect(1)
    heard = 0
    while talk.session.state == "up" and heard < 1000:
        talk.say(ask)
        heard += 1

    assert (talk.session.state, talk.session.why) == ("away", "the master asks too often")
    assert heard == AT_ONCE + 1


def test_who_has_signed_nothing_has_a_node_look_at_nothing() -> None:
    talk = Talk(standing(1))
    talk.give(words.Tick())
    talk.give(words.Opened())
    strange = messages.Lease(lease=sign_lease(testing.LEASE, (testing.STRANGER,)))
    assert words.Send(messages.Fetch()) in talk.say(strange)

    assert talk.say(messages.Current(turn=1)) == ()
