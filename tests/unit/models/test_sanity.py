"""Spikes, limits, missing regimes: a good model or a refusal, never a bad one without a word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner

from common.cmapss.reader import Dataset
from common.errors import DatasetError, InvalidRecordError
from common.machines.turbofan import SENSOR_NAMES, TURBOFAN
from common.recording import AssetRecord, Recording
from deploy.commands import app
from detector.core.policy import InputPolicy
from detector.core.reading.decoding import decode
from models.artifact.onnx_scorer import ZeroReconstructor
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact
from models.evaluation.measure import measure
from models.evaluation.plausible import plausible
from models.scoring.normaliser import ODD, fit_normaliser, location_and_scale
from models.scoring.scorer import Thresholds
from models.scoring.scores import SCORES
from models.thresholding.rule import parse_rule
from models.training.build import build_artifact
from models.training.calibration import Calibrated, choose_thresholds, fit_score
from models.training.config import TrainingConfig
from models.training.preparation.own_data import prepare_recording
from models.training.preparation.spikes import SPIKE, spiked
from models.training.preparation.windows import Prepared, prepare
from models.training.sanity import SanityReport, UnsoundModelError, examine
from tests.support.builders import MeanScorer, fleets_of, reading, record
from tests.support.fleets import REGIMES, SEA_LEVEL, fleet, write_fleet
from tests.support.own_pumps import PUMP, PUMP_TOML, pump, pumps, write_pumps

RUN = CliRunner()
SMALL = TrainingConfig()
Change = Callable[[NDArray[np.float64]], None]


def altered(dataset: Dataset, change: Callable[[int, NDArray[np.float64]], None]) -> Dataset:
    """Return a data set with other sensor values; engines count from 1."""
    engines = []
    for series in dataset.engines:
        sensors = series.sensors.copy()
        change(series.unit, sensors)
        engines.append(replace(series, sensors=sensors))
    return replace(dataset, engines=tuple(engines))


def built(dataset: Dataset, model: str = "input_trend") -> tuple[Artifact, SanityReport, Prepared]:
    reports: list[SanityReport] = []
    prepared = prepare(dataset)
    artifact = build_artifact(prepared, "it", SMALL, model, on_report=reports.append)
    return artifact, reports[0], prepared


def auc_on_clean_engines(artifact: Artifact) -> float:
    clean = prepare(fleet(24), TURBOFAN, artifact.manifest.normalisation.normaliser()).heldout
    auc = measure(clean, open_scorer(artifact).score(clean.windows).scores, Thresholds(1, 2)).auc
    assert auc is not None
    return auc


CLEAN = fleet(24)


@pytest.fixture(scope="module")
def clean() -> tuple[Artifact, SanityReport, Prepared]:
    return built(CLEAN)


def one_cell(unit: int, row: int, value: float) -> Callable[[int, NDArray[np.float64]], None]:
    def change(number: int, sensors: NDArray[np.float64]) -> None:
        if number == unit:
            sensors[row, SENSOR_NAMES.index("T50")] = value

    return change


def now_and_then(factor: float, part: float = 0.003) -> Callable[[int, NDArray[np.float64]], None]:
    def change(number: int, sensors: NDArray[np.float64]) -> None:
        sensors[np.random.default_rng(number).random(sensors.shape) < part] *= factor

    return change


SPIKES = [
    pytest.param(one_cell(2, 10, 1e12), "1 of ", id="1e12 in an engine that is fitted"),
    pytest.param(one_cell(17, 10, 1e12), "1 of ", id="1e12 in an engine that validates"),
    pytest.param(one_cell(24, 10, 1e12), "1 of ", id="1e12 in an engine held out"),
    pytest.param(one_cell(2, 10, 1e30), "1 of ", id="beyond 32 bits"),
    pytest.param(now_and_then(10.0), " rows are beyond the limits", id=".3 % times 10"),
]


@pytest.mark.parametrize(("change", "note"), SPIKES)
def test_spikes_leave_a_model_nearly_as_good_as_without_them(
    clean: tuple[Artifact, SanityReport, Prepared],
    change: Callable[[int, NDArray[np.float64]], None],
    note: str,
) -> None:
    artifact, report, _ = built(altered(CLEAN, change))

    assert auc_on_clean_engines(artifact) > auc_on_clean_engines(clean[0]) - 0.01
    assert any(note in each for each in report.notes)


@pytest.mark.parametrize("model", ["input_trend", "nearest_healthy", "input_mse"])
def test_spikes_within_the_limits_make_a_good_model_or_none(
    clean: tuple[Artifact, SanityReport, Prepared], model: str
) -> None:
    spoilt = altered(CLEAN, now_and_then(1.9))

    try:
        artifact, report, _ = built(spoilt, model)
    except UnsoundModelError as exc:
        said = str(exc)
    else:
        assert auc_on_clean_engines(artifact) > auc_on_clean_engines(clean[0]) - 0.01
        said = " ".join(report.notes)
    assert f"a value more than {SPIKE:g} deviations off" in said or "of its variance" in said


def test_clean_data_have_no_notes(clean: tuple[Artifact, SanityReport, Prepared]) -> None:
    assert clean[1].notes == ()
    assert "healthy validation windows warn; AUC 0.9" in clean[1].summary


def test_one_spike_in_own_data_without_limits_or_labels_changes_little() -> None:
    sound = prepare_recording(pumps(3, rows=600))
    for row in (50, 550):  # fitted, and validated
        assets = [replace(each, channels=each.channels.copy()) for each in pumps(3, 600).assets]
        assets[1].channels[row, 1] = 1e12
        spoilt = prepare_recording(Recording("pumps.csv", PUMP, tuple(assets), "a" * 64))

        before, after = (
            build_artifact(each, "it", SMALL, "nearest_healthy").manifest.thresholds
            for each in (sound, spoilt)
        )

        assert after.warning.value == pytest.approx(before.warning.value, rel=0.2)
        assert np.allclose(sound.normaliser.sds, spoilt.normaliser.sds, rtol=0.05)


def test_own_data_full_of_spikes_are_refused_with_what_to_do() -> None:
    rng = np.random.default_rng(0)
    assets = []
    for each in pumps(3, rows=600).assets:
        channels = each.channels.copy()
        channels[:, 1:3][rng.random((600, 2)) < 0.01] *= 30
        assets.append(replace(each, channels=channels))
    prepared = prepare_recording(Recording("pumps.csv", PUMP, tuple(assets), "a" * 64))

    with pytest.raises(UnsoundModelError, match="with lowest and highest in the machine type"):
        build_artifact(prepared, "it", SMALL, "nearest_healthy")


@given(
    value=st.one_of(st.floats(-1e19, 1e19), st.sampled_from([*TURBOFAN.limits[0], np.inf, np.nan])),
    altitude=st.sampled_from([0.0, 1e17, 1e18, 1.1e18, -1.1e18]),
)
def test_a_row_counts_in_training_where_the_detector_takes_it(
    value: float, altitude: float
) -> None:
    machine = TURBOFAN.using(("T24", "T30"))
    asset = AssetRecord(
        "a",
        np.array([5]),
        None,
        np.array([[altitude, 0.0, 100.0]]),
        np.array([[value if name == "T24" else 1500.0 for name in SENSOR_NAMES]]),
    )
    came = reading(5, 1.5).model_copy(
        update={
            "settings": {"altitude": altitude, "mach": 0.0, "tra": 100.0},
            "sensors": {"T24": value, "T30": 1500.0},
        }
    )

    counted = plausible(machine, asset)
    try:
        taken = decode(
            record(came, 0), fleets_of(MeanScorer(machine=machine), InputPolicy(9999, 0))
        ).values
    except InvalidRecordError:
        assert len(counted) == 0
    else:
        assert np.array_equal(counted.values(machine)[0], taken, equal_nan=True)


rows = st.integers(40, 200).flatmap(
    lambda n: st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).normal(5.0, 2.0, (n, 2))
    )
)


@given(rows)
def test_without_odd_values_mean_and_deviation_are_the_plain_ones(
    values: NDArray[np.float64],
) -> None:
    mean, sd = location_and_scale(values)

    assert np.array_equal(mean, values.mean(axis=0))
    assert np.array_equal(sd, values.std(axis=0))


@given(rows, st.floats(1e4, 1e18), st.booleans(), st.integers(0, 39))
def test_one_spike_leaves_the_others_mean_and_deviation(
    values: NDArray[np.float64], spike: float, negative: bool, at: int
) -> None:
    spoilt = values.copy()
    spoilt[at, 1] = -spike if negative else spike
    others = np.delete(values[:, 1], at)

    mean, sd = location_and_scale(spoilt)

    assert (mean[0], sd[0]) == (values.mean(axis=0)[0], values.std(axis=0)[0])
    assert mean[1] == pytest.approx(others.mean())
    assert sd[1] == pytest.approx(others.std())


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([0, 1] * 100, id="two levels"),
        pytest.param([7] * 190 + [8] * 10, id="hardly ever another"),
        pytest.param([7] * 995 + [8] * 5, id="five in a thousand"),
        pytest.param([5] * 300 + [5.01] * 4 + [4.99] * 4, id="quantised"),
        pytest.param([3] * 50, id="constant"),
    ],
)
def test_channels_with_levels_keep_their_plain_deviation(steps: list[float]) -> None:
    values = np.array(steps, np.float64)[:, None]

    mean, sd = location_and_scale(values)

    assert (mean[0], sd[0]) == (values.mean(), values.std())


@pytest.mark.parametrize("levels", [[3.0] * 400, [5.0] * 380 + [5.01] * 20])
def test_a_spike_in_a_channel_with_few_levels_is_left_out(levels: list[float]) -> None:
    values = np.array(levels)

    mean, sd = location_and_scale(np.append(values, 1e12)[:, None])

    assert mean[0] == pytest.approx(values.mean())
    assert sd[0] == pytest.approx(values.std())


@given(st.integers(1, 8), st.floats(SPIKE * 1.01, 1e6), st.integers(0, 19), st.booleans())
def test_a_window_holds_a_spike_where_few_of_its_rows_are_far_off(
    count: int, value: float, start: int, negative: bool
) -> None:
    windows = np.zeros((2, 20, 3), np.float32)
    windows[1, start : start + count, 2] = -value if negative else value
    held = len(windows[1, start : start + count])

    assert spiked(windows).tolist() == [False, held <= 2]


def test_spikes_in_the_conditions_are_rows_of_no_regime_and_no_sign_of_endless_regimes() -> None:
    rng = np.random.default_rng(1)
    conditions = rng.uniform(-0.01, 0.01, (10_000, 1))
    odd = rng.choice(10_000, 90, replace=False)
    conditions[odd, 0] = 10.0 ** np.arange(1, 91) / 1e72

    table = fit_normaliser(conditions, rng.normal(size=(10_000, 1)), np.array([1.0]))

    assert len(table.centres) == 1
    assert ODD > 8.5


def test_a_regime_that_validation_engines_have_and_fit_engines_lack_is_refused() -> None:
    low, high = fleet(), fleet(regimes=REGIMES[1:2])
    fit_last = prepare(low).split.fit.last
    mixed = [a if a.unit <= fit_last else b for a, b in zip(low.engines, high.engines, strict=True)]

    with pytest.raises(DatasetError) as caught:
        prepare(replace(low, engines=tuple(mixed)))

    said = str(caught.value)
    assert "rows of the 'validate' part are in no operating regime" in said
    assert "(altitude 10 mach 0.25 tra 100: " in said


def test_a_regime_that_only_held_out_engines_have_is_said() -> None:
    low, high = fleet(24), fleet(24, regimes=REGIMES[1:2])
    last = prepare(low).split.validate.last
    mixed = [a if a.unit <= last else b for a, b in zip(low.engines, high.engines, strict=True)]
    mixed[-1] = low.engines[-1]

    artifact, report, prepared = built(replace(low, engines=tuple(mixed)))

    (note,) = report.notes
    assert "rows of the 'heldout' part are in no operating regime" in note
    assert "altitude 10 mach 0.25 tra 100" in note
    assert set(prepared.heldout.units.tolist()) == {24}
    assert artifact.manifest.heldout_metrics is not None


def test_a_regime_seen_too_seldom_by_the_fit_engines_is_said() -> None:
    dataset = fleet(24, regimes=(SEA_LEVEL,))
    first = dataset.engines[0]
    settings = first.settings.copy()
    settings[5:25] += (30.0, 0.5, 0.0)
    engines = (replace(first, settings=settings), *dataset.engines[1:])

    _, report, _ = built(replace(dataset, engines=engines))

    assert report.notes[0].startswith("20 of ")
    assert "rows of the 'fit' part are in no operating regime" in report.notes[0]


def test_a_constant_channel_is_named() -> None:
    column = SENSOR_NAMES.index("P30")

    def change(unit: int, sensors: NDArray[np.float64]) -> None:
        sensors[:, column] = 500.0

    _, report, _ = built(altered(CLEAN, change))

    assert report.notes == ("constant when healthy: P30",)


def test_a_channel_whose_deviation_few_values_make_is_refused() -> None:
    column = SENSOR_NAMES.index("P30")

    def change(unit: int, sensors: NDArray[np.float64]) -> None:
        sensors[::66, column] *= 1.9

    with pytest.raises(UnsoundModelError, match=r"channel P30: \d+ of [\d,]+ healthy values make"):
        built(altered(CLEAN, change))


def calibrated(prepared: Prepared, **thresholds: float) -> Calibrated:
    """Return a sound model, but for the thresholds that are given."""
    fitted = fit_score(SCORES["input_trend"], ZeroReconstructor(), prepared)
    found = choose_thresholds(fitted, prepared)
    changes = {
        name: replace(getattr(found, name), value=value) for name, value in thresholds.items()
    }
    return replace(found, **changes)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        pytest.param({"warning": np.nan}, "warning nan", id="nan"),
        pytest.param({"critical": np.inf}, "critical inf", id="infinite"),
        pytest.param({"warning": 9e9}, "in this order", id="order"),
        pytest.param({"warning": -0.3, "critical": -0.3}, "warning threshold is -0.3", id="below"),
        pytest.param({"warning": 0.01}, "healthy validation windows are at or above", id="rate"),
    ],
)
def test_thresholds_that_are_none_are_refused(
    prepared: Prepared, thresholds: dict[str, float], message: str
) -> None:
    examine(prepared, calibrated(prepared))

    with pytest.raises(UnsoundModelError, match=message):
        examine(prepared, calibrated(prepared, **thresholds))


@pytest.mark.parametrize(("part", "refused"), [(0.3, False), (0.7, True)])
def test_own_data_in_which_many_healthy_windows_warn_are_said_and_refused_if_most_do(
    part: float, refused: bool
) -> None:
    prepared = prepare_recording(pumps(3, rows=600))
    fitted = fit_score(SCORES["nearest_healthy"], ZeroReconstructor(), prepared)
    found = choose_thresholds(fitted, prepared)
    healthy = prepared.validate.where(prepared.validate.healthy)
    value = float(np.quantile(found.scores(healthy), 1 - part))
    often = replace(found, warning=replace(found.warning, value=value))

    if refused:
        with pytest.raises(UnsoundModelError, match="at most 50% are accepted"):
            examine(prepared, often)
    else:
        (note,) = examine(prepared, often).notes
        assert note.startswith("30% of the healthy validation windows would warn")
    assert examine(prepared, found).notes == ()


@pytest.mark.parametrize("name", ["level_sd", "level_mean"])
def test_what_a_score_learned_must_be_usable(prepared: Prepared, name: str) -> None:
    sound = calibrated(prepared)
    params = {
        **sound.fitted.params,
        name: np.zeros(14) if name == "level_sd" else np.full(14, np.nan),
    }
    broken = replace(sound, fitted=replace(sound.fitted, params=params))

    with pytest.raises(UnsoundModelError, match=name):
        examine(prepared, broken)


def test_a_score_that_ranks_no_better_than_chance_is_refused(prepared: Prepared) -> None:
    windows = prepared.validate
    turned = replace(windows, faulty=~windows.faulty, healthy=np.zeros(len(windows), np.bool_))
    fit = replace(prepared.fit, faulty=~prepared.fit.faulty)
    backwards = replace(prepared, validate=turned, fit=fit)

    with pytest.raises(UnsoundModelError, match=r"no better than chance: AUC 0\.0"):
        examine(backwards, calibrated(prepared))


def test_the_command_prints_the_report_and_writes(tmp_path: Path) -> None:
    write_fleet(altered(CLEAN, one_cell(2, 10, 1e12)), tmp_path)
    out = tmp_path / "out"
    arguments = ["train", "--dataset", "TOY", "--model", "input_trend", "--out", str(out)]

    result = RUN.invoke(app, [*arguments, "--no-track", "--data-dir", str(tmp_path)])

    assert result.exit_code == 0, result.output
    assert "checked     warning " in result.output
    assert "note: 1 of " in result.output
    assert (out / "manifest.json").is_file()


def test_the_command_refuses_in_one_sentence_and_writes_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spoilt = []
    for number in (1, 2):
        asset = pump(number, rows=600)
        channels = asset.channels.copy()
        channels[:, 1:3][rng.random((600, 2)) < 0.01] *= 30
        spoilt.append(replace(asset, channels=channels))
    (tmp_path / "pump.toml").write_text(PUMP_TOML, encoding="utf-8")
    write_pumps(Recording("it", PUMP, tuple(spoilt), ""), tmp_path / "spoilt.csv")
    out = tmp_path / "out"
    own = ["--machine", str(tmp_path / "pump.toml"), "--data", str(tmp_path / "spoilt.csv")]

    result = RUN.invoke(app, ["train", *own, "--out", str(out)])

    assert result.exit_code == 2, result.output
    said = " ".join(result.output.split())
    assert "with lowest and highest in the machine type what is plausible" in said
    assert "is not fit to be used and is not written" in said
    assert "Traceback" not in said
    assert list(out.iterdir()) == []


def test_a_rule_that_lets_half_of_the_healthy_windows_warn_is_refused(prepared: Prepared) -> None:
    with pytest.raises(UnsoundModelError, match="at most 10% are accepted"):
        build_artifact(prepared, "it", SMALL, "last_row", parse_rule("quantile:q=0.5"))
