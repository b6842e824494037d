"""True anomalies of a run: only of what is surely a replay of labelled readings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.replays.running import new_run_id
from common.records.run_names import Replayed, replay_run_id, replayed, source_run
from common.telemetry.files import LABELS_FILE
from producer.arguments import resolve_run_id
from tests.support.api import Running, running, score
from tests.support.clock import StillClock
from tests.support.telemetry import BURST, TEST_ROWS, write_telemetry

TEST = "SMAP-test-20260701T123000000Z"
TRAIN = TEST.replace("test", "train")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Running]:
    write_telemetry(tmp_path / "smap_msl", {"A-1": "SMAP", "D-2": "SMAP", "M-1": "MSL"})
    async with running(data_dir=tmp_path) as started:
        yield started


async def labels(api: Running, asset_id: str = "A-1", **query: str) -> dict[str, object]:
    answer = await api.client.get(f"/api/v1/assets/{asset_id}/labels", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


async def heard(api: Running, *runs: tuple[str, str], cycle: int = 1) -> None:
    await api.fakes.scores.write(
        [score(cycle, asset_id=asset_id, run_id=run_id) for asset_id, run_id in runs]
    )


@pytest.mark.parametrize("run_id", [TEST, f"{TEST}:from-3-120", "SMAP-test-20260701T123000Z-1f3a"])
async def test_a_replay_of_labelled_readings_has_them(api: Running, run_id: str) -> None:
    await heard(api, ("A-1", run_id), cycle=TEST_ROWS)

    assert await labels(api) == {
        "asset_id": "A-1",
        "run_id": run_id,
        "items": [{"first_cycle": BURST[0] + 1, "last_cycle": BURST[1]}],
        "source": f"{LABELS_FILE} of SMAP",
        "disputed": None,
        "why_none": None,
    }


@pytest.mark.parametrize(
    ("asset_id", "run_id", "cycle", "why"),
    [
        pytest.param("A-1", "SMAP-test-mine", 1, "without --run-id", id="a name of one's own"),
        pytest.param("A-1", f"x:{TEST}", 1, "does not say", id="more before it"),
        pytest.param("A-1", f"simulated-{TEST}", 1, "does not say", id="simulated"),
        pytest.param("A-1", TEST.replace("SMAP", "FD001"), 1, "does not say", id="another set"),
        pytest.param("A-1", TEST.replace("SMAP", "MSL"), 1, "no stream A-1 of MSL", id="MSL"),
        pytest.param("M-1", TEST, 1, "no stream M-1 of SMAP", id="a stream of MSL"),
        pytest.param("P-103", TEST, 1, "no stream P-103", id="a stranger's machine"),
        pytest.param("A-1", TRAIN, 1, "Training readings", id="training readings"),
        pytest.param("A-1", TEST, TEST_ROWS + 1, "of 500 readings", id="more readings"),
    ],
)
async def test_what_is_not_sure_has_none(
    api: Running, asset_id: str, run_id: str, cycle: int, why: str
) -> None:
    await heard(api, (asset_id, run_id), cycle=cycle)

    said = await labels(api, asset_id)

    assert (said["run_id"], said["items"], said["source"]) == (run_id, [], None)
    assert why in str(said["why_none"])


async def test_of_several_runs_the_one_that_is_asked_for(api: Running) -> None:
    await heard(api, ("A-1", TEST), ("A-1", "other"))

    assert (await labels(api, run_id=TEST))["source"]
    assert (await labels(api, run_id="other"))["source"] is None
    assert "in run 'nobody'" in str((await labels(api, run_id="nobody"))["why_none"])
    assert "no verdict on asset 'nobody'." in str((await labels(api, "nobody"))["why_none"])


async def test_disputed_labels_say_why(api: Running) -> None:
    await heard(api, ("D-2", TEST))

    assert "one labelled anomaly" in str((await labels(api, "D-2"))["disputed"])


async def test_a_list_that_is_damaged_or_gone_is_no_error_and_is_read_again(
    api: Running, tmp_path: Path
) -> None:
    await heard(api, ("A-1", TEST))
    path = tmp_path / "smap_msl" / LABELS_FILE
    good = path.read_bytes()
    assert (await labels(api))["source"]

    path.write_bytes(b"\xff\xfe")
    assert "no list of anomalies" in str((await labels(api))["why_none"])
    path.write_bytes(b" " * 2_000_000)
    assert "larger than" in str((await labels(api))["why_none"])
    path.unlink()
    assert "SURGELINE_DATA_DIR" in str((await labels(api))["why_none"])
    path.write_bytes(good)
    assert (await labels(api))["source"]


@pytest.mark.parametrize("query", [{"run_id": "a\n"}, {"limit": "1"}, {"run_id": ""}])
async def test_a_question_that_is_none_is_refused(api: Running, query: dict[str, str]) -> None:
    answer = await api.client.get("/api/v1/assets/A-1/labels", params=query)

    assert answer.status_code == 422


@given(
    dataset=st.sampled_from(["SMAP", "MSL", "FD001", "SIM"]),
    split=st.sampled_from(["train", "test"]),
    seconds=st.floats(0, 1e9),
)
def test_both_that_replay_name_runs_so_that_they_are_known(
    dataset: str, split: str, seconds: float
) -> None:
    clock = StillClock()
    clock.elapsed_s = seconds
    simulated = dataset == "SIM"
    by_command = resolve_run_id(None, dataset, split, simulated=simulated, now=clock.now())

    for name in (by_command, new_run_id(dataset, split, clock)):
        told = f"simulated-{dataset}" if simulated else dataset
        assert replayed(name) == Replayed(told, split)


def test_a_replay_of_own_files_is_none() -> None:
    assert replayed(replay_run_id("SMAP", "csv", "20260701T123000Z")) is None
    assert source_run(f"{TEST}:from-1-2") == TEST
