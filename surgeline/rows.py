"""Scores a frame: what the live detector would say of each row, in the order of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from common.errors import UserError
from common.readers.frames import Frame, Whole, read_frame
from common.readers.recording_file import LeftOut, RecordingFile
from common.settings import InputSettings
from detector.core.policy import InputPolicy
from detector.tools.check.course import take_through
from detector.tools.check.report import Outcome
from models.scoring.evidence import WARNERS, judge
from models.scoring.scorer import WindowScorer
from surgeline.reading import Named, recording_of

LEFT_OUT: Final[Mapping[LeftOut, Outcome]] = {
    LeftOut.WITHOUT_ASSET: Outcome.WITHOUT_ASSET,
    LeftOut.WITHOUT_TIME: Outcome.WITHOUT_TIME,
    LeftOut.OFF_TICK: Outcome.OFF_TICK,
    LeftOut.SAME_TICK: Outcome.SAME_TICK,
}

LIFE_COLUMNS: Final = ("life", "life_low", "life_high")
"""How long is left, in steps: most likely, and from where to where in nine of ten cases."""


@dataclass(slots=True, eq=False)
class _Rows:
    """What is known of each of ``n`` rows; where nothing is, all of it is none."""

    assets: list[str | None]
    cycles: Whole
    outcomes: list[str]
    levels: list[str | None]
    evidence: list[str | None]
    severities: NDArray[np.float64]
    scores: NDArray[np.float64]
    lives: NDArray[np.float64]
    shares: NDArray[np.float64]
    directions: NDArray[np.int8]

    @classmethod
    def blank(cls, n: int, channels: int) -> _Rows:
        """Return rows in which nothing was measured."""
        return cls(
            [None] * n,
            Whole(np.zeros(n, np.int64), np.zeros(n, np.bool_)),
            [Outcome.NOTHING_MEASURED.value] * n,
            [None] * n,
            [None] * n,
            np.full(n, np.nan),
            np.full(n, np.nan),
            np.full((n, len(LIFE_COLUMNS)), np.nan),
            np.full((n, channels), np.nan),
            np.zeros((n, channels), np.int8),
        )


def score_frame(
    scorer: WindowScorer, frame: object, named: Named, bridge_cycles: int | None = None
) -> Any:
    """Return a frame of the same kind with one row for each that came, in their order.

    Args:
        scorer: The model.
        frame: Of pandas or polars.
        named: Columns that the caller has named.
        bridge_cycles: Longest gap a window may span, missing cycles; none for the default.

    Raises:
        DatasetError: If it cannot be read, or lacks what the model needs.
    """
    policy = _policy(bridge_cycles)
    came = read_frame(frame)
    file = recording_of(came, scorer.spec.machine, named)
    rows = _Rows.blank(len(came), len(scorer.spec.channels))
    _name_assets(rows, came, file)
    for reason, which in file.left_out.items():
        for row in came.rows[which].tolist():
            rows.outcomes[row] = LEFT_OUT[reason].value
    for index in range(len(file.recording.assets)):
        _fill(rows, came, file, index, scorer, policy)
    return came.like(_columns(rows, came, file, scorer.spec.channels))


def _name_assets(rows: _Rows, came: Frame, file: RecordingFile) -> None:
    """Say whose each row is, also of those that are left out for another reason."""
    ids: dict[str | None, str] = {each.called: each.asset_id for each in file.counts}
    if file.roles.asset is None:
        found: list[str | None] = [*ids.values()] * len(came.rows)
    else:
        found = [ids.get(text) for text in came.table.column(file.roles.asset).texts()]
    for row, asset_id in zip(came.rows.tolist(), found, strict=True):
        rows.assets[row] = asset_id


def _policy(bridge_cycles: int | None) -> InputPolicy:
    given = {} if bridge_cycles is None else {"bridge_cycles": bridge_cycles}
    try:
        return InputPolicy(**InputSettings.model_validate(given).model_dump())
    except ValidationError as exc:
        raise UserError(
            f"bridge_cycles={bridge_cycles!r:.40} came: {exc.errors()[0]['msg']}."
        ) from exc


def _fill(
    rows: _Rows,
    came: Frame,
    file: RecordingFile,
    index: int,
    scorer: WindowScorer,
    policy: InputPolicy,
) -> None:
    """Score one asset, and write what comes of it to the rows its readings were."""
    record, where = file.recording.assets[index], came.rows[file.origins[index]]
    course = take_through(record, file.recording.machine, scorer, policy)
    found = scorer.score(course.windows, course.trail)
    rows.cycles.numbers[where], rows.cycles.there[where] = record.cycles, True
    for row, outcome in zip(where.tolist(), course.outcomes, strict=True):
        rows.outcomes[row] = outcome.value
    scored = where[course.scored]
    judged = judge(found, course.unmoved, scorer.spec)
    rows.scores[scored] = found.scores
    rows.severities[scored] = judged.severities
    rows.shares[scored] = judged.shares
    rows.directions[scored] = judged.directions
    if found.life is not None:
        rows.lives[scored] = np.stack([found.life.expected, found.life.low, found.life.high], 1)
    for at, row in enumerate(scored.tolist()):
        rows.levels[row] = judged.level(at).value
        rows.evidence[row] = WARNERS[judged.speakers[at]].value


def _columns(
    rows: _Rows, came: Frame, file: RecordingFile, channels: tuple[str, ...]
) -> dict[str, Any]:
    columns: dict[str, Any] = {"asset": rows.assets, "cycle": rows.cycles}
    if file.roles.time is not None:
        columns["time"] = came.as_it_came(file.roles.time)
    columns |= {"outcome": rows.outcomes, "score": rows.scores, "level": rows.levels}
    columns |= {"severity": rows.severities, "evidence": rows.evidence}
    columns |= {name: rows.lives[:, at] for at, name in enumerate(LIFE_COLUMNS)}
    columns |= {f"share:{name}": rows.shares[:, at] for at, name in enumerate(channels)}
    scored = ~np.isnan(rows.scores)
    columns |= {
        f"direction:{name}": Whole(rows.directions[:, at].copy(), scored)
        for at, name in enumerate(channels)
    }
    return columns
