"""What a drift's nature, its policy and its standing mean, in words, and what comes next. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from saltern_master.api.drifts import DriftPage, DriftPolicyView
from saltern_master.api.service import DriftView

NATURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "external": "external: somebody else's doing",
        "corrective": "corrective: the agent's own, in the wake of another that it set right",
        "intended": "intended: somebody else's while the node was held for that",
    }
)
SEEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "event": "by an event that told the agent to look",
        "look": "when the agent looked by itself; no event told of it",
    }
)

CLOSES: Final = (
    "where it is off, it is set right again when its attempts are {0} min old; the fight closes "
    "once it has stayed right for a while, {0} min at most, and is open until then"
)


def policy_words(page: DriftPage) -> str:
    """Say what is done about drift of the resource."""
    policy = page.policy
    if policy is None:
        return "not known: no document of the node has this resource now"
    if policy.mode == "report":
        return "report: it is told, and not set right"
    return f"enforce: it is set right as soon as it is seen{_bound(policy)}"


def _bound(policy: DriftPolicyView) -> str:
    if not policy.times:
        return ", however often"
    times = "once" if policy.times == 1 else f"{policy.times} times"
    minutes = "a minute" if policy.minutes == 1 else f"{policy.minutes} minutes"
    return f", at most {times} in {minutes}; beyond that it is a fight, told and not fought"


def next_words(page: DriftPage) -> str:
    """Say what comes next, and what a person can do."""
    one = page.drift
    if one.healed:
        return _after(page)
    if not page.connected:
        return "the node is not connected; what it does is told when it is back"
    if page.hold is not None and page.hold.in_force:
        return (
            f"when the hold of {page.hold.by} ends, the node looks at everything again and does "
            "as policies say"
        )
    if page.policy is None:
        return "nothing: the node's document does not have it; it ends when the node takes that"
    return _by_policy(one, page.policy)


def _by_policy(one: DriftView, policy: DriftPolicyView) -> str:
    """Say what the agent of a node that is not held does about open drift."""
    if policy.mode == "report":
        return "nothing by itself; put it back on the node, or declare it as it is by now"
    if one.incident:
        who = f"stop {one.by} from undoing it" if one.by else "find who undoes it"
        return f"{who}; {CLOSES.format(policy.minutes)}"
    if one.hindrance:
        return "the agent tries again, at most a minute apart; see to what holds it up"
    return "the agent sets it right"


def _after(page: DriftPage) -> str:
    if not page.after:
        return "nothing: it is over, and did not come again"
    return f"it came again: {', '.join(page.after)}, the newest first"
