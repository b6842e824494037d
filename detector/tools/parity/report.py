"""Parity: does all that a run came to live equal what the batch path gives?

Every score, verdict, alert, and what each alert rests on.

For a program (``surgeline demo`` calls it at its end)::

    report = await parity_report(run_id, settings)
    console.print(report.line())

Nothing is written anywhere, and Redis is not asked.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from common.errors import UserError
from common.records.alerts import Alert
from common.records.verdicts import Verdict
from common.settings import Settings
from detector.core.fleet import Fleets
from detector.tools.fleets import tool_fleets
from detector.tools.parity.differences import (
    NO_FINALS,
    AlertDiff,
    Comparison,
    CycleRef,
    ScoreDifference,
    VerdictDifference,
    compare_alerts,
)
from detector.tools.parity.evidence import EvidenceComparison, EvidenceDiff, LiveEvidence
from detector.tools.parity.expected import expect
from detector.tools.parity.live import LiveRun, read_alerts, read_evidence, read_live
from detector.tools.recording import (
    Recording,
    TopicRecording,
    check_found,
    record_run,
    unknown_run,
)
from detector.tools.topic import Progress, silent

DEFAULT_TOLERANCE: Final = 1e-6
"""Relative. Another batch size may change the last bits of a 32-bit network; nothing else may."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What a comparison found.

    Attributes:
        run_id: The run.
        source: Where the readings came from, in words.
        model: ``name@version`` of the artifact that was used here.
        models_in_store: How many live verdicts each model gave.
        readings: Readings of the run, repeats and rejected ones included.
        live_scores: Scores in the store.
        compared: Of these, how many had a batch score beside them.
        missing: Cycles with a batch score but no live one.
        extra: Cycles with a live score but no batch one.
        tolerance: Largest relative difference of two equal scores.
        largest: The two scores furthest apart; none if none were compared.
        beyond: The pairs beyond the tolerance.
        verdicts: Verdicts, levels or thresholds that differ, by cycle.
        repeats: Late, duplicate and rejected messages, ``(live, expected)`` by verdict, where any.
        doubled: Cycles of which the store holds two verdicts.
        alerts: The alert diff; none if alerts were not compared.
        went_on: Runs opened by rule where a counter restarted or had jumped: not compared.
        evidence: The diff of what alerts rest on; none if it was not compared.
    """

    run_id: str
    source: str
    model: str
    models_in_store: Mapping[str, int]
    readings: int
    live_scores: int
    compared: int
    missing: tuple[CycleRef, ...]
    extra: tuple[CycleRef, ...]
    tolerance: float
    largest: ScoreDifference | None
    beyond: tuple[ScoreDifference, ...]
    verdicts: tuple[VerdictDifference, ...]
    repeats: Mapping[str, tuple[int, int]]
    doubled: int
    alerts: AlertDiff | None
    went_on: tuple[str, ...] = ()
    evidence: EvidenceDiff | None = None
    finals: int = 0

    @property
    def other_models(self) -> tuple[str, ...]:
        """Models that spoke in this run, other than the one used here."""
        return tuple(name for name in self.models_in_store if name not in self.model.split(", "))

    @property
    def equal(self) -> bool:
        """Whether live equals batch, within the tolerance."""
        return not (
            self.missing
            or self.extra
            or self.beyond
            or self.verdicts
            or self.doubled
            or self.other_models
            or any(live != expected for live, expected in self.repeats.values())
            or (self.alerts is not None and not self.alerts.equal)
            or (self.evidence is not None and not self.evidence.equal)
        )

    def line(self) -> str:
        """Return the finding in one line."""
        largest = self.largest.relative if self.largest else 0.0
        alerts = "alerts not compared"
        if self.alerts is not None:
            same = self.alerts.live - len(self.alerts.extra) - len(self.alerts.different)
            alerts = f"{same:,} of {self.alerts.expected:,} alerts the same"
        if self.evidence is not None:
            alerts += f", {self.evidence.same:,} with the same evidence"
        counts = (
            f"{self.compared:,} live scores{self._and_finals()} against the batch path: largest "
            "relative difference "
            f"{largest:.1e}, {len(self.missing):,} missing, {len(self.extra):,} extra, "
            f"{len(self.verdicts):,} verdicts different, {alerts}"
        )
        return f"{'live equals batch' if self.equal else 'LIVE AND BATCH DIFFER'}: {counts}"

    def _and_finals(self) -> str:
        return f" and {self.finals:,} final ones" if self.finals else ""

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        values = asdict(self) | {"equal": self.equal, "other_models": self.other_models}
        values["missing"] = [ref._asdict() for ref in self.missing]
        values["extra"] = [ref._asdict() for ref in self.extra]
        if self.alerts is not None:
            values["alerts"] |= {
                name: [alert.model_dump(mode="json") for alert in getattr(self.alerts, name)]
                for name in ("missing", "extra", "different")
            }
        if self.evidence is not None:
            values["evidence"] |= {
                "missing": [alert.model_dump(mode="json") for alert in self.evidence.missing]
            }
        return values


async def parity_report(
    run_id: str,
    settings: Settings,
    *,
    recording: Recording | None = None,
    artifact: str | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    with_alerts: bool = True,
    with_evidence: bool = True,
    progress: Progress = silent,
) -> ParityReport:
    """Compare a run's live verdicts, scores and alerts with the batch path.

    Do this when the run is at rest: a reading whose verdict is still to come counts as missing.

    Args:
        run_id: Which run.
        settings: Where topics and scores are; the alarm rule the detector ran with.
        recording: Its readings, such as a ``DatasetRecording``; by default they are read from the
            topic.
        artifact: Shipped name or folder of the model; by default each fleet's.
        tolerance: Largest relative difference of two equal scores.
        with_alerts: Whether alerts are compared; the topic must still hold them.
        with_evidence: Whether what they rest on is compared, too; likewise.
        progress: Told how far it is.

    Raises:
        UserError: If the run is not known, or a setting, artifact or address is wrong.
        BackendError: If the broker or the store fails.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise UserError(f"Tolerance {tolerance} came; expected 0 or more, such as 1e-6.")
    fleets = tool_fleets(settings, artifact)
    live = await read_live(settings.scores, run_id, progress)
    if recording is None:
        recording = await record_run(settings.kafka, run_id, progress)
        _check_on_topic(recording, live)
    elif not live.assets and not live.repeats:
        raise unknown_run(run_id, live.other_runs, "the score store")
    alerts = await read_alerts(settings.kafka, run_id, progress) if with_alerts else None
    evidence = None
    if with_alerts and with_evidence:
        evidence = await read_evidence(settings.kafka, run_id, progress)
    sources = _Sources(run_id, recording, live, alerts, evidence)
    return await asyncio.to_thread(_compare, sources, fleets, tolerance, progress)


