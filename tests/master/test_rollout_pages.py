"""What rollouts look like: golden pages, lines and tables, and the bounds of each. All pure.

SALTERN_GOLDEN=write makes the files of tests/golden/rollout-pages anew. Read the difference.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from saltern_master.api.rollout_requests import RolloutEvent, RolloutNodeEvent
from saltern_master.api.rollouts import RolloutNode, RolloutPhase, RolloutView
from saltern_master.cli.listing import Output
from saltern_master.cli.rollout_following import with_event
from saltern_master.cli.rollout_page import BAR, bar, cut, page, text_of
from saltern_master.cli.rollout_tables import rollout_lines, show_lines, trouble_lines
from saltern_master.cli.rollout_words import (
    STAGES,
    choices,
    head_line,
    lasted,
    node_line,
    status_line,
    status_of,
    summary_line,
)
from saltern_master.cli.status import rolling_lines
from saltern_master.rollouts.model import Stage
from saltern_master.rollouts.strategy import Strategy

GOLDEN = Path(__file__).parents[1] / "golden/rollout-pages"
NOW = 1_800_000_000.0
ZONE = timezone(timedelta(hours=1))


def node(
    name: str, wave: int, stage: Stage = "done", why: str = "", ago: float = 30
) -> RolloutNode:
    return RolloutNode(
        node=name,
        wave=wave,
        group="worker",
        stage=stage,
        impact="restart",
        since=NOW - ago,
        why=why,
    )


def view(*nodes: RolloutNode, phase: RolloutPhase = "running", wave: int = 0) -> RolloutView:
    return RolloutView(
        rollout=12,
        revision=8,
        before=7,
        phase=phase,
        wave=wave,
        waves=max((one.wave for one in nodes), default=-1) + 1,
        began=NOW - 723,
        by="ann",
        waits_for="w2 applies (5 s)",
        may_fail=3,
        failed=sum(one.stage == "failed" for one in nodes),
        total=len(nodes),
        stages=dict(Counter(one.stage for one in nodes)),
        nodes=nodes,
    )


def thousand() -> RolloutView:
    """A thousand nodes in twelve waves, the sixth of them in hand, in all stages."""
    ends, nodes = [1, 20, 50, 100, 200, 400, 550, 700, 800, 900, 950, 1000], []
    stages: dict[int, Stage] = {7: "failed", 60: "failed", 90: "aside", 210: "applying"}
    for at in range(1000):
        wave = next(number for number, end in enumerate(ends) if at < end)
        in_hand: Stage = "settling" if at < 230 else "waiting"
        stage = stages.get(at, "done" if at < 205 else in_hand)
        why = {"failed": "kubelet/unit failed: no such flag", "aside": "it is not connected"}
        nodes.append(node(f"worker-{at:04}", wave, stage, why.get(stage, ""), 5 + at % 50))
    waits = "; ".join(f"{one.node} becomes good (5 s)" for one in nodes[205:230])
    return replace(view(*nodes, wave=5), waits_for=waits)


MIXED = view(
    node("cp1", 0),
    node("w1", 1, "draining", "web-1 stays: its disruption budget allows none", 62),
    replace(node("w2", 1, "applying", ago=5), away=True),
    replace(node("w3", 1, "settling", "kubelet is not Ready"), cordoned=True),
    node("w4", 2, "waiting"),
    node("w5", 2, "waiting"),
    wave=1,
)
PAUSED = replace(MIXED, phase="paused", why="the pods of w1 do not leave: web-1 stays")
STOPPED = replace(
    view(
        node("w1", 0),
        node("w2", 1, "failed", "\x1b[31mno such flag\x1b[0m\n--evil \u202e"),
        node("w3", 1, "failed", "服务没有启动" * 20),
        node("w4", 2, "aside", "it is not connected"),
        phase="stopped",
        wave=1,
    ),
    why="2 failed, and at most 1 may: w2, w3",
)
GOES_BACK = replace(STOPPED, strategy=Strategy(on_spent="undo"))
TAKEN_BACK = replace(STOPPED, phase="aborted", ended=NOW - 3, undone_by=13)
SOAKS = replace(
    view(node("w1", 0), node("w2", 1, "waiting"), phase="soaking"),
    soak_until=NOW + 43,
    waits_for="soaks for 43 s more; 1 done",
)
DONE = replace(view(node("w1", 0), node("w2", 1), phase="done", wave=1), ended=NOW - 60)
UNDO = replace(DONE, rollout=13, revision=7, before=8, undoes=12, by="bob")
LONG = view(node("a" * 63, 0, "applying", "x" * 300), node("w2", 1, "waiting"))
QUEUED = replace(view(), phase="queued", waits_for="rollout 11, which is running", revision=0)
VIEWS = {
    "mixed": MIXED,
    "paused": PAUSED,
    "stopped": STOPPED,
    "goes-back": GOES_BACK,
    "taken-back": TAKEN_BACK,
    "soaks": SOAKS,
    "done": DONE,
    "undo": UNDO,
    "long": LONG,
    "queued": QUEUED,
    "thousand": thousand(),
}
HEADS = [replace(one, nodes=()) for one in VIEWS.values()]
PAGES = {
    **{name: text_of(page(one, NOW, 100, 24)) for name, one in VIEWS.items()},
    "thousand-small": text_of(page(VIEWS["thousand"], NOW, 60, 16)),
    "list": rollout_lines(HEADS, NOW, ZONE, Output.TABLE),
    "list-wide": rollout_lines(HEADS, NOW, ZONE, Output.WIDE),
    "show": show_lines(MIXED, NOW, ZONE),
    "trouble": trouble_lines(STOPPED),
    "summaries": [summary_line(one, NOW) for one in VIEWS.values()],
    "log": [head_line(one, NOW, ZONE) for one in VIEWS.values()]
    + [node_line(one, NOW, ZONE) for one in STOPPED.nodes],
    "status": rolling_lines(HEADS, NOW),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_was_agreed(name: str) -> None:
    path = GOLDEN / f"{name}.txt"
    found = "\n".join([*PAGES[name], ""])
    if os.environ.get("SALTERN_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)

    assert found == path.read_text()


def test_nothing_from_outside_reaches_the_terminal_raw() -> None:
    assert all(line.isprintable() for lines in PAGES.values() for line in lines)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("size", [(20, 5), (40, 8), (60, 16), (80, 24), (200, 60)])
def test_no_page_is_larger_than_its_terminal(name: str, size: tuple[int, int]) -> None:
    lines = text_of(page(VIEWS[name], NOW, *size))

    assert len(lines) <= size[1]
    assert max(map(cell_len, lines)) <= size[0]
    assert lines[0].startswith("rollout 1")


@pytest.mark.parametrize("size", [(60, 12), (80, 24)])
@pytest.mark.parametrize("name", ["paused", "stopped"])
def test_the_reason_and_the_way_out_are_seen_in_a_small_terminal(
    name: str, size: tuple[int, int]
) -> None:
    text = "\n".join(text_of(page(VIEWS[name], NOW, *size)))

    assert f"{name}: " in text
    for command, _ in choices(VIEWS[name]):
        assert command in text


@given(st.dictionaries(st.sampled_from(STAGES), st.integers(0, 5000)))
def test_a_bar_is_whole_and_hides_nobody(found: dict[str, int]) -> None:
    spans = bar(Counter(found))
    text = "".join(letters for letters, _ in spans)

    assert len(text) == BAR
    assert ("×" in text) == (found.get("failed", 0) > 0)
    assert ("█" in text) == (found.get("done", 0) > 0)
    if any(found.values()):
        assert ("░" in text) == (found.get("waiting", 0) > 0)


@given(st.lists(st.tuples(st.text("aé服 \u0301", max_size=20), st.just(""))), st.integers(1, 30))
def test_what_is_cut_fits_and_what_fits_is_not_cut(spans: list[tuple[str, str]], to: int) -> None:
    line = tuple(spans)
    shown = "".join(text for text, _ in cut(line, to))
    whole = "".join(text for text, _ in line)

    assert cell_len(shown) <= to
    assert (shown == whole) == (cell_len(whole) <= to)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (723, "12 min 3 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (97_200, "1 d 3 h"),
    ],
)
def test_how_long_something_took(seconds: float, told: str) -> None:
    assert lasted(seconds) == told


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("done", 0),
        ("undo", 0),
        ("mixed", 3),
        ("soaks", 3),
        ("queued", 3),
        ("paused", 3),
        ("stopped", 1),
        ("taken-back", 1),
        ("thousand", 1),
    ],
)
def test_what_a_rollout_means(name: str, status: int) -> None:
    assert status_of(VIEWS[name]) == status
    assert status_of(replace(VIEWS[name], nodes=())) == status


def test_done_without_everybody_is_not_all_done() -> None:
    for stage in ("aside", "skipped"):
        one = replace(DONE, nodes=(node("w1", 0), node("w2", 1, stage)))
        assert status_of(one) == 3


def test_one_line_of_status_says_which_command_tells_more() -> None:
    assert status_line(MIXED, NOW).endswith("see: saltern rollout watch 12")
    assert status_line(PAUSED, NOW).endswith("see: saltern rollout status 12")
    assert rolling_lines([DONE, UNDO, QUEUED], NOW) == []


def test_what_is_offered_is_what_the_master_would_do() -> None:
    aborted = replace(TAKEN_BACK, undone_by=0)
    why = "it is not taken back: revision 7 is kept no longer"

    assert [one for one, _ in choices(aborted)] == ["saltern rollout undo 12"]
    assert choices(replace(aborted, before=aborted.revision)) == []
    assert choices(replace(aborted, undo="wanted")) == []
    assert "about to be taken back" in summary_line(replace(aborted, undo="wanted"), NOW)
    stuck = replace(aborted, undo="wanted", notes=("another", why))
    assert [one for one, _ in choices(stuck)] == ["saltern rollout abort 12"]
    assert summary_line(stuck, NOW).endswith(why)


def test_what_was_before_it_was_looked_at_is_no_news() -> None:
    w1 = replace(node("w1", 0), since=NOW)
    seen = replace(DONE, phase="running", wave=1, nodes=(w1, node("w2", 1, "applying")))
    older = replace(w1, stage="applying", since=NOW - 5)
    newer = replace(w1, stage="failed", since=NOW + 5)

    assert with_event(seen, RolloutNodeEvent(node=older)) == seen
    assert with_event(seen, RolloutNodeEvent(node=newer)).nodes[0].stage == "failed"
    assert with_event(seen, RolloutEvent(rollout=replace(seen, wave=0, nodes=()))) == seen
    ended = with_event(seen, RolloutEvent(rollout=replace(DONE, wave=0, nodes=())))
    assert (ended.phase, ended.nodes) == ("done", seen.nodes)
