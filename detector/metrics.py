"""What the detector counts, for Prometheus and for the demo's report.

Everything is counted once a batch, not once a reading. Names, labels and their bounds are those of
``common/metering/names.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, ProcessCollector

from common.metering import names
from common.records.alerts import Alert
from common.records.letters import DeadLetter
from common.records.verdict_batch import VerdictBatch
from common.records.verdicts import Verdict
from detector.core.fleet import Fleets
from detector.core.reading.source import SourceBatch

SHA256_DIGITS: Final = 12


class DetectorMetrics:
    """The detector's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.readings = names.READINGS.make(registry)
        self.verdicts = names.VERDICTS.make(registry)
        self.fleet_verdicts = names.FLEET_VERDICTS.make(registry)
        self.held = names.HELD.make(registry)
        self.bridged = names.BRIDGED.make(registry)
        self.alerts = names.ALERTS.make(registry)
        self.dead_letters = names.DEAD_LETTERS.make(registry)
        self.latency = names.LATENCY.make_for_batches(registry)
        self.batch_rows = names.BATCH_ROWS.make(registry)
        self.in_hand = names.IN_HAND.make(registry)
        self.step_seconds = names.STEP_SECONDS.make(registry)
        self.lag = names.LAG.make(registry)
        self.partitions = names.PARTITIONS.make(registry)
        self.ready = names.READY.make(registry)
        self.paused = names.PAUSED.make(registry)
        self.retries = names.RETRIES.make(registry)
        self.sink_errors = names.SINK_ERRORS.make(registry)
        self.sink_down = names.SINK_DOWN.make(registry)
        self.stale_states = names.STALE_STATES.make(registry)
        self.rebuilds = names.REBUILDS.make(registry)
        self.lost_states = names.LOST_STATES.make(registry)
        self.unreadable_states = names.UNREADABLE_STATES.make(registry)
        self.topics_made_anew = names.TOPICS_MADE_ANEW.make(registry)
        self.runs_opened = names.RUNS_OPENED.make(registry)
        self.alerts_adopted = names.ALERTS_ADOPTED.make(registry)
        self.fleets_loaded = names.FLEETS_LOADED.make(registry)
        self.fleets_refused = names.FLEETS_REFUSED.make(registry)
        self.model_info = names.MODEL_INFO.make(registry)
        names.BUILD_INFO.make(registry).labels("detector", version("surgeline")).set(1)
        self._owned: frozenset[int] = frozenset()
        self._behind: set[int] = set()

    def serves(self, fleets: Fleets) -> None:
        """Show the models of these fleets, and no others; their verdicts begin at 0."""
        self.model_info.clear()
        for name, fleet in fleets.items():
            for status in Verdict:
                self.fleet_verdicts.labels(name, status)
            ref = fleet.spec.ref
            self.model_info.labels(name, ref.name, ref.version, ref.sha256[:SHA256_DIGITS]).set(1)

    def owns(self, partitions: Collection[int]) -> None:
        """Show these partitions; how far others are behind, their new owners tell."""
        self._owned = frozenset(partitions)
        self.partitions.set(len(self._owned))
        for partition in self._behind - self._owned:
            self.lag.remove(partition)
        self._behind &= self._owned

    def receives(self, source: SourceBatch) -> None:
        """Count what one fetch brought, none of it processed yet."""
        self.readings.inc(len(source.records))
        self._lags(source, {number: span.begin for number, span in source.spans.items()})

    def finishes(self, source: SourceBatch) -> None:
        """Take note that all of it is processed."""
        self._lags(source, {number: span.end for number, span in source.spans.items()})

    def _lags(self, source: SourceBatch, reached: Mapping[int, int]) -> None:
        for partition, highwater in source.highwaters.items():
            if partition in self._owned:
                self._behind.add(partition)
                self.lag.labels(partition).set(max(0, highwater - reached[partition]))

    def fails(self, step: str) -> None:
        """Count a try that failed and will be repeated."""
        self.paused.set(1)
        self.retries.labels(step).inc()
        if sink := names.SINK_OF_STEP.get(step):
            self.sink_errors.labels(sink).inc()
            self.sink_down.labels(sink).set(1)

    def works(self, step: str, *, all_of_them: bool) -> None:
        """Take note that a step that failed works again, and whether all others do."""
        self.paused.set(0 if all_of_them else 1)
        if sink := names.SINK_OF_STEP.get(step):
            self.sink_down.labels(sink).set(0)

    def counts_verdicts(self, verdicts: VerdictBatch, fleets: Collection[str]) -> None:
        """Count verdicts; those of fleets that there are not are nobody's."""
        for (fleet, status), count in verdicts.counted().items():
            known = fleet if fleet in fleets else names.UNKNOWN_FLEET
            self.verdicts.labels(status).inc(count)
            self.fleet_verdicts.labels(known, status).inc(count)

    def counts_messages(self, alerts: Sequence[Alert], letters: Sequence[DeadLetter]) -> None:
        """Count what was published."""
        for (state, level), count in Counter((item.state, item.level) for item in alerts).items():
            self.alerts.labels(state, level).inc(count)
        for reason, count in Counter(letter.reason for letter in letters).items():
            self.dead_letters.labels(reason).inc(count)

    def counts_latency(self, source: SourceBatch, now_ms: float) -> None:
        """Count how long ago each record came to the broker, where it says so."""
        published_ms = np.array(source.columns.published_ts_ms, np.float64)
        ago_ms = now_ms - published_ms[published_ms > 0]
        self.latency.observe_many(np.maximum(ago_ms, 0.0) / 1000)
