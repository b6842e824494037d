"""What is remembered of one asset's run, and its form as one binary value.

Layout, little-endian after the fence: 12 bytes of fence (partition, next offset; big-endian, so
that Redis can compare them as they stand), the header, then the ring as float32 rows, oldest first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.records import Level
from models.alarm import AlarmState

FENCE: Final = struct.Struct(">iq")
HEADER: Final = struct.Struct("<B16siiHHBiHHH")
LAYOUT_VERSION: Final = 1
LEVELS: Final = (Level.NONE, Level.WARNING, Level.CRITICAL)
DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Fence:
    """How far one asset's records have been applied.

    Attributes:
        partition: The partition they came from; -1 before the first.
        next_offset: The offset after the last applied record.
    """

    partition: int = -1
    next_offset: int = 0

    def applied(self, partition: int, offset: int) -> bool:
        """Return whether the record at this position is already part of the state."""
        return partition == self.partition and offset < self.next_offset

    def pack(self) -> bytes:
        """Return 12 bytes."""
        return FENCE.pack(self.partition, self.next_offset)


@dataclass(frozen=True, slots=True, eq=False)
class AssetState:
    """What is remembered of one (asset, run).

    Attributes:
        model: First 16 bytes of the digest of the model whose scale the ring is in.
        ring: Up to ``window_length`` latest rows that belong together, oldest first, shape
            ``(n, n_channels)``, float32, normalised. Begins anew after a gap that is not bridged,
            and after an unknown regime.
        last_cycle: Highest cycle seen; 0 before the first.
        seen_from: First cycle of the gapless stretch that ends at ``last_cycle``: every cycle from
            here on is known to have had its verdict.
        alarm: The alarm.
        fence: How far the topic has been applied.
    """

    model: bytes
    ring: NDArray[np.float32]
    last_cycle: int = 0
    seen_from: int = 0
    alarm: AlarmState = field(default_factory=AlarmState)
    fence: Fence = field(default_factory=Fence)

    def pack(self) -> bytes:
        """Return the state as one value."""
        alarm = self.alarm
        n, channels = self.ring.shape
        header = HEADER.pack(
            LAYOUT_VERSION,
            self.model,
            self.last_cycle,
            self.seen_from,
            n,
            channels,
            alarm.level.rank,
            alarm.onset_cycle,
            alarm.warning_row,
            alarm.critical_row,
            alarm.quiet_row,
        )
        return self.fence.pack() + header + self.ring.astype("<f4", copy=False).tobytes()


def model_digest(sha256: str) -> bytes:
    """Return the digest of a model as states carry it: the first 16 bytes of its sha256.

    Example:
        >>> model_digest("ff" * 32).hex()
        'ffffffffffffffffffffffffffffffff'
    """
    return bytes.fromhex(sha256)[:DIGEST_BYTES]


def fresh_state(model: bytes, n_channels: int) -> AssetState:
    """Return the state of an asset nothing is known of."""
    return AssetState(model, np.empty((0, n_channels), np.float32))


def unpack(value: bytes, model: bytes, n_channels: int) -> AssetState:
    """Return the state a value holds.

    A ring of another model is on another scale: the state keeps its fence, its cycles and no more,
    so that the asset warms up anew without counting its readings as duplicates.

    Raises:
        ValueError: If the value is not of this layout; it was not written by this program.
    """
    if len(value) < FENCE.size + HEADER.size:
        raise ValueError(f"an asset state has at least {FENCE.size + HEADER.size} bytes")
    fence = Fence(*FENCE.unpack_from(value))
    version, digest, last_cycle, seen_from, n, channels, level, onset, warn, crit, quiet = (
        HEADER.unpack_from(value, FENCE.size)
    )
    if version != LAYOUT_VERSION:
        raise ValueError(f"asset state of layout {version}; this program reads {LAYOUT_VERSION}")
    body = value[FENCE.size + HEADER.size :]
    if len(body) != n * channels * 4:
        raise ValueError(
            f"a ring of {n} x {channels} has {n * channels * 4} bytes, not {len(body)}"
        )
    if digest != model or channels != n_channels:
        empty = np.empty((0, n_channels), np.float32)
        return AssetState(model, empty, last_cycle, seen_from, AlarmState(), fence)
    ring = np.frombuffer(body, "<f4").reshape(n, channels)
    if warn and not onset:  # by an earlier version, which allowed no gap in a row of scores
        onset = last_cycle - warn + 1
    alarm = AlarmState(LEVELS[level], onset, warn, crit, quiet)
    return AssetState(model, ring, last_cycle, seen_from, alarm, fence)
