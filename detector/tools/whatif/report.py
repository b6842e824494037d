"""What if: recorded readings through another threshold, model or alarm rule.

Both sides, as it was and as it would be, are computed here from the same recorded readings through
the live detector's own core (``surgeline parity`` proves that this is what happened live). Nothing
is written anywhere, and Redis is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from common.records.alerts import Alert, Transition
from detector.core.conclusion.conclude import conclude
from detector.core.fleet import Fleet
from detector.core.pipeline import DecodedBatch, prepare
from detector.tools.recording import Recording
from detector.tools.topic import Progress, silent
from detector.tools.whatif.rule import in_words
from models.whatif.matching import AlertChanges, match_alerts

DEFAULT_WINDOW_CYCLES: Final = 30
"""Two alerts whose onsets are at most a scoring window apart speak of the same thing."""


@dataclass(frozen=True, slots=True)
class AssetChange:
    """One asset before and after.

    Attributes:
        asset_id: Which.
        changes: Its alerts, matched.
        first_before: Cycle of its first raised alert; none if it has none.
        first_after: The same, after.
        lead_before: Remaining useful life at ``first_before``, cycles; none where not known.
        lead_after: The same, after.
    """

    asset_id: str
    changes: AlertChanges[Alert]
    first_before: int | None
    first_after: int | None
    lead_before: int | None
    lead_after: int | None


@dataclass(frozen=True, slots=True)
class WhatIfReport:
    """What would be different.

    Attributes:
        run_id: The run.
        source: Where the readings came from, in words.
        before: The rule as it is, in words.
        after: The rule as it would be, in words.
        alerts_before: Alert messages under the first.
        alerts_after: Alert messages under the second.
        assets: One entry an asset, by name, unchanged ones included.
    """

    run_id: str
    source: str
    before: str
    after: str
    alerts_before: int
    alerts_after: int
    assets: tuple[AssetChange, ...]

    @property
    def changed(self) -> tuple[AssetChange, ...]:
        """The assets where anything changed."""
        return tuple(asset for asset in self.assets if asset.changes)

    @property
    def gained(self) -> int:
        """Alerts that there would be in addition."""
        return sum(len(asset.changes.gained) for asset in self.assets)

    @property
    def lost(self) -> int:
        """Alerts that there would not be."""
        return sum(len(asset.changes.lost) for asset in self.assets)

    @property
    def moved(self) -> int:
        """Alerts that there would be at another cycle, or with another onset or level."""
        return sum(len(asset.changes.moved) for asset in self.assets)

    @property
    def knows_lead(self) -> bool:
        """Whether the remaining useful life is known."""
        return any(
            lead is not None
            for asset in self.assets
            for lead in (asset.lead_before, asset.lead_after)
        )

    def sentence(self) -> str:
        """Return the finding in one sentence."""
        if not self.changed:
            return (
                f"Nothing would change: {self.alerts_before:,} alerts on {len(self.assets):,} "
                "assets stay as they are."
            )
        return (
            f"{self.gained:,} alerts gained, {self.lost:,} lost, {self.moved:,} moved on "
            f"{len(self.changed):,} of {len(self.assets):,} assets "
            f"({self.alerts_before:,} alerts before, {self.alerts_after:,} after)"
            f"{_first_alerts(self.assets)}."
        )

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        return {
            "run_id": self.run_id,
            "source": self.source,
            "before": self.before,
            "after": self.after,
            "alerts_before": self.alerts_before,
            "alerts_after": self.alerts_after,
            "gained": self.gained,
            "lost": self.lost,
            "moved": self.moved,
            "sentence": self.sentence(),
            "assets": [_asset_json(asset) for asset in self.assets],
        }


def what_if(
    recording: Recording,
    run_id: str,
    before: Fleet,
    after: Fleet,
    *,
    window_cycles: int = DEFAULT_WINDOW_CYCLES,
    progress: Progress = silent,
) -> WhatIfReport:
    """Take a recording through two rules and say what differs.

    Args:
        recording: The readings.
        run_id: Their run.
        before: The fleet as it is.
        after: As it would be.
        window_cycles: Alerts of one asset and kind are matched if their onsets are at most this
            far apart.
        progress: Told how far it is.
    """
    sides: tuple[dict[str, list[Alert]], dict[str, list[Alert]]] = ({}, {})
    after_batches = None if _same_windows(before, after) else recording.batches({after.name: after})
    for done, batch in enumerate(recording.batches({before.name: before}), start=1):
        other = batch if after_batches is None else next(after_batches)
        first, second = _alerts(batch, other, before, after)
        for side, alerts in zip(sides, (first, second), strict=True):
            # an asset without alerts is an asset all the same
            for asset_id, _ in (*batch.by_asset, *other.by_asset):
                side.setdefault(asset_id, [])
            for alert in alerts:
                side[alert.asset_id].append(alert)
        progress("replaying under both rules", done, len(recording))
    return WhatIfReport(
        run_id=run_id,
        source=recording.label,
        before=in_words(before),
        after=in_words(after),
        alerts_before=sum(map(len, sides[0].values())),
        alerts_after=sum(map(len, sides[1].values())),
        assets=tuple(
            _asset_change(asset_id, sides[0][asset_id], sides[1][asset_id], recording,
                          window_cycles)
            for asset_id in sorted(sides[0])
        ),
    )  # fmt: skip


def _alerts(
    batch: DecodedBatch, other: DecodedBatch, before: Fleet, after: Fleet
) -> tuple[Sequence[Alert], Sequence[Alert]]:
    """Return the alerts of whole assets under both rules; the same windows are scored but once."""
    plan = prepare(batch, {}, before)
    scores = before.scorer.score(plan.windows, plan.trail)
    first = conclude(plan, scores, before)
    if not _same_windows(before, after):
        plan = prepare(other, {}, after)
        scores = after.scorer.score(plan.windows, plan.trail)
    second = conclude(plan, scores, after)
    return first.alerts, second.alerts


def _same_windows(before: Fleet, after: Fleet) -> bool:
    return before.scorer is after.scorer and before.inputs == after.inputs


def _asset_change(
    asset_id: str,
    before: Sequence[Alert],
    after: Sequence[Alert],
    recording: Recording,
    window_cycles: int,
) -> AssetChange:
    first_before, first_after = _first_raised(before), _first_raised(after)
    life = recording.life_left(asset_id)
    return AssetChange(
        asset_id,
        match_alerts(before, after, window_cycles),
        first_before,
        first_after,
        _lead(life, first_before),
        _lead(life, first_after),
    )


def _first_raised(alerts: Sequence[Alert]) -> int | None:
    return min((alert.cycle for alert in alerts if alert.state is Transition.RAISED), default=None)


def _lead(life: Sequence[int] | None, cycle: int | None) -> int | None:
    return None if life is None or cycle is None else life[cycle - 1]


def _first_alerts(assets: Sequence[AssetChange]) -> str:
    """Say how the first alert of each asset moves: that is the lead time before a failure."""
    shifts = [
        asset.first_before - asset.first_after
        for asset in assets
        if asset.first_before is not None and asset.first_after is not None
    ]
    earlier = [shift for shift in shifts if shift > 0]
    later = [-shift for shift in shifts if shift < 0]
    newly = sum(asset.first_before is None and asset.first_after is not None for asset in assets)
    never = sum(asset.first_before is not None and asset.first_after is None for asset in assets)
    shifts_told = [
        f"{word} on {len(sizes)} (median {median(sizes):g} cycles)"
        for word, sizes in (("earlier", earlier), ("later", later))
        if sizes
    ]
    parts = [
        f"the first alert comes {' and '.join(shifts_told)}" if shifts_told else "",
        f"{newly} would have their first one" if newly else "",
        f"{never} would have none any more" if never else "",
    ]
    leads_before = [asset.lead_before for asset in assets if asset.lead_before is not None]
    leads_after = [asset.lead_after for asset in assets if asset.lead_after is not None]
    if leads_before and leads_after:
        lead = f"{median(leads_before):g} cycles before, {median(leads_after):g} after"
        parts.append(f"median lead {lead}")
    told = ", ".join(part for part in parts if part)
    return f"; {told}" if told else ""


def _asset_json(asset: AssetChange) -> dict[str, object]:
    return {
        "asset_id": asset.asset_id,
        "first_before": asset.first_before,
        "first_after": asset.first_after,
        "lead_before": asset.lead_before,
        "lead_after": asset.lead_after,
        "gained": [_alert_json(alert) for alert in asset.changes.gained],
        "lost": [_alert_json(alert) for alert in asset.changes.lost],
        "moved": [
            {"before": _alert_json(pair.before), "after": _alert_json(pair.after)}
            for pair in asset.changes.moved
        ],
        "same": asset.changes.same,
    }


def _alert_json(alert: Alert) -> dict[str, object]:
    return {
        "state": alert.state.value,
        "level": alert.level.value,
        "onset_cycle": alert.onset_cycle,
        "cycle": alert.cycle,
        "score": alert.score,
    }
