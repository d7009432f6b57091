"""Every kind can be looked at on a node that is only foreseen: no port's reading was forgotten."""

from __future__ import annotations

from typing import cast

import pytest
from saltern_agent.foreseen import ForeseenHost
from saltern_states.kinds import KINDS, AnyKind
from saltern_states.ports import Host
from saltern_states.testing import FakeHost


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_plans_on_a_foreseen_node(kind: AnyKind) -> None:
    host = FakeHost()
    foreseen = cast(Host, ForeseenHost(host))

    assert kind.plan(foreseen, kind.example) == kind.plan(host, kind.example)
    assert kind.plan_removal(foreseen, kind.example) == kind.plan_removal(host, kind.example)
