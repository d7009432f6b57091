"""A node reads itself for a master that it believes, and not without end."""

from __future__ import annotations

from saltern_agent.link import words
from saltern_protocol import messages

from tests.agent.talk import Talk, lease, standing


def test_a_node_reads_itself_only_for_a_master_whose_lease_it_believes() -> None:
    talk = Talk(standing(1))
    talk.give(words.Tick())
    talk.give(words.Opened())
    assert talk.say(messages.Survey(turn=3)) == ()
    assert talk.session.ignored == 1
    talk.say(lease(1, talk.nonce))
    assert talk.say(messages.Survey(turn=4)) == (words.Read(4),)


def test_a_master_that_has_a_node_read_itself_without_end_is_left() -> None:
    talk = Talk(standing(1))
    talk.connect(version=1)
    said = [talk.say(messages.Survey(turn=turn)) for turn in range(200)]
    assert said.count((words.Close(),)) == 1
    assert talk.session.state == "away"
