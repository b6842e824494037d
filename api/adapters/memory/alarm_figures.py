"""Figures of alarms, counted in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from api.alarms.events import Action
from api.alarms.figures import (
    MOST_LISTED,
    STALE,
    STRETCH,
    AlarmFigures,
    AssetCount,
    Busiest,
    ChannelCount,
    FiguresQuery,
    OldAlarm,
)
from api.alarms.lifecycle import Alarm, AlarmState


def figures_of(alarms: Iterable[Alarm], query: FiguresQuery, now: datetime) -> AlarmFigures:
    """Count these alarms."""
    ours = [item for item in alarms if query.fleet in (None, item.facts.first.fleet)]
    dated = [(item, item.facts.arrived_at) for item in ours if item.facts.arrived_at is not None]
    some = [(item, at) for item, at in dated if query.since <= at < query.until]
    stretches = Counter(int(at.timestamp() // STRETCH.total_seconds()) for _, at in some)
    flaps = {item: item.facts.flaps for item, _ in some}
    old = sorted(
        OldAlarm(item.facts.first.alarm_id, item.facts.first.asset_id, at)
        for item, at in dated
        if item.state is AlarmState.ACTIVE and at <= now - STALE
    )
    taken_s = sorted(
        round((min(done) - at).total_seconds(), 3)
        for item, at in some
        if (done := [one.done.at for one in item.events if one.done.action is Action.ACKNOWLEDGED])
    )
    judged = (item.judgement.done.judgement for item, _ in some if item.judgement is not None)
    assets = Counter(item.facts.first.asset_id for item, _ in some)
    chattering = Counter(item.facts.first.asset_id for item, count in flaps.items() if count)
    asset_flaps: Counter[str] = Counter()
    for item, count in flaps.items():
        asset_flaps[item.facts.first.asset_id] += count
    channels = Counter(
        (item.facts.first.fleet, item.facts.channel)
        for item, _ in some
        if item.facts.channel is not None
    )
    return AlarmFigures(
        alarms=len(some),
        busiest=_busiest(stretches),
        floods=sum(count > query.flood for count in stretches.values()),
        chattering=sum(count > 0 for count in flaps.values()),
        flaps=sum(flaps.values()),
        chattering_assets=sorted(
            (AssetCount(name, chattering[name], asset_flaps[name]) for name in chattering),
            key=lambda each: (-each.flaps, each.asset_id),
        )[:MOST_LISTED],
        stale=len(old),
        oldest=min(old, key=lambda each: (each.arrived_at, each.alarm_id), default=None),
        acknowledged=len(taken_s),
        median_s=_ranked(taken_s, 5),
        p90_s=_ranked(taken_s, 9),
        verdicts=Counter(each for each in judged if each is not None),
        assets=sorted(
            (AssetCount(name, count) for name, count in assets.items()),
            key=lambda each: (-each.alarms, each.asset_id),
        )[:MOST_LISTED],
        channels=sorted(
            (ChannelCount(*name, count) for name, count in channels.items()),
            key=lambda each: (-each.alarms, each.fleet, each.channel),
        )[:MOST_LISTED],
    )


def _busiest(stretches: Counter[int]) -> Busiest | None:
    if not stretches:
        return None
    number, count = min(stretches.items(), key=lambda item: (-item[1], item[0]))
    return Busiest(datetime.fromtimestamp(number * STRETCH.total_seconds(), UTC), count)


def _ranked(ordered: Sequence[float], tenths: int) -> float | None:
    """Return the nearest rank."""
    return ordered[(tenths * len(ordered) + 9) // 10 - 1] if ordered else None
