"""Conversations of a session, word for word, and laws for any of them.

SALTERN_GOLDEN=write makes the files of tests/golden/session anew: read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.link import words
from saltern_agent.link.pace import SHUT_OUT
from saltern_agent.link.session import HEALTH_EVERY
from saltern_agent.outbox import Batch
from saltern_protocol import messages, report, testing
from saltern_protocol.lease import LEASE_SECONDS, sign_lease

from tests.agent import stale_talk
from tests.agent.talk import Talk, doc, hash_of, lease, proposal, standing
from tests.agent.test_journal import APPLIED

GOLDEN = Path(__file__).parent.parent / "golden" / "session"
BODY, BLOB = testing.DOCUMENT.body, bytes(range(32))
PART = b"p" * messages.MAX_PART


def batch(first: int, items: int, waiting: int = 0) -> Batch:
    return Batch(first, (APPLIED,) * items, waiting or items)


def joining_in() -> Talk:
    """A new node: its first document, whose body and one blob have to be fetched."""
    talk = Talk()
    talk.connect(version=1)
    offer = doc(turn=5, version=1)
    talk.say(offer, 0.1)
    talk.give(words.Checked(offer, (BODY,)))
    talk.say(messages.BlobPart(blob=BODY, offset=0, size=1, data=b"\x80"), 0.1)
    talk.give(words.Kept(BODY))
    talk.give(words.Checked(offer, (BLOB,)))
    talk.say(messages.BlobPart(blob=BLOB, offset=0, size=3, data=b"abc"), 0.1)
    talk.give(words.Kept(BLOB))
    talk.give(words.Checked(offer, ()))
    talk.give(words.Stands(standing(1)))
    talk.give(words.Waits(batch(1, 1)))
    talk.say(messages.Ack(seq=1), 0.1)
    talk.give(words.Waits(Batch()))
    return talk


def a_new_document() -> Talk:
    """Poked: a new document, of which nothing is missing."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Poke(), 5)
    offer = doc(turn=6, version=2)
    talk.say(offer, 0.1)
    talk.give(words.Checked(offer, ()))
    return talk


def a_lease_that_says_something_else() -> Talk:
    """Asked to, the node asks for a lease at once, and for no second one before that has come."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Renew(), 5)
    talk.say(messages.Renew(), 0.1)
    talk.say(lease(1, talk.nonce), 0.1)
    talk.say(messages.Renew(), 5)
    return talk


def the_same_document() -> Talk:
    """Poked: nothing is new, so everything is looked at."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Poke(), 5)
    talk.say(messages.Current(turn=7), 0.1)
    looked = messages.Looked(
        turn=7, at_us=1, version=1, outcome=report.Outcome.CONVERGED, changes=0, took_us=900
    )
    talk.give(words.Say(looked), 0.1)
    return talk


def a_plan() -> Talk:
    """Poked: a proposal, which is planned."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Poke(), 5)
    offer = proposal(turn=8, version=2)
    talk.say(offer, 0.1)
    talk.give(words.Checked(offer, ()))
    talk.give(words.Say(messages.Plan(turn=8, page=0, last=True, lines=())), 0.2)
    return talk


def reports_that_were_not_acknowledged() -> Talk:
    """The connection is lost with a Report unacknowledged: it is said again, then the next."""
    talk = Talk(standing(1), batch(41, 2, waiting=3))
    talk.connect(version=1)
    talk.give(words.Lost("the connection was closed"), 1)
    talk.give(words.Tick(), 0.5)
    talk.give(words.Opened(), 0.1)
    talk.say(lease(1, talk.nonce), 0.1)
    talk.give(words.Waits(batch(41, 3)))
    talk.say(messages.Ack(seq=42), 0.1)
    talk.give(words.Waits(batch(41, 3)))  # read before the acknowledgement was kept
    talk.give(words.Waits(batch(43, 1)))
    talk.say(messages.Ack(seq=43), 0.1)
    return talk


def a_blob_cut_by_a_loss() -> Talk:
    """A blob of eleven parts; the connection is lost after nine, and two are still missing."""
    talk = Talk()
    talk.connect(version=1)
    offer = doc(turn=5, version=1)
    size = 10 * len(PART) + 1
    talk.say(offer)
    talk.give(words.Checked(offer, (BLOB,)))
    for number in range(9):
        at = number * len(PART)
        talk.say(messages.BlobPart(blob=BLOB, offset=at, size=size, data=PART))
        talk.give(words.Written(BLOB, at + len(PART)))
    talk.give(words.Lost("the connection was closed"), 1)
    talk.give(words.Tick(), 0.5)
    talk.give(words.Opened(), 0.1)
    talk.say(lease(1, talk.nonce), 0.1)
    talk.say(offer, 0.1)
    talk.give(words.Checked(offer, (BLOB,), 9 * len(PART)))
    talk.say(messages.BlobPart(blob=BLOB, offset=9 * len(PART), size=size, data=PART))
    talk.give(words.Written(BLOB, 10 * len(PART)))
    talk.say(messages.BlobPart(blob=BLOB, offset=10 * len(PART), size=size, data=b"e"))
    talk.give(words.Kept(BLOB))
    return talk


def a_master_that_forgot() -> Talk:
    """Again: the conversation begins anew over the same connection; but not without end."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Again(), 20)
    talk.say(messages.Again(), 0.1)
    talk.say(lease(1, talk.nonce), 0.1)
    talk.say(messages.Again(), 0.1)
    return talk


