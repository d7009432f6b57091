"""What the master tells a Prometheus, as the API asks for it. The numbers: metrics/families.py."""

from __future__ import annotations

from typing import Final, Protocol

PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
"""Accept decides which (https://prometheus.io/docs/instrumenting/exposition_formats/)."""


class Measuring(Protocol):
    """What core does for who watches it by numbers."""

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Give the text of /metrics in the form that a client accepts, and its media type."""
        ...
