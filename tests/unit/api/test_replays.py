"""Replays: started once, followed, stopped, remembered, gone on with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from api.replays.ports import Replay, ReplayProgress, ReplaySpec, ReplayState
from common.errors import BackendUnavailableError
from common.metering.names import ENDED
from common.settings import ApiSettings
from tests.support.alerts import START
from tests.support.api import Fakes, Running, eventually, running

REPLAYS = "/api/v1/replays"
SPEC = ReplaySpec("demo", "FD001", "test", "1-20", "60x", START, 1.0, None)
BODY = {
    "dataset": "FD001",
    "split": "test",
    "engines": "1-20",
    "speed": "60x",
    "start": "2026-01-01T00:00:00Z",
    "run_id": "demo",
}


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running(settings=ApiSettings(max_concurrent_replays=2)) as started:
        yield started


async def state(api: Running, run_id: str) -> str:
    return str((await api.client.get(f"{REPLAYS}/{run_id}")).json()["state"])


async def until(api: Running, run_id: str, **expected: Any) -> dict[str, Any]:
    """Return the replay once it says what is expected."""
    for _ in range(1000):
        found: dict[str, Any] = (await api.client.get(f"{REPLAYS}/{run_id}")).json()
        if all(found[name] == value for name, value in expected.items()):
            return found
    raise AssertionError(f"never {expected}, but {found}")


async def test_a_replay_is_accepted_and_says_where_it_is_found(api: Running) -> None:
    answer = await api.client.post(REPLAYS, json=BODY)

    assert answer.status_code == 202
    assert answer.headers["location"] == f"{REPLAYS}/demo"
    assert answer.json()["state"] == "running"
    assert api.fakes.launcher.launched[0][0] == SPEC
    assert (await api.client.get(answer.headers["location"])).json()["run_id"] == "demo"


async def test_progress_is_shown_as_the_producer_says_it(api: Running) -> None:
    await api.client.post(REPLAYS, json=BODY)
    _, process = api.fakes.launcher.launched[0]

    process.say(ReplayProgress(sent=30, skipped=20, total=200))
    half_way = await until(api, "demo", sent=30)
    process.say(ReplayProgress(sent=180, skipped=20, total=200, state=ReplayState.DONE))
    done = await until(api, "demo", state="done")

    assert (half_way["state"], half_way["progress"], half_way["hint"]) == ("running", 0.25, None)
    assert (done["progress"], done["sent"], done["hint"]) == (1.0, 180, None)
    assert done["ended_at"] is not None


async def test_a_running_run_is_not_started_twice(api: Running) -> None:
    await api.client.post(REPLAYS, json=BODY)

    again = await api.client.post(REPLAYS, json=BODY)

    assert again.status_code == 409
    assert again.json()["type"] == "urn:surgeline:problem:replay_running"
    assert len(api.fakes.launcher.launched) == 1


async def test_more_replays_than_allowed_are_refused_until_one_ends(api: Running) -> None:
    for run_id in ("one", "two"):
        assert (await api.client.post(REPLAYS, json=BODY | {"run_id": run_id})).status_code == 202

    third = await api.client.post(REPLAYS, json=BODY | {"run_id": "three"})
    api.fakes.launcher.launched[0][1].say(ReplayProgress(state=ReplayState.DONE))
    await until(api, "one", state="done")
    now = await api.client.post(REPLAYS, json=BODY | {"run_id": "three"})

    assert third.status_code == 429
    assert third.json()["type"] == "urn:surgeline:problem:too_many_replays"
    assert now.status_code == 202


async def test_a_replay_is_stopped_politely_and_can_be_gone_on_with(api: Running) -> None:
    await api.client.post(REPLAYS, json=BODY)
    _, process = api.fakes.launcher.launched[0]
    process.say(ReplayProgress(sent=50, total=200))
    await until(api, "demo", sent=50)

    stopped = await api.client.delete(f"{REPLAYS}/demo")
    again = await api.client.post(REPLAYS, json=BODY)

    assert process.terminated
    assert not process.killed
    assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
    assert stopped.json()["sent"] == 50
    assert "POST the same run_id" in stopped.json()["hint"]
    assert again.status_code == 202
    assert await state(api, "demo") == "running"


async def test_stopping_what_has_ended_changes_nothing(api: Running) -> None:
    await api.client.post(REPLAYS, json=BODY)
    _, process = api.fakes.launcher.launched[0]
    process.say(ReplayProgress(sent=2, total=2, state=ReplayState.DONE))
    before = await until(api, "demo", state="done")

    after = await api.client.delete(f"{REPLAYS}/demo")

    assert after.json() == before
    assert not process.terminated


async def test_a_replay_that_finished_while_being_stopped_is_done(api: Running) -> None:
    await api.client.post(REPLAYS, json=BODY)
    _, process = api.fakes.launcher.launched[0]
    process.say(ReplayProgress(sent=2, total=2, state=ReplayState.DONE))

    stopped = await api.client.delete(f"{REPLAYS}/demo")

    assert stopped.json()["state"] == "done"


async def test_a_failed_replay_says_why(api: Running) -> None:
    await api.client.post(REPLAYS, json=BODY)
    _, process = api.fakes.launcher.launched[0]

    process.say(ReplayProgress(state=ReplayState.FAILED, error="test_FD001.txt is missing"))
    failed = await until(api, "demo", state="failed")

    assert failed["error"] == "test_FD001.txt is missing"
    assert failed["hint"] is not None


async def test_a_producer_that_cannot_start_is_503_and_leaves_a_failed_replay(
    api: Running,
) -> None:
    api.fakes.launcher.failure = BackendUnavailableError("no more processes")

    answer = await api.client.post(REPLAYS, json=BODY)

    assert answer.status_code == 503
    failed = (await api.client.get(f"{REPLAYS}/demo")).json()
    assert (failed["state"], failed["error"]) == ("failed", "no more processes")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({}, 202, id="the same"),
        pytest.param({"speed": "max", "engines": "1-30"}, 202, id="faster, more engines"),
        pytest.param({"dataset": "FD003"}, 409, id="another data set"),
        pytest.param({"split": "train"}, 409, id="another split"),
        pytest.param({"start": "2026-01-02T00:00:00Z"}, 409, id="other timestamps"),
        pytest.param({"cycle_interval_s": 2.0}, 409, id="another pace of cycles"),
    ],
)
async def test_a_run_is_gone_on_with_only_as_itself(
    api: Running, change: dict[str, Any], status: int
) -> None:
    ended = ReplayProgress(sent=7, total=20, state=ReplayState.STOPPED)
    await api.fakes.records.put(Replay(SPEC, ended, START, START))

    answer = await api.client.post(REPLAYS, json=BODY | change)

    assert answer.status_code == status
    if status == 409:
        assert next(iter(change)) in answer.json()["detail"]


async def test_a_run_of_which_nothing_was_sent_may_become_another(api: Running) -> None:
    failed = ReplayProgress(state=ReplayState.FAILED, error="no data")
    await api.fakes.records.put(Replay(SPEC, failed, START, START))

    answer = await api.client.post(REPLAYS, json=BODY | {"dataset": "FD003"})

    assert answer.status_code == 202


async def test_what_is_left_out_when_going_on_is_as_it_was(api: Running) -> None:
    spec = replace(SPEC, cycle_interval_s=0.5)
    ended = ReplayProgress(sent=7, total=20, state=ReplayState.STOPPED)
    await api.fakes.records.put(Replay(spec, ended, START, START))

    answer = await api.client.post(REPLAYS, json={"dataset": "FD001", "run_id": "demo"})

    assert answer.status_code == 202
    launched, _ = api.fakes.launcher.launched[0]
    assert (launched.start, launched.cycle_interval_s) == (START, 0.5)


async def test_run_ids_are_made_up_where_none_is_given(api: Running) -> None:
    data = (await api.client.post(REPLAYS, json={"dataset": "FD001"})).json()
    simulator = (await api.client.post(REPLAYS, json={"dataset": "SIM", "seed": 7})).json()

    assert data["run_id"].startswith("FD001-test-")
    assert (data["simulated"], data["engines"], data["speed"]) == (False, "all", "max")
    assert simulator["run_id"].startswith("simulated-SIM-test-")
    assert (simulator["simulated"], simulator["split"], simulator["seed"]) == (True, "test", 7)


async def test_replays_are_listed_with_their_live_progress(api: Running) -> None:
    old = ReplaySpec("old", "FD001", "test", "all", "max", START, 1.0, None)
    await api.fakes.records.put(
        Replay(old, ReplayProgress(sent=1, state=ReplayState.DONE), START, START)
    )
    await api.client.post(REPLAYS, json=BODY)
    api.fakes.launcher.launched[0][1].say(ReplayProgress(sent=3))
    await until(api, "demo", sent=3)

    items = (await api.client.get(REPLAYS)).json()["items"]

    assert [(item["id"], item["sent"]) for item in items] == [("demo", 3), ("old", 1)]


async def test_a_restart_calls_what_was_running_interrupted() -> None:
    fakes = Fakes()
    await fakes.records.put(Replay(SPEC, ReplayProgress(sent=9, total=20), START))

    async with running(fakes) as api:
        found = (await api.client.get(f"{REPLAYS}/demo")).json()
        again = await api.client.post(REPLAYS, json=BODY)

    assert (found["state"], found["sent"]) == ("interrupted", 9)
    assert "POST the same run_id" in found["hint"]
    assert again.status_code == 202


async def test_stopping_the_api_stops_its_replays() -> None:
    fakes = Fakes()
    async with running(fakes) as api:
        await api.client.post(REPLAYS, json=BODY)

    assert fakes.launcher.launched[0][1].terminated
    found = await fakes.records.find("demo")
    assert isinstance(found, Replay)
    assert found.progress.state is ReplayState.INTERRUPTED
    assert found.ended_at is not None


async def test_a_defect_while_following_a_replay_ends_only_that_replay(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.client.post(REPLAYS, json=BODY)
    _, process = api.fakes.launcher.launched[0]
    await eventually(lambda: True)

    async def broken(*_args: object) -> None:
        raise RuntimeError("defect")

    with monkeypatch.context() as patched:
        patched.setattr(type(api.fakes.records), "put", broken)
        process.say(ReplayProgress(sent=1))
        await eventually(lambda: process.killed)

    assert (await api.client.get("/health")).status_code == 200


def counted(api: Running, name: str, **labels: str) -> float | None:
    return api.services.metrics.registry.get_sample_value(name, labels)


async def test_replays_are_counted_with_what_they_send(api: Running) -> None:
    await api.client.post(REPLAYS, json=BODY)
    _, process = api.fakes.launcher.launched[0]

    process.say(ReplayProgress(sent=30, total=200))
    await until(api, "demo", sent=30)
    assert counted(api, "surgeline_api_replays_running") == 1
    process.say(ReplayProgress(sent=200, total=200, state=ReplayState.DONE))
    await until(api, "demo", state="done")
    await eventually(lambda: counted(api, "surgeline_api_replays_running") == 0)

    assert counted(api, "surgeline_api_replayed_readings_total") == 200
    assert counted(api, "surgeline_api_replays_ended_total", state="done") == 1
    assert counted(api, "surgeline_api_replays_ended_total", state="failed") == 0


def test_every_way_a_replay_can_end_has_its_count() -> None:
    assert set(ENDED.values) == set(ReplayState) - {ReplayState.RUNNING}
