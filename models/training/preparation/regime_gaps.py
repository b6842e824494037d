"""Regimes that some assets are run in and the fit assets are not: said with numbers, never silent.

A reading of an unknown regime is not scored, and no window may hold it. So a regime that is missing
among the fit assets makes a model that says nothing of a part of what it will see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.machines.rows import as_rows, split_rows
from common.recording import AssetRecord
from models.evaluation.plausible import plausible
from models.scoring.normaliser import MIN_REGIME_ROWS, Normaliser, cluster

MOST_UNKNOWN: Final = 0.1
"""Part of the validation rows in unknown regimes above which training is refused."""

NAMED: Final = 3
"""Regimes that are named at most, the largest ones."""

Numbered = Sequence[tuple[int, AssetRecord]]


def check_regimes(
    normaliser: Normaliser, machine: MachineType, parts: Mapping[str, Numbered]
) -> tuple[str, ...]:
    """Return a sentence for each part with rows in regimes that are not known.

    Args:
        normaliser: Fitted on the healthy rows of ``fit``.
        machine: What the rows are.
        parts: ``fit``, ``validate`` and ``heldout`` with their assets.

    Raises:
        ValueError: If that holds of more than :data:`MOST_UNKNOWN` of the validation rows.
    """
    told = []
    for role, part in parts.items():
        conditions = _conditions(machine, part)
        unknown = conditions[normaliser.regimes(conditions) < 0]
        if not len(unknown):
            continue
        sentence = (
            f"{len(unknown):,} of {len(conditions):,} rows of the {role!r} part are in no "
            f"operating regime that the fit part shows with {MIN_REGIME_ROWS} healthy rows"
            f"{_named(machine, unknown, normaliser.tolerances)}; they are not scored"
        )
        if role == "validate" and len(unknown) > MOST_UNKNOWN * len(conditions):
            raise ValueError(
                f"{sentence}. At most {MOST_UNKNOWN:.0%} are accepted: put assets that are run so "
                "first in the file, or record more of them"
            )
        told.append(sentence)
    return tuple(told)


def _conditions(machine: MachineType, part: Numbered) -> NDArray[np.float64]:
    rows = [np.empty((0, machine.row_width), np.float32)]
    rows += [as_rows(plausible(machine, record).values(machine)) for _, record in part]
    conditions, _ = split_rows(np.concatenate(rows), len(machine.conditions))
    return conditions[np.isfinite(conditions).all(axis=1)]


def _named(
    machine: MachineType, unknown: NDArray[np.float64], tolerances: NDArray[np.float64]
) -> str:
    """Name the largest of the regimes by where they are; nothing where they are no regimes."""
    labels = cluster(unknown / tolerances, strict=False)
    counts = np.bincount(labels[labels >= 0])
    largest = [at for at in np.argsort(-counts, kind="stable") if counts[at] >= MIN_REGIME_ROWS]
    if not largest:
        return ""
    places = []
    for at in largest[:NAMED]:
        centre = unknown[labels == at].mean(axis=0)
        where = " ".join(
            f"{condition.name} {value:.4g}"
            for condition, value in zip(machine.conditions, centre.tolist(), strict=True)
        )
        places.append(f"{where}: {counts[at]:,} rows")
    more = f" and {len(largest) - NAMED} more" if len(largest) > NAMED else ""
    return f" ({'; '.join(places)}{more})"
