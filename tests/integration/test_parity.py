"""Parity on a real run: green when all is well, red for each thing that is not."""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from common.cmapss.reader import Dataset, load_dataset
from common.errors import BackendMissingError, UserError
from common.settings import KafkaSettings, RedisSettings, Settings, load_settings
from deploy.local.programs import free_port
from detector.tools.parity.report import ParityReport, parity_report
from detector.tools.recording import DatasetRecording
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages
from tests.support.tools import alter_verdict, copy_topics, surgeline

RUN = "run-1"
FLEET = simulate(6, seed=3, split="train")


def untidy_messages() -> list[tuple[bytes | None, bytes | None]]:
    """A fleet's readings with everything that happens: repeats, a gap, bad ones, another run."""
    clean = fleet_messages(FLEET, RUN)
    messages: list[tuple[bytes | None, bytes | None]] = list(clean)
    del messages[300]  # a gap
    messages.insert(600, messages[590])  # a duplicate
    messages.insert(700, clean[300])  # late
    messages.insert(800, (b"somebody-else", clean[800][1]))  # a wrong key
    messages.insert(900, (clean[900][0], clean[900][1][:50]))  # cut short: nobody's
    return messages + list(fleet_messages(simulate(1, seed=9, split="test"), "run-10"))


@pytest.fixture(scope="module")
def finished(broker: str, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> DetectorBench:
    """An untidy run that the real detector has taken in, from first to last."""
    name = uuid.uuid4().hex[:12]
    bench = DetectorBench(
        KafkaSettings(bootstrap_servers=broker, topic_prefix=f"parity-{name}", partitions=8),
        RedisSettings.model_validate({"url": valkey, "key_prefix": f"parity:{name}"}),
        tmp_path_factory.mktemp("parity"),
    )
    messages = untidy_messages()

    async def replay() -> None:
        with bench.running():
            await bench.send(messages)
            await bench.settled()

    asyncio.run(replay())
    return bench


@pytest.fixture
def copied(finished: DetectorBench, tmp_path: Path) -> DetectorBench:
    """The same run, its score store in a file of this test's own."""
    shutil.copy(finished.scores.sqlite_path, tmp_path / "scores.db")
    return replace(finished, folder=tmp_path)


def settings_of(bench: DetectorBench) -> Settings:
    return load_settings(bench.environment())


async def report_of(bench: DetectorBench) -> ParityReport:
    return await parity_report(RUN, settings_of(bench))


async def test_an_untidy_run_is_equal(finished: DetectorBench) -> None:
    report = await report_of(finished)

    assert report.equal, report
    assert report.readings == len(untidy_messages()) - 1 - len(simulate(1, 9, "test").engines[0])
    assert report.compared == report.live_scores > 500
    assert report.largest is not None
    assert report.largest.relative <= 1e-6
    assert report.repeats == {"late": (1, 1), "duplicate": (1, 1), "rejected": (1, 1)}
    assert report.alerts is not None
    assert report.alerts.live == report.alerts.expected > 0
    assert report.evidence is not None
    assert report.evidence.same == report.evidence.compared == report.alerts.live
    assert report.line().startswith("live equals batch")


async def test_an_altered_score_is_found(copied: DetectorBench) -> None:
    alter_verdict(copied, RUN, 100, "UPDATE verdict SET score = score * 1.00001")

    report = await report_of(copied)

    assert not report.equal
    [pair] = report.beyond
    assert pair.cycle == 100
    assert pair == report.largest
    assert pair.relative == pytest.approx(1e-5, rel=1e-3)
    assert "LIVE AND BATCH DIFFER" in report.line()


async def test_a_removed_row_is_found(copied: DetectorBench) -> None:
    alter_verdict(copied, RUN, 90, "DELETE FROM verdict")

    report = await report_of(copied)

    assert not report.equal
    assert [ref.cycle for ref in report.missing] == [90]
    assert [(item.cycle, item.live) for item in report.verdicts] == [(90, "nothing")]


async def test_a_row_too_many_is_found(copied: DetectorBench) -> None:
    alter_verdict(copied, RUN, 90, "UPDATE verdict SET cycle = 100000")

    report = await report_of(copied)

    assert [ref.cycle for ref in report.missing] == [90]
    assert [ref.cycle for ref in report.extra] == [100_000]


async def test_a_missing_alert_is_found(finished: DetectorBench) -> None:
    target = finished.kafka.model_copy(update={"topic_prefix": f"{finished.kafka.topic_prefix}-b"})
    await copy_topics(finished.kafka, target, keep_alert=lambda number: number != 1)

    report = await report_of(replace(finished, kafka=target))

    assert report.alerts is not None
    assert (len(report.alerts.missing), len(report.alerts.extra)) == (1, 0)
    assert not report.equal
    assert report.evidence is not None
    assert report.evidence.equal  # its evidence is there, and nobody looks it up


async def test_missing_evidence_is_found(finished: DetectorBench) -> None:
    target = finished.kafka.model_copy(update={"topic_prefix": f"{finished.kafka.topic_prefix}-c"})
    await copy_topics(finished.kafka, target, keep_evidence=lambda number: number != 1)
    settings = settings_of(replace(finished, kafka=target))

    report = await parity_report(RUN, settings)

    assert report.alerts is not None
    assert report.alerts.equal
    assert report.evidence is not None
    assert (len(report.evidence.missing), report.evidence.different) == (1, ())
    assert not report.equal
    assert (await parity_report(RUN, settings, with_evidence=False)).equal
    assert report.beyond == ()


async def test_another_model_in_the_store_is_said_plainly(copied: DetectorBench) -> None:
    alter_verdict(copied, RUN, 50, "UPDATE verdict SET model = 'old@1'")

    report = await report_of(copied)
    result = await surgeline(copied, "parity", "--run-id", RUN)

    assert report.other_models == ("old@1",)
    assert not report.equal
    assert result.returncode == 1
    assert "Several models spoke in this run" in result.stdout
    assert "old@1" in result.stdout


async def test_the_command_says_it_in_one_line_and_in_json(finished: DetectorBench) -> None:
    file = finished.folder / "report.json"

    result = await surgeline(finished, "parity", "--run-id", RUN, "--json", str(file))

    assert result.returncode == 0, result.stdout + result.stderr
    assert "live equals batch" in result.stdout
    written = json.loads(file.read_text())
    assert written["equal"] is True
    assert written["alerts"]["missing"] == []
    assert written["compared"] > 500


async def test_the_command_fails_on_a_difference(copied: DetectorBench) -> None:
    alter_verdict(copied, RUN, 90, "DELETE FROM verdict")

    result = await surgeline(copied, "parity", "--run-id", RUN)

    assert result.returncode == 1
    assert "cycle 90" in result.stdout
    assert "LIVE AND BATCH DIFFER" in result.stdout


async def test_a_mistyped_run_names_the_nearest(finished: DetectorBench) -> None:
    result = await surgeline(finished, "parity", "--run-id", "rum-1")

    assert result.returncode == 2
    assert "No run 'rum-1'" in result.stderr
    assert "run-1" in result.stderr
    assert "Traceback" not in result.stderr


async def test_a_topic_that_forgot_leads_to_the_data_set(finished: DetectorBench) -> None:
    empty = finished.kafka.model_copy(update={"topic_prefix": "parity-empty"})

    with pytest.raises(UserError, match="--source dataset"):
        await report_of(replace(finished, kafka=empty))


async def test_no_broker_is_one_clear_sentence(finished: DetectorBench) -> None:
    nobody = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", op_timeout_s=1)

    with pytest.raises(BackendMissingError, match="Is `surgeline up` running"):
        await report_of(replace(finished, kafka=nobody))


@pytest.mark.parametrize(("batch_rows", "partitions"), [(1, 1), (7, 3), (500, 8)])
async def test_neither_batch_size_nor_partitions_change_anything(
    bench: DetectorBench, batch_rows: int, partitions: int
) -> None:
    kafka = bench.kafka.model_copy(update={"partitions": partitions})
    bench = replace(bench, kafka=kafka)
    messages = fleet_messages(simulate(2, seed=8, split="train"), RUN)

    with bench.running(SURGELINE_DETECTOR__MAX_BATCH_ROWS=str(batch_rows)):
        await bench.send(messages)
        await bench.settled()
    report = await report_of(bench)

    assert report.readings == len(messages)
    assert report.compared == len(messages) - 2 * 29
    assert report.alerts is not None
    assert report.alerts.live > 0
    assert report.equal, report.line()


async def test_a_run_with_bridged_gaps_is_equal_under_the_same_setting_only(
    bench: DetectorBench,
) -> None:
    whole = fleet_messages(simulate(2, seed=8, split="train"), RUN)
    holey = [message for number, message in enumerate(whole) if number % 11]
    bridging = {"SURGELINE_DETECTOR__INPUT__BRIDGE_CYCLES": "1"}

    with bench.running(**bridging):
        await bench.send(holey)
        await bench.settled()
    report = await parity_report(RUN, load_settings(bench.environment(**bridging)))
    refusing = await parity_report(
        RUN, load_settings(bench.environment(SURGELINE_DETECTOR__INPUT__BRIDGE_CYCLES="0"))
    )

    assert report.equal, report.line()
    assert report.compared == len(holey) - 2 * 29
    assert report.alerts is not None
    assert report.alerts.live > 0
    assert not refusing.equal


async def replayed(bench: DetectorBench, dataset: Dataset) -> int:
    messages = fleet_messages(dataset, RUN)
    with bench.running(SURGELINE_DETECTOR__ARTIFACT=dataset.name.lower()):
        await bench.send(messages)
        await bench.settled()
    return len(messages)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "engines", "readings"),
    [
        pytest.param("FD001", 30, 3_674, id="FD001"),
        pytest.param("FD002", 60, 7_714, id="FD002-six-regimes"),
    ],
)
async def test_test_engines_live_equals_batch(
    bench: DetectorBench, cmapss_dir: Path, name: str, engines: int, readings: int
) -> None:
    """The first engines; all of them, also of FD002, are ``make parity``."""
    whole = load_dataset(cmapss_dir, name, "test")
    dataset = Dataset(whole.name, whole.split, whole.engines[:engines], None, whole.sha256)
    recording = DatasetRecording(dataset, tuple(range(1, engines + 1)), RUN)
    sent = await replayed(bench, dataset)

    settings, artifact = settings_of(bench), name.lower()
    from_topic = await parity_report(RUN, settings, artifact=artifact)
    from_dataset = await parity_report(RUN, settings, artifact=artifact, recording=recording)

    for report in (from_topic, from_dataset):
        assert report.readings == sent == readings
        assert (report.missing, report.extra, report.verdicts) == ((), (), ())
        assert report.compared == report.live_scores > readings / 2
        assert report.largest is not None
        assert report.largest.relative <= 1e-6
        assert report.alerts is not None
        assert report.alerts.equal
        assert report.alerts.live > 0
        assert report.equal
