"""Fault 17: an agent that reads 1 KB a second, and one that hangs with its link up.

Neither costs the others anything, and who hangs is shown as not working. That takes the master 70
seconds of silence: the full form waits for it; in the short form it is left to
tests/master/test_front_wedged.py, with a clock of its own.
"""

from __future__ import annotations

import time

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.fleet import Fleet, fleet, go, percentile, told
from tests.faults.slow_line import slow_line

MEMBERS = 40
FULL = 2
SHOWN_SECONDS = 90.0
WATCHED = 100.0
ACK_SECONDS = 1.0


def run(trial: Trial) -> Seen:
    """Let one be slow and one hang, of forty."""
    full = trial.rounds >= FULL
    seconds = WATCHED if full else 4.0
    with fleet(trial.directory, MEMBERS) as one, slow_line(one.link_port) as slow_port:
        bad, good = one.members[:2], one.members[2:]
        crowds = [
            one.crowd(good, True, manner="honest", pause=0.5),
            one.crowd(bad[:1], False, manner="wedged"),
            one.crowd(bad[1:], False, manner="slow", port=slow_port),
        ]
        try:
            for crowd in crowds:
                told(crowd)
            for crowd in crowds:
                go(crowd, seconds)
            shown = _shown(one, bad[0].name, seconds) if full else 0.0
            acks = told(crowds[0])
            states = {node.name: node.health for node in one.client.status().nodes}
        finally:
            for crowd in crowds:
                crowd.kill()
                crowd.communicate()
    others = [each.name for each in good if states[each.name] == "not working"]
    figures = [
        Figure("others' ack p99", percentile(acks["acks"], 0.99), ACK_SECONDS, "s"),
        Figure("others refused or called not working", acks["refused"] + len(others)),
    ]
    if full:
        figures.append(Figure("the hung one shown after", shown, SHOWN_SECONDS, "s"))
    how = "the GIL held in a call, libzmq's threads running" + ("" if full else "; 4 s of it")
    return Seen(trial.rounds, tuple(figures), how)


def _shown(one: Fleet, name: str, seconds: float) -> float:
    """Give after how long a node is called not working, in its line and by an alarm."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        view = one.client.status()
        line = next(node for node in view.nodes if node.name == name)
        alarmed = any((each.kind, each.node) == ("not-working", name) for each in view.alarms)
        if line.health == "not working" and alarmed:
            return time.monotonic() - began
        time.sleep(0.2)
    return float("inf")


FAULT = Fault(
    number=17, what="a slow agent and a hung one", short=1, full=FULL, run=run, alone=True
)
