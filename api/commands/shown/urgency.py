"""Which machine needs somebody first: assets and their alarms side by side, worst first.

Pure: what the api answered in, rows out. The rule itself is the api's (``alarms/urgency.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from api.alarms.lifecycle import AlarmState
from api.alarms.urgency import AssetUrgency, StandingAlarm, alarm_of, asset_urgency
from api.views.alarms.alarms import AlarmView
from api.views.assets import Asset
from common.records.verdicts import Verdict

NOT_SCORED: Final[Mapping[Verdict, str]] = {
    Verdict.WARMING_UP: "it is warming up: {} so far",
    Verdict.GAP: "too many are missing before each of its readings ({})",
    Verdict.LATE: "its readings came after later ones ({})",
    Verdict.DUPLICATE: "its readings had come before ({})",
    Verdict.UNKNOWN_REGIME: "no model knows its operating conditions ({})",
    Verdict.REJECTED: "its readings are refused ({}): `surgeline deadletter list`",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One asset as it stands.

    Attributes:
        asset: Its latest run.
        alarm: What asks for somebody about it; none if nothing does.
    """

    asset: Asset
    alarm: AlarmView | None

    @property
    def unscored(self) -> str | None:
        """Why it has no score, as a sentence's second half; none if it has one."""
        verdicts = self.asset.verdicts
        if self.asset.silent is not None:
            reason = self.asset.silent.reason
            return f"{reason[:1].lower()}{reason[1:].rstrip('.')}"
        if self.asset.last_severity is not None or verdicts.get(Verdict.SCORED):
            return None
        counts = {kind: count for kind, count in verdicts.items() if count}
        if not counts:
            return "no reading came so far"
        kind = max(counts, key=lambda each: counts[each])
        count = counts[kind]
        return NOT_SCORED[kind].format(f"{count:,} reading{'' if count == 1 else 's'}")

    @property
    def level(self) -> str:
        """In a word: the alarm's level, ``cleared``, ``quiet`` or ``not scored``."""
        if self.alarm is not None:
            return str(self.alarm.level) if self.is_active else "cleared"
        return "quiet" if self.unscored is None else "not scored"

    @property
    def says_more(self) -> bool:
        """Whether an alarm stands that says more than that nothing came."""
        return self.alarm is not None and self.is_active and not self.alarm.evidence.is_silence

    @property
    def is_active(self) -> bool:
        """Whether its alarm stands."""
        return self.alarm is not None and self.alarm.state is AlarmState.ACTIVE

    @property
    def asks(self) -> bool:
        """Whether nobody has seen its alarm, nor set it aside."""
        return self.alarm is not None and _standing(self.alarm).asks

    @property
    def severity(self) -> float | None:
        """The latest, as a multiple of the warning threshold."""
        return self.asset.last_severity

    @property
    def order(self) -> AssetUrgency:
        """What sorts the worst first."""
        return asset_urgency(
            self.asset.asset_id,
            None if self.alarm is None else _standing(self.alarm),
            self.severity,
            scored=self.unscored is None,
        )


def by_urgency(assets: Iterable[Asset], alarms: Iterable[AlarmView]) -> list[Standing]:
    """Return the assets with their alarms, the worst first.

    Args:
        assets: Each once.
        alarms: Those that stand, the most urgent first.
    """
    views: dict[str, AlarmView] = {}
    of_asset: dict[str, list[StandingAlarm]] = {}
    for alarm in alarms:
        views[alarm.alarm_id] = alarm
        of_asset.setdefault(alarm.asset_id, []).append(_standing(alarm))
    rows = []
    for asset in assets:
        telling = alarm_of(of_asset.get(asset.asset_id, ()), asset.run_id)
        rows.append(Standing(asset, None if telling is None else views[telling.alarm_id]))
    return sorted(rows, key=lambda row: row.order)


def _standing(alarm: AlarmView) -> StandingAlarm:
    return StandingAlarm(
        alarm.alarm_id,
        alarm.asset_id,
        alarm.run_id,
        alarm.level,
        alarm.state is AlarmState.ACTIVE,
        alarm.acknowledged,
        alarm.shelved is not None,
        alarm.out_of_service is not None,
    )
