"""How rollouts are driven, in seconds."""

from __future__ import annotations

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often is looked, and how long is waited for nodes that are not there."""

    look: float = 1.0
    """Between two looks at what is waited for."""
    away: float = 20.0
    """For which a node is not connected before it is gone: nodes pause before they come again."""
    server: float = 60.0
    """For which no API server answers before a drain has nobody to ask: it may just restart."""
    plan: float = 60.0
    """For nodes to say what a rollout would change there; of who does not it is unknown."""
