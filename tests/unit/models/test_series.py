"""Models of single streams: their parts, their thresholds, a study, and its command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from common.errors import DatasetError
from common.telemetry.labels import DISPUTED
from deploy.commands import app
from models.cli.series import read_series
from models.evaluation.flags import CleanUp
from models.evaluation.ranges.figures import measure_series
from models.thresholding.rule import Rule
from models.thresholding.series_rule import parse_threshold
from models.thresholding.trailing import TrailingRule
from models.training.catalogue import LSTM_AUTOENCODER, LSTM_FORECASTER, PATCHTST
from models.training.config import TrainingConfig
from models.training.series import study
from models.training.series.catalogue import DEFAULT, SERIES_MODELS, Shared
from models.training.series.network import (
    SharedNetwork,
    Tuning,
    packed_network,
    read_network,
    train_shared,
)
from models.training.series.part import fit_part, past_scores, score_rows
from models.training.series.study import Series, run_study
from models.training.series.threshold import DEFAULT_RULE, FlagRule, flag_rows
from tests.support.telemetry import BURST, TEST_ROWS, TRAIN_ROWS, write_telemetry

NAMES = {"A-1": "SMAP", "P-10": "MSL"}
QUICK = ("three_views", "difference", "rolling_z")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_telemetry(tmp_path_factory.mktemp("data") / "smap_msl", NAMES)


@pytest.fixture(scope="module")
def series(data_dir: Path) -> list[Series]:
    return read_series(data_dir, ("SMAP", "MSL"))


CONFIG = TrainingConfig(epochs=1, hidden=4, latent=2)


@pytest.fixture(scope="module")
def networks(series: list[Series]) -> dict[str, SharedNetwork]:
    trains = [each.train for each in series]
    return {
        kind: train_shared(series[0].machine, trains, CONFIG, kind=kind)
        for kind in (LSTM_AUTOENCODER, LSTM_FORECASTER, PATCHTST)
    }


@pytest.fixture(scope="module")
def network(networks: dict[str, SharedNetwork]) -> SharedNetwork:
    return networks[LSTM_AUTOENCODER]


def test_what_is_read_is_the_telemetry_alone_and_disputed_labels_are_said(
    series: list[Series],
) -> None:
    assert [(each.name, each.clean) for each in series] == [("A-1", True), ("P-10", False)]
    assert "P-10" in DISPUTED
    assert all(each.train.channels.shape == (TRAIN_ROWS, 1) for each in series)
    assert all(each.true == (BURST,) for each in series)


@pytest.mark.parametrize("name", SERIES_MODELS)
def test_every_model_finds_the_burst_and_says_both_scores(
    name: str, series: list[Series], networks: dict[str, SharedNetwork]
) -> None:
    model, one = SERIES_MODELS[name], series[0]

    scored = study.score_series(model, one, Tuning(one.machine, networks[model.network]))

    at_once, final = scored.provisional, scored.final
    assert at_once.shape == final.shape == (TEST_ROWS,)
    assert len(scored.past) == TRAIN_ROWS
    assert np.isfinite(final).all()
    usual = np.nanmedian(at_once)
    if name != "lstm_global":  # one pass teaches it nothing
        assert np.nanmax(at_once[slice(*BURST)]) > usual
    if name != "rolling_z":
        length = one.machine.window.length
        assert np.isnan(at_once[: length - 1]).all()
        row = 250
        windows = at_once[row : row + length]
        assert final[row] == pytest.approx(windows.mean(), rel=1e-9)


def test_training_readings_are_scored_by_what_others_taught(series: list[Series]) -> None:
    model, one = SERIES_MODELS["nearest_window"], series[0]
    part = fit_part(model, one.machine, one.train)

    remembered = score_rows(model, one.machine, part, one.train)
    crossed = past_scores(model, one.machine, one.train)

    assert np.nanmedian(remembered.final) < 1e-3
    assert np.nanmedian(crossed.final) > 0.01


def test_a_part_needs_a_window_of_healthy_readings(series: list[Series]) -> None:
    one = series[0]

    with pytest.raises(DatasetError, match="A-1 cannot have a part of its own: 60 readings"):
        fit_part(SERIES_MODELS["window_pca"], one.machine, one.train.part(slice(60)))


def test_a_reading_that_the_detector_refuses_has_no_score_and_moves_no_row(
    series: list[Series],
) -> None:
    one, model = series[0], SERIES_MODELS["difference"]
    limited = one.machine.channels[0].model_copy(update={"highest": 50.0})
    machine = one.machine.model_copy(update={"channels": (limited,)})
    machine.__dict__.pop("used", None)
    machine.__dict__.pop("limits", None)
    channels = one.test.channels.copy()
    channels[200] = 99.0
    part = fit_part(model, machine, one.train)

    found = score_rows(model, machine, part, replace(one.test, channels=channels))

    assert np.isnan(found.provisional[200])
    assert not np.isnan(found.provisional[201])
    assert len(found.provisional) == TEST_ROWS


def test_a_tuned_network_rebuilds_a_stream_better_than_the_shared_one(
    series: list[Series], network: SharedNetwork
) -> None:
    one = series[0]
    tuning = Tuning(one.machine, network)

    shared, tuned = (
        score_rows(
            model, one.machine, fit_part(model, one.machine, one.train, tuning.of(model.shared)),
            one.train,
        ).provisional
        for model in (SERIES_MODELS["lstm_global"], SERIES_MODELS["lstm_tuned"])
    )  # fmt: skip

    assert np.nanmean(tuned) < np.nanmean(shared)


def test_a_forecaster_has_no_last_layer_of_ones_own(
    series: list[Series], networks: dict[str, SharedNetwork]
) -> None:
    one = series[0]
    tune = Tuning(one.machine, networks[LSTM_FORECASTER]).of(Shared.TUNED)

    with pytest.raises(ValueError, match="a forecaster came"):
        tune(np.zeros((1, one.machine.window.length, 1), np.float32))


def test_a_forecaster_that_was_kept_is_the_same(
    networks: dict[str, SharedNetwork], tmp_path: Path
) -> None:
    path = tmp_path / "network.npz"
    path.write_bytes(packed_network(networks[PATCHTST]))

    again = read_network(path)

    assert again == networks[PATCHTST]
    assert again is not None
    assert again.head is None


def test_a_network_that_was_kept_is_the_same_and_a_damaged_one_is_none(
    network: SharedNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "network.npz"
    path.write_bytes(packed_network(network))

    again = read_network(path)
    path.write_bytes(b"half")

    assert again is not None
    assert again.head is not None
    assert network.head is not None
    assert again.content == network.content
    assert np.array_equal(again.head.weights, network.head.weights)
    assert read_network(path) is None


def test_a_study_goes_on_where_it_was_stopped(
    series: list[Series], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    real = study.study_series

    def counted(task: study.Task) -> dict[str, study.Scored]:
        ran.append(task.series.name)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return real(task)

    monkeypatch.setattr(study, "study_series", counted)
    with pytest.raises(KeyboardInterrupt):
        run_study(series, QUICK, DEFAULT_RULE, tmp_path, 1)
    done: list[str] = []

    results = run_study(series, QUICK, DEFAULT_RULE, tmp_path, 1, done.append)
    again = run_study(series, QUICK, DEFAULT_RULE, tmp_path, 1)

    assert len(ran) == 3
    assert sorted(done) == ["A-1", "P-10"]
    assert [(each.model, each.series) for each in results] == [
        (model, one.name) for model in QUICK for one in series
    ]
    for first, second in zip(results, again, strict=True):
        np.testing.assert_array_equal(first.final, second.final)


def odd_streams() -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return what somebody's stream may be: training readings, and later ones."""
    wave = np.sin(np.arange(500) / 8)
    return {
        "still": (np.zeros(300), np.zeros(500)),
        "huge": (wave[:300] * 1e17, wave * 1e17),
        "tiny": (wave[:300] * 1e-30, wave * 1e-30),
        "two-states": (np.repeat([0.0, 1.0], 150), np.repeat([0.0, 1.0], 250)),
        "later-refused": (wave[:300], np.where(np.arange(500) < 250, wave, 1e30)),
        "later-too-short": (wave[:300], wave[:60]),
        "one-reading": (wave[:300], wave[:1]),
    }


