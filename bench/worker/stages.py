"""Where a reading's time goes: each stage of the core alone, beside the network's own arithmetic.

    python -m bench.worker.stages                          100 simulated engines through `fd001`
    python -m bench.worker.stages --engines 20 --json stages.json

Takes a simulated fleet through the core in one process, without broker and Redis, as a worker does
behind a backlog (2,000 readings a batch, some tens of each asset), and as one that keeps up (one
reading of each asset a batch); verdicts go to a SQLite file. Processor time of one thread, of each
stage the least of several turns, since others may use the machine too.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.support.messages import fleet_messages
from common.records.verdicts import SourcePosition
from common.scorestore.batch import gather
from common.scorestore.sqlite.known import Known
from common.scorestore.sqlite.schema import open_connection
from common.scorestore.sqlite.writer import write_batch
from common.settings import DetectorSettings
from common.terminal.cli import friendly_errors
from detector.adapters.stored_values import RawValues
from detector.core.conclusion.conclude import conclude
from detector.core.fleet import Fleets, one_fleet
from detector.core.pipeline import AssetRun, by_fleet, decode_batch, prepare
from detector.core.policy import InputPolicy
from detector.core.reading.source import SourceRecord, SourceRecords
from models.alarm import AlarmPolicy
from models.artifact.onnx_scorer import open_reconstructor, reconstruct_in_chunks
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact, load_artifact
from producer.simulator.simulate import simulate

BACKLOG: Final = 2_000
SIZES: Final = (1, 16, 64, 256, 1024)
TURNS: Final = 3
WINDOWS: Final = 2_048
SCORE: Final = "score"
ANY_TIME_MS: Final = 1_767_225_600_000

Batches = Sequence[SourceRecords]


def main(
    engines: Annotated[int, typer.Option(min=1, help="Simulated engines.")] = 100,
    artifact: Annotated[str, typer.Option(help="Whose model scores.")] = "fd001",
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
) -> None:
    """Print microseconds of processor time a reading, stage by stage."""
    console = Console(highlight=False)
    found = load_artifact(artifact)
    rates = windows_per_s(found)
    table = Table(title=f"{artifact}: windows a second, one thread")
    for column in ("batch", "network alone", "with its score"):
        table.add_column(column, justify="right")
    for size, (network, whole) in rates.items():
        table.add_row(f"{size}", f"{network:,.0f}", f"{whole:,.0f}")
    console.print(table)

    records = records_of(engines)
    fleets = fleets_of(found)
    ways: Mapping[str, Batches] = {
        "backlog": [records[at : at + BACKLOG] for at in range(0, len(records), BACKLOG)],
        "keeps up": one_of_each(records),
    }
    costs = {way: stage_costs(batches, fleets) for way, batches in ways.items()}
    table = Table(title=f"{len(records):,} readings: processor time, µs a reading")
    for column in ("stage", *costs):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage in next(iter(costs.values())):
        table.add_row(stage, *(f"{of_way[stage]:.1f}" for of_way in costs.values()))
    around = {way: sum(cost.values()) - cost[SCORE] for way, cost in costs.items()}
    table.add_section()
    table.add_row("all but the score", *(f"{value:.1f}" for value in around.values()))
    table.add_row(
        "score, part of all",
        *(f"{cost[SCORE] / sum(cost.values()):.2f}" for cost in costs.values()),
    )
    console.print(table)
    if json_path is not None:
        figures = {"windows_per_s": rates, "us_per_reading": costs}
        json_path.write_text(json.dumps(figures, indent=2) + "\n")


def windows_per_s(artifact: Artifact) -> dict[int, tuple[float, float]]:
    """Return what the network alone does, and the whole score, by batch size."""
    scorer, network = open_scorer(artifact), open_reconstructor(artifact)
    shape = (WINDOWS, scorer.spec.window_length, len(scorer.spec.channels))
    windows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found: dict[int, tuple[float, float]] = {}
    for size in SIZES:
        parts = [windows[at : at + size] for at in range(0, WINDOWS if size > 1 else 256, size)]
        n = sum(map(len, parts))
        best = {"network": float("inf"), SCORE: float("inf")}
        for _ in range(TURNS):
            with timed(best, "network"):
                for part in parts:
                    reconstruct_in_chunks(network, part)
            with timed(best, SCORE):
                for part in parts:
                    scorer.score(part)
        found[size] = n / best["network"], n / best[SCORE]
    return found


@contextmanager
def timed(best: dict[str, float], name: str) -> Iterator[None]:
    """Keep the least processor time of a name, s."""
    begin = time.process_time()
    yield
    best[name] = min(best.get(name, float("inf")), time.process_time() - begin)


def records_of(engines: int) -> SourceRecords:
    """Return a simulated fleet's readings as they stand on a topic, cycle by cycle."""
    messages = fleet_messages(simulate(engines, seed=1), "bench")
    return SourceRecords.of(
        [
            SourceRecord(SourcePosition("readings", 0, offset), ANY_TIME_MS, key, value)
            for offset, (key, value) in enumerate(messages)
        ]
    )


