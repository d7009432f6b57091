"""saltern drift: what is open, what was, what comes, and all of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.api.drifts import DriftPage, DriftPolicyView
from saltern_master.api.service import DriftView, HeldView
from saltern_master.cli.drift_asked import moment_of
from saltern_master.cli.drift_page import page_lines
from saltern_master.cli.drift_tables import drift_line, drift_lines, open_lines
from saltern_master.cli.drift_words import next_words, policy_words
from saltern_master.cli.listing import Output
from saltern_master.cli.moments import SpanError

from tests.master.api_stand import Master
from tests.master.test_cli_master import run

GOLDEN = Path(__file__).parents[1] / "golden/cli"
NOW = 1_800_000_000.0
ZONE = timezone(timedelta(hours=1))
OPEN = DriftView(
    node="w1",
    number=2,
    resource="docker/daemon.json",
    kind="file/1",
    since=NOW - 200,
    recorded=NOW - 199.992,
    stored=NOW - 199.98,
    seen="event",
    found=("other content: 31 bytes, was 29", "mode 0600"),
    id="w1:2",
    detail='--- there\n+++ declared\n-{"live-restore": false}\n+{"live-restore": true}\x1b[2J\n',
    by="tee (pid 4711)",
    nature="intended",
    hindrance="held until 2027-01-15T10:00:00+01:00: another kernel",
)
FIGHT = replace(
    OPEN,
    number=3,
    id="w1:3",
    resource="network/forward",
    kind="chain/1",
    found=("make the chain SALTERN-FWD anew",),
    detail="",
    by="iptables-restore (pid 99)",
    nature="external",
    hindrance="a fight: set right 3 times in 10 minutes and off again, so it is tried no oftener",
    attempts=3,
    incident=True,
)
HEALED = DriftView(
    node="w2",
    number=1,
    resource="network/cbr0",
    kind="bridge/1",
    since=NOW - 60,
    recorded=NOW - 59.991,
    stored=NOW - 59.95,
    seen="look",
    found=("make the bridge cbr0",),
    healed=NOW - 59.75,
    outcome="healed",
    id="w2:1",
)
HELD = HeldView(until=NOW + 3600, why="another kernel", by="ann", in_force=True)
ENFORCE = DriftPolicyView(mode="enforce", times=0, minutes=0)
BOUND = DriftPolicyView(mode="enforce", times=3, minutes=10)
REPORT = DriftPolicyView(mode="report", times=0, minutes=0)


def page(drift: DriftView, policy: DriftPolicyView | None = ENFORCE, *after: str) -> DriftPage:
    return DriftPage(drift=drift, now=NOW, connected=True, policy=policy, after=after)


PAGES = {
    "drift": open_lines([FIGHT, OPEN], NOW, ZONE, Output.TABLE),
    "drift-wide": open_lines([FIGHT, OPEN], NOW, ZONE, Output.WIDE),
    "drift-history": drift_lines([OPEN, HEALED], ZONE, Output.TABLE),
    "drift-history-wide": drift_lines([FIGHT, HEALED], ZONE, Output.WIDE),
    "drift-watch": [drift_line(one, ZONE) for one in (HEALED, OPEN, FIGHT)],
    "drift-explain-open": page_lines(replace(page(OPEN), hold=HELD), ZONE),
    "drift-explain-fight": page_lines(page(FIGHT, BOUND), ZONE),
    "drift-explain-healed": page_lines(page(HEALED, REPORT, "w2:9", "w2:4"), ZONE),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_was_agreed(name: str) -> None:
    expected = (GOLDEN / f"{name}.txt").read_text()

    assert "\n".join([*PAGES[name], ""]) == expected


def test_nothing_from_outside_reaches_the_terminal_raw() -> None:
    assert not any("\x1b" in line for lines in PAGES.values() for line in lines)


def test_where_nothing_is_that_is_said() -> None:
    assert open_lines([], NOW, ZONE, Output.WIDE) == ["no drift is open"]
    assert drift_lines([], ZONE, Output.TABLE) == ["no such drift is kept"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (page(HEALED), "nothing: it is over, and did not come again"),
        (page(HEALED, None, "w2:9"), "it came again: w2:9, the newest first"),
        (replace(page(OPEN), connected=False), "the node is not connected"),
        (replace(page(OPEN), hold=HELD), "when the hold of ann ends, the node looks"),
        (replace(page(OPEN), hold=replace(HELD, in_force=False)), "the agent tries again"),
        (page(replace(OPEN, nature="external"), None), "the node's document does not have it"),
        (page(replace(OPEN, nature="external"), REPORT), "nothing by itself"),
        (page(FIGHT, BOUND), "stop iptables-restore (pid 99) from undoing it; where it"),
        (page(FIGHT, BOUND), "closes once it has stayed right for a while, 10 min at most"),
        (page(replace(FIGHT, by=""), BOUND), "find who undoes it"),
        (page(replace(OPEN, nature="external")), "the agent tries again"),
        (page(replace(OPEN, nature="external", hindrance="")), "the agent sets it right"),
    ],
)
def test_what_comes_next(asked: DriftPage, told: str) -> None:
    assert told in next_words(asked)


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (None, "no document of the node has this resource"),
        (REPORT, "report: it is told, and not set right"),
        (ENFORCE, "as soon as it is seen, however often"),
        (BOUND, "at most 3 times in 10 minutes; beyond that it is a fight"),
        (DriftPolicyView(mode="enforce", times=1, minutes=1), "at most once in a minute"),
    ],
)
def test_what_a_policy_means(policy: DriftPolicyView | None, told: str) -> None:
    assert told in policy_words(page(OPEN, policy))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h", NOW - 7200),
        ("90s", NOW - 90),
        ("2027-01-15T09:00", NOW),
        ("2027-01-15T08:00Z", NOW),
        ("2027-01-15", NOW - 9 * 3600),
    ],
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert moment_of(text, NOW, ZONE) == seconds


def test_what_is_open_is_shown_and_is_the_exit_status(two: Master) -> None:
    well = run(two, "drift")
    two.do(two.fake.deviate("w1", "a", by="vi (pid 7)"))
    two.do(two.fake.deviate("w2", "b"))
    two.do(two.fake.heal("w2", "b"))
    off = run(two, "drift")
    history = run(two, "drift", "history")

    assert (well.exit_code, well.stdout, well.stderr) == (0, "no drift is open\n", "")
    assert (off.exit_code, off.stderr) == (1, "")
    assert "vi (pid 7)" in off.stdout
    assert "w2:2" not in off.stdout
    assert [line.split()[0] for line in history.stdout.splitlines()] == ["id", "w2:2", "w1:1"]
    assert history.exit_code == 0
    for words in (("w1", "--open"), ("now", "w1"), ("--resource", "a"), ("--kind", "file", "w1")):
        assert run(two, "drift", *words).stdout == off.stdout
    assert run(two, "drift", "w2").exit_code == 0


def test_drift_is_asked_for_by_all_that_is_known_of_it(two: Master) -> None:
    two.do(two.fake.deviate("w1", "net/a", nature="intended"))
    two.do(two.fake.deviate("w2", "net/b", kind="unit/1", incident=True))
    two.do(two.fake.deviate("w2", "c"))
    two.do(two.fake.heal("w2", "c"))

    def ids(*words: str) -> list[str]:
        done = run(two, "drift", "history", *words, "--output", "json")
        assert done.exit_code == 0, done.stderr
        return [one["id"] for one in json.loads(done.stdout)]

    assert ids() == ["w2:3", "w2:2", "w1:1"]
    assert ids("--target", "name=w2", "--open") == ids("--kind", "unit") == ["w2:2"]
    assert ids("--resource", "net/*") == ["w2:2", "w1:1"]
    assert ids("--node", "w1") == ids("--nature", "intended") == ["w1:1"]
    assert ids("--incident") == ["w2:2"]
    assert ids("--since", "2027-01-15T09:00Z") == ids("--until", "2027-01-15T07:00Z") == []
    assert ids("--since", "2027-01-15T07:00Z", "--until", "2027-01-15T09:00Z") == ids()
    assert ids("--most", "1", "--before", "w2:3") == ["w2:2"]
    assert "older ones: --before w2:2" in run(two, "drift", "history", "--most", "2").stderr


def test_what_there_is_not_is_said_with_what_there_is(two: Master) -> None:
    wrong = ("--target", "role=x", "--kind", "files")
    done = run(two, "drift", "history", *wrong)
    lines = done.stderr.splitlines()

    assert done.exit_code == 2
    assert lines[0] == "saltern: cannot look for this drift: 2 faults"
    assert lines[1].startswith("  target: role=x")
    assert lines[2].startswith("  kind: there is no files; did you mean file?; kinds: absent-link,")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--most", "0"), 2, "most"),
        (("--since", "soon", "--until", "0h"), 2, "--until: cannot read '0h' as a span of time"),
        (("--nature", "mine"), 2, "external"),
        (("explain",), 2, "ID"),
        (("explain", "w1"), 2, "cannot look for the drift w1"),
        (("explain", "w1:9"), 1, "cannot find the drift w1:9"),
        (("watch", "--until", "2h"), 2, "--until"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_input(two: Master, words: tuple[str, ...], status: int, told: str) -> None:
    done = run(two, "drift", *words)

    assert done.exit_code == status
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_one_is_explained(two: Master, output: str) -> None:
    two.fake.policies["a"] = BOUND
    two.do(two.fake.deviate("w1", "a", detail="-a\n+b\n"))
    done = run(two, "drift", "explain", "w1:1", "--output", output)

    assert (done.exit_code, done.stderr) == (0, "")
    if output == "json":
        told = json.loads(done.stdout)
        assert (told["drift"]["id"], told["policy"]["times"]) == ("w1:1", 3)
    elif output == "table":
        assert "at most 3 times in 10 minutes" in done.stdout
        assert "unknown: the kernel does not tell it of this" in done.stdout


@pytest.mark.parametrize("words", [("watch", "--node", "w1"), ("w1", "--follow")], ids=" ".join)
def test_drift_is_watched_without_a_gap_and_told_once(two: Master, words: tuple[str, ...]) -> None:
    two.do(two.fake.deviate("w1", "over"))
    two.do(two.fake.heal("w1", "over"))
    two.do(two.fake.deviate("w1", "before"))

    async def later() -> None:
        await two.fake.followed()
        await two.fake.deviate("w2", "elsewhere")
        await two.fake.deviate("w1", "after")
        await two.fake.heal("w1", "after")
        await two.halt()

    two.meanwhile(later())
    done = run(two, "drift", *words)

    told = [line.split("  ")[2] for line in done.stdout.splitlines()]
    assert told == ["before", "after", "after"]
    assert done.exit_code == 1
    assert "the master stopped" in done.stderr


def test_what_was_since_then_is_told_first_and_in_json(two: Master) -> None:
    two.do(two.fake.deviate("w1", "over"))
    two.do(two.fake.heal("w1", "over"))

    async def later() -> None:
        await two.fake.followed()
        await two.fake.deviate("w1", "fought", incident=True)
        await two.fake.deviate("w1", "other")
        await two.halt()

    two.meanwhile(later())
    since = ("--since", "2027-01-15T07:00Z")
    done = run(two, "drift", "watch", *since, "--open", "--output", "json")

    assert [json.loads(line)["resource"] for line in done.stdout.splitlines()] == [
        "fought",
        "other",
    ]


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("saltern drift ", {"now", "history", "watch", "explain", "w1", "w2"}),
        ("saltern drift w", {"watch", "w1", "w2"}),
        ("saltern drift --res", {"--resource"}),
        ("saltern drift explain ", {"w1:1"}),
        ("saltern drift history --kind un", {"unit"}),
    ],
)
def test_words_are_completed(two: Master, begun: str, offered: set[str]) -> None:
    two.do(two.fake.deviate("w1", "a"))
    done = subprocess.run(
        [sys.executable, "-c", "from saltern_master.cli import app; app(prog_name='saltern')"],
        env={
            **os.environ,
            "SALTERN_HOME": str(two.home),
            "_SALTERN_COMPLETE": "complete_bash",
            "COMP_WORDS": begun,
            "COMP_CWORD": str(begun.count(" ")),
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert offered <= set(done.stdout.split()), done.stderr


def test_what_is_no_time_is_refused() -> None:
    for text in ("", "soon", "2027-13-01", "99999-01-01"):
        with pytest.raises(SpanError, match="or a time such as"):
            moment_of(text, NOW, ZONE)
