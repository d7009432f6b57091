"""python -m tests.faults.broken_gate HOW FILE FD: the front, with a gate that is broken at times.

It is saltern_master.front itself, kept in as ever, but for the function that says who may in: that
one breaks while the clock (monotonic seconds) is between the two times that FILE says.

    killed    its thread ends, by what no `except Exception` holds
    hung      it does not come back
    raising   it raises, each time that it is asked

The file is read at the start: a front that is kept in cannot read it later.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from saltern_master.front.__main__ import main
from saltern_master.front.gate import Decide, Question, Verdict, decide


def broken(how: str, began: float, ended: float) -> Decide:
    """Give a function that is broken between these times."""

    def answer(allowed: frozenset[bytes] | None, question: Question) -> Verdict:
        if not began <= time.monotonic() < ended:
            return decide(allowed, question)
        if how == "killed":
            raise SystemExit
        if how == "hung":
            threading.Event().wait()
        raise OSError("the disk is gone")

    return answer


if __name__ == "__main__":
    times = Path(sys.argv[2]).read_text().split()
    os._exit(main(sys.argv[3:], broken(sys.argv[1], float(times[0]), float(times[1]))))
