"""What the detector counts, for Prometheus and for the demo's report."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_BUCKETS_S: Final = tuple(round(0.001 * 1.25**step, 6) for step in range(56))
"""From 1 ms to about 210 s, each 25 % wider: a quantile read off them is within 25 %."""


class DetectorMetrics:
    """The detector's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.verdicts = Counter(
            "surgeline_verdicts", "Readings by verdict.", ["status"], registry=self.registry
        )
        self.fleet_verdicts = Counter(
            "surgeline_fleet_verdicts",
            "Readings by fleet and verdict; `unknown` for fleets that there are not.",
            ["fleet", "status"],
            registry=self.registry,
        )
        self.fleets_loaded = Counter(
            "surgeline_fleets_loaded", "Times the fleets were loaded anew.", registry=self.registry
        )
        self.fleets_refused = Counter(
            "surgeline_fleets_refused",
            "Times new fleets were refused, and those before stayed.",
            registry=self.registry,
        )
        self.alerts = Counter(
            "surgeline_alerts", "Alerts published.", ["state", "level"], registry=self.registry
        )
        self.dead_letters = Counter(
            "surgeline_dead_letters", "Dead letters by reason.", ["reason"], registry=self.registry
        )
        self.latency = Histogram(
            "surgeline_latency_seconds",
            "From a reading's arrival at the broker to its stored verdict.",
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.in_hand = Gauge(
            "surgeline_batches_in_hand",
            "Micro-batches being processed: 0 when everything received is stored and published.",
            registry=self.registry,
        )
        self.batch_rows = Histogram(
            "surgeline_batch_rows",
            "Readings in a micro-batch.",
            buckets=(1, 4, 16, 64, 256, 1024, 4096, 16384),
            registry=self.registry,
        )
        self.step_seconds = Counter(
            "surgeline_step_seconds",
            "Time spent in each step of the protocol.",
            ["step"],
            registry=self.registry,
        )
        self.retries = Counter(
            "surgeline_retries",
            "Failed tries that were repeated.",
            ["step"],
            registry=self.registry,
        )
        self.stale_states = Counter(
            "surgeline_stale_states",
            "States not written because another worker had gone on.",
            registry=self.registry,
        )
        self.rebuilds = Counter(
            "surgeline_rebuilds",
            "Partitions whose lost states were rebuilt from the topic.",
            registry=self.registry,
        )
        self.unreadable_states = Counter(
            "surgeline_unreadable_states",
            "States that were not written by this program, rebuilt from the topic.",
            registry=self.registry,
        )
        self.topics_made_anew = Counter(
            "surgeline_topics_made_anew",
            "Partitions of the readings topic that were deleted and made anew.",
            registry=self.registry,
        )
        self.runs_opened = Counter(
            "surgeline_runs_opened_by_rule",
            "Runs opened because a source's counter restarted or had jumped.",
            registry=self.registry,
        )
        self.alerts_adopted = Counter(
            "surgeline_alerts_adopted",
            "Alerts of a worker with another model or other settings, published to the end.",
            registry=self.registry,
        )
        self.paused = Gauge(
            "surgeline_paused",
            "1 while a backend is down and consumption waits.",
            registry=self.registry,
        )
