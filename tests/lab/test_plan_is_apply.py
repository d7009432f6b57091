"""What plan says is what apply does, and nothing else: kind by kind, on the real node.

Each case (cases.py, and cases_mixed.py for several kinds at once) leads from the base document
through others and back. A snapshot is taken after each plan and before its apply, so what lies
between two is what one apply did: it must be what was planned. That planning changed nothing
follows, for it lies in there as well.

Kernel modules and swap are the machine's, not the node's: they have no case here.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from tests.lab.cases import CASES, Case, Step
from tests.lab.cases_mixed import MIXED
from tests.lab.held import Held, changes, hindrances, wait_until
from tests.lab.snapshot import Snapshot, difference

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


@pytest.mark.parametrize("case", [*CASES, *MIXED], ids=lambda case: case.__name__)
def test_what_plan_says_is_what_apply_does(held: Held, case: Case) -> None:
    done: Step | None = None
    before: Snapshot = {}
    for step in case(held):
        path = held.offer(step.wish)
        planned = held.plan(path)
        texts = [text for _, text in changes(planned)]
        assert len(texts) == len(step.says), (texts, hindrances(planned))
        for text, said in zip(texts, step.says, strict=True):
            assert fnmatchcase(text, said), texts
        now = held.snapshot()
        if done is not None:
            moved(done, before, now)
        told = held.apply(path)
        assert changes(told) == changes(planned)
        done, before = step, now
    assert done is not None
    wait_until(held.pod_says, "a pod that answers", 60)
    moved(done, before, held.snapshot())


def moved(step: Step, before: Snapshot, after: Snapshot) -> None:
    """Demand that what the step names has moved, and nothing else."""
    found = {
        name: sign
        for name, sign in difference(before, after).items()
        if not any(fnmatchcase(name, pattern) for pattern in step.later)
    }
    assert found == step.moves