def one_of_each(records: SourceRecords) -> Batches:
    """Return the records in batches that hold each asset once, while all of them still run."""
    batches: list[list[SourceRecord]] = []
    seen: set[bytes | None] = set()
    for record in records:
        if not batches or record.key in seen:
            batches.append([])
            seen.clear()
        seen.add(record.key)
        batches[-1].append(record)
    return [SourceRecords.of(batch) for batch in batches if len(batch) == len(batches[0])]


def fleets_of(artifact: Artifact) -> Fleets:
    """Return the one fleet whose model it is, under the default rules."""
    settings = DetectorSettings()
    return one_fleet(
        open_scorer(artifact),
        AlarmPolicy(**settings.alarm.model_dump()),
        InputPolicy(**settings.input.model_dump()),
    )


def stage_costs(batches: Batches, fleets: Fleets) -> dict[str, float]:
    """Return what each stage takes, µs a reading; the whole fleet goes through, several times."""
    readings = sum(map(len, batches))
    turns = [_one_turn(batches, fleets) for _ in range(TURNS)]
    return {stage: min(turn[stage] for turn in turns) / readings * 1e6 for stage in turns[0]}


def _one_turn(batches: Batches, fleets: Fleets) -> dict[str, float]:
    spent = dict.fromkeys(("decode", "assemble", SCORE, "conclude", "states", "write scores"), 0.0)

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        spent[name] += time.process_time() - begin

    states: dict[AssetRun, bytes] = {}
    (fleet,) = fleets.values()
    with tempfile.TemporaryDirectory(prefix="surgeline-bench-") as folder:
        remembered = Known()
        store = open_connection(Path(folder) / "scores.db", timeout_s=30.0)
        for records in batches:
            with stage("decode"):
                batch = decode_batch(records, fleets)
            with stage("states"):
                stored = {key: states[key] for key in batch.by_asset if key in states}
                known = RawValues(stored, {}, {}).read()[0].states
            with stage("assemble"):
                plan = prepare(by_fleet(batch, known).parts[fleet.name], known, fleet)
            with stage(SCORE):
                scores = fleet.scorer.score(plan.windows, plan.trail)
            with stage("conclude"):
                outcome = conclude(plan, scores, fleet)
            with stage("write scores"):
                write_batch(store, gather(outcome.verdicts), remembered)
            with stage("states"):
                keys = list(outcome.states)
                packed, sizes = outcome.states.pack(keys)
            ends = np.cumsum(sizes).tolist()
            for key, begin, end in zip(keys, [0, *ends], ends, strict=False):
                states[key] = packed[begin:end]
        store.close()
    return spent


if __name__ == "__main__":
    typer.run(friendly_errors(main))
