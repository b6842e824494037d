"""Which machine needs somebody first: assets and their alarms side by side, worst first.

Pure: what the api answered in, rows out. The api itself lists assets by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from api.alarms.lifecycle import AlarmState
from api.views.alarms import AlarmView
from api.views.schemas import Asset
from common.records.verdicts import Level, Verdict

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
        alarm = self.alarm
        return (
            alarm is not None
            and not alarm.acknowledged
            and alarm.shelved is None
            and alarm.out_of_service is None
        )

    @property
    def severity(self) -> float | None:
        """The latest, as a multiple of the warning threshold."""
        return self.asset.last_severity

    @property
    def order(self) -> tuple[int, bool, bool, float, str]:
        """What sorts the worst first.

        The level of an alarm that stands, alarms that nobody has seen or set aside, assets that are
        not scored, severity, name.
        """
        level = self.alarm.level if self.alarm is not None and self.is_active else Level.NONE
        severity = -1.0 if self.severity is None else self.severity
        return (
            -level.rank,
            not self.asks,
            self.unscored is None,
            -severity,
            self.asset.asset_id,
        )


def by_urgency(assets: Iterable[Asset], alarms: Iterable[AlarmView]) -> list[Standing]:
    """Return the assets with their alarms, the worst first.

    Args:
        assets: Each once.
        alarms: Those that stand, the most urgent first; of several of one asset the one of its
            latest run holds, else the first.
    """
    by_id: dict[str, AlarmView] = {}
    first: dict[str, AlarmView] = {}
    for alarm in alarms:
        by_id[alarm.alarm_id] = alarm
        first.setdefault(alarm.asset_id, alarm)
    rows = [
        Standing(
            asset,
            by_id.get(asset.alarm.alarm_id if asset.alarm else "", first.get(asset.asset_id)),
        )
        for asset in assets
    ]
    return sorted(rows, key=lambda row: row.order)
