"""Which readings the live detector refuses: those that no sound sensor could give.

One function for training, evaluation and calibration, so that a model learns from no reading that
the detector would not score. The rule is that of ``detector/core/reading/decoding.py``; a test
compares the two.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.recording import AssetRecord

LARGEST: Final = 1e18
"""No measured value is further from 0: rows are of 32 bits."""


def plausible(machine: MachineType, record: AssetRecord) -> AssetRecord:
    """Return a record without the readings that the live detector refuses.

    These are the ones in which a channel that models look at reads what no sound sensor could: such
    a row does not count. An infinite value of a channel is a missing one.
    """
    if np.isinf(record.channels).any():
        channels = np.where(np.isinf(record.channels), np.nan, record.channels)
        record = replace(record, channels=channels)
    kept = np.logical_not(beyond(machine, record).any(axis=1))
    return record if kept.all() else record.part(kept)


def beyond(machine: MachineType, record: AssetRecord) -> NDArray[np.bool_]:
    """Return which values are beyond the limits, shape ``(n, n_conditions + n_channels)``.

    A value that is missing is not.
    """
    values = record.values(machine)
    limits = [(-LARGEST, LARGEST)] * len(machine.conditions) + list(machine.limits)
    lowest, highest = np.clip(np.array(limits), -LARGEST, LARGEST).T
    return np.asarray((values < lowest) | (values > highest))
