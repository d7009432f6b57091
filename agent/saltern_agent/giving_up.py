"""Giving up: what an agent does that cannot even begin.

systemd starts it again a second after its end, for ever, so that no node drifts unseen. A disk that
takes nothing, or a key that others can read, does not mend itself in a second, and each start costs
a third of one of CPU. So an agent that systemd started says what is wrong and then rests.
"""

from __future__ import annotations

import signal
from typing import Final

REST: Final = 10.0  # seconds; with it such starts cost some three hundredths of a core
ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def rest(invocation: str | None, seconds: float = REST) -> None:
    """Wait so many seconds, or until a signal comes, where systemd started us.

    `invocation`: its $INVOCATION_ID; None: a person did, who does not wait.
    """
    if invocation:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        signal.sigtimedwait(ENDING, seconds)
