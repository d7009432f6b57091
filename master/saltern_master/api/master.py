"""All that a master does for people, in one: what the API's rows are given."""

from __future__ import annotations

from typing import Protocol

from saltern_master.api.drifts import Drifting
from saltern_master.api.findings import Diagnosing
from saltern_master.api.holds import Holder
from saltern_master.api.measures import Measuring
from saltern_master.api.notices import Noticing
from saltern_master.api.plans import Planning
from saltern_master.api.rollouts import RollingOut
from saltern_master.api.service import Service
from saltern_master.api.surveys import Surveying


class Master(
    Service,
    Diagnosing,
    Drifting,
    Holder,
    Planning,
    RollingOut,
    Measuring,
    Noticing,
    Surveying,
    Protocol,
):
    """Core, or the fake that keeps the same contract."""
