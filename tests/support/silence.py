"""A fleet that sends by a clock, for tests of silence."""

from __future__ import annotations

from datetime import datetime, timedelta

from api.adapters.memory.replays import MemoryFleetCatalogue
from api.known_fleets import KnownFleet, KnownFleets, KnownModel
from api.silence.alerts import silence_alert
from api.silence.rule import Change, Silence, Watched
from common.machines.machine import Channel, MachineType, Step, Window
from common.records.alerts import Alert, ModelRef
from common.records.verdicts import ScoreRecord, SourcePosition, Verdict
from common.settings import SilenceSettings

MINUTE = timedelta(minutes=1)
PUMP = MachineType(
    name="pump",
    step=Step(word="minute", clock="time", interval_s=60.0),
    window=Window(length=5),
    conditions=(),
    channels=(Channel(name="flow"),),
)
ENGINE = MachineType(name="engine", conditions=(), channels=(Channel(name="T50"),))
SETTINGS = SilenceSettings(after_steps=3, every_s=30, scored_over_s=120, scored_of_readings=4)
"""A reading is overdue after 3 minutes, a score after 8."""


def fleets(**machines: MachineType) -> MemoryFleetCatalogue:
    """Return a catalogue of fleets by name."""
    catalogue = MemoryFleetCatalogue()
    catalogue.known = KnownFleets(
        {
            name: KnownFleet(
                name,
                name,
                KnownModel(ModelRef(name=name, version="1", sha256="0" * 64), machine, 1.0, 2.0),
            )
            for name, machine in machines.items()
        }
    )
    return catalogue


def reading(
    at: datetime,
    *,
    asset_id: str = "pump-1",
    run_id: str = "only",
    fleet: str = "pumps",
    status: Verdict = Verdict.SCORED,
) -> ScoreRecord:
    """Return the verdict on a reading that was taken at a time; its cycle is that minute's."""
    cycle = round(at.timestamp() / 60)
    return ScoreRecord(
        asset_id=asset_id,
        run_id=run_id,
        fleet=fleet,
        cycle=cycle,
        ts=at,
        status=status,
        model="pumps@1",
        score=0.25 if status is Verdict.SCORED else None,
        source=SourcePosition("test.readings", 0, round(at.timestamp())),
        published_ts_ms=round(at.timestamp() * 1000),
    )


def silence_began(asset_id: str, at: datetime) -> Alert:
    """Return the alert of an asset that has sent nothing since a time."""
    before = watched(asset_id, at, Silence.NO_READING)
    due = 3 * MINUTE
    return silence_alert(Change(before, Silence.NO_READING, at, True, due, due, before)).alert


def watched(asset_id: str, at: datetime, silence: Silence | None = None) -> Watched:
    """Return an asset that has been sending until a time."""
    return Watched(
        asset_id=asset_id,
        fleet="pumps",
        run_id="only",
        cycle=7,
        scored_cycle=7,
        ts=at,
        live_since=at - 10 * MINUTE,
        heard_at=at,
        scored_at=at,
        silence=silence,
        silent_from=None if silence is None else at,
    )
