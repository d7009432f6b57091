"""What core knows -> what people are shown. Pure."""

from __future__ import annotations

from saltern_master.api.service import DriftView
from saltern_master.records.drift import Drift


def drift_view(drift: Drift) -> DriftView:
    """Give one deviation as people are shown it."""
    return DriftView(
        node=drift.node,
        number=drift.number,
        resource=drift.resource,
        kind=drift.kind,
        since=drift.since,
        recorded=drift.recorded,
        stored=drift.stored,
        seen=drift.seen,
        found=drift.found,
        healed=drift.healed,
        outcome=drift.outcome,
    )
