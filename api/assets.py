"""The list of assets: runs of the score store beside the alarms that stand.

The two are different stores. By name a page costs what it holds. By urgency, or where only some
states are wanted, a few fields of every asset are read, and all of them for the page's alone.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from api.alarms.ports import AlarmStore
from api.alarms.urgency import (
    AssetState,
    AssetUrgency,
    StandingAlarm,
    alarm_of,
    asset_urgency,
    state_of,
)
from api.known_fleets import KnownFleets
from common.records.verdicts import Level
from common.scorestore.port import Glance, RunSummary, ScoreStore
from common.scorestore.tally import glance_of, latest_of

Place: TypeAlias = AssetUrgency | str
"""Where an asset stands in the list: by its urgency, or by its name."""


@dataclass(frozen=True, slots=True)
class AssetFilter:
    """Which assets, in which order; all conditions apply together.

    Attributes:
        asset_id: Only this one.
        run_id: This run of each, instead of its latest.
        fleet: Only of this fleet.
        state: Only those that stand so.
        level: Only those with an active alarm of this level.
        order: By name, or the most urgent first.
    """

    asset_id: str | None = None
    run_id: str | None = None
    fleet: str | None = None
    state: AssetState | None = None
    level: Level | None = None
    order: Literal["name", "urgency"] = "name"


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How far the window that is being filled has come, in readings."""

    seen: int
    needed: int


@dataclass(frozen=True, slots=True)
class ListedAsset:
    """An asset in the list.

    Attributes:
        run: The run that is shown.
        runs: How many runs of it are stored.
        alarm: The alarm that tells how it stands.
        warm_up: None once its last reading is scored, or where its machine type is not known.
    """

    run: RunSummary
    runs: int
    alarm: StandingAlarm | None
    warm_up: WarmUp | None

    @property
    def state(self) -> AssetState:
        """How it stands."""
        return state_of(self.alarm, scored=glance_of(self.run).scored)


@dataclass(frozen=True, slots=True)
class ListedAssets:
    """A page of the list; ``next_after`` is the place of its last asset, if others follow."""

    items: Sequence[ListedAsset]
    next_after: Place | None


class AssetList:
    """Lists assets.

    Args:
        scores: Where runs are.
        alarms: Where alarms are.
    """

    def __init__(self, scores: ScoreStore, alarms: AlarmStore) -> None:
        self._scores = scores
        self._alarms = alarms

    async def page(
        self,
        wanted: AssetFilter,
        limit: int,
        now: datetime,
        known: KnownFleets,
        after: Place | None = None,
    ) -> ListedAssets:
        """Return a page.

        Args:
            wanted: Which assets, in which order.
            limit: Most assets.
            now: The moment at which shelves and windows hold.
            known: How long each fleet's window is.
            after: Only assets beyond this place.

        Raises:
            BackendError: If a store does not answer.
        """
        if wanted.order == "name" and wanted.state is None and wanted.level is None:
            assert after is None or isinstance(after, str)  # noqa: S101 - cursors are of one query
            page = await self._scores.run_page(
                limit,
                after=after,
                asset_id=wanted.asset_id,
                run_id=wanted.run_id,
                fleet=wanted.fleet,
            )
            alarms = _by_asset(
                await self._alarms.standing(now, {run.asset_id for run in page.runs})
            )
            return ListedAssets(await self._listed(page.runs, alarms, known), page.next_after)
        glances, standing = await asyncio.gather(
            self._scores.latest_runs(
                asset_id=wanted.asset_id, run_id=wanted.run_id, fleet=wanted.fleet
            ),
            self._alarms.standing(now, None if wanted.asset_id is None else {wanted.asset_id}),
        )
        alarms = _by_asset(standing)
        chosen = await asyncio.to_thread(_chosen, glances, alarms, wanted, after, limit + 1)
        shown = chosen[:limit]
        runs = await self._scores.summaries([glance.asset_id for _, glance in shown])
        if wanted.run_id is not None:
            runs = [run for run in runs if run.run_id == wanted.run_id]
        listed = {item.run.asset_id: item for item in await self._listed(runs, alarms, known)}
        return ListedAssets(
            # an asset whose last row was removed meanwhile is left out
            [listed[glance.asset_id] for _, glance in shown if glance.asset_id in listed],
            shown[-1][0] if len(chosen) > limit else None,
        )

    async def _listed(
        self,
        runs: Sequence[RunSummary],
        alarms: Mapping[str, Sequence[StandingAlarm]],
        known: KnownFleets,
    ) -> list[ListedAsset]:
        """Return the assets of these runs, by name."""
        counts = Counter(run.asset_id for run in runs)
        latest = latest_of(runs)
        warm_ups = await self._warm_ups(latest, known)
        return [
            ListedAsset(
                run,
                counts[run.asset_id],
                alarm_of(alarms.get(run.asset_id, ()), run.run_id),
                warm_ups.get(run.asset_id),
            )
            for run in latest
        ]

    async def _warm_ups(
        self, runs: Iterable[RunSummary], known: KnownFleets
    ) -> Mapping[str, WarmUp]:
        """Return how far windows have come, where the last reading was not scored."""
        by_length: dict[int, list[RunSummary]] = defaultdict(list)
        for run in runs:
            machine = known.machine(run.fleet)
            if machine is not None and (
                run.last_cycle is None or run.last_cycle != run.last_scored_cycle
            ):
                by_length[machine.window.length].append(run)
        found: dict[str, WarmUp] = {}
        for needed, waiting in by_length.items():
            asked = [(run.asset_id, run.run_id) for run in waiting]
            seen = await self._scores.warm_ups(asked, needed)
            found |= {
                run.asset_id: WarmUp(count, needed)
                for run, count in zip(waiting, seen, strict=True)
            }
        return found


def _by_asset(alarms: Iterable[StandingAlarm]) -> Mapping[str, Sequence[StandingAlarm]]:
    found: dict[str, list[StandingAlarm]] = defaultdict(list)
    for alarm in alarms:
        found[alarm.asset_id].append(alarm)
    return found


def _chosen(
    glances: Iterable[Glance],
    alarms: Mapping[str, Sequence[StandingAlarm]],
    wanted: AssetFilter,
    after: Place | None,
    most: int,
) -> list[tuple[Place, Glance]]:
    """Return the first assets beyond ``after``, each with its place."""
    found: list[tuple[Place, Glance]] = []
    by_urgency, state, level = wanted.order == "urgency", wanted.state, wanted.level
    for glance in glances:  # every asset: what is not asked for is not worked out
        name, run_id, _, scored, severity = glance
        standing = alarms.get(name)
        alarm = None if standing is None else alarm_of(standing, run_id)
        if state is not None and state is not state_of(alarm, scored=scored):
            continue
        if level is not None and (alarm is None or not alarm.active or alarm.level is not level):
            continue
        place: Place = name
        if by_urgency:
            place = asset_urgency(name, alarm, severity, scored=scored)
        if after is None or place > after:  # type: ignore[operator]  # of one kind in one query
            found.append((place, glance))
    return heapq.nsmallest(most, found)  # places differ, for names do
