"""Fault 16: of all nodes a tenth says the largest, deepest and fastest that it can.

What the others see of it: how long their Acks take. What the master pays: memory of front and core.
"""

from __future__ import annotations

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.fleet import Memory, fleet, go, percentile, told

TENFOLD = 10  # nodes to one hostile one
FEW = 20
ACK_SECONDS = 1.0
GROWTH_MIB = 400.0


def run(trial: Trial) -> Seen:
    """Let `rounds` hostile nodes at a master of ten times as many."""
    few = trial.rounds < FEW
    seconds, pause = (3.0, 0.5) if few else (30.0, 5.0)
    with fleet(trial.directory, trial.rounds * TENFOLD) as one:
        bad, good = one.members[: trial.rounds], one.members[trial.rounds :]
        crowds = [
            one.crowd(good, True, manner="honest", pause=pause),
            *(one.crowd(bad[at::2], False, manner="hostile") for at in range(2)),
        ]
        try:
            greeted = sum(int(told(crowd)["in"]) for crowd in crowds)
            trial.say(f"{greeted} nodes are in")
            with Memory(one.processes()) as memory:
                for crowd in crowds:
                    go(crowd, seconds)
                acks, *hostile = [told(crowd) for crowd in crowds]
            ended = one.log.read_text().count("front: it ended")
        finally:
            for crowd in crowds:
                crowd.kill()
                crowd.communicate()
    trial.say(f"{len(acks['acks'])} acks, p50 {percentile(acks['acks'], 0.5):.3f} s")
    trial.say(
        f"hostile: {[(each['said'], each['refused'], len(each['acks'])) for each in hostile]}"
    )
    return Seen(
        trial.rounds,
        (
            Figure("others' ack p99", percentile(acks["acks"], 0.99), ACK_SECONDS, "s"),
            Figure("front and core grew", memory.growth, GROWTH_MIB, "MiB"),
            Figure("fronts ended", ended),
            Figure("honest nodes refused", acks["refused"]),
        ),
        f"{trial.rounds} hostile of {trial.rounds * TENFOLD} nodes for {seconds:g} s,"
        " simulated by three processes beside the master, which has priority over the hostile ones",
    )


FAULT = Fault(
    number=16, what="hostile agents at full speed", short=10, full=100, run=run, alone=True
)
