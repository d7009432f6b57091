"""The outbox: who is told next, when again, what is given up, and who is failing."""

from __future__ import annotations

from saltern_master.notify.model import Event, Notice
from saltern_master.notify.outbox import (
    FAILING,
    LONGEST,
    MOST_AGE,
    MOST_WAITING,
    Outbox,
    begun,
    due,
    failed,
    failing,
    put,
    sent,
    trimmed,
)
from saltern_master.notify.settings import Receiver, Webhook

NOW = 1_800_000_000.0
HOOK = Webhook(url="http://127.0.0.1/", secret_file="/s")
OPS = Receiver(name="ops", webhook=HOOK)
NIGHT = Receiver(name="night", webhook=HOOK, only=("incident",))


def notice(number: int, event: Event = "away", at: float = NOW) -> Notice:
    return Notice(number=number, status="begins", event=event, word="", at=at, items=())


def numbers(outbox: Outbox, name: str) -> list[int]:
    return [one.number for one in outbox[name].waiting]


def test_who_wants_it_is_told() -> None:
    outbox = put({}, (OPS, NIGHT), (notice(1), notice(2, "incident")))

    assert (numbers(outbox, "ops"), numbers(outbox, "night")) == ([1, 2], [2])
    assert [(name, one.number) for name, one in due(outbox, NOW)] == [("night", 2), ("ops", 1)]


def test_one_at_a_time_and_in_order() -> None:
    outbox = put({}, (OPS,), map(notice, range(1, 4)))

    for number in (1, 2, 3):
        ((_, one),) = due(outbox, NOW)
        assert one.number == number
        outbox = begun(outbox, "ops")
        assert due(outbox, NOW + 1e6) == ()
        outbox = sent(outbox, "ops", number, NOW)
    assert due(outbox, NOW) == ()
    assert outbox["ops"].taken == NOW


def test_pauses_double_up_to_a_bound_and_end_with_a_success() -> None:
    outbox, at, pauses = put({}, (OPS,), (notice(1), notice(2))), NOW, list[float]()
    for _ in range(12):
        outbox = failed(begun(outbox, "ops"), "ops", "no", at)
        pauses.append(outbox["ops"].again - at)
        assert due(outbox, outbox["ops"].again - 0.1) == ()
        at = outbox["ops"].again
        assert len(due(outbox, at)) == 1

    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, LONGEST, LONGEST, LONGEST, LONGEST]
    outbox = sent(outbox, "ops", 1, at)
    assert (outbox["ops"].tries, outbox["ops"].why) == (0, "")
    assert numbers(outbox, "ops") == [2]
    assert len(due(outbox, at)) == 1


def test_one_that_fails_for_long_is_told_until_it_does_not() -> None:
    outbox = failed(put({}, (OPS,), (notice(1),)), "ops", "no", NOW)

    assert failing(outbox, NOW + FAILING - 1) == ()
    ((name, line),) = failing(outbox, NOW + FAILING)
    assert (name, line.why) == ("ops", "no")
    assert failing(sent(outbox, "ops", 1, NOW), NOW + FAILING) == ()


def test_what_is_too_old_or_too_many_is_given_up_and_counted() -> None:
    outbox = put({}, (OPS,), [notice(n, at=NOW + n) for n in range(MOST_WAITING + 3)])

    after, gone = trimmed(outbox, NOW + 3)
    assert [one.number for one in gone["ops"]] == [0, 1, 2]
    assert (after["ops"].dropped, len(after["ops"].waiting)) == (3, MOST_WAITING)

    later, gone = trimmed(after, NOW + 5 + MOST_AGE)
    assert [one.number for one in gone["ops"]] == [3, 4, 5]
    assert numbers(later, "ops")[0] == 6


def test_nothing_that_is_being_sent_is_given_up() -> None:
    outbox = begun(put({}, (OPS,), (notice(1),)), "ops")

    assert trimmed(outbox, NOW + 2 * MOST_AGE) == (outbox, {})


def test_a_clock_that_is_set_back_stops_nobody() -> None:
    outbox = failed(put({}, (OPS,), (notice(1),)), "ops", "no", NOW)

    assert len(due(outbox, NOW - 86_400)) == 1


def test_who_is_no_receiver_any_more_has_no_line() -> None:
    outbox = put({}, (OPS, NIGHT), (notice(1, "incident"),))

    assert put(outbox, (OPS,), ()).keys() == {"ops"}
    assert sent(put(outbox, (OPS,), ()), "night", 1, NOW).keys() == {"ops"}
    assert failed(put(outbox, (OPS,), ()), "night", "no", NOW).keys() == {"ops"}
