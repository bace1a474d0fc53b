"""The figures of one server, kept as plain numbers and shown by aioprometheus.

aioprometheus escapes no label values and lets any name be a label, and counting in it takes 5 µs. So
only what is declared gets as far as that: series are counted here, by tuples of declared values
(0.3 µs), and handed over when somebody asks for them.
"""

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import accumulate, chain, product, repeat
from typing import Any, Final, TypeAlias

from aioprometheus.collectors import Counter, Gauge, Histogram, Registry
from aioprometheus.formats.text import TextFormatter

from rpc_server.calls.telemetry import Metric

OTHER: Final = "other"
# Counters of so few series start with all of them at 0, so that their first increase is seen as one.
_MOST_AT_ZERO: Final = 300
_SAFE: Final = re.compile(r"[A-Za-z0-9_./{}:+-]{1,100}")
_PLAIN: Final = re.compile(r"[^\\\n]+")

Labels: TypeAlias = tuple[str, ...]
# A figure, or one for each combination of labels.
Reading: TypeAlias = Callable[[], float | Mapping[Labels, float]]


class Metrics:
    """Keeps what is declared, and no other series; each server has its own."""

    def __init__(
        self,
        declared: Iterable[Metric],
        sets: Mapping[str, Iterable[str]],
        *,
        constant: Mapping[str, str] | None = None,
    ) -> None:
        """*sets* gives, by label, the values that the declarations leave open; *constant* labels all series."""
        self._registry = Registry()
        self._values: dict[Metric, dict[Labels, float]] = {}
        self._observed: dict[Metric, dict[Labels, list[float]]] = {}
        self._allowed: dict[Metric, tuple[Container[str], ...]] = {}
        self._readings: list[tuple[Metric, Reading]] = []
        self._sets = {label: set(values) for label, values in sets.items()}
        for metric in declared:
            self._declare(metric, dict(constant or {}))

    def allow(self, label: str, values: Iterable[str]) -> None:
        """Add values that are known later than the others, but before anything is counted."""
        self._sets[label].update(_safe(values))

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter, or to a gauge."""
        values = self._values[metric]
        try:
            values[labels] += by
        except KeyError:
            labels = self._closed(metric, labels)
            values[labels] = values.get(labels, 0) + by

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._values[metric][self._closed(metric, labels)] = float(value)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Take a value into a histogram."""
        series = self._observed[metric].get(labels) or self._first(metric, labels)
        series[bisect_left(metric.buckets, value)] += 1
        series[-1] += value

    def read(self, metric: Metric, reading: Reading) -> None:
        """Have a metric's values asked for whenever somebody wants to see them."""
        self._readings.append((metric, reading))

    def render(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        for metric, reading in self._readings:
            found = reading()
            for labels, value in found.items() if isinstance(found, Mapping) else (((), found),):
                self.put(metric, value, *labels)
        text: bytes = TextFormatter().marshall(self._registry)
        return text

    def _declare(self, metric: Metric, constant: dict[str, str]) -> None:
        values = [self._sets[label] if known is None else set(known) for label, known in metric.labels.items()]
        _safe((*constant.values(), *chain(*values)))
        if not _PLAIN.fullmatch(metric.meaning):
            raise ValueError(f"{metric.name} has a meaning that cannot be shown as it is")
        self._allowed[metric] = tuple(values)
        if metric.kind == "histogram":
            observed = self._observed[metric] = {}
            _Histogram(metric, constant, self._registry, observed)
            return
        counted = self._values[metric] = {}
        if metric.kind == "counter":
            _Counter(metric, constant, self._registry, counted)
            if math.prod(map(len, values)) <= _MOST_AT_ZERO:
                counted.update(dict.fromkeys(product(*map(sorted, values)), 0))
        else:
            _Gauge(metric, constant, self._registry, counted)

    def _first(self, metric: Metric, labels: Labels) -> list[float]:
        """Return a histogram's series, made where it is not there yet: a number for each bucket, and the sum."""
        return self._observed[metric].setdefault(self._closed(metric, labels), [0] * (len(metric.buckets) + 2))

    def _closed(self, metric: Metric, labels: Labels) -> Labels:
        """Return *labels* with "other" in the place of what is not declared, or not there."""
        given = zip(self._allowed[metric], chain(labels, repeat(OTHER)), strict=False)
        return tuple(value if value in allowed else OTHER for allowed, value in given)


def _safe(values: Iterable[str]) -> list[str]:
    """Return label values that aioprometheus can write as they are; raises ValueError for any other."""
    listed = list(values)
    for value in listed:
        if not _SAFE.fullmatch(value):
            raise ValueError(f"{value!r} cannot be the value of a label")
    return listed


class _Collected:
    """What aioprometheus asks for: the series, with their labels as it wants them."""

    def __init__(
        self, metric: Metric, constant: dict[str, str], registry: Registry, series: Mapping[Labels, Any]
    ) -> None:
        super().__init__(metric.name, metric.meaning, constant, registry)  # type: ignore[call-arg]
        self._metric = metric
        self._series = series

    def get_all(self) -> list[tuple[dict[str, str], Any]]:
        names = tuple(self._metric.labels)
        return [(dict(zip(names, labels, strict=True)), self._shown(kept)) for labels, kept in self._series.items()]

    def _shown(self, kept: Any) -> Any:
        return kept


class _Counter(_Collected, Counter):
    pass


class _Gauge(_Collected, Gauge):
    pass


class _Histogram(_Collected, Histogram):
    def _shown(self, kept: Sequence[float]) -> dict[float | str, float]:
        *numbers, total = kept
        bounds = (*map(float, self._metric.buckets), math.inf)
        return {**dict(zip(bounds, accumulate(numbers), strict=True)), "sum": total, "count": sum(numbers)}
