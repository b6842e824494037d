"""NASA's turbofan files as recordings of the machine type that ships."""

from __future__ import annotations

from common.cmapss.engines import engine_asset_id
from common.cmapss.reader import Dataset, remaining_useful_life
from common.errors import DatasetError
from common.machines.turbofan import TURBOFAN
from common.recording import AssetRecord, Recording


def as_recording(dataset: Dataset) -> Recording:
    """Return a data set as a recording.

    The cycles left are known of training engines, and of test engines beside their RUL file. Which
    readings are of a sound engine is nobody's knowledge: the masks are none.

    Args:
        dataset: The engines.
    """
    try:
        left = remaining_useful_life(dataset)
    except DatasetError:
        left = None
    assets = tuple(
        AssetRecord(
            engine_asset_id(dataset.name, dataset.split, engine.unit),
            engine.cycles,
            None,
            engine.settings,
            engine.sensors,
            life_left=None if left is None else left[index],
        )
        for index, engine in enumerate(dataset.engines)
    )
    return Recording(f"{dataset.name} {dataset.split}", TURBOFAN, assets, dataset.sha256)
