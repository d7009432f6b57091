"""Nodes that come and go are told in one line each, and not without bound."""

from __future__ import annotations

from pathlib import Path

from saltern_master.core.comings import LINES, Comings

from tests.master.core_laws import run
from tests.master.core_stand import Stand
from tests.master.homes import made_home


def test_a_storm_of_comings_is_cut_and_counted() -> None:
    now, said = [1000.0], list[str]()
    comings = Comings(said.append, lambda: now[0])
    most = int(LINES.burst)
    for number in range(most + 7):
        comings.came(f"w{number}")

    assert said == [f"node w{number} is here" for number in range(most)]
    now[0] += 1
    comings.went("w1")
    assert said[most:] == ["node w1 is gone (7 such lines left out before)"]


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    now, said = [1000.0], list[str]()
    comings = Comings(said.append, lambda: now[0])
    comings.came("w1")
    now[0] = 0.0
    comings.went("w1")
    assert said == ["node w1 is here", "node w1 is gone"]


def test_who_comes_and_goes_is_told_once_each_time(tmp_path: Path) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await w1.connect()  # over another connection, before the old one is given up
        w1.disconnect()
        w1.disconnect()
        await w1.connect()

        told = [line for line in stand.log if line.startswith("node ")]
        assert told == ["node w1 is here", "node w1 is gone", "node w1 is here"]

    run(made_home(tmp_path), law)
