"""What the api says of silence: deadlines and counts by fleet, notes in ``/ready``, metrics."""

from __future__ import annotations

from datetime import timedelta

from api.known_fleets import KnownFleet, KnownFleets
from api.routes.assets.silence import MOST_NOTES
from api.silence.ports import Numbers
from api.silence.shares import Counted, Window
from api.silence.watch import Report
from common.errors import BackendUnavailableError, NotKnownError
from common.records.verdicts import Verdict
from common.settings import SilenceSettings
from tests.support.api import Fakes, Running, eventually, running
from tests.support.clock import StillClock
from tests.support.silence import ENGINE, PUMP, fleets, reading

SETTINGS = SilenceSettings()


def filled() -> Fakes:
    fakes = Fakes(clock=StillClock())
    fakes.catalogue = fleets(pumps=PUMP, engines=ENGINE)
    broken = KnownFleet("broken", "nothing", None, "no such file")
    fakes.catalogue.known = KnownFleets({**fakes.catalogue.known.fleets, "broken": broken})
    return fakes


async def looked(api: Running) -> None:
    await eventually(lambda: api.services.silence.report.looked_at is not None)


async def test_deadlines_are_told_by_fleet_or_why_there_are_none() -> None:
    async with running(filled()) as api:
        await looked(api)
        told = (await api.client.get("/api/v1/silence")).json()

    broken, engines, pumps = told["fleets"]
    assert (pumps["fleet"], pumps["reading_deadline_s"], pumps["score_deadline_s"]) == (
        "pumps",
        600.0,
        900.0,
    )
    assert pumps["not_watched_because"] is None
    assert "SURGELINE_SILENCE__COUNTED_AFTER_S is 0" in engines["not_watched_because"]
    assert broken["not_watched_because"] == "its machine type is not known"
    assert (pumps["watched"], pumps["silent"], pumps["scored_share"]) == (0, 0, None)
    assert (told["suspended_because"], told["window_s"]) == (None, None)


async def test_what_people_should_know_is_among_the_notes_and_the_metrics() -> None:
    async with running(filled()) as api:
        await looked(api)
        quiet = (await api.client.get("/ready")).json()["notes"]
        window = Window(
            api.fakes.clock.now(),
            timedelta(minutes=5),
            {"pumps": Counted(400, 100), "engines": Counted(99, 0), "fans": Counted(100, 50)},
        )
        watch = api.services.silence
        watch.report = Report(
            watch.report.looked_at, "", watch.report.deadlines, {"pumps": Numbers(9, 2)}, window
        )
        notes = (await api.client.get("/ready")).json()["notes"]
        told = (await api.client.get("/api/v1/silence")).json()["fleets"]

    assert quiet == []
    assert notes == [
        "2 machines are silent or not scored. GET /api/v1/silence says of which fleet.",
        "Fleet pumps: of 400 readings in 5 min only 100 were scored (25%). GET /api/v1/assets has "
        "the reasons.",
    ]
    assert [each["fleet"] for each in told if each["hardly_scored"]] == ["pumps"]
    assert {each["fleet"]: each["readings"] for each in told} == {
        "broken": 0,
        "engines": 99,
        "fans": 100,
        "pumps": 400,
    }


async def test_a_hundred_fleets_are_a_few_notes() -> None:
    async with running(filled()) as api:
        await looked(api)
        few = {f"fleet-{number}": Counted(1000, 0) for number in range(100)}
        window = Window(api.fakes.clock.now(), timedelta(minutes=5), few)
        api.services.silence.report = Report(window=window)
        notes = (await api.client.get("/ready")).json()["notes"]

    assert len(notes) == MOST_NOTES + 1
    assert notes[-1] == "So of 95 more fleets: GET /api/v1/silence."


async def test_a_detector_that_is_down_suspends_the_watch_and_an_unknown_group_does_not() -> None:
    fakes = filled()
    fakes.group.failure = BackendUnavailableError("nobody is in the group")
    async with running(fakes) as api:
        await looked(api)
        notes = (await api.client.get("/ready")).json()["notes"]
        fakes.group.failure = NotKnownError("detectors: unknown: the broker does not say")
        await api.services.silence.look()
        unknown = api.services.silence.report.suspended
        fakes.detector.failure = BackendUnavailableError("nobody at 127.0.0.1:8081")
        await api.services.silence.look()
        down = api.services.silence.report.suspended

    assert notes == [
        "No machine is called silent at present, for nobody reads what is sent: nobody is in the "
        "group"
    ]
    assert (unknown, down) == ("", "nobody at 127.0.0.1:8081")


async def test_silent_assets_are_counted_for_prometheus() -> None:
    fakes, clock = filled(), StillClock()
    fakes.clock = clock
    async with running(fakes) as api:
        await looked(api)
        for _ in range(60):
            clock.elapsed_s += 15
            await fakes.scores.write([reading(clock.now(), status=Verdict.SCORED)])
            await api.services.silence.look()
        clock.elapsed_s += 30
        for _ in range(60):
            clock.elapsed_s += 15
            await api.services.silence.look()
        metrics = (await api.client.get("/metrics")).text
        (alarm,) = (await api.client.get("/api/v1/alarms")).json()["items"]
        acknowledged = await api.client.post(
            f"/api/v1/alarms/{alarm['alarm_id']}/acknowledge", json={"note": "a power cut"}
        )

    assert 'surgeline_api_silent_assets{fleet="pumps"} 1.0' in metrics
    assert 'surgeline_api_watched_assets{fleet="pumps"} 1.0' in metrics
    assert 'surgeline_api_silent_assets{fleet="engines"} 0.0' in metrics
    assert (alarm["evidence"], alarm["state"], alarm["standing"]) == ("silent", "active", True)
    assert acknowledged.json()["acknowledged"]
