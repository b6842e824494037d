"""What-if: stored verdicts through another rule, as the pure part in ``models.whatif`` has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from api.detection.values import (
    MOST_CHANGES,
    Moved,
    OneSided,
    StoredRun,
    ToldAlert,
    WhatIfAsked,
    WhatIfFound,
    Wrong,
)
from common.settings import AlarmSettings
from models.alarm import AlarmPolicy
from models.whatif.stored import AssetRun, Compared, OtherThresholds, Row, WouldBe, compare


def what_if(asked: WhatIfAsked, runs: Iterable[StoredRun]) -> WhatIfFound | Wrong:
    """Compare two rules; see the port."""
    other = asked.other
    try:
        before = _rules(asked.alarm, asked.own_alarms, {})
        after = _rules(asked.alarm, asked.own_alarms, other.alarm)
    except ValidationError as exc:
        first = exc.errors()[0]
        return Wrong(field=f"alarm.{first['loc'][0] if first['loc'] else ''}", message=first["msg"])
    except ValueError as exc:
        return Wrong(field="alarm.on_window_cycles", message=str(exc))
    rows: dict[AssetRun, list[Row]] = {}
    for run in runs:
        rows.setdefault((run.asset_id, run.run_id), []).extend(_rows(run))
    found = compare(
        rows,
        lambda asset_id: before.get(asset_id, before[None]),
        lambda asset_id: after.get(asset_id, after[None]),
        OtherThresholds(other.warning, other.critical, other.life),
        asked.life_limit,
    )
    return _told(found)


def _rules(
    alarm: AlarmSettings, own: dict[str, AlarmSettings], changes: dict[str, int | float]
) -> dict[str | None, AlarmPolicy]:
    rules: list[tuple[str | None, AlarmSettings]] = [(None, alarm), *own.items()]
    return {
        asset_id: AlarmPolicy(
            **AlarmSettings.model_validate(rule.model_dump() | changes).model_dump()
        )
        for asset_id, rule in rules
    }


def _rows(run: StoredRun) -> Iterator[Row]:
    columns = (run.cycles, run.scores, run.severities, run.evidence, run.levels, run.warning,
               run.critical, run.lives)  # fmt: skip
    return (Row(*each) for each in zip(*columns, strict=True))


def _told(found: Compared) -> WhatIfFound:
    gained, lost, moved = list[OneSided](), list[OneSided](), list[Moved]()
    for key, changes in found.changes.items():
        gained += [_one_sided(key, each) for each in changes.gained]
        lost += [_one_sided(key, each) for each in changes.lost]
        moved += [
            Moved(
                asset_id=key[0],
                run_id=key[1],
                before=ToldAlert(**pair.before._asdict()),
                after=ToldAlert(**pair.after._asdict()),
            )
            for pair in changes.moved
        ]
    return WhatIfFound(
        alarms_before=found.alarms_before,
        alarms_after=found.alarms_after,
        gained=tuple(gained[:MOST_CHANGES]),
        lost=tuple(lost[:MOST_CHANGES]),
        moved=tuple(moved[:MOST_CHANGES]),
        gained_total=len(gained),
        lost_total=len(lost),
        moved_total=len(moved),
        same=found.same,
        uncertain=found.uncertain,
    )


def _one_sided(key: AssetRun, each: WouldBe) -> OneSided:
    return OneSided(asset_id=key[0], run_id=key[1], **each._asdict())
