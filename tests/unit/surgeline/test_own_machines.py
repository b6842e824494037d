"""``machine_from_frame`` and ``train``: what the command line makes of the same file."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from typer.testing import CliRunner

import surgeline
from common.machines.files import load_machine, parse_machine
from common.machines.rows import as_rows
from common.readers.recording_file import read_recording
from common.settings import InputSettings
from deploy.commands import app
from detector.core.policy import InputPolicy
from detector.tools.check.report import Outcome
from detector.tools.check.tally import check_recording
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.evaluation.batch_path import score_record
from tests.support.pumps import CHANNELS, write_pumps

UNTIL = "2026-03-01 20:00"
RUN = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pumps")
    write_pumps(folder / "pumps.csv", pumps=2, days=1)
    return folder


@pytest.fixture(scope="module")
def pumps(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "pumps.csv", try_parse_dates=True)


@pytest.fixture(scope="module")
def described(folder: Path) -> Path:
    """What `surgeline init` writes of the same file."""
    path = folder / "pumps.toml"
    result = RUN.invoke(app, ["init", str(folder / "pumps.csv"), "--out", str(path)])
    assert result.exit_code == 0, result.output
    return path


def test_a_frame_is_described_as_its_file_is(pumps: pl.DataFrame, described: Path) -> None:
    of_file = described.read_text(encoding="utf-8")

    found = surgeline.machine_from_frame(pumps, "pumps")

    ours, theirs = found.to_toml().splitlines(), of_file.splitlines()
    different = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    assert all("frame" in a or "# no part" in a or ": time" in a for a, _ in different), different
    assert found.machine.channel_names == CHANNELS
    assert found.columns["Pump"] == "asset"
    assert parse_machine(found.to_toml(), "toml") == found.machine


def test_a_pandas_frame_is_described_alike(pumps: pl.DataFrame, folder: Path) -> None:
    of_pandas = pd.read_csv(folder / "pumps.csv", parse_dates=["Timestamp"])

    found = surgeline.machine_from_frame(of_pandas, "pumps")

    assert found.to_toml() == surgeline.machine_from_frame(pumps, "pumps").to_toml()


def test_it_is_written_and_read_again(pumps: pl.DataFrame, tmp_path: Path) -> None:
    found = surgeline.machine_from_frame(pumps, "pump", ignore=["Flow [m3/h]"])

    found.write(tmp_path / "pump.toml")

    assert load_machine(str(tmp_path / "pump.toml")) == found.machine
    assert "Flow [m3/h]" not in found.machine.channel_names
    with pytest.raises(surgeline.SurgelineError, match="cannot be written"):
        found.write(tmp_path)


def test_what_it_trains_scores_as_what_the_command_trains(
    pumps: pl.DataFrame, folder: Path, described: Path, tmp_path: Path
) -> None:
    renamed = pumps.rename({"Timestamp": "time", "Pump": "asset"})
    renamed.write_csv(folder / "renamed.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    command = ["train", "--machine", str(described), "--data", str(folder / "renamed.csv")]
    result = RUN.invoke(
        app, [*command, "--healthy-until", UNTIL, "--out", str(tmp_path / "theirs"), "--no-track"]
    )
    assert result.exit_code == 0, result.output

    ours = surgeline.train(pumps, described, healthy_until=UNTIL, out=tmp_path / "ours")

    theirs = surgeline.load(tmp_path / "theirs")
    assert ours.thresholds == theirs.thresholds
    assert ours.score(pumps).equals(theirs.score(pumps))
    assert surgeline.load(tmp_path / "ours").version == ours.version


def test_it_scores_as_the_batch_path_and_counts_as_the_check(
    pumps: pl.DataFrame, folder: Path, described: Path
) -> None:
    model = surgeline.train(pumps, described)
    model.save(folder / "model")
    scorer = open_scorer(load_artifact(str(folder / "model")))
    file = read_recording([folder / "pumps.csv"], load_machine(str(described)))

    found = model.score(pumps)

    counts = check_recording(file, InputPolicy(**InputSettings().model_dump())).outcomes
    assert Counter(found["outcome"]) == {each.value: n for each, n in counts.items() if n}
    assert counts[Outcome.GAP] >= 2
    for record in file.recording.assets:
        expected = score_record(scorer, record.cycles, as_rows(record.values(model.machine)))
        own = found.filter(pl.col("asset") == record.asset_id, pl.col("outcome") == "scored")
        assert own["cycle"].to_list() == expected.cycles.tolist()
        assert np.array_equal(own["score"].to_numpy(), expected.scores)


def test_a_time_may_be_given_as_one(pumps: pl.DataFrame, described: Path) -> None:
    machine = load_machine(str(described))

    by_text = surgeline.train(pumps, machine, healthy_until=UNTIL)
    by_time = surgeline.train(
        pumps, machine, healthy_until=datetime(2026, 3, 1, 20, tzinfo=UTC), name="pumps"
    )

    assert by_text.version == by_time.version


def test_what_looks_like_a_label_is_none_until_it_is_said(
    pumps: pl.DataFrame, described: Path
) -> None:
    marked = pumps.with_columns(fault=(pl.int_range(pl.len()) > 2000).cast(pl.Int64))

    unsaid = surgeline.train(marked, described)
    said = surgeline.train(marked, described, label="fault")

    assert unsaid.thresholds == surgeline.train(pumps, described).thresholds
    assert said.thresholds != unsaid.thresholds


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        pytest.param({"model": "oracle"}, "model= oracle came; one of", id="model"),
        pytest.param({"warning": "guess"}, "warning= guess", id="rule"),
        pytest.param({"name": "a b"}, "The name 'a b' came", id="name"),
        pytest.param({"epochs": 0}, "epochs=0 came; a whole number from 1 on", id="epochs"),
        pytest.param({"split": "half"}, "split='half' came; one of auto, asset, time", id="split"),
        pytest.param({"healthy_until": "noon"}, "'noon' came; a time such as", id="until"),
        pytest.param({"healthy_until": "2020-01-01"}, "cannot be used for training", id="too few"),
        pytest.param({"label": "x", "healthy_until": UNTIL}, "one of the two", id="both"),
        pytest.param({"label": "broken"}, "no column 'broken'", id="no label"),
        pytest.param({"label": "Pump"}, "'Pump' of the frame holds texts", id="texts"),
    ],
)
def test_what_cannot_train_is_one_sentence(
    pumps: pl.DataFrame, described: Path, named: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(surgeline.SurgelineError, match=sentence):
        surgeline.train(pumps, described, **named)


def test_without_the_extra_it_says_what_to_install(
    pumps: pl.DataFrame, described: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(surgeline.SurgelineError, match="comes with the extra `train`"):
        surgeline.train(pumps, described, model="mse")


def test_a_frame_that_measures_nothing_is_refused_in_words_of_python() -> None:
    frame = pd.DataFrame({"time": pd.date_range("2026-01-01", periods=9), "who": list("abcdefghi")})

    with pytest.raises(surgeline.SurgelineError, match=r"with time= and asset= if they were"):
        surgeline.machine_from_frame(frame)
    with pytest.raises(surgeline.SurgelineError, match="The name 'two words' came"):
        surgeline.machine_from_frame(frame, "two words")
    with pytest.raises(surgeline.SurgelineError, match="a machine type, what machine_from_frame"):
        surgeline.train(frame, 7)  # type: ignore[arg-type]  # a mistake of the caller's


def test_times_are_read_alike_whatever_their_zone(pumps: pl.DataFrame, described: Path) -> None:
    model = surgeline.train(pumps, described)
    plain = pumps.to_dict(as_series=False)
    zoned = pd.DataFrame(plain)
    zoned["Timestamp"] = pd.to_datetime(zoned["Timestamp"]).dt.tz_localize("UTC")
    zoned["Timestamp"] = zoned["Timestamp"].dt.tz_convert("America/New_York")

    found = model.score(zoned)

    expected = model.score(pumps)
    assert np.array_equal(found["score"], expected["score"].to_numpy(), equal_nan=True)
    assert (found["time"] == zoned["Timestamp"]).all()
