"""What is counted and measured, told to whoever keeps the figures; to nobody where nobody asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType
from typing import Literal, Protocol, TypeAlias

# The values that a label may have, or (None) those that are known only when the server is put together.
Values: TypeAlias = tuple[str, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A declared metric: *labels* are its only ones, with all the values that they can have.

    *buckets* are the upper bounds of a histogram's, without the last, which has none.
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    meaning: str
    labels: Mapping[str, Values] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()


class Metrics(Protocol):
    """Takes figures, without ever failing or waiting; label values stand in the order of their declaration.

    A value that is not declared is counted as "other", so that nothing that a caller sends makes a series.
    """

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter, or to a gauge."""
        ...

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge."""
        ...

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Take a value into a histogram."""
        ...


class NoMetrics:
    """Keeps nothing."""

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Pass over it."""

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Pass over it."""

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Pass over it."""


NO_METRICS = NoMetrics()


class Timed:
    """Measures in seconds how long its body takes, however it ends."""

    __slots__ = ("_began", "_labels", "_metric", "_metrics")

    def __init__(self, metrics: Metrics, metric: Metric, *labels: str) -> None:
        self._metrics = metrics
        self._metric = metric
        self._labels = labels

    def __enter__(self) -> None:
        """Begin."""
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tell how long it took."""
        self._metrics.observe(self._metric, perf_counter() - self._began, *self._labels)
