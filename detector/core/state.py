"""What is remembered of one asset's run, and its form as one binary value.

Layout: 12 bytes of fence (partition, next offset; big-endian, so that Redis can compare them as
they stand), then little-endian the header, the tail, the former homes, and the ring as float32
rows, oldest first.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.records import Level
from models.alarm import AlarmState

FENCE: Final = struct.Struct(">iq")
HEADER: Final = struct.Struct("<B16siiHHBiHHH")
"""Version, model, last cycle, seen from, ring's rows and channels, the alarm: as in layout 1."""
TAIL: Final = struct.Struct("<I16sqiqHiqB")
"""Life of the fence, alarm's id, newest time, place where the run was opened by rule,
rival (count, cycle, time), number of former homes."""
FORMER: Final = struct.Struct("<iqI")
LAYOUT_VERSION: Final = 2
READABLE_VERSIONS: Final = (1, 2)
LEVELS: Final = (Level.NONE, Level.WARNING, Level.CRITICAL)
DIGEST_BYTES: Final = 16
NO_ALARM: Final = bytes(16)

MAX_FORMER_HOMES: Final = 8
"""An asset that moved more often has a partitioner without aim; its oldest moves are forgotten."""

RIVAL_LIMIT: Final = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Fence:
    """How far one asset's records have been applied, and in which partition it is at home.

    Attributes:
        partition: The partition they come from; -1 before the first.
        next_offset: The offset after the last applied record.
        life: The topic's life in which these offsets count (``detector.core.progress``).
    """

    partition: int = -1
    next_offset: int = 0
    life: int = 0

    def applied(self, partition: int, offset: int) -> bool:
        """Return whether the record at this position is already part of the state."""
        return partition == self.partition and offset < self.next_offset

    def pack(self) -> bytes:
        """Return 12 bytes."""
        return FENCE.pack(self.partition, self.next_offset)


class Place(NamedTuple):
    """Where on the topic a record stood."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Rival:
    """Readings in a row that contradict the run's counter but agree with each other.

    Attributes:
        count: How many.
        cycle: The last one's cycle.
        clock_us: The last one's time, UTC epoch microseconds.
    """

    count: int = 0
    cycle: int = 0
    clock_us: int = 0

    def met(self, cycle: int, clock_us: int, newest_us: int, longest_step: int) -> Rival:
        """Return the rival after a reading that repeats a cycle, or comes after a later one.

        Only readings newer than the run's newest count: what is merely sent again is not a new
        life of the machine.
        """
        if clock_us <= newest_us:
            return Rival()
        goes_on = 0 < cycle - self.cycle <= longest_step and clock_us > self.clock_us
        count = min(self.count + 1, RIVAL_LIMIT) if self.count and goes_on else 1
        return Rival(count, cycle, clock_us)


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
        alarm_id: Id of the open alarm, the one it was raised under; empty when there is none.
        newest_us: Time of the reading at ``last_cycle``, UTC epoch microseconds.
        opened: Where the run was opened by rule; none for the run the source names.
        rival: Readings that contradict the counter.
        former: Where the asset was at home before, oldest first.
    """

    model: bytes
    ring: NDArray[np.float32]
    last_cycle: int = 0
    seen_from: int = 0
    alarm: AlarmState = field(default_factory=AlarmState)
    fence: Fence = field(default_factory=Fence)
    alarm_id: str = ""
    newest_us: int = 0
    opened: Place | None = None
    rival: Rival = field(default_factory=Rival)
    former: tuple[Fence, ...] = ()

    def pack(self) -> bytes:
        """Return the state as one value."""
        alarm, opened, rival = self.alarm, self.opened or Place(-1, 0), self.rival
        n, channels = self.ring.shape
        former = self.former[-MAX_FORMER_HOMES:]
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
        tail = TAIL.pack(
            self.fence.life,
            uuid.UUID(self.alarm_id).bytes if self.alarm_id else NO_ALARM,
            self.newest_us,
            *opened,
            rival.count,
            rival.cycle,
            rival.clock_us,
            len(former),
        )
        homes = b"".join(FORMER.pack(at.partition, at.next_offset, at.life) for at in former)
        ring = self.ring.astype("<f4", copy=False).tobytes()
        return self.fence.pack() + header + tail + homes + ring


