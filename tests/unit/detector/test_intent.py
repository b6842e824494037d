"""Model or settings change between a crash and the restart: nobody is left with a wrong alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.records.alerts import Alert
from common.records.readings import SensorReading
from detector.core.fleet import rules_digest
from detector.core.intent import Intent, TakenOver, by_asset, to_adopt, unpack_intent
from detector.core.state.progress import Progress, unpack_progress
from detector.failpoints import Point
from models.alarm import AlarmPolicy
from models.scoring.scorer import Thresholds
from tests.support.builders import INPUTS, MeanScorer, fleets_of, reading
from tests.support.world import ALARM, Killed, World, dies_at

OTHER_MODEL = MeanScorer(version="2")
DEAF = AlarmPolicy(on_delay_cycles=50, off_delay_cycles=2, deadband=0.0)
PATIENT = AlarmPolicy(on_delay_cycles=3, off_delay_cycles=2, deadband=0.0)
NEVER = MeanScorer(thresholds=Thresholds(90.0, 99.0), version="3")


def flight(values: Sequence[float]) -> list[SensorReading]:
    return [reading(cycle, value) for cycle, value in enumerate(values, start=1)]


RISE = [0.0] * 5 + [2.5] * 5
FALL = [0.0] * 10


def standing(alerts: Sequence[Alert]) -> dict[str, Alert]:
    """What a subscriber believes: of each alarm the message with the highest sequence."""
    latest: dict[str, Alert] = {}
    for alert in alerts:
        known = latest.get(alert.alarm_id)
        if known is None or alert.alarm_sequence >= known.alarm_sequence:
            latest[alert.alarm_id] = alert
    return latest


async def disturbed(point: Point, **changed: object) -> World:
    """A worker dies over the rise; one with other rules does it again, and then the fall."""
    world = World()
    world.send(flight(RISE + FALL))
    with pytest.raises(Killed):
        await world.worker(dies_at(point)).service.process(world.fetch({0: (0, 10)}))
    successor = world.worker(**changed)  # type: ignore[arg-type]
    await successor.service.process(world.fetch({0: (0, 10)}))
    await successor.service.process(world.fetch({0: (10, 20)}))
    return world


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"scorer": OTHER_MODEL}, id="another model"),
        pytest.param({"scorer": NEVER}, id="a model that raises nothing"),
        pytest.param({"alarm": DEAF}, id="a rule that raises nothing"),
        pytest.param({"alarm": PATIENT}, id="a rule that raises later"),
        pytest.param({}, id="the same"),
    ],
)
@pytest.mark.parametrize("point", [Point.INTENDED, Point.PUBLISHED])
async def test_every_alarm_that_was_raised_is_cleared_and_raised_once(
    point: Point, changed: dict[str, object]
) -> None:
    world = await disturbed(point, **changed)

    raised = {alert.alert_id for alert in world.publisher.alerts if alert.state == "raised"}
    assert len(raised) == 1
    assert [alert.state for alert in standing(world.publisher.alerts).values()] == ["cleared"]
    labels = {row.model for row in await world.rows()}
    scorer = changed.get("scorer", world.scorer)
    assert isinstance(scorer, MeanScorer)
    assert labels == {f"mean@{scorer.spec.ref.version}"}  # no row of the old model is left


@pytest.mark.parametrize("changed", [{"scorer": OTHER_MODEL}, {"scorer": NEVER}, {"alarm": DEAF}])
@pytest.mark.parametrize("point", [Point.SCORES_WRITTEN, Point.EVIDENCE_PUBLISHED])
async def test_before_alerts_are_noted_nothing_is_promised_to_anybody(
    point: Point, changed: dict[str, object]
) -> None:
    """Verdicts may be there and evidence, of which nobody has heard: all is as if they were not."""
    world = await disturbed(point, **changed)
    alone = World()
    alone.send(flight(RISE + FALL))
    worker = alone.worker(**changed)  # type: ignore[arg-type]
    await worker.service.process(alone.fetch({0: (0, 10)}))
    await worker.service.process(alone.fetch({0: (10, 20)}))

    assert world.publisher.alerts == alone.publisher.alerts
    assert await world.rows() == await alone.rows()


@pytest.mark.parametrize("cut", [3, 6, 7, 9])
async def test_it_does_not_matter_how_the_batch_is_cut_when_it_comes_again(cut: int) -> None:
    world = World()
    world.send(flight(RISE + FALL))
    with pytest.raises(Killed):
        await world.worker(dies_at(Point.PUBLISHED)).service.process(world.fetch({0: (0, 10)}))
    successor = world.worker(scorer=OTHER_MODEL)

    for span in ((0, cut), (cut, 10), (10, 20)):
        await successor.service.process(world.fetch({0: span}))

    assert len({a.alert_id for a in world.publisher.alerts if a.state == "raised"}) == 1
    assert [alert.state for alert in standing(world.publisher.alerts).values()] == ["cleared"]


async def test_an_intent_that_was_carried_out_is_of_no_account() -> None:
    world = World()
    world.send(flight(RISE + FALL))
    await world.worker().service.process(world.fetch({0: (0, 10)}))
    successor = world.worker(scorer=OTHER_MODEL)

    await successor.service.process(world.fetch({0: (10, 20)}))

    assert successor.metric("surgeline_alerts_adopted_total") == 0


async def test_an_alarm_that_is_open_when_the_model_changes_is_cleared_under_its_own_id() -> None:
    world = World()
    world.send(flight(RISE + FALL))
    await world.worker().service.process(world.fetch({0: (0, 10)}))

    await world.worker(scorer=OTHER_MODEL).service.process(world.fetch({0: (10, 20)}))

    first, last = world.publisher.alerts[0], world.publisher.alerts[-1]
    assert (first.state, first.model.version) == ("raised", "1")
    assert (last.state, last.model.version) == ("cleared", "2")
    assert first.alarm_id == last.alarm_id


async def test_a_third_worker_takes_over_what_the_second_had_taken_over() -> None:
    world = World()
    world.send(flight(RISE + FALL))
    for worker in (
        world.worker(dies_at(Point.INTENDED)),
        world.worker(dies_at(Point.PUBLISHED), scorer=NEVER),
        world.worker(dies_at(Point.SCORES_WRITTEN), scorer=OTHER_MODEL),
    ):
        with pytest.raises(Killed):
            await worker.service.process(world.fetch({0: (0, 10)}))
    last = world.worker(scorer=OTHER_MODEL)

    await last.service.process(world.fetch({0: (0, 10)}))
    await last.service.process(world.fetch({0: (10, 20)}))

    # the first wrote its intent down but published nothing; the others published that very alert
    # the second, to which nothing is anomalous, cleared the alarm of the first, and died too
    told = {alert.alert_id: alert for alert in world.publisher.alerts}
    assert [(a.state.value, a.model.version) for a in told.values()] == [
        ("raised", "1"),
        ("cleared", "3"),
    ]
    assert [alert.state for alert in standing(world.publisher.alerts).values()] == ["cleared"]


@pytest.mark.parametrize(
    "looks", [pytest.param(0, id="before verdicts"), pytest.param(1, id="before alerts")]
)
async def test_a_frozen_worker_with_the_old_model_publishes_nothing_once_it_is_overtaken(
    looks: int,
) -> None:
    world = World()
    world.send(flight(RISE + FALL))
    looked = 0
    successor = world.worker(scorer=OTHER_MODEL)

    frozen = world.worker()
    intend = frozen.service._ports.states.intend

    async def freeze(intents):  # type: ignore[no-untyped-def]
        nonlocal looked
        looked += 1
        if looked == looks + 1:
            await successor.service.process(world.fetch({0: (0, 10)}))
            await successor.service.process(world.fetch({0: (10, 20)}))
        return await intend(intents)

    frozen.service._ports.states.intend = freeze  # type: ignore[method-assign]
    await frozen.service.process(world.fetch({0: (0, 10)}))

    assert {alert.model.version for alert in world.publisher.alerts} == {"2"}
    assert {row.model for row in await world.rows()} == {"mean@2"}
    assert unpack_progress(world.states.progress[0]).next_offset == 20


async def test_a_raised_that_comes_after_its_cleared_is_known_by_its_number() -> None:
    """The worker froze after its last look at the store: its message comes last all the same."""
    world = World()
    world.send(flight(RISE + FALL))
    successor = world.worker()
    late: list[Alert] = []
    frozen = world.worker()
    publish = frozen.service._ports.publisher.publish

    async def freeze(alerts, dead_letters):  # type: ignore[no-untyped-def]
        if not late:
            late.extend(alerts)
            await successor.service.process(world.fetch({0: (0, 10)}))
            await successor.service.process(world.fetch({0: (10, 20)}))
        await publish(alerts, dead_letters)

    frozen.service._ports.publisher.publish = freeze  # type: ignore[method-assign]
    await frozen.service.process(world.fetch({0: (0, 10)}))

    assert world.publisher.alerts[-1].state == "raised"  # the last message of the key
    assert [alert.state for alert in standing(world.publisher.alerts).values()] == ["cleared"]
    assert [a.alarm_sequence for a in world.publisher.alerts] == [1, 3, 1]


async def test_what_is_noted_is_read_again() -> None:
    world = World()
    world.send(flight(RISE))
    await world.worker().service.process(world.everything())
    (value,) = world.states.intents.values()

    intent = unpack_intent(value)

    assert intent.end == 10
    assert [alert for _, alert in intent.alerts] == world.publisher.alerts
    assert intent.pack() == value
    assert unpack_intent(Intent("x", 1, 2, intent.alerts, []).pack()).adopted == intent.alerts


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"rules": "x"}', id="a part of it"),
        pytest.param(b'{"adopted": [], "alerts": [], "rules": "x", "life": 0}', id="no end"),
        pytest.param(
            b'{"adopted": [], "alerts": [["a", "b", "{}"]], "rules": "x", "life": 0, "end": 1}',
            id="an alert that is none",
        ),
        pytest.param(b"[" * 5000, id="very deep"),
    ],
)
def test_what_is_no_intent_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack_intent(value)


@given(st.binary(max_size=100) | st.just(b'{"rules": "x"}') | st.just(b"[" * 5000))
def test_no_foreign_bytes_raise_anything_else(value: bytes) -> None:
    for unpack in (unpack_intent, unpack_progress):
        try:
            unpack(value)
        except ValueError:
            continue


@given(st.integers(0, 2**62), st.integers(0, 2**31), st.integers(0, 2**62))
def test_progress_is_read_as_it_was_written(offset: int, life: int, unread: int) -> None:
    progress = Progress(offset, life, None, unread)

    assert unpack_progress(progress.pack()) == progress


@pytest.mark.parametrize(
    "value", [b"7", b"07 0 - 0 -", b"7 0 - 0", b"7 0 6:5:ff 0 -", b"7 0 6:5:000000FF 0 -"]
)
def test_progress_written_otherwise_is_none(value: bytes) -> None:
    """It would be compared as we write it, and so never be replaced."""
    with pytest.raises(ValueError, match=r".+"):
        unpack_progress(value)


def test_rules_are_told_apart() -> None:
    digests = {
        rules_digest(fleets_of(scorer, INPUTS, alarm))
        for scorer in (MeanScorer(), OTHER_MODEL, NEVER)
        for alarm in (ALARM, DEAF)
    }
    digests.add(rules_digest(fleets_of(MeanScorer(), replace(INPUTS, follow_after=2), ALARM)))
    assert len(digests) == 7
    assert {len(digest) for digest in digests} == {32}


async def published() -> list[tuple[tuple[str, str], Alert]]:
    """A raised and a cleared alert, each with its asset."""
    world = World()
    world.send(flight(RISE + FALL))
    await world.worker().service.process(world.everything())
    return [(("engine-1", "run-1"), alert) for alert in world.publisher.alerts]


@pytest.mark.parametrize(
    ("known", "adopted"),
    [
        pytest.param(None, True, id="nothing was applied yet"),
        pytest.param(Progress(0), True, id="the very beginning"),
        pytest.param(Progress(1), False, id="it was carried out"),
        pytest.param(Progress(2), False, id="it was carried out long ago"),
        pytest.param(Progress(0, life=1), False, id="of a topic that is gone"),
    ],
)
async def test_what_was_not_carried_out_to_the_end_is_taken_over(
    known: Progress | None, adopted: bool
) -> None:
    (raised, _) = await published()
    intent = Intent("theirs", 0, 1, [], [raised])

    found = to_adopt({3: intent}, {} if known is None else {3: known}, "ours")

    assert found == ({3: TakenOver([raised], 1)} if adopted else {})


async def test_what_our_own_rules_repeat_is_left_out_and_what_they_had_taken_over_is_not() -> None:
    raised, cleared = await published()

    found = to_adopt(
        {
            0: Intent("ours", 0, 9, [], [raised]),
            1: Intent("ours", 0, 9, [raised], [cleared]),
            2: Intent("theirs", 0, 9, [raised], [cleared]),
            3: Intent("theirs", 0, 9, [], []),
        },
        {},
        "ours",
    )

    assert found == {1: TakenOver([raised], 9), 2: TakenOver([raised, cleared], 9)}
    assert by_asset(found.values()) == {("engine-1", "run-1"): [raised[1], raised[1], cleared[1]]}
