"""(b) Each stage of the core alone, in microseconds of processor time a reading."""

from __future__ import annotations

from typing import Final

from bench.suite.figures import Findings
from bench.suite.section import Context, Section
from bench.support.windows import MODEL
from bench.worker.stages import BACKLOG, SCORE, fleets_of, one_of_each, records_of, stage_costs
from models.artifact.store import load_artifact

ENGINES: Final = 100
QUICK: Final = 5


def run(context: Context) -> Findings:
    """Measure both ways a worker meets a fleet: behind a backlog, and keeping up."""
    found = Findings()
    fleets = fleets_of(load_artifact(MODEL))
    records = records_of(QUICK if context.quick else ENGINES)
    ways = {
        "backlog": [records[at : at + BACKLOG] for at in range(0, len(records), BACKLOG)],
        "keeps up": one_of_each(records),
    }
    for way, batches in ways.items():
        context.tell(way)
        costs = stage_costs(batches, fleets)
        for stage, cost in costs.items():
            found.add(f"{stage}, {way}", "µs/reading", cost)
        around = sum(costs.values()) - costs[SCORE]
        found.add(f"all but the score, {way}", "µs/reading", around)
    return found


SECTION: Final = Section(
    "stages",
    "Stages of the core",
    "processor time of each stage alone, without broker and Valkey, µs a reading",
    lambda _: 2,
    run,
)