@dataclass(frozen=True, slots=True)
class _Sources:
    run_id: str
    recording: Recording
    live: LiveRun
    alerts: Sequence[Alert] | None
    evidence: LiveEvidence | None

    def comparison(self, tolerance: float) -> EvidenceComparison | None:
        """Return what compares evidence; none if that is not to be compared."""
        if self.evidence is None:
            return None
        first: dict[str, Alert] = {}
        for alert in self.alerts or ():
            first.setdefault(alert.alert_id, alert)
        times = isinstance(self.recording, TopicRecording)
        return EvidenceComparison(first, self.evidence, tolerance, times)


def _compare(
    sources: _Sources,
    fleets: Fleets,
    tolerance: float,
    progress: Progress,
) -> ParityReport:
    recording, live = sources.recording, sources.live
    comparison, evidence = Comparison(tolerance), sources.comparison(tolerance)
    repeats: Counter[Verdict] = Counter()
    derived: list[Alert] = []
    went_on: list[str] = []
    readings, unseen = 0, set(live.assets)
    for done, batch in enumerate(recording.batches(fleets), start=1):
        expected = expect(batch, fleets)
        for key, batch_scores in expected.scores.items():
            asset_id = key[0]
            unseen.discard(asset_id)
            comparison.add_asset(
                asset_id,
                live.assets.get(asset_id, {}),
                expected.verdicts[key],
                batch_scores,
                expected.finals.get(key, NO_FINALS),
            )
        repeats.update(expected.repeats)
        went_on += expected.went_on
        derived += expected.alerts
        if evidence is not None:
            evidence.add(expected.cases)
        readings += expected.readings
        progress("the batch path", done, len(recording))
    for asset_id in sorted(unseen):
        comparison.add_asset(asset_id, live.assets[asset_id], {}, {})
    models = sorted(
        {fleets[name].spec.ref.label for name in recording.fleets_seen() if name in fleets}
    )
    kinds = [status for status in Verdict if live.repeats.get(status) or repeats[status]]
    return ParityReport(
        run_id=sources.run_id,
        source=recording.label,
        model=", ".join(models),
        models_in_store=live.models,
        readings=readings,
        live_scores=comparison.scores + len(comparison.extra),
        compared=comparison.scores,
        missing=tuple(comparison.missing),
        extra=tuple(comparison.extra),
        tolerance=tolerance,
        largest=comparison.largest,
        beyond=tuple(comparison.beyond),
        verdicts=tuple(comparison.verdicts),
        # a data set knows nothing of what was sent twice, so there is nothing to compare with
        repeats={k.value: (live.repeats.get(k, 0), repeats[k]) for k in kinds}
        if isinstance(recording, TopicRecording)
        else {},
        doubled=live.doubled,
        alerts=None
        if sources.alerts is None
        else compare_alerts(sources.alerts, derived, tolerance),
        went_on=tuple(went_on),
        evidence=None if evidence is None else evidence.result(),
        finals=comparison.finals,
    )


def _check_on_topic(recording: TopicRecording, live: LiveRun) -> None:
    """Refuse a run that the topic does not hold, with what to do.

    Raises:
        UserError: If so.
    """
    if live.assets and recording.run_id not in recording.runs_seen:
        raise UserError(
            f"The score store holds run {recording.run_id!r} but the topic {recording.topic} holds "
            "nothing of it: retention has eaten it, or the local broker (memory only) was "
            "restarted. Compare with the data set: --source dataset --dataset FD001 --split test "
            "--no-alerts."
        )
    check_found(recording)
