"""Parts of the link, one by one: certificates for a waiting thread, and pages of plans."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.link.certificates import Requests
from saltern_agent.link.pace import pause
from saltern_agent.link.pages import no_plan, pages
from saltern_agent.plan import Plan, Planned
from saltern_agent.plan_digest import digest
from saltern_agent.steps import Step
from saltern_protocol import messages
from saltern_protocol.messages import MOST_SPREAD
from saltern_states.body import Resource
from saltern_states.contract import Blocked
from saltern_states.file import File
from saltern_states.ports import HostError

Call = Callable[[], None]


def in_loop(posted: deque[Call]) -> Callable[[Call], None]:
    """Post to a loop that runs at once, in the caller's thread."""

    def post(call: Call) -> None:
        posted.append(call)
        call()

    return post


def test_a_certificate_is_given_to_the_thread_that_waits_for_it() -> None:
    requests = Requests(in_loop(deque()))
    asked: list[tuple[int, str, bytes]] = []

    def ask(number: int, resource: str, csr: bytes) -> None:
        asked.append((number, resource, csr))
        threading.Thread(target=requests.give, args=(number, b"PEM", "")).start()

    assert requests.issue(ask, "pki/apiserver", b"csr") == b"PEM"
    assert asked == [(1, "pki/apiserver", b"csr")]


def test_why_there_is_none_is_told() -> None:
    requests = Requests(in_loop(deque()))

    def ask(number: int, _resource: str, _csr: bytes) -> None:
        requests.give(number, b"", "the master is not reached: nobody answers there")

    with pytest.raises(HostError, match=r"cannot get a certificate for a: .*nobody answers"):
        requests.issue(ask, "a", b"csr")


def test_who_waits_in_vain_waits_no_longer_than_was_said() -> None:
    requests = Requests(in_loop(deque()))

    with pytest.raises(HostError, match="no answer"):
        requests.issue(lambda *_: None, "a", b"csr", seconds=0.01)
    requests.give(1, b"PEM", "")  # too late: nobody is there, and nothing happens


def planned(why: str) -> Planned:
    step = Step("hold", Resource(id="r", spec=File(path="/etc/a", text="a")))
    return Planned(step, "blocked", changes=(Blocked(why=why),), why=why)


@given(st.lists(st.text(max_size=6000), max_size=80))
def test_law_every_page_is_a_message_and_nothing_is_lost(whys: list[str]) -> None:
    plan = Plan(tuple(planned(why) for why in whys))
    told = pages(3, plan)

    for page in told:
        messages.encode(page)
    assert [page.last for page in told] == [*[False] * (len(told) - 1), True]
    assert [page.page for page in told] == list(range(len(told)))
    assert [page.digest for page in told] == [*[b""] * (len(told) - 1), digest(plan)]
    assert sum(len(page.lines) for page in told) == 2 * len(whys)


def test_what_a_change_rests_on_is_told_with_it_and_is_not_in_the_digest() -> None:
    step = Step("hold", Resource(id="r", spec=File(path="/etc/a", text="a")))
    change = Blocked(why="write /etc/a")
    sure = Plan((Planned(step, "to change", changes=(change,)),))
    supposing = Plan((Planned(step, "to change", changes=(change,), why="provided that p"),))
    (line,) = pages(3, supposing)[0].lines

    assert line.change == f"{change} (provided that p)"
    assert pages(3, sure)[0].lines[0].change == str(change)
    assert digest(supposing) == digest(sure)


def test_why_there_is_no_plan_fits_a_message() -> None:
    told = no_plan(3, "r" * 999, "w" * 99_999)

    messages.encode(told)
    assert told.digest == b""


@given(
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 10**6),
    st.integers(-(2**63), 2**63),
)
def test_a_pause_is_bounded_whatever_a_master_names(
    jitter: float, failures: int, spread: int
) -> None:
    assert 0 <= pause(jitter, failures, spread) < MOST_SPREAD


def test_a_node_alone_is_back_within_a_minute_however_long_its_master_was_away() -> None:
    connecting = 10  # seconds, link_socket.py
    assert 30 < pause(1.0, 1000, 0) < 60 - connecting


def test_a_pause_is_drawn_from_what_the_master_named_or_longer() -> None:
    drawn = [pause(1.0, failures, 20) for failures in range(8)]

    assert drawn == [20, 20, 20, 20, 20, 32, 45, 45]
    assert pause(0.25, 0, 20) == 5
    assert [pause(1.0, failures, 1) for failures in range(3)] == [1, 2, 4]
