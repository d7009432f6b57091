"""Driving rollouts: the shell around the pure machine of rollouts/.

driven.py      a rollout with what is kept beside it: its writes, and as people see it   pure
candidates.py  a compiled file and what is known of nodes -> who takes part              pure
beginning.py   compile, plan and begin; the one that takes another back; the queue
deeds.py       what a rollout wants -> done, and told as events
following.py   who follows a rollout
driver.py      events -> the machine -> one commit -> deeds
steering.py    what people want of one that goes on                                      pure
driving.py     what people ask
book.py        all that are open, in memory as in the store

Nothing is begun for a rollout that its records do not ask for, and all that they ask for is asked
again after a start: so core may end between any two steps.
"""

from saltern_master.core.driving.driving import Driving

__all__ = ["Driving"]
