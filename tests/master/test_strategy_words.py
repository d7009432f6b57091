"""A strategy as people write it: every field is read, and every fault is told with its place."""

from __future__ import annotations

import pytest
from saltern_master.cli.strategy import READERS, made, of_options, together
from saltern_master.cli.strategy_file import words_of
from saltern_master.rollouts.strategy import Probe, Strategy

WHOLE = b"""\
canary: 5%
waves: [10%, 50, 100%]
maxUnavailable: {worker: 2, db: 10%}
soak: 1.5m
budget: 3
onSpent: undo
hold: 0
patience: 1h
absence: 90s
drain: 2m
onDrainTimeout: skip
probes: [10250, 8080/healthz, {port: 9000, path: /ready, status: 204, timeout: 1.0}]
"""


def test_each_field_can_be_written() -> None:
    words, faults = words_of(WHOLE, "file")
    strategy, wrong = made(words)

    assert set(READERS) == set(words) == set(Strategy.__struct_fields__)
    assert (faults, wrong) == ((), ())
    assert strategy == Strategy(
        canary="5%",
        waves=("10%", "50", "100%"),
        max_unavailable={"worker": "2", "db": "10%"},
        soak=90.0,
        budget="3",
        on_spent="undo",
        hold=0.0,
        patience=3600.0,
        absence=90.0,
        drain=120.0,
        on_drain_timeout="skip",
        probes=(
            Probe(port=10250),
            Probe(port=8080, path="/healthz"),
            Probe(port=9000, path="/ready", status=204, timeout=1.0),
        ),
    )


def test_an_option_counts_more_than_the_file_and_a_group_by_itself() -> None:
    words, _ = words_of(WHOLE, "file")
    options = of_options({"soak": "10s", "hold": ""}, "100%", ["worker=9"], ["80"])
    strategy, wrong = made(together(words, options))

    assert wrong == ()
    assert (strategy.soak, strategy.hold, strategy.waves) == (10.0, 0.0, ("100%",))
    assert strategy.max_unavailable == {"worker": "9", "db": "10%"}
    assert strategy.probes == (Probe(port=80),)
    assert made({})[0] == Strategy()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("canary: one", "file: canary: line 1: 'one' is no number of nodes"),
        ("canary: 101%", "file: canary: line 1: '101%' is no number of nodes"),
        ("canary: -1", "file: canary: line 1: '-1' is no number"),
        ("canary: [1]", "file: canary: line 1: expected one value"),
        ("soak: ~", "file: soak: line 1: expected one value"),
        ("soak: 8d", "file: soak: line 1: '8d' is longer than 7 days"),
        ("waves: 100%", "file: waves: line 1: expected a list"),
        ("waves: [0, 100%]", "strategy: waves: a wave of 0"),
        ("waves: [10%]", 'strategy: waves: the last one has to be "100%"'),
        ("maxUnavailable: 2", "file: maxUnavailable: line 1: expected a map"),
        ("maxUnavailable: {worker: 0}", "strategy: maxUnavailable: worker: with 0"),
        ("onSpent: never", "file: onSpent: line 1: 'never' is none of stop, undo"),
        ("probes: [70000]", "file: probes: line 1: '70000' is no PORT"),
        ("probes: [{port: 1, paht: /}]", "file: probes[0].paht: line 1: no such field"),
        ("max_unavailable: {}", "file: max_unavailable: line 1: no such field; did you mean"),
        ("- 1", "file: expected a map"),
        ("", "file: $: the file is empty"),
        ("canary: *x", "file: $: line 1: this is no YAML"),
        ('canary: "\\e[31m"', "file: canary: line 1: '\\x1b[31m' is no number"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    words, faults = words_of(text.encode(), "file")
    (fault,) = (*faults, *made(words)[1])

    assert fault.startswith(told)
    assert fault.isprintable()