@pytest.mark.parametrize("what", odd_streams())
def test_an_odd_stream_has_a_score_of_each_reading_or_none(what: str, tmp_path: Path) -> None:
    folder = write_telemetry(tmp_path, {"A-1": "SMAP"}, packed=False)
    for split, values in zip(("train", "test"), odd_streams()[what], strict=True):
        rows = np.zeros((len(values), 25))
        rows[:, 0] = values
        np.save(folder / split / "A-1.npy", rows)
    last = len(rows) - 1
    (folder / "labeled_anomalies.csv").write_text(
        "chan_id,spacecraft,anomaly_sequences,num_values\n"
        f'A-1,SMAP,"[[{last}, {last}]]",{len(rows)}\n'
    )

    found = run_study(read_series(folder, ("SMAP",)), QUICK, DEFAULT_RULE, tmp_path / "kept", 1)

    for result in found:
        figures = measure_series(result)
        assert not np.isinf(result.final).any()
        assert np.isnan(result.final).all() == (np.isnan(result.provisional).all())
        assert 0.0 <= figures.flagged_share <= 1.0
        assert figures.final is None or 0.0 <= figures.final.vus_pr <= 1.0
    scored = ~np.isnan(found[0].final)  # of three_views
    sound = np.abs(odd_streams()[what][1]) < 1e18
    assert scored.sum() == (sound.sum() if sound.sum() >= 100 else 0)


