"""Numbers -> the text of an exposition, as prometheus-client writes it.

Accept decides which: OpenMetrics 1.0 where it is asked for, else the text format 0.0.4. The
library is imported by the first who asks: it costs 0.75 MB, and most masters are asked by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from saltern_master.api.measures import OPEN, PLAIN
from saltern_master.metrics.measure import Measured
from saltern_master.metrics.tally import Spread

if TYPE_CHECKING:
    from prometheus_client import Metric

INFINITE: Final = "+Inf"


class Numbers:
    """What was measured, as the library collects it."""

    def __init__(self, measured: Iterable[Measured]) -> None:
        self._measured = tuple(measured)

    def collect(self) -> Iterator[Metric]:
        """Give the library's own values."""
        return map(_metric, self._measured)


def exposition(measured: Iterable[Measured], accept: str = "") -> tuple[bytes, str]:
    """Give the text and its media type for what a client accepts; with this process's numbers."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
    from prometheus_client.openmetrics import exposition as openmetrics

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Numbers(measured))
    ProcessCollector(registry=registry)
    if _wants_open(accept):
        write = partial(openmetrics.generate_latest, escaping=openmetrics.UNDERSCORES)
        return write(registry), OPEN
    return generate_latest(registry), PLAIN


def _wants_open(accept: str) -> bool:
    """Tell whether OpenMetrics is accepted; who names both gets it, as Prometheus expects."""
    offered = (one.partition(";")[0].strip().lower() for one in accept.split(","))
    return "application/openmetrics-text" in offered


def _metric(one: Measured) -> Metric:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    family, labels = one.family, one.family.labels
    if family.type == "histogram":
        histogram = HistogramMetricFamily(family.name, family.meaning, labels=labels)
        for values, spread in one.spreads:
            histogram.add_metric(values, _buckets(spread), spread.sum)
        return histogram
    kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
    made = kind(family.name, family.meaning, labels=labels)
    for values, number in one.numbers:
        made.add_metric(values, number)
    return made


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    names = [*(str(bound) for bound in spread.bounds), INFINITE]
    return list(zip(names, map(float, accumulate(spread.counts)), strict=True))
