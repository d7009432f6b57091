"""saltern drift: whom its words mean, and what is said of a word that means nothing."""

from __future__ import annotations

import json

import pytest
from saltern_master.cli.drift import WORDS, meant

from tests.master.api_stand import Master
from tests.master.test_cli_master import run

NOBODY = "w9: no such node; there are: w1, w2"


@pytest.mark.parametrize(
    "words",
    [
        ("w9",),
        ("now", "--node", "w9"),
        ("history", "w9"),
        ("history", "--node", "w9"),
        ("watch", "w9"),
        ("w9", "--follow"),
        ("explain", "w9:1"),
        ("hold", "w9", "--for", "1h", "--why", "x"),
    ],
    ids=" ".join,
)
def test_a_node_that_there_is_not_is_wrong_input(two: Master, words: tuple[str, ...]) -> None:
    done = run(two, "drift", *words)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count(NOBODY) == 1
    assert done.stderr.count("w9") == (2 if words[0] == "explain" else 1)


def test_a_node_that_was_removed_is_still_asked_for(two: Master) -> None:
    two.do(two.fake.deviate("w1", "a"))
    two.do(two.fake.revoke("w1"))

    assert run(two, "drift", "history", "w1").exit_code == 0


def test_faults_of_all_kinds_are_told_at_once(two: Master) -> None:
    done = run(two, "drift", "history", "w8", "w1", "--node", "w9", "--kind", "files")

    head, node, kind = done.stderr.splitlines()
    assert done.exit_code == 2
    assert head == "saltern: cannot look for this drift: 2 faults"
    assert node == "  node: w8, w9: no such node; there are: w1, w2"
    assert kind.startswith("  kind: there is no files")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("histroy",), "history"),
        (("histroy", "--most", "5"), "history"),
        (("explian", "w1:1"), "explain"),
        (("hodl", "w1", "--for", "1h", "--why", "x"), "hold"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_command_that_is_nearly_one_is_asked_for(
    two: Master, words: tuple[str, ...], command: str
) -> None:
    done = run(two, "drift", *words)

    assert done.exit_code == 2
    assert f"did you mean {command}?" in done.stderr


def test_no_command_is_offered_for_what_is_near_none() -> None:
    assert [meant(one) for one in ("w9", "", "cp1")] == ["", "", ""]
    assert all(meant(f"{one}s").endswith("?") for one in WORDS)


def test_nodes_are_named_alike_in_all_lists(two: Master) -> None:
    for node in ("w1", "w2"):
        two.do(two.fake.deviate(node, "a"))

    def ids(*words: str) -> list[str]:
        done = run(two, "drift", *words, "--output", "json")
        assert done.exit_code in (0, 1), done.stderr
        return [one["id"] for one in json.loads(done.stdout)]

    for command in ("now", "history"):
        assert ids(command, "w1") == ids(command, "--node", "w1") == ["w1:1"]
        assert ids(command, "w1", "w2") == ids(command, "w1", "--node", "w2") == ["w2:2", "w1:1"]
    assert ids("w1", "w2") == ["w2:2", "w1:1"]


def test_what_now_takes_its_help_shows(two: Master) -> None:
    said = run(two, "drift", "now", "--help").stdout
    assert all(option in said for option in ("--open", "--follow", "--node", "[NODE]..."))


@pytest.mark.parametrize("output", ["table", "yaml"])
def test_what_ended_is_watched_with_what_it_was(two: Master, output: str) -> None:
    two.do(two.fake.deviate("w1", "a"))
    two.do(two.fake.heal("w1", "a"))

    async def later() -> None:
        await two.fake.followed()
        await two.halt()

    (drift,) = json.loads(run(two, "drift", "history", "--output", "json").stdout)
    two.meanwhile(later())
    since = ("--since", "2027-01-15T07:00Z")
    done = run(two, "drift", "watch", "w1", *since, "--output", output)

    if output == "yaml":
        first, second, *_ = done.stdout.splitlines()
        assert (first, second) == ("---", 'node: "w1"')
    else:
        assert done.stdout.count("healed") == 1
        assert done.stdout.rstrip().endswith("; ".join(drift["found"]))