def test_damaged_scores_are_computed_again(series: list[Series], tmp_path: Path) -> None:
    first = run_study(series[:1], ["difference"], DEFAULT_RULE, tmp_path, 1)
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])

    second = run_study(series[:1], ["difference"], DEFAULT_RULE, tmp_path, 1)

    np.testing.assert_array_equal(first[0].final, second[0].final)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trailing", TrailingRule()),
        ("trailing:k=4,length=500", TrailingRule(length=500, k=4.0)),
        ("maximum:margin=2", Rule("maximum", {"margin": 2.0})),
        ("zscore:k=4", Rule("zscore", {"k": 4.0})),
    ],
)
def test_a_threshold_is_understood(text: str, expected: object) -> None:
    assert parse_threshold(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("best_f1", "known to be faulty"),
        ("precision_floor:precision=0.9", "known to be faulty"),
        ("trailing:weeks=2", "trailing has length, k"),
        ("trailing:k=much", "option=number"),
        ("trailing:length=10.5", "a whole number"),
        ("trailing:length=3", "10 to"),
        ("guess", "one of"),
    ],
)
def test_a_threshold_that_is_none_or_needs_labels_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_threshold(text)


def test_thresholds_of_training_scores_are_an_assets_own() -> None:
    rule = FlagRule(Rule("maximum", {"margin": 1.0}), CleanUp())
    scores = np.array([np.nan, 1.0, 2.0, 3.0])

    low = flag_rows(scores, np.array([np.nan, 1.5]), rule)
    high = flag_rows(scores, np.array([2.0]), rule)

    assert low[1].tolist() == [False, False, True, True]
    assert high[1].tolist() == [False, False, False, True]


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["evaluate", *words], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_the_command_prints_a_table_and_writes_report_and_numbers(
    data_dir: Path, tmp_path: Path
) -> None:
    out, numbers = tmp_path / "out", tmp_path / "numbers.json"
    words = [word for name in QUICK for word in ("--model", name)]

    code, output = run(
        "--dataset", "SMAP,MSL", "--data-dir", str(data_dir), "--out", str(out), "--jobs", "1",
        "--json", str(numbers), *words,
    )  # fmt: skip

    assert code == 0, output
    found = json.loads(numbers.read_text())
    figures = {"vus_pr_final", "vus_pr_provisional", "event_f1", "affiliation_f1", "flagged_share"}
    assert all(figures <= set(found["models"][name]) for name in QUICK)
    assert len(found["models"]) == len(QUICK) + 3  # the trivial rows, always
    assert found["models"][DEFAULT]["clean"]["series"] == 1
    for name in ("report.html", "batch_summary.csv", "ALL_EVENTS.csv", "TOP10_by_F1.csv"):
        assert (out / name).is_file()
    assert "random scores and alarms" in output
    assert "P-10" in output  # which labels are disputed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--dataset", "SMAP", "--faults"], "--faults came; it is of engines"),
        (["--dataset", "FD001", "--jobs", "2"], "--jobs came; it is of telemetry"),
        (["--dataset", "SMAP", "--model", "arima"], "--model arima came; one of three_views"),
        (["--dataset", "MSL", "--threshold", "best_f1"], "known to be faulty"),
    ],
)
def test_what_means_nothing_here_is_a_users_mistake(
    words: list[str], told: str, data_dir: Path
) -> None:
    code, output = run(*words, "--data-dir", str(data_dir))

    assert code == 2
    assert told in " ".join(output.split())
    assert "Traceback" not in output
