"""C-MAPSS engines as a recording: how long each lives says what is healthy and what is faulty."""

from __future__ import annotations

from common.cmapss.reader import Dataset, remaining_useful_life
from common.machines.turbofan import TURBOFAN
from common.recording import AssetRecord, Recording
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL


def recording_of(dataset: Dataset) -> Recording:
    """Return a data set's engines, each with its remaining life and the masks that follow.

    Raises:
        DatasetError: If the remaining life is not known (a test file without its RUL file).
    """
    assets = tuple(
        AssetRecord(
            asset_id=str(series.unit),
            cycles=series.cycles,
            clock_us=None,
            conditions=series.settings,
            channels=series.sensors,
            healthy=life > HEALTHY_RUL,
            faulty=life <= FAULT_RUL,
            life_left=life,
        )
        for series, life in zip(dataset.engines, remaining_useful_life(dataset), strict=True)
    )
    return Recording(dataset.name, TURBOFAN, assets, dataset.sha256)
