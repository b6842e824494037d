"""A file through a model: each row's verdict, the regions in which an alarm would be open."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from api.adapters.scoring.header import WrongFileError
from api.adapters.scoring.models import OpenModel
from api.adapters.scoring.regions import Stretch, stretches
from api.adapters.scoring.table import FileRows, read_rows
from api.adapters.scoring.windows import REFUSED, STATUSES, Course, shares_at, take_through
from api.detection.values import (
    MOST_REGIONS,
    CsvAsked,
    CsvAsset,
    CsvFound,
    CsvProblem,
    CsvScored,
    Peak,
    Region,
    Wrong,
)
from common.machines.rows import as_rows
from common.records.verdicts import Level
from models.alarm import AlarmPolicy
from models.scoring.scorer import WARNING_SEVERITY

ASSETS: Final = TypeAdapter(list[CsvAsset])


def score_csv(model: OpenModel, asked: CsvAsked) -> CsvScored | Wrong:
    """Score a file; see the port.

    Raises:
        ValueError: If the alarm rule is none.
    """
    machine = model.scorer.spec.machine
    try:
        file = read_rows(Path(asked.path), machine, asked.sensor_id, asked.max_rows)
    except WrongFileError as exc:
        return Wrong(field=exc.column, message=str(exc))
    refused = ~file.usable
    assets: list[CsvAsset] = []
    regions: list[Region] = []
    scored = anomalous = 0
    for place, sensor_id in enumerate(file.assets):
        rows = np.flatnonzero(file.owner == place)
        usable = rows[file.usable[rows]]
        course = take_through(model.scorer, file.cycles[usable], as_rows(file.values[usable]))
        refused[usable[course.statuses == REFUSED]] = True
        assets.append(_asset(sensor_id, rows, usable, file, course))
        scored += len(course.ends)
        anomalous += int((course.judged.severities >= WARNING_SEVERITY).sum())
        rule = asked.own_alarms.get(sensor_id, asked.alarm)
        regions += _regions(model, sensor_id, usable, file, course,
                            AlarmPolicy(**rule.model_dump()))  # fmt: skip
    listed = sorted(range(len(regions)), key=lambda at: -regions[at].peak.severity)[:MOST_REGIONS]
    found = CsvFound(
        rows=len(file.lines),
        scored=scored,
        anomalous=anomalous,
        regions=tuple(regions[at] for at in sorted(listed)),
        regions_total=len(regions),
        problems=_problems(file, refused),
        problems_total=file.notes.total,
        ignored_columns=file.ignored,
        sureness=model.sureness,
    )
    return CsvScored(found, ASSETS.dump_json(assets))


def _asset(
    sensor_id: str,
    rows: NDArray[np.int64],
    usable: NDArray[np.int64],
    file: FileRows,
    course: Course,
) -> CsvAsset:
    place_of = {row: at for at, row in enumerate(rows.tolist())}
    status = [REFUSED] * len(rows)
    for row, each in zip(usable.tolist(), course.statuses.tolist(), strict=True):
        status[place_of[row]] = each
    scores: list[float | None] = [None] * len(rows)
    severities = scores.copy()
    levels: list[Level | None] = [None] * len(rows)
    columns = (usable[course.ends], course.found.scores, course.judged.severities)
    for at, (row, score, severity) in enumerate(
        zip(*(each.tolist() for each in columns), strict=True)
    ):
        place = place_of[row]
        scores[place], severities[place] = score, severity
        levels[place] = course.judged.level(at)
    return CsvAsset(
        sensor_id=sensor_id,
        rows=tuple((rows + 1).tolist()),
        cycles=tuple(cycle or None for cycle in file.cycles[rows].tolist()),
        status=tuple(STATUSES[each] for each in status),
        scores=tuple(scores),
        severities=tuple(severities),
        levels=tuple(levels),
    )


def _regions(
    model: OpenModel,
    sensor_id: str,
    usable: NDArray[np.int64],
    file: FileRows,
    course: Course,
    policy: AlarmPolicy,
) -> list[Region]:
    judged, cycles = course.judged, file.cycles[usable]
    found = stretches(
        cycles, course.statuses, judged.severities.tolist(), judged.critical.tolist(), policy
    )
    return [_region(model, sensor_id, each, usable, cycles, course) for each in found]


def _region(
    model: OpenModel,
    sensor_id: str,
    stretch: Stretch,
    usable: NDArray[np.int64],
    cycles: NDArray[np.int64],
    course: Course,
) -> Region:
    inside = np.flatnonzero((course.ends >= stretch.first) & (course.ends <= stretch.last))
    severities = course.judged.severities[inside]
    peak = int(inside[severities.argmax()])
    at = int(course.ends[peak])
    first, last = stretch.first, stretch.last
    return Region(
        sensor_id=sensor_id,
        start_row=int(usable[first]) + 1,
        end_row=int(usable[last]) + 1,
        start_cycle=int(cycles[first]),
        end_cycle=int(cycles[last]),
        anomalous=int((severities >= WARNING_SEVERITY).sum()),
        level=stretch.level,
        open=stretch.open,
        peak=Peak(
            row=int(usable[at]) + 1,
            cycle=int(cycles[at]),
            score=float(course.found.scores[peak]),
            severity=float(course.judged.severities[peak]),
            confidence=model.confidences(course.judged.severities[peak : peak + 1])[0],
        ),
        channels=shares_at(model.scorer, course.found, course.judged, peak),
    )


def _problems(file: FileRows, refused: NDArray[np.bool_]) -> tuple[CsvProblem, ...]:
    return tuple(
        CsvProblem(
            row=each.row + 1,
            line=int(file.lines[each.row]),
            column=each.column,
            received=each.received,
            expected=each.expected,
            effect=each.effect(row_refused=bool(refused[each.row])),
        )
        for each in sorted(file.notes.listed, key=lambda each: each.row)
    )
