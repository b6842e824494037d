"""``kill -9`` of a worker while scores wait to become final changes nothing, in either of them."""

from __future__ import annotations

import signal
from pathlib import Path

from common.fleets import fleets_text
from common.records.alerts import Alert
from common.records.verdicts import ScoreRecord
from detector.failpoints import Point
from tests.support.detector import DetectorBench
from tests.support.kills import SMALL_BATCHES
from tests.support.live_parts import LENGTH, NAMES, LiveParts
from tests.support.world import ALARM, World


def file_of(made: LiveParts, folder: Path) -> dict[str, str]:
    """Return the variable that names the fleet's file, which is written."""
    path = folder / "fleets.toml"
    path.write_text(
        fleets_text({"SMAP": str(made.folder)})
        + f"bridge_cycles = 0\nalarm = {{ on_delay_cycles = {ALARM.on_delay_cycles}, "
        f"off_delay_cycles = {ALARM.off_delay_cycles}, deadband = {ALARM.deadband} }}\n"
    )
    return {"SURGELINE_FLEETS": str(path)}


async def undisturbed(made: LiveParts) -> tuple[list[ScoreRecord], dict[str, Alert]]:
    world = World()
    world.send(made.readings())
    await world.worker(fleets=made.fleets()).service.process(world.everything())
    return await world.rows(), {alert.alert_id: alert for alert in world.publisher.alerts}


async def test_kills_leave_both_scores_and_all_alerts_as_if_undisturbed(
    bench: DetectorBench, tmp_path: Path
) -> None:
    made = LiveParts.made(tmp_path)
    fleets = file_of(made, tmp_path)
    rows, alerts = await undisturbed(made)
    await bench.send(
        [(reading.asset_id.encode(), reading.to_json()) for reading in made.readings()]
    )

    for point, nth in ((Point.SCORES_WRITTEN, 3), (Point.STATES_WRITTEN, 3)):
        dying = bench.start(
            SURGELINE_DETECTOR__TEST_KILL_AT=f"{point.value}:{nth}", **SMALL_BATCHES, **fleets
        )
        assert dying.wait(60) == -signal.SIGKILL, bench.log()[-2000:]
    with bench.running(**fleets):
        await bench.settled()

    found = await bench.verdicts()
    assert sorted(found, key=_place) == sorted(rows, key=_place)
    assert sum(row.final_score is None for row in found) == len(NAMES) * (LENGTH - 1)
    assert {alert.alert_id: alert for alert in await bench.alerts()} == alerts
    assert alerts


def _place(row: ScoreRecord) -> tuple[str, int]:
    return row.asset_id, row.cycle
