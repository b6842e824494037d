"""``load(...).score(frame)``: the live detector's outcomes, the batch path's scores, row by row."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray

import surgeline
from common.machines.rows import as_rows
from common.machines.turbofan import TURBOFAN
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.evaluation.batch_path import RecordScores, score_record
from producer.simulator.simulate import simulate

MODEL = surgeline.load("fd001")
ENGINES = 4


def engines(blanks: float = 0.02, lost: float = 0.03, seed: int = 0) -> pd.DataFrame:
    """Simulated engines, of which some values and some whole cycles are missing."""
    rng = np.random.default_rng(seed)
    parts = []
    for engine in simulate(ENGINES, seed=seed, split="test").engines:
        values = np.column_stack(
            [np.full(len(engine.cycles), engine.unit), engine.cycles, engine.settings,
             engine.sensors]
        )  # fmt: skip
        values[:, 5:][rng.random((len(values), 21)) < blanks] = np.nan
        kept = rng.random(len(values)) >= lost
        kept[60:66] = False  # longer than may be bridged
        parts.append(values[kept])
    frame = pd.DataFrame(np.concatenate(parts), columns=["unit", "cycle", *MODEL.columns])
    return frame.astype({"unit": int, "cycle": int})


def by_the_batch_path(frame: pd.DataFrame) -> Iterator[tuple[str, RecordScores]]:
    scorer = open_scorer(load_artifact("fd001"))
    columns = [*TURBOFAN.condition_names, *MODEL.channels]
    for unit, own in frame.groupby("unit", sort=False):
        values = own[columns].to_numpy(np.float64)
        lowest, highest = np.array(MODEL.machine.limits).T
        beyond = (values[:, 3:] < lowest) | (values[:, 3:] > highest)
        kept = ~beyond.any(axis=1)
        cycles = own["cycle"].to_numpy(np.int64)
        yield str(unit), score_record(scorer, cycles[kept], as_rows(values[kept]))


def of(found: Any, prefix: str) -> NDArray[Any]:
    columns = [f"{prefix}:{name}" for name in MODEL.channels]
    return np.stack([found[name].to_numpy() for name in columns], axis=1).astype(np.float64)


@pytest.mark.parametrize("seed", [0, 1])
def test_scores_shares_and_directions_are_those_of_the_batch_path_to_the_last_bit(
    seed: int,
) -> None:
    frame = engines(seed=seed)

    found = MODEL.score(frame)

    scored = found[found["outcome"] == "scored"]
    assert 100 < len(scored) < len(frame) - 30 * ENGINES
    assert {"scored", "warming up", "gap", "blank too long"} <= set(found["outcome"])
    seen = 0
    for asset, expected in by_the_batch_path(frame):
        own = scored[scored["asset"] == asset]
        seen += len(own)
        assert np.array_equal(own["cycle"].to_numpy(np.int64), expected.cycles)
        assert np.array_equal(own["score"].to_numpy(), expected.scores)
        assert np.array_equal(of(own, "share"), expected.shares)
        assert np.array_equal(of(own, "direction"), expected.directions)
    assert seen == len(scored)


def test_a_polars_frame_comes_to_the_same_as_a_pandas_frame() -> None:
    frame = engines()

    of_pandas = MODEL.score(frame)
    of_polars = MODEL.score(pl.DataFrame({name: frame[name].to_numpy() for name in frame}))

    assert isinstance(of_pandas, pd.DataFrame)
    assert isinstance(of_polars, pl.DataFrame)
    assert list(of_pandas.columns) == of_polars.columns
    for name in ("asset", "outcome", "level", "cycle"):
        plain = [None if pd.isna(each) else each for each in of_pandas[name]]
        assert plain == of_polars[name].to_list(), name
    assert np.array_equal(of_pandas["score"], of_polars["score"].to_numpy(), equal_nan=True)
    assert np.array_equal(of(of_pandas, "share"), of(of_polars, "share"), equal_nan=True)


def test_rows_come_back_in_the_order_and_with_the_index_they_came_with() -> None:
    frame = engines()
    shuffled = frame.sample(frac=1, random_state=0)

    expected = MODEL.score(frame)
    found = MODEL.score(shuffled)

    assert found.index.equals(shuffled.index)
    pd.testing.assert_frame_equal(found.sort_index(), expected)


def test_the_frame_is_not_changed() -> None:
    frame = engines()
    before = frame.copy(deep=True)

    MODEL.score(frame)

    pd.testing.assert_frame_equal(frame, before)


def test_levels_are_those_of_the_thresholds() -> None:
    found = MODEL.score(engines(blanks=0, lost=0, seed=3))
    score, level = found["score"], found["level"]
    warned, little = found["severity"] >= 1, found["life"] <= MODEL.thresholds.life

    assert set(level[score.isna()].isna()) == {True}
    assert ((warned & little) == (level == "critical")).all()
    assert (level[found["severity"] < 1] == "none").all()
    assert (found["severity"] >= score / MODEL.thresholds.warning)[score.notna()].all()
    assert ((found["life_low"] <= found["life"]) & (found["life"] <= found["life_high"]))[
        score.notna()
    ].all()


def outcomes(frame: Any, **named: Any) -> dict[str, int]:
    counts: dict[str, int] = MODEL.score(frame, **named)["outcome"].value_counts().to_dict()
    return counts


def test_each_row_has_one_outcome() -> None:
    frame = engines(blanks=0, lost=0)
    longest = frame["unit"].value_counts().index[0]
    frame = frame[frame["unit"] == longest].reset_index(drop=True).astype(float)
    frame.loc[40, "T50"] = 1e9
    frame.loc[41, "altitude"] = np.nan
    frame.loc[42, list(MODEL.columns)[3:]] = np.nan
    frame.loc[43, "unit"] = np.nan
    frame.loc[44, "cycle"] = 44.5
    frame.loc[45, "mach"] = 30.0
    frame.loc[46] = np.nan

    found = MODEL.score(frame)

    assert found["outcome"][40:47].tolist() == [
        "out of range",
        "no condition",
        "all blank",
        "no asset",
        "no time",
        "unknown regime",
        "all blank",
    ]
    assert found["score"][40:47].isna().all()
    assert found["asset"].isna().to_numpy().nonzero()[0].tolist() == [43, 46]
    assert len(found) == len(frame)


def test_conditions_that_were_never_learned_are_told() -> None:
    frame = engines(blanks=0, lost=0).assign(mach=0.5)

    assert outcomes(frame) == {"unknown regime": len(frame)}


def test_a_repeated_cycle_is_told_and_the_first_row_counts() -> None:
    frame = engines(blanks=0, lost=0)
    first = frame[frame["unit"] == 1]
    doubled = pd.concat([first, first.tail(3)], ignore_index=True)

    found = MODEL.score(doubled)

    assert found["outcome"].tolist()[-3:] == ["same tick"] * 3
    assert found["asset"].tolist()[-3:] == ["1"] * 3
    assert np.array_equal(found["score"][: len(first)], MODEL.score(first)["score"], equal_nan=True)


def test_a_gap_may_be_bridged_or_not() -> None:
    frame = engines(blanks=0, lost=0)

    assert "gap" in outcomes(frame)
    assert "gap" not in outcomes(frame, bridge_cycles=6)


def test_unused_channels_and_unknown_columns_are_left_alone() -> None:
    frame = engines()
    unused = [each.name for each in MODEL.machine.channels if not each.used]
    other = frame.drop(columns=unused).assign(remark="x", extra=[{}] * len(frame))

    pd.testing.assert_frame_equal(MODEL.score(other), MODEL.score(frame))


def test_without_a_column_of_assets_all_rows_are_of_one() -> None:
    own = engines()
    own = own[own["unit"] == 2].reset_index(drop=True)

    found = MODEL.score(own.drop(columns="unit"))

    assert set(found["asset"]) == {"frame"}
    assert np.array_equal(found["score"], MODEL.score(own)["score"], equal_nan=True)


def test_columns_may_be_named() -> None:
    frame = engines()
    renamed = frame.rename(columns={"unit": "what", "cycle": "when"})

    found = MODEL.score(renamed, asset="what", cycle="when")

    pd.testing.assert_frame_equal(found, MODEL.score(frame))


@pytest.mark.parametrize(
    ("frame", "named", "sentence"),
    [
        pytest.param([1, 2], {}, "list came; a DataFrame of pandas or polars", id="a list"),
        pytest.param(pl.LazyFrame({"a": [1]}), {}, r"Call its collect\(\) first", id="lazy"),
        pytest.param(pd.DataFrame(), {}, "0 rows and 0 columns came", id="empty"),
        pytest.param(engines().head(0), {}, "0 rows and 26 columns came", id="no rows"),
        pytest.param(engines().drop(columns="T24"), {}, "lacks the columns 'T24'", id="missing"),
        pytest.param(
            engines().astype({"T24": object}).assign(T24="hot"),
            {},
            "line 1: 'hot' came in column 'T24'; numbers were expected",
            id="text",
        ),
        pytest.param(
            engines().assign(T24=[[1.0]] * len(engines())), {}, "came in column 'T24'", id="lists"
        ),
        pytest.param(
            engines().assign(T24=pd.Timedelta(1, "s")), {}, "came in column 'T24'", id="durations"
        ),
        pytest.param(engines().assign(T24=1j), {}, "came in column 'T24'", id="complex"),
        pytest.param(
            pd.concat([engines(), engines()[["T24"]]], axis=1),
            {},
            "'T24' more than once",
            id="twice",
        ),
        pytest.param(engines(), {"asset": "pump"}, "no column 'pump'", id="no such asset"),
        pytest.param(engines(), {"time": 3}, "3 came; the name of a column", id="no name"),
        pytest.param(engines(), {"ignore": "T24"}, "for ignore, a list of names", id="no list"),
        pytest.param(engines(), {"bridge_cycles": -1}, "bridge_cycles=-1 came", id="bridge"),
        pytest.param(
            engines().assign(cycle="first"), {}, "'cycle' of the frame holds texts", id="no count"
        ),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(
    frame: Any, named: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(surgeline.SurgelineError, match=sentence):
        MODEL.score(frame, **named)


@pytest.mark.parametrize("named", ["nothing-of-this-name", "", 7, "models:/other@production"])
def test_a_model_there_is_not_is_one_sentence(named: Any) -> None:
    with pytest.raises(surgeline.SurgelineError):
        surgeline.load(named)


def test_texts_among_numbers_are_blanks_and_a_warning_says_so() -> None:
    frame = engines(blanks=0, lost=0).astype({"T24": object})
    frame.loc[5, "T24"] = "Bad"

    with pytest.warns(UserWarning, match=r"'T24': 1 texts \('Bad'\) were read as blank") as told:
        found = MODEL.score(frame)

    assert told[0].filename == __file__

    assert found["outcome"][5] == "warming up"


def test_a_saved_model_is_the_same(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "copy")

    copy = surgeline.load(tmp_path / "copy")

    assert (copy.name, copy.version, copy.channels) == (MODEL.name, MODEL.version, MODEL.channels)
    pd.testing.assert_frame_equal(copy.score(engines()), MODEL.score(engines()))


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, surgeline; surgeline.load; "
        "print([m for m in ('pandas','polars','torch','onnxruntime','typer','faust','aiokafka') "
        "if m in sys.modules])"
    )
    printed = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "[]"


def test_a_frame_of_polars_needs_no_pandas() -> None:
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "import polars as pl, surgeline\n"
        "model = surgeline.load('fd001')\n"
        "frame = pl.DataFrame({name: [1.0] * 3 for name in model.columns})\n"
        "print(model.score(frame)['outcome'].to_list())"
    )
    printed = run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert printed.returncode == 0, printed.stderr
    assert len(printed.stdout.split(",")) == 3
