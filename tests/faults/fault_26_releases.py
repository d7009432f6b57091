"""Fault 26: masters and agents of this release and of the one before, side by side, and back.

Nodes and master begin as the release before. Then the master is upgraded, the agents after it, and
all of it goes back: each time processes are killed, and those of the other release go on with what
they find on the disk. The kill comes right after an edit on a node, so that there is something that
is not acknowledged yet. With each pair a cluster file is applied, and edits are told and set right.

Lost acknowledged: drift that was in the master's store and is not any more, or an edit that never
came there. Agents needing hands: those that are not connected and as declared within a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from saltern_master.bench.crowd.body import cluster_file
from saltern_master.lab.errors import LabError

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.two_releases import Release, TwoReleases, release_before

NODES: Final = 2
PATIENCE: Final = 60.0
PAIRS: Final[tuple[tuple[Release, Release], ...]] = (  # master, agents
    ("this", "before"),
    ("this", "this"),
    ("before", "this"),
    ("before", "before"),
    ("this", "this"),
)


def run(trial: Trial) -> Seen:
    """Go through the pairs, as often as wanted."""
    older = trial.directory / "before"
    older.mkdir()
    named = release_before(older)
    folder = trial.directory / "crowd"
    folder.mkdir(mode=0o711)
    trial.directory.chmod(0o711)
    crowd = TwoReleases(folder, NODES, before=older)
    lost = hands = tried = 0
    took: list[float] = []
    try:
        crowd.start_master()
        crowd.join()
        crowd.apply(cluster_file(crowd.names, "begin")).followed.must_be("changed")
        while tried < trial.rounds:
            for pair in PAIRS:
                missing, needing, seconds = _pair(crowd, pair, f"{tried} {pair}")
                lost, hands, tried = lost + missing, hands + needing, tried + 1
                took.append(seconds)
                trial.say(f"master {pair[0]}, agents {pair[1]}: all well after {seconds:.1f} s")
    finally:
        crowd.close()
    return Seen(
        tried,
        (
            Figure("lost acknowledged", lost),
            Figure("agents needing hands", hands),
            Figure("to all well, longest", max(took), PATIENCE, "s"),
        ),
        how=f"the release before is {named}",
    )


def _pair(crowd: TwoReleases, pair: tuple[Release, Release], word: str) -> tuple[int, int, float]:
    """Be such a pair; gives what was lost, how many agents need hands, and seconds to all well."""
    known = {name: crowd.drift(name) for name in crowd.names}
    for name in crowd.names:
        crowd.damage(name, f"just before {word}")
    _until(lambda: all(map(crowd.healed, crowd.names)))
    crowd.be(*pair)
    seconds = _until(crowd.is_well)
    crowd.apply(cluster_file(crowd.names, word.translate(PLAIN))).followed.must_be("changed")
    for name in crowd.names:
        crowd.damage(name, f"as {word}")
    seconds = max(seconds, _until(lambda: all(map(crowd.healed, crowd.names))))
    seconds = max(seconds, _until(crowd.is_well))
    _until(lambda: all(len(crowd.drift(name) - known[name]) >= EDITS for name in crowd.names))
    lost = 0
    for name in crowd.names:
        found = crowd.drift(name)
        lost += len(known[name] - found) + max(0, EDITS - len(found - known[name]))
    if crowd.is_well():
        return lost, 0, seconds
    status = {one.name: one for one in crowd.client.status().nodes}
    ill = [name for name in crowd.names if not status[name].connected]
    if not ill:
        raise LabError(f"cannot say what ails them: {status}")
    return lost, len(ill), seconds


def _until(condition: Callable[[], bool]) -> float:
    """Wait until something holds; the seconds, or those of all patience."""
    began = time.monotonic()
    while not condition() and time.monotonic() - began < PATIENCE:
        time.sleep(0.05)
    return time.monotonic() - began


EDITS: Final = 2  # on each node, with each pair
PLAIN: Final = str.maketrans("", "", "(),'")

FAULT = Fault(
    number=26,
    what="master and agents of this release and the one before, and back",
    short=len(PAIRS),
    full=5 * len(PAIRS),
    run=run,
)