def a_node_that_was_revoked() -> Talk:
    """It goes on holding what it has, and asks seldom."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Refused(reason="revoked", why="by an operator"), 5)
    talk.give(words.Tick(), SHUT_OUT["revoked"] - 1)
    talk.give(words.Tick(), 31)
    return talk


def a_node_that_was_removed() -> Talk:
    """It is to let go, where nothing stands on it; else it asks seldom, and holds what it has."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Refused(reason="removed", why="this node was removed"), 5)
    talk.give(words.Tick(), SHUT_OUT["removed"] - 1)
    talk.give(words.Tick(), 31)
    return talk


def a_node_whose_key_was_copied() -> Talk:
    """It goes on holding what it has, and comes back soon after it was unlocked."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Refused(reason="locked", why="two machines"), 5)
    talk.give(words.Tick(), 59)
    talk.give(words.Tick(), 32)
    return talk


def a_master_of_ten_thousand() -> Talk:
    """It is lost by all at once: they come back over as many seconds as it named."""
    talk = Talk(standing(1))
    talk.give(words.Tick())
    talk.give(words.Opened(), 0.1)
    talk.say(replace(lease(1, talk.nonce), spread=20), 0.1)
    talk.give(words.Lost("the connection was closed"), 5)
    talk.give(words.Tick(), 9)
    talk.give(words.Tick(), 2)
    return talk


def bytes_that_are_no_message() -> Talk:
    """They are passed over, as is what is out of turn."""
    talk = Talk(standing(1))
    talk.give(words.Tick())
    talk.give(words.Opened(), 0.1)
    talk.give(words.Came(b"\xc1"))
    talk.give(words.Came(messages.encode(messages.Fetch())))
    talk.say(messages.Poke())
    talk.say(messages.Current(turn=1))
    talk.say(doc(turn=1, version=9))
    talk.say(messages.BlobPart(blob=BLOB, offset=0, size=1, data=b"x"))
    talk.say(messages.Cert(request=1, chain=b"x"))
    talk.say(messages.Ack(seq=1))
    talk.say(lease(1, bytes(16)))
    talk.say(lease(1, talk.nonce))
    return talk


def a_certificate() -> Talk:
    """One is given, one is lost with the connection, one cannot be asked for any more."""
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.give(words.Wanted(1, "pki/apiserver", b"csr"))
    talk.say(messages.Cert(request=1, chain=b"PEM"), 0.2)
    talk.give(words.Wanted(2, "pki/apiserver", b"csr"))
    talk.give(words.Lost("the connection was closed"), 0.1)
    talk.give(words.Wanted(3, "pki/apiserver", b"csr"))
    return talk


def a_silent_master() -> Talk:
    """First it gives no lease, then it stops answering; each time a longer pause follows."""
    talk = Talk(standing(1))
    talk.give(words.Tick())
    talk.give(words.Opened(), 0.1)
    talk.give(words.Tick(), 59)
    talk.give(words.Tick(), 2)
    talk.give(words.Tick(), 0.5)
    talk.give(words.Lost("nobody answers there"))
    talk.give(words.Tick(), 1)
    talk.give(words.Opened(), 0.1)
    talk.say(lease(1, talk.nonce), 0.1)
    talk.say(messages.Beat(), HEALTH_EVERY)
    talk.give(words.Tick(), 1)
    talk.give(words.Tick(), 45)
    return talk


STORIES: tuple[Callable[[], Talk], ...] = (
    joining_in,
    a_new_document,
    a_lease_that_says_something_else,
    the_same_document,
    a_plan,
    reports_that_were_not_acknowledged,
    a_blob_cut_by_a_loss,
    a_master_that_forgot,
    a_node_that_was_revoked,
    a_node_that_was_removed,
    a_node_whose_key_was_copied,
    a_master_of_ten_thousand,
    bytes_that_are_no_message,
    a_certificate,
    a_silent_master,
    *stale_talk.STORIES,
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_conversation_goes_as_it_is_written(story: Callable[[], Talk]) -> None:
    path, text = GOLDEN / f"{story.__name__}.txt", story().text
    if os.environ.get("SALTERN_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_every_golden_file_is_looked_at() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {story.__name__ for story in STORIES}


def test_a_lease_is_renewed_long_before_it_ends() -> None:
    talk = Talk(standing(1))
    talk.connect(version=1)
    asked = 0
    while talk.now < 4 * LEASE_SECONDS:
        for done in talk.give(words.Tick(), max(0.0, talk.session.due() - talk.now)):
            assert isinstance(done, words.SendHealth)
            talk.say(messages.Beat())
            if done.nonce:
                asked += 1
                talk.say(lease(1, done.nonce))
    assert talk.session.state == "up"
    assert asked in (11, 12)


def test_a_lease_under_a_newer_root_lets_the_node_ask_for_that_root() -> None:
    talk = Talk(standing(1))
    talk.give(words.Tick())
    talk.give(words.Opened())
    strange = messages.Lease(lease=sign_lease(testing.LEASE, (testing.STRANGER,)))

    assert words.Send(messages.Fetch()) in talk.say(strange)
    assert talk.session.state == "greeting"
    assert talk.say(strange) == ()


def test_a_document_that_was_refused_is_not_fetched_again_unless_somebody_asks() -> None:
    talk = Talk(standing(1))
    talk.connect(version=2)
    offer = doc(turn=0, version=2)
    talk.say(offer)
    (refused,) = talk.give(words.Declined(offer, "outside-policy", "no"))
    assert isinstance(refused, words.Refuse)

    while talk.now < 305:
        talk.give(words.Tick(), HEALTH_EVERY)
        talk.say(messages.Beat())
    assert talk.say(lease(2, talk.nonce)) == ()
    assert talk.session.ignored == 0
    assert talk.say(messages.Poke()) == (words.Send(messages.Fetch()),)


def test_a_master_that_has_nothing_for_a_new_node_is_not_asked_for_it() -> None:
    talk = Talk()
    talk.connect(version=0)

    assert talk.session.state == "up"
    assert not any("Fetch" in line for line in talk.lines)


def test_a_poke_while_a_fetch_has_no_answer_asks_nothing_twice() -> None:
    talk = Talk(standing(1))
    talk.connect(version=1)
    assert talk.say(messages.Poke()) == (words.Send(messages.Fetch()),)
    assert talk.say(messages.Poke()) == ()

    talk.say(messages.Current(turn=1))
    assert talk.say(messages.Poke()) == (words.Send(messages.Fetch()),)


def test_a_document_is_named_as_the_lease_names_it() -> None:
    assert words.hash_of(doc(1, 2)) == hash_of(2)


def test_that_nothing_is_newer_is_heard_unasked_once_there_is_a_lease() -> None:
    talk = Talk(standing(1))
    talk.give(words.Tick())
    talk.give(words.Opened())
    assert talk.say(messages.Current(turn=3)) == ()  # nobody has signed anything yet
    assert talk.session.ignored == 1
    talk.say(lease(1, talk.nonce))
    assert talk.say(messages.Current(turn=4)) == (words.Look(4),)
    assert talk.session.ignored == 1


def test_a_document_is_taken_that_a_fetch_brings_after_it_was_said_that_nothing_is_newer() -> None:
    talk = Talk(standing(1))
    talk.connect(version=1)
    talk.say(messages.Poke())
    talk.say(messages.Current(turn=3))  # said before the Fetch came; then there was a newer one
    talk.say(messages.Poke())
    offer = doc(turn=4, version=2)
    assert talk.say(offer) == (words.Check(offer),)
    assert talk.say(offer) == ()  # the other Fetch's answer
