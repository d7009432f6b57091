"""The files by which two releases speak: whole or not there; what one adds is passed over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from saltern_agent.upgrade.records import Ended, Records
from saltern_agent.upgrade.stages import BEGIN, Order, Package, Stage, Told

ORDER = Order(Package("2", "b" * 64), Package("1", "a" * 64), attempt=3, release="b" * 64)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    for name in ("state", "run"):
        (tmp_path / name).mkdir()
    return Records(tmp_path / "state", tmp_path / "run")


def test_all_that_is_written_is_read_again(records: Records) -> None:
    ended = Ended("2", "b" * 64, 3, done=False, why="it was ill", at=1.5)
    stage = Stage("watching", boot="b", before="old", asked=1.25, since=2.5, reached_by="r")
    told = Told("run", taken=True, refused="no", why="no")
    records.write_order(ORDER)
    records.keep(stage)
    records.tell(told)

    assert (records.order(), records.stage(), records.told()) == (ORDER, stage, told)
    assert records.under_way()
    records.end(ended)
    assert records.ended() == ended
    assert not records.under_way()
    assert records.order() is None


def test_an_order_begins_at_the_beginning_whatever_the_one_before_came_to(records: Records) -> None:
    records.keep(Stage("gone back", why="the one before"))
    records.write_order(ORDER)

    assert records.stage() == BEGIN


def test_nothing_is_there_before_it_was_written(records: Records) -> None:
    assert records.order() is None
    assert records.ended() is None
    assert records.told() is None
    assert records.stage() == BEGIN
    assert not records.under_way()


def test_what_another_release_added_is_passed_over(records: Records) -> None:
    told = {"format": 1, "run": "r", "reached": True, "taken": True, "mood": "good"}
    (records.run / "reached").write_text(json.dumps(told))

    assert records.told() == Told("r", reached=True, taken=True)


def test_the_package_that_was_tried_goes_before_the_order(records: Records) -> None:
    """After it another upgrade may have begun, whose package has the same name."""
    records.write_order(ORDER)
    records.new.mkdir()  # it cannot be unlinked: what would come after it does not happen
    with pytest.raises(OSError, match=r"new\.deb"):
        records.end(Ended("2", "b" * 64, 1, done=True, why="", at=1.0))

    assert records.under_way()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"format": 2, "run": "r"}', '{"run": "r"}', '{"format": 1}']
)
def test_what_is_none_of_ours_is_not_there(records: Records, text: str) -> None:
    for path in (records.order_path, records.run / "reached", records.state / "ended.json"):
        path.write_text(text)

    assert (records.order(), records.told(), records.ended()) == (None, None, None)
