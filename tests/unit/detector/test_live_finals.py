"""Scores that become final later, live: as offline, whatever the cuts, whichever worker dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ArtifactError, UserError
from common.fleets import fleets_text
from common.records.alerts import Alert, Transition
from common.records.readings import SensorReading
from common.records.verdicts import ScoreRecord, Verdict
from common.settings import Settings
from detector.core.pipeline import decode_batch
from detector.core.state.asset import WITH_FINALS, unpack
from detector.failpoints import Point
from detector.fleets import open_fleets
from detector.tools.parity.differences import Comparison, LiveVerdict
from detector.tools.parity.expected import expect
from models.artifact.asset_parts import ABOUT_FILE, PARTS_FILE
from models.artifact.opening import open_parts
from models.artifact.parts_scorer import NO_PART, PartScorer, PartsScorer
from models.thresholding.series_rule import parse_threshold
from models.thresholding.trailing import TrailingRule, trailing_thresholds
from tests.support.builders import records
from tests.support.live_parts import LENGTH, NAMES, THRESHOLD, LiveParts
from tests.support.world import Killed, World, dies_at

LATER = LENGTH - 1
REAL = ("T-10", "T-9")
"""Short ones of MSL."""
Found = tuple[list[ScoreRecord], list[Alert]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> LiveParts:
    return LiveParts.made(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def smooth(tmp_path_factory: pytest.TempPathFactory) -> LiveParts:
    return LiveParts.made(tmp_path_factory.mktemp("smooth"), half_life=3.0)


async def streamed(
    made: LiveParts, cuts: Sequence[int], readings: Sequence[SensorReading] | None = None
) -> Found:
    """Take readings through a worker in batches that end at these places."""
    world = World()
    world.send(made.readings() if readings is None else readings)
    count = len(world.topic[0])
    service = world.worker(fleets=made.fleets()).service
    bounds = sorted({0, *(cut % count for cut in cuts), count})
    for begin, end in pairwise(bounds):
        await service.process(world.fetch({0: (begin, end)}))
    return await world.rows(), world.publisher.alerts


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 10_000), max_size=6), smoothed=st.booleans())
def test_live_scores_are_those_of_the_batch_path_however_readings_are_cut(
    plain: LiveParts, smooth: LiveParts, cuts: list[int], smoothed: bool
) -> None:
    made = smooth if smoothed else plain
    rows, alerts = asyncio.run(streamed(made, cuts))
    offline = made.offline()
    uncut, same = asyncio.run(streamed(made, []))
    assert rows == uncut
    assert {alert.alert_id: alert for alert in alerts} == {alert.alert_id: alert for alert in same}

    for record in made.test.assets:
        expected = offline.score(record)
        assert expected is not None
        own = sorted((r for r in rows if r.asset_id == record.asset_id), key=lambda r: r.cycle)
        at_once = [np.nan if row.score is None else row.score for row in own]
        final = [np.nan if row.final_score is None else row.final_score for row in own]
        np.testing.assert_allclose(at_once, expected.provisional, rtol=1e-6)
        np.testing.assert_allclose(final[:-LATER], expected.final[:-LATER], rtol=1e-6)
        assert np.isnan(final[-LATER:]).all()  # the run may go on


@pytest.mark.real_data
async def test_real_streams_come_to_the_scores_of_evaluation(
    smap_msl_dir: Path, tmp_path: Path
) -> None:
    made = LiveParts.of_real(smap_msl_dir, tmp_path, REAL)
    offline = made.offline()
    length = made.test.machine.window.length

    rows, _ = await streamed(made, range(0, 10_000, 700))

    for record in made.test.assets:
        expected = offline.score(record)
        assert expected is not None
        own = sorted((r for r in rows if r.asset_id == record.asset_id), key=lambda r: r.cycle)
        at_once = [np.nan if row.score is None else row.score for row in own]
        final = [np.nan if row.final_score is None else row.final_score for row in own]
        np.testing.assert_allclose(at_once, expected.provisional, rtol=1e-6)
        np.testing.assert_allclose(final[: 1 - length], expected.final[: 1 - length], rtol=1e-6)


async def test_alarms_are_of_final_scores_by_the_threshold_that_follows(plain: LiveParts) -> None:
    _, alerts = await streamed(plain, [50, 77])
    offline, rule = plain.offline(), parse_threshold(THRESHOLD)
    assert isinstance(rule, TrailingRule)

    assert {alert.asset_id for alert in alerts} == set(NAMES)
    for record in plain.test.assets:
        scores = offline.score(record)
        assert scores is not None
        thresholds = trailing_thresholds(scores.final, offline.past(record.asset_id), rule)
        anomalous = scores.final >= thresholds
        raised = [
            alert
            for alert in alerts
            if alert.asset_id == record.asset_id and alert.state is Transition.RAISED
        ]
        for alert in raised:
            onset, judged = alert.onset_cycle - 1, alert.cycle - 1 - LATER
            assert anomalous[onset : judged + 1].all()
            assert not anomalous[onset - 1]
            assert alert.score == pytest.approx(scores.final[judged], rel=1e-6)
            assert alert.threshold == pytest.approx(thresholds[judged], rel=1e-6)
            assert f"final score of cycle {judged + 1}" in alert.reason


async def test_evidence_is_of_each_assets_own_part(plain: LiveParts) -> None:
    world = World()
    world.send(plain.readings())
    await world.worker(fleets=plain.fleets()).service.process(world.everything())
    offline = plain.offline()

    assert {each.asset_id for each in world.publisher.evidence} == set(NAMES)
    for each in world.publisher.evidence:
        own = offline.part(each.asset_id)
        assert own is not None
        assert each.channels[0].healthy_mean == own.normaliser.means[0, 0]
        assert each.weighed[0].score == pytest.approx(each.score)
        assert each.weighed[0].critical is None


@pytest.mark.parametrize("half_life", [None, 3.0])
async def test_parity_compares_final_scores_with_the_batch_path(
    plain: LiveParts, smooth: LiveParts, half_life: float | None
) -> None:
    made = smooth if half_life else plain
    missing = range(40, 44)
    readings = [reading for reading in made.readings() if reading.cycle not in missing]
    rows, _ = await streamed(made, [33, 111, 175, 177], readings)
    fleets = made.fleets()
    expected = expect(decode_batch(records(readings), fleets), fleets)
    comparison = Comparison(1e-6)

    for key, scores in expected.scores.items():
        live = {
            row.cycle: LiveVerdict(
                row.status, row.level, row.model, row.score, row.warning_threshold,
                row.critical_threshold, row.evidence, row.severity, row.life, row.final_score,
            )
            for row in rows
            if row.asset_id == key[0]
        }  # fmt: skip
        comparison.add_asset(key[0], live, expected.verdicts[key], scores, expected.finals[key])

    assert comparison.finals == 2 * (160 - len(missing) - LATER)
    assert not [*comparison.beyond, *comparison.missing, *comparison.verdicts]


@pytest.mark.parametrize(
    "point",
    [Point.SCORED, Point.INTENDED, Point.SCORES_WRITTEN, Point.PUBLISHED, Point.STATES_WRITTEN],
)
async def test_a_worker_that_dies_changes_nothing(plain: LiveParts, point: Point) -> None:
    expected = await streamed(plain, [100, 200])
    world = World()
    world.send(plain.readings())
    spans = [(0, 100), (100, 200), (200, len(world.topic[0]))]
    await world.worker(fleets=plain.fleets()).service.process(world.fetch({0: spans[0]}))
    dying = world.worker(dies_at(point), fleets=plain.fleets()).service

    with pytest.raises(Killed):
        await dying.process(world.fetch({0: spans[1]}))
    successor = world.worker(fleets=plain.fleets()).service
    for span in spans[1:]:
        await successor.process(world.fetch({0: span}))

    rows, alerts = await world.rows(), world.publisher.alerts
    assert rows == expected[0]
    assert list({alert.alert_id: alert for alert in alerts}.values()) == expected[1]


async def test_states_that_were_lost_come_back_with_what_is_not_final_yet(
    plain: LiveParts,
) -> None:
    world = World()
    world.send(plain.readings())
    count = len(world.topic[0])
    await world.worker(fleets=plain.fleets()).service.process(world.fetch({0: (0, 250)}))
    before = dict(world.states.values)

    world.states.values.clear()
    world.states.progress.clear()
    world.states.ledgers.clear()
    await world.worker(fleets=plain.fleets()).service.process(world.fetch({0: (250, count)}))

    expected = World()
    expected.send(plain.readings())
    service = expected.worker(fleets=plain.fleets()).service
    await service.process(expected.fetch({0: (0, 250)}))
    await service.process(expected.fetch({0: (250, count)}))
    assert len(before) == len(NAMES)
    assert world.states.values == expected.states.values
    assert await world.rows() == await expected.rows()


async def test_what_a_gap_cuts_off_is_final_with_the_gap(plain: LiveParts) -> None:
    readings = [r for r in plain.readings() if r.asset_id == "A-1" and r.cycle not in range(60, 65)]
    rows, _ = await streamed(plain, [70], readings)

    by_cycle = {row.cycle: row for row in rows}
    assert by_cycle[65].status is Verdict.GAP
    own = {row.cycle for row in rows if row.final_score is not None}
    assert own == {*range(1, 60), *range(65, 160 - LATER + 1)}
    # the last one before the gap is covered by one window alone
    assert by_cycle[59].final_score == pytest.approx(by_cycle[59].score)


async def test_an_asset_without_a_part_is_told_why_and_stops_nobody(plain: LiveParts) -> None:
    readings = [
        item
        for reading in plain.readings()
        for item in (reading, reading.model_copy(update={"asset_id": f"x{reading.asset_id}"}))
    ]
    rows, _ = await streamed(plain, [90], readings)

    strange = [row for row in rows if row.asset_id.startswith("x")]
    assert {(row.status, row.detail, row.final_score) for row in strange} == {
        (Verdict.UNKNOWN_REGIME, NO_PART, None)
    }
    known = [row for row in rows if not row.asset_id.startswith("x")]
    assert known == (await streamed(plain, []))[0]


async def test_a_damaged_part_is_told_and_stops_nobody(plain: LiveParts, tmp_path: Path) -> None:
    for file in plain.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    content = bytearray((tmp_path / PARTS_FILE).read_bytes())
    content[200] ^= 0xFF
    (tmp_path / PARTS_FILE).write_bytes(bytes(content))

    rows, _ = await streamed(LiveParts(tmp_path, plain.test), [])

    said = {row.asset_id: row.detail for row in rows if row.status is Verdict.UNKNOWN_REGIME}
    assert len(said) == 1
    assert "damaged" in next(iter(said.values()))
    assert {row.asset_id for row in rows if row.status is Verdict.SCORED} == NAMES.keys() - said


def test_only_so_many_parts_stay_in_memory(plain: LiveParts) -> None:
    scorer = open_parts(plain.folder)
    for number in range(300):
        scorer.of(f"stranger-{number}")

    assert scorer.in_memory == 256


def test_parts_may_be_asked_for_side_by_side(plain: LiveParts) -> None:
    scorer = PartsScorer(plain.folder, most=1)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(scorer.of, sorted(NAMES) * 50))

    assert not [each for each in found if not isinstance(each.scorer, PartScorer)]
    assert scorer.in_memory == 1


async def test_a_state_is_read_as_it_was_written(plain: LiveParts) -> None:
    world = World()
    world.send(plain.readings())
    service = world.worker(fleets=plain.fleets()).service
    await service.process(world.fetch({0: (0, 100)}))

    for value in world.states.values.values():
        assert value[12] == WITH_FINALS
        assert unpack(value).pack() == value
        with pytest.raises(ValueError, match="cut off"):
            unpack(value[: len(value) // 3])


def test_a_fleets_file_may_name_an_artifact_of_parts(plain: LiveParts, tmp_path: Path) -> None:
    path = tmp_path / "fleets.toml"
    path.write_text(fleets_text({"SMAP": str(plain.folder), "FD001": "fd001"}))

    fleets = open_fleets(Settings(fleets=path), no_registry)

    assert fleets["FD001"].of("A-1") is fleets["FD001"]
    assert fleets["SMAP"].of("A-1").finals is not None
    assert fleets["SMAP"].spec.ref.name == "parts"
    with pytest.raises(UserError, match="one model for all"):
        fleets["SMAP"].scorer.score(np.empty((0, LENGTH, 1), np.float32))


def test_a_threshold_that_looks_back_too_far_is_refused(plain: LiveParts, tmp_path: Path) -> None:
    for file in plain.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    about = (tmp_path / ABOUT_FILE).read_text().replace("length=200", "length=20000")
    (tmp_path / ABOUT_FILE).write_text(about)

    with pytest.raises(ArtifactError, match="20,000 readings; a worker remembers 10,080"):
        open_parts(tmp_path)


def no_registry(url: str) -> Path:
    raise AssertionError(url)
