"""Streams of SMAP and MSL as recordings of the machine types that ship; one stream is an asset."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from common.recording import AssetRecord, Recording
from common.telemetry.streams import Stream, machine_of


def as_recording(streams: Sequence[Stream]) -> Recording:
    """Return streams of one spacecraft and split as a recording.

    Readings are counted from 1: nobody published times. Training readings are taken for healthy.
    Of test readings those in labelled anomalies are faulty, and the rest are healthy; of streams
    without labels nothing is known.

    Args:
        streams: At least one.
    """
    first = streams[0]
    digests = "\n".join(f"{stream.name} {stream.sha256}" for stream in streams)
    return Recording(
        f"{first.spacecraft} {first.split}",
        machine_of(first.spacecraft),
        tuple(_record(stream) for stream in streams),
        hashlib.sha256(digests.encode()).hexdigest(),
    )


def _record(stream: Stream) -> AssetRecord:
    rows = len(stream)
    faulty = None
    if stream.anomalies is not None:
        faulty = np.zeros(rows, np.bool_)
        for start, stop in stream.anomalies:
            faulty[start:stop] = True
    elif stream.split == "train":
        faulty = np.zeros(rows, np.bool_)
    return AssetRecord(
        asset_id=stream.name,
        cycles=np.arange(1, rows + 1, dtype=np.int64),
        clock_us=None,
        conditions=np.empty((rows, 0)),
        channels=stream.values,
        healthy=None if faulty is None else ~faulty,
        faulty=faulty,
    )
