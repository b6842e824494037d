"""What-if on recorded readings of a real topic, through the command; nothing live is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.links.kafka import read_to_end
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from producer.simulator.simulate import simulate, write_dataset
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages
from tests.support.tools import surgeline

RUN = "run-1"
FLEET = simulate(5, seed=4, split="train")


@pytest.fixture
async def recorded(bench: DetectorBench) -> DetectorBench:
    """A topic with a fleet's run to failure; no detector, no store, no states."""
    await bench.send(fleet_messages(FLEET, RUN))
    return bench


def warning_threshold() -> float:
    return open_scorer(load_artifact("fd001")).spec.thresholds.warning


async def what_if(bench: DetectorBench, *arguments: str) -> tuple[str, dict[str, object]]:
    file = bench.folder / "whatif.json"
    result = await surgeline(
        bench, "whatif", "--run-id", RUN, "--json", str(file), *arguments,
        # a port where nobody listens: the command must need neither
        variables={"SURGELINE_REDIS__URL": "redis://127.0.0.1:1/0"},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    written = json.loads(file.read_text())
    assert isinstance(written, dict)
    return result.stdout, written


async def test_the_same_parameters_change_nothing(recorded: DetectorBench) -> None:
    said, report = await what_if(recorded, "--threshold", f"warning={warning_threshold()!r}")

    assert "Nothing would change" in said
    assert report["alerts_before"] == report["alerts_after"] != 0
    assert (report["gained"], report["lost"], report["moved"]) == (0, 0, 0)


async def test_a_lower_threshold_gains_or_moves_alerts_and_loses_no_engine(
    recorded: DetectorBench,
) -> None:
    said, report = await what_if(recorded, "--threshold", f"warning={warning_threshold() / 2!r}")

    assets = report["assets"]
    assert isinstance(assets, list)
    assert len(assets) == 5
    assert all(asset["first_after"] <= asset["first_before"] for asset in assets)
    assert any(asset["first_after"] < asset["first_before"] for asset in assets)
    assert "the first alert comes earlier on" in said
    assert all(asset["lead_before"] is None for asset in assets)


async def test_an_endless_on_delay_loses_every_alert(recorded: DetectorBench) -> None:
    said, report = await what_if(recorded, "--alarm", "on_delay=1000")

    assert report["alerts_after"] == 0
    assert report["lost"] == report["alerts_before"] != 0
    assert "would have none any more" in said


async def test_another_model_is_named(recorded: DetectorBench) -> None:
    _, report = await what_if(recorded, "--model", "fd001")

    assert report["before"] == report["after"]
    assert (report["gained"], report["lost"], report["moved"]) == (0, 0, 0)


async def test_a_data_set_needs_no_broker_and_knows_the_lead(
    bench: DetectorBench, tmp_path: Path
) -> None:
    write_dataset(FLEET, tmp_path)
    file = tmp_path / "whatif.json"

    result = await surgeline(
        bench, "whatif", "--run-id", RUN, "--dataset", "SIM", "--split", "train",
        "--engines", "1-3", "--threshold", f"warning={warning_threshold() / 2!r}",
        "--json", str(file),
        variables={
            "SURGELINE_DATA_DIR": str(tmp_path),
            "SURGELINE_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        },
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    assets = json.loads(file.read_text())["assets"]
    assert [asset["asset_id"] for asset in assets] == [f"SIM-train-00{n}" for n in (1, 2, 3)]
    for asset, engine in zip(assets, FLEET.engines[:3], strict=True):
        assert asset["lead_after"] == len(engine) - asset["first_after"]


async def test_nothing_is_written(recorded: DetectorBench) -> None:
    await what_if(recorded, "--alarm", "on_delay=5")

    assert [r async for r in read_to_end(recorded.kafka, recorded.topics.alerts)] == []
    assert not recorded.scores.sqlite_path.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param((), "Nothing to change", id="nothing"),
        pytest.param(("--threshold", "wrning=1"), "warning, critical", id="name"),
        pytest.param(("--alarm", "on_delay=0"), "greater than or equal to 1", id="bound"),
        pytest.param(("--model", "nosuch"), "No artifact 'nosuch'", id="model"),
    ],
)
async def test_a_mistake_is_one_line(
    recorded: DetectorBench, arguments: tuple[str, ...], said: str
) -> None:
    result = await surgeline(recorded, "whatif", "--run-id", RUN, *arguments)

    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