def model_digest(sha256: str) -> bytes:
    """Return the digest of a model as states carry it: the first 16 bytes of its sha256.

    Example:
        >>> model_digest("ff" * 32).hex()
        'ffffffffffffffffffffffffffffffff'
    """
    return bytes.fromhex(sha256)[:DIGEST_BYTES]


def fresh_state(model: bytes, n_channels: int, fence: Fence | None = None) -> AssetState:
    """Return the state of an asset nothing is known of, at home where the fence says."""
    return AssetState(model, np.empty((0, n_channels), np.float32), fence=fence or Fence())


def unpack(value: bytes, model: bytes, n_channels: int) -> AssetState:
    """Return the state a value holds.

    A ring of another model is on another scale: the state keeps its fence, its cycles and the open
    alarm with its id, and no more. So the asset warms up anew, without counting its readings as
    duplicates, and an alarm that is open goes on until it is cleared.

    Raises:
        ValueError: If the value is not of this layout; it was not written by this program.
    """
    try:
        return _unpacked(value, model, n_channels)
    except struct.error as exc:
        raise ValueError(f"an asset state is cut off at {len(value)} bytes") from exc


def _unpacked(value: bytes, model: bytes, n_channels: int) -> AssetState:
    partition, next_offset = FENCE.unpack_from(value)
    version, digest, last_cycle, seen_from, n, channels, level, onset, warn, crit, quiet = (
        HEADER.unpack_from(value, FENCE.size)
    )
    if version not in READABLE_VERSIONS:
        raise ValueError(f"asset state of layout {version}; this program reads {LAYOUT_VERSION}")
    end = FENCE.size + HEADER.size
    more = _More(Fence(partition, next_offset))
    if version > 1:
        more, end = _more(value, end, more.fence)
    elif warn and not onset:  # by a yet earlier version, which allowed no gap in a row of scores
        onset = last_cycle - warn + 1
    if level >= len(LEVELS) or min(last_cycle, seen_from, onset, next_offset) < 0:
        raise ValueError("asset state with a value no state has")
    body = value[end:]
    if len(body) != n * channels * 4:
        raise ValueError(
            f"a ring of {n} x {channels} has {n * channels * 4} bytes, not {len(body)}"
        )
    alarm = AlarmState(LEVELS[level], onset, warn, crit, quiet)
    ring = np.frombuffer(body, "<f4").reshape(n, channels)
    if not np.isfinite(ring).all():
        raise ValueError("a ring with a value that is no number")
    if digest != model or channels != n_channels:
        ring = np.empty((0, n_channels), np.float32)
        alarm = _carried(alarm) if more.alarm_id else AlarmState()
    return AssetState(
        model,
        ring,
        last_cycle,
        seen_from,
        alarm,
        more.fence,
        more.alarm_id,
        more.newest_us,
        more.opened,
        more.rival,
        more.former,
    )


@dataclass(frozen=True, slots=True)
class _More:
    """What layout 2 added."""

    fence: Fence
    alarm_id: str = ""
    newest_us: int = 0
    opened: Place | None = None
    rival: Rival = field(default_factory=Rival)
    former: tuple[Fence, ...] = ()


def _more(value: bytes, at: int, fence: Fence) -> tuple[_More, int]:
    """Return what stands between header and ring, and where the ring begins."""
    life, alarm_id, newest_us, partition, offset, count, cycle, clock_us, homes = TAIL.unpack_from(
        value, at
    )
    end = at + TAIL.size + homes * FORMER.size
    if homes > MAX_FORMER_HOMES or end > len(value):
        raise ValueError(f"asset state with {homes} former homes; {MAX_FORMER_HOMES} at most")
    return (
        _More(
            Fence(fence.partition, fence.next_offset, life),
            str(uuid.UUID(bytes=alarm_id)) if alarm_id != NO_ALARM else "",
            newest_us,
            None if partition < 0 else Place(partition, offset),
            Rival(count, cycle, clock_us),
            tuple(Fence(*at) for at in FORMER.iter_unpack(value[at + TAIL.size : end])),
        ),
        end,
    )


def _carried(alarm: AlarmState) -> AlarmState:
    """Return an alarm as another model takes it over: open as it is, its rows begun anew."""
    if alarm.level is Level.NONE:
        return AlarmState()
    return AlarmState(alarm.level, alarm.onset_cycle)
