"""What an entry of the list of metrics is, and how it becomes an instrument."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.metering.batch_histogram import BatchHistogram


@dataclass(frozen=True, slots=True)
class Label:
    """A label, and what bounds its values.

    Attributes:
        name: As queries say it.
        bound: What its values are taken from, for a person.
        values: All it can have, where that is known beforehand; else none.
    """

    name: str
    bound: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricSpec(ABC):
    """One metric.

    Attributes:
        name: As the client library takes it; of counters without ``_total``.
        meaning: What it says, in a sentence.
        labels: Its labels.
    """

    name: str
    meaning: str
    labels: tuple[Label, ...] = ()
    kind: ClassVar[str]

    @property
    @abstractmethod
    def series(self) -> str:
        """The name queries use most: of a counter its total, of a histogram its buckets."""

    @property
    def label_names(self) -> list[str]:
        """Names of its labels."""
        return [label.name for label in self.labels]


Labelled = TypeVar("Labelled", Counter, Gauge, Histogram)


def _begun(metric: Labelled, spec: MetricSpec) -> Labelled:
    """Let every series that is known beforehand begin at 0: a rate needs a value before the first.

    Nothing is begun where a label's values are not known beforehand.
    """
    if spec.labels and all(label.values for label in spec.labels):
        for values in product(*(label.values for label in spec.labels)):
            metric.labels(*values)
    return metric


class CounterSpec(MetricSpec):
    """A number that only grows."""

    kind = "counter"

    @property
    def series(self) -> str:
        """The total."""
        return f"{self.name}_total"

    def make(self, registry: CollectorRegistry) -> Counter:
        """Return the instrument."""
        return _begun(Counter(self.name, self.meaning, self.label_names, registry=registry), self)


class GaugeSpec(MetricSpec):
    """A number as it stands."""

    kind = "gauge"

    @property
    def series(self) -> str:
        """The number."""
        return self.name

    def make(self, registry: CollectorRegistry) -> Gauge:
        """Return the instrument."""
        return _begun(Gauge(self.name, self.meaning, self.label_names, registry=registry), self)


@dataclass(frozen=True, slots=True)
class HistogramSpec(MetricSpec):
    """Values by size.

    Attributes:
        bounds: Upper bounds of the buckets, rising.
    """

    bounds: tuple[float, ...] = ()
    kind = "histogram"

    @property
    def series(self) -> str:
        """The buckets."""
        return f"{self.name}_bucket"

    def make(self, registry: CollectorRegistry) -> Histogram:
        """Return the instrument."""
        made = Histogram(
            self.name, self.meaning, self.label_names, buckets=self.bounds, registry=registry
        )
        return _begun(made, self)

    def make_for_batches(self, registry: CollectorRegistry) -> BatchHistogram:
        """Return the instrument that takes a batch at once; it has no labels."""
        return BatchHistogram(self.name, self.meaning, self.bounds, registry)
