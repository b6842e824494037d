"""What every way to the models promises: toy models in memory, real ones in a process.

And that what the process says is what the batch path says, to the last bit.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from pydantic import TypeAdapter

from api.access.rights import ASKING
from api.adapters.memory.replays import MemoryFleetCatalogue
from api.adapters.memory.scoring import MemoryScoring
from api.adapters.scoring.process import ProcessScoring
from api.app import Adapters, create_app
from api.detection.ports import Scoring
from api.detection.values import (
    CsvAsked,
    CsvAsset,
    CsvScored,
    Found,
    ModelSource,
    OtherRule,
    StoredRun,
    UnknownRegime,
    WhatIfAsked,
    WhatIfFound,
    Wrong,
)
from api.http.bodies import CSV_PATH
from api.known_fleets import KnownFleet, KnownFleets
from common.cmapss.reader import EngineSeries, load_dataset
from common.errors import RequestRefusedError
from common.machines.machine import MachineType
from common.machines.rows import as_rows
from common.records.verdicts import Evidence, Level
from common.settings import AlarmSettings, ApiSettings, Settings, without_settings
from models.artifact.opening import open_scorer
from models.artifact.store import SHIPPED, load_artifact
from models.evaluation.batch_path import engine_values, score_engine, score_record
from models.scoring.scorer import WindowScorer
from producer.simulator.simulate import simulate
from tests.support.api import Fakes
from tests.support.detection import SCORER, csv_of, known_model, toy_rows, toy_scoring

FD001 = ModelSource(folder=str(SHIPPED / "fd001"), sha256=load_artifact("fd001").sha256)
RULE = AlarmSettings(on_delay_cycles=3, off_delay_cycles=10)


@dataclass(frozen=True, slots=True)
class Side:
    """One way to the models, and readings that grow worse for its model."""

    scoring: Scoring
    model: ModelSource
    machine: MachineType
    values: NDArray[np.float64]


@pytest.fixture(scope="module")
def engine() -> EngineSeries:
    return simulate(1, seed=3).engines[0]


@pytest.fixture(scope="module")
def scorer() -> WindowScorer:
    return open_scorer(load_artifact("fd001"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def process() -> AsyncIterator[ProcessScoring]:
    scoring = ProcessScoring(ApiSettings())
    yield scoring
    await scoring.close()


@pytest.fixture(params=["memory", "process"])
def side(request: pytest.FixtureRequest, scorer: WindowScorer, engine: EngineSeries) -> Side:
    if request.param == "memory":
        ref, values = SCORER.spec.ref, toy_rows(np.linspace(0.0, 3.0, 60).tolist())
        source = ModelSource(folder="toy", sha256=ref.sha256)
        return Side(toy_scoring(), source, SCORER.spec.machine, values)
    machine = scorer.spec.machine
    process: ProcessScoring = request.getfixturevalue("process")
    return Side(process, FD001, machine, engine_values(machine, engine))


def windows_of(side: Side, count: int) -> NDArray[np.float64]:
    length = side.machine.window.length
    ends = np.linspace(length, len(side.values), count).astype(int)
    return np.stack([side.values[end - length : end] for end in ends])


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_windows_are_answered_one_each_in_their_order_and_each_by_itself(side: Side) -> None:
    windows = windows_of(side, 5)
    before = windows.copy()

    together = await side.scoring.windows(side.model, windows)
    alone = [(await side.scoring.windows(side.model, each[None])).items[0] for each in windows]

    assert list(together.items) == alone
    assert np.array_equal(windows, before)
    scores = []
    for item in together.items:
        assert isinstance(item, Found)
        scores.append(item.score)
        assert [each.share for each in item.channels] == sorted(
            (each.share for each in item.channels), reverse=True
        )
        assert sum(each.share for each in item.channels) == pytest.approx(1.0)
        assert {each.name for each in item.channels} == set(side.machine.channel_names)
        assert (item.level is not Level.NONE) == (item.severity >= 1)
        assert item.confidence is not None
        assert 0 <= item.confidence <= 1
    assert scores[-1] > scores[0]
    assert together.sureness.windows


async def test_no_windows_are_no_answers(side: Side) -> None:
    shape = (0, side.machine.window.length, side.machine.row_width)

    assert (await side.scoring.windows(side.model, np.empty(shape))).items == ()


async def test_rows_of_an_unknown_regime_are_named_and_harm_no_other_window(side: Side) -> None:
    windows = windows_of(side, 2)
    sound = (await side.scoring.windows(side.model, windows)).items
    windows[0, 1, 0] = -50.0

    first, second = (await side.scoring.windows(side.model, windows)).items

    assert first == UnknownRegime(rows=(1,))
    assert second == sound[1]


async def test_readings_are_scored_where_a_full_window_ends(side: Side) -> None:
    length = side.machine.window.length
    values = side.values[: length + 3]

    found = await side.scoring.readings(side.model, values, None)

    assert [each.reading for each in found.found] == [length - 1, *range(length, length + 3)]
    assert found.unscored == {"warming_up": length - 1}
    alone = (await side.scoring.windows(side.model, values[None, 3 : length + 3])).items[0]
    assert isinstance(alone, Found)
    assert found.found[-1].score == alone.score
    assert found.found[-1].severity == alone.severity


async def test_a_blank_is_held_for_as_long_as_it_may_be(side: Side) -> None:
    length = side.machine.window.length
    values = side.values[: length + 8].copy()
    values[2:4, -1] = np.nan
    held = await side.scoring.readings(side.model, values, None)
    values[2:7, -1] = np.nan
    refused = await side.scoring.readings(side.model, values, None)

    assert len(held.found) == 9
    assert refused.unscored["refused"] == 2


async def test_too_few_readings_are_none_scored(side: Side) -> None:
    found = await side.scoring.readings(side.model, side.values[:2], 1)

    assert found.found == ()
    assert found.unscored == {"warming_up": 2}


async def test_a_file_says_the_same_as_its_readings_and_marks_where_they_are_worst(
    side: Side, tmp_path: Path
) -> None:
    path = tmp_path / "engine.csv"
    path.write_text(csv_of(side.values, side.machine))
    asked = CsvAsked(path=str(path), sensor_id="e", max_rows=1000, alarm=RULE)

    by_file = await side.scoring.csv(side.model, asked)
    by_hand = await side.scoring.readings(side.model, side.values, 1)

    assert isinstance(by_file, CsvScored)
    (asset,) = TypeAdapter(list[CsvAsset]).validate_json(by_file.assets)
    assert asset.rows == tuple(range(1, len(side.values) + 1))
    scored = [each for each in asset.scores if each is not None]
    assert scored == [each.score for each in by_hand.found]
    assert by_file.found.scored == len(scored)
    assert by_file.found.problems == ()
    region = by_file.found.regions[-1]
    assert region.end_row == len(side.values)
    assert region.open
    assert region.start_row <= region.peak.row <= region.end_row
    assert region.peak.severity == max(each.severity for each in by_hand.found)
    assert path.exists()


async def test_a_file_that_is_no_table_is_wrong_and_not_an_error(
    side: Side, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    asked = CsvAsked(path=str(path), sensor_id="e", max_rows=10, alarm=RULE)

    found = await side.scoring.csv(side.model, asked)

    assert isinstance(found, Wrong)
    assert found.field == side.machine.condition_names[0]


@pytest.mark.parametrize("change", [{"folder": "/nowhere"}, {"sha256": "0" * 64}])
async def test_a_model_that_is_not_there_any_more_is_refused_for_now(
    side: Side, change: dict[str, str]
) -> None:
    other = side.model.model_copy(update={"sha256": "1" * 64} | change)
    shape = (0, side.machine.window.length, side.machine.row_width)

    with pytest.raises(RequestRefusedError, match=r".+") as caught:
        await side.scoring.windows(other, np.empty(shape))

    assert (caught.value.status, caught.value.code) == (503, "model_unreadable")
    assert caught.value.retry_after_s


async def test_another_rule_is_compared(side: Side) -> None:
    n = 6
    parts = [
        StoredRun(
            asset_id="a", run_id="r", cycles=list(range(first, first + n)), scores=[5.0] * n,
            severities=[2.0] * n, evidence=[Evidence.DEGRADATION] * n,
            levels=[Level.WARNING] * n, warning=[2.5] * n, critical=[9.0] * n, lives=[None] * n,
        )
        for first in (1, n + 1)
    ]  # fmt: skip
    asked = nothing().model_copy(update={"other": OtherRule(alarm={"on_delay_cycles": 8})})
    wrong = OtherRule(alarm={"on_window_cycles": 2})

    found = await side.scoring.whatif(asked, parts)
    beyond = await side.scoring.whatif(asked.model_copy(update={"other": wrong}), parts)

    assert isinstance(found, WhatIfFound)
    (moved,) = found.moved
    assert (moved.before.cycle, moved.after.cycle) == (3, 8)
    assert isinstance(beyond, Wrong)
    assert beyond.field == "alarm.on_window_cycles"


async def test_the_process_says_what_the_batch_path_says_to_the_last_bit(
    process: ProcessScoring, scorer: WindowScorer, engine: EngineSeries
) -> None:
    batch = score_engine(scorer, engine)
    values = engine_values(scorer.spec.machine, engine)
    length = scorer.spec.window_length
    windows = np.lib.stride_tricks.sliding_window_view(values, length, axis=0).transpose(0, 2, 1)

    alone = await process.windows(FD001, windows)
    found = await process.readings(FD001, values, 1)

    assert batch.life is not None
    items = [each for each in alone.items if isinstance(each, Found)]
    assert [each.score for each in items] == batch.scores.tolist()
    assert [each.severity for each in items] == batch.judged.severities.tolist()
    assert [each.score for each in found.found] == batch.scores.tolist()
    lives = [each.life.expected for each in found.found if each.life is not None]
    assert lives == batch.life.expected.tolist()
    names = list(scorer.spec.channels)
    for item, shares in zip(items, batch.shares, strict=True):
        assert {each.name: each.share for each in item.channels} == dict(
            zip(names, shares.tolist(), strict=True)
        )


async def test_a_frozen_channel_speaks_as_it_does_live(
    process: ProcessScoring, scorer: WindowScorer, engine: EngineSeries
) -> None:
    values = engine_values(scorer.spec.machine, engine)[:60]
    values[30:, -1] = values[30, -1]
    cycles = np.arange(1, 61)
    batch = score_record(scorer, cycles, as_rows(values))

    (last,) = (await process.windows(FD001, values[None, -30:])).items
    found = await process.readings(FD001, values, 1)

    assert isinstance(last, Found)
    assert (last.evidence, last.threshold) == (Evidence.FROZEN, 20.0)
    assert last.channels[0].name == scorer.spec.channels[-1]
    assert last.severity == batch.judged.severities[-1] == found.found[-1].severity


async def test_what_the_description_gives_as_an_example_is_answered(
    process: ProcessScoring,
) -> None:
    catalogue = MemoryFleetCatalogue()
    scorer = open_scorer(load_artifact("fd001"))
    known = KnownFleet("FD001", "fd001", known_model(scorer, FD001.folder))
    catalogue.known = KnownFleets({"FD001": known})
    fakes = Fakes(catalogue=catalogue)

    async def opened(settings: Settings, stack: AsyncExitStack) -> Adapters:
        return replace(await fakes.opened(settings, stack), scoring=process)

    app = create_app(Settings(), opened)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        described = (await client.get("/openapi.json")).json()
        schemas = described["components"]["schemas"]
        for path in sorted(ASKING - {CSV_PATH}):
            body = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            example = schemas[body["schema"]["$ref"].rpartition("/")[2]]["example"]
            answer = await client.post(path, json=example)
            assert answer.status_code == 200, (path, answer.text)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["FD001", "FD002"])
async def test_so_it_does_of_nasas_engines(
    process: ProcessScoring, cmapss_dir: Path, name: str
) -> None:
    artifact = load_artifact(name.lower())
    real = open_scorer(artifact)
    source = ModelSource(folder=str(SHIPPED / name.lower()), sha256=artifact.sha256)
    for series in load_dataset(cmapss_dir, name, "test").engines[:5]:
        batch = score_engine(real, series)
        found = await process.readings(source, engine_values(real.spec.machine, series), 1)
        assert [each.score for each in found.found] == batch.scores.tolist()


async def test_the_process_is_started_by_a_question_and_ended_at_the_end() -> None:
    scoring = ProcessScoring(ApiSettings())
    assert scoring.pid is None

    await scoring.whatif(nothing(), [])
    pid = scoring.pid
    assert pid is not None
    await scoring.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_what_takes_too_long_is_given_up_and_the_next_question_is_answered() -> None:
    hangs = (sys.executable, "-c", "import time; time.sleep(600)")
    scoring = ProcessScoring(ApiSettings(scoring_timeout_s=0.3), hangs)

    with pytest.raises(RequestRefusedError) as caught:
        await scoring.whatif(nothing(), [])
    assert (caught.value.status, caught.value.code) == (503, "scoring_too_slow")
    assert scoring.pid is None


async def test_a_process_that_dies_costs_its_question_alone() -> None:
    scoring = ProcessScoring(ApiSettings())
    await scoring.whatif(nothing(), [])
    first = scoring.pid
    assert first is not None
    asking = asyncio.ensure_future(scoring.whatif(nothing(), []))
    await asyncio.sleep(0)
    os.kill(first, 9)
    (outcome,) = await asyncio.gather(asking, return_exceptions=True)

    assert isinstance(outcome, WhatIfFound | RequestRefusedError)
    if isinstance(outcome, RequestRefusedError):
        assert outcome.code == "scoring_failed"
        assert isinstance(await scoring.whatif(nothing(), []), WhatIfFound)
    await scoring.close()


async def test_a_process_that_ends_at_once_is_told() -> None:
    scoring = ProcessScoring(ApiSettings(), (sys.executable, "-c", "pass"))

    with pytest.raises(RequestRefusedError, match="Ask again") as caught:
        await scoring.whatif(nothing(), [])

    assert caught.value.code == "scoring_failed"


async def test_a_few_may_wait_and_more_are_refused_at_once() -> None:
    hangs = (sys.executable, "-c", "import time; time.sleep(600)")
    scoring = ProcessScoring(ApiSettings(scoring_waiting=1), hangs)

    taken = [asyncio.ensure_future(scoring.whatif(nothing(), [])) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(RequestRefusedError, match="2 questions are before") as caught:
        await asyncio.wait_for(scoring.whatif(nothing(), []), 30)

    assert (caught.value.status, caught.value.code) == (503, "scoring_busy")
    assert caught.value.retry_after_s
    assert not any(each.done() for each in taken)
    for each in taken:
        each.cancel()
    await asyncio.gather(*taken, return_exceptions=True)
    assert scoring.pid is None


async def test_the_process_gets_none_of_our_settings_and_secrets() -> None:
    given = {"PATH": "/bin", "SURGELINE_ALERTS__URL": "secret", "surgeline_api__key": "secret"}

    assert without_settings(given) == {"PATH": "/bin"}


async def test_the_fake_fails_where_it_is_told_to() -> None:
    scoring: MemoryScoring = toy_scoring()
    scoring.failure = RequestRefusedError(503, "scoring_busy", "busy", 1)

    with pytest.raises(RequestRefusedError):
        await scoring.whatif(nothing(), [])


def nothing() -> WhatIfAsked:
    return WhatIfAsked(alarm=RULE, own_alarms={}, life_limit=None, other=OtherRule())
