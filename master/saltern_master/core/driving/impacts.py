"""What a rollout would change on its nodes, as they say themselves."""

from __future__ import annotations

from collections.abc import Mapping

from saltern_master.core.driving.beginning import Impacts
from saltern_master.core.plans import Plans, Question
from saltern_master.core.prepare import Wanted
from saltern_master.rollouts.waves import Impact


def impacts_by(plans: Plans, seconds: float) -> Impacts:
    """Give what asks nodes for plans; who has not told one after so long is not in the answer."""

    async def impacts(bodies: Mapping[str, Wanted]) -> Mapping[str, Impact]:
        if not bodies:
            return {}
        view = await plans.ask(Question(wanted=bodies), seconds)
        return {one.node: one.impact for one in view.nodes if one.result == "planned"}

    return impacts
