"""What is remembered of one asset's run, and its form as one binary value.

Layout: 12 bytes of fence (partition, next offset; big-endian, so that Redis can compare them as
they stand), then little-endian the header, the tail, the former homes, the fleet's name, the rest
of the alarm (``alarm_codec.py``), the ages of held values, what is remembered of the run
(``history_codec.py``), and the ring (``common/ring.py``), by which the api reads it from the end.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Level
from common.ring import NO_MARKS, Marks, Ring, pack_ring, unpack_ring
from detector.core.fleet import Fleet
from detector.core.state.alarm_codec import pack_more, unpack_more
from detector.core.state.finals_codec import RunFinals, pack_finals, unpack_finals
from detector.core.state.history_codec import pack_history, unpack_history
from models.alarm import AlarmState
from models.scoring.history import NO_HISTORY, LifeHistory
from models.scoring.scorer import ScorerSpec

FENCE: Final = struct.Struct(">iq")
HEADER: Final = struct.Struct("<B16s16sqqHHHBqHHH")
"""Version, machine type, model, last cycle, seen from, ring's rows and columns, number of ages, the
alarm."""
TAIL: Final = struct.Struct("<I16sqiqHqqBB")
"""Life of the fence, alarm's id, newest time, place where the run was opened by rule,
rival (count, cycle, time), number of former homes, bytes of the fleet's name."""
FORMER: Final = struct.Struct("<iqI")
LAYOUT_VERSION: Final = 6
WITH_FINALS: Final = 7
"""As 6, with what is not final yet behind the history: of assets that have a part of a model."""
WITHOUT_MARKS: Final = 5
"""Its ring is rows alone: when each was taken, and what of it was held, is not known."""
WITHOUT_HISTORY: Final = 4
"""Remembers nothing of a run but the ring: reads as a run that is joined late."""
WITHOUT_MORE: Final = 3
"""Neither, and of alarms the rows alone, which is all that its rules knew."""
READABLE: Final = (WITHOUT_MORE, WITHOUT_HISTORY, WITHOUT_MARKS, LAYOUT_VERSION, WITH_FINALS)
"""Layouts 1 and 2 held rings on a model's scale, which nothing can bring back to what was measured:
such a state counts as lost, and is rebuilt from the topic."""
LEVELS: Final = (Level.NONE, Level.WARNING, Level.CRITICAL)
DIGEST_BYTES: Final = 16
NO_ALARM: Final = bytes(16)

MAX_FORMER_HOMES: Final = 8
"""An asset that moved more often has a partitioner without aim; its oldest moves are forgotten."""

RIVAL_LIMIT: Final = 2**16 - 1


class Fence(msgspec.Struct, frozen=True, gc=False):
    """How far one asset's records have been applied, and in which partition it is at home.

    Attributes:
        partition: The partition they come from; -1 before the first.
        next_offset: The offset after the last applied record.
        life: The topic's life in which these offsets count (``detector.core.state.progress``).
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


class Rival(msgspec.Struct, frozen=True, gc=False):
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


class AssetState(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What is remembered of one (asset, run).

    Attributes:
        machine: Digest of the machine type whose values the ring holds.
        model: First 16 bytes of the digest of the model under which the alarm came about.
        ring: Up to ``window_length`` latest rows that belong together, oldest first, shape
            ``(n, width)``, float32, as measured or held. Begins anew after a gap that is not
            bridged.
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
        fleet: Of which fleet the asset is in this run.
        history: What is remembered of the run for remaining life, on the model's scale.
        ages: Steps since each channel was last measured; empty where all were at ``last_cycle``.
        marks: When each row of the ring was taken, and which of its values are held.
        finals: What of its scores is not final yet; none where they are so at once, and of a run
            that another model judged.
    """

    machine: bytes
    model: bytes
    ring: NDArray[np.float32]
    last_cycle: int = 0
    seen_from: int = 0
    alarm: AlarmState = msgspec.field(default_factory=AlarmState)
    fence: Fence = msgspec.field(default_factory=Fence)
    alarm_id: str = ""
    newest_us: int = 0
    opened: Place | None = None
    rival: Rival = msgspec.field(default_factory=Rival)
    former: tuple[Fence, ...] = ()
    ages: tuple[int, ...] = ()
    fleet: str = DEFAULT_FLEET
    history: LifeHistory = NO_HISTORY
    marks: Marks = NO_MARKS
    finals: RunFinals | None = None

    @property
    def known_marks(self) -> Marks:
        """The marks, one for each row; unknown ones where none were given."""
        return self.marks if len(self.marks) == len(self.ring) else Marks.unknown(len(self.ring))

    def pack(self) -> bytes:
        """Return the state as one value."""
        alarm, opened, rival = self.alarm, self.opened or Place(-1, 0), self.rival
        n, width = self.ring.shape
        former = self.former[-MAX_FORMER_HOMES:]
        fleet = self.fleet.encode()
        header = HEADER.pack(
            LAYOUT_VERSION if self.finals is None else WITH_FINALS,
            self.machine,
            self.model,
            self.last_cycle,
            self.seen_from,
            n,
            width,
            len(self.ages),
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
            len(fleet),
        )
        homes = b"".join(FORMER.pack(at.partition, at.next_offset, at.life) for at in former)
        ages = np.array(self.ages, "<u2").tobytes() if self.ages else b""
        ring = pack_ring(Ring(self.ring, self.known_marks))
        more, run = pack_more(alarm), pack_history(self.history)
        if self.finals is not None:
            run += pack_finals(self.finals)
        return self.fence.pack() + header + tail + homes + fleet + more + ages + run + ring

    def moved_on(self, alarm: AlarmState, alarm_id: str, fence: Fence) -> AssetState:
        """Return the state with another alarm and fence."""
        return structs.replace(self, alarm=alarm, alarm_id=alarm_id, fence=fence)

    def under(self, spec: ScorerSpec) -> AssetState:
        """Return the state as a model goes on with it, which may be another than before.

        The ring holds what was measured, so another model of the same machine type reads on. An
        alarm that is open goes on, its id and level as they are; its rows of scores begin anew, for
        they were the other model's. So does what is remembered of the run for remaining life, which
        is on the other model's scale: until its end the run counts as joined late. Of another
        machine type the ring says nothing.
        """
        changes: dict[str, Any] = {}
        if self.model != (model := model_digest(spec.ref.sha256)):
            carried = _carried(self.alarm) if self.alarm_id else AlarmState()
            changes |= {"model": model, "alarm": carried, "history": NO_HISTORY, "finals": None}
        machine = spec.machine
        if self.history.count and self.history.sums.shape[1] != len(machine.used):
            changes["history"] = NO_HISTORY
        if self.machine != machine.digest or self.ring.shape[1] != machine.row_width:
            ring = np.empty((0, machine.row_width), np.float32)
            changes |= {"machine": machine.digest, "ring": ring, "ages": (), "history": NO_HISTORY}
            changes |= {"marks": NO_MARKS, "finals": None}
        elif len(self.ring) > machine.window.length:
            first = len(self.ring) - machine.window.length
            changes |= {"ring": self.ring[first:], "finals": None}
            changes["marks"] = self.known_marks.rows(first, len(self.ring))
        return structs.replace(self, **changes) if changes else self


@lru_cache(maxsize=256)
def model_digest(sha256: str) -> bytes:
    """Return the digest of a model as states carry it: the first 16 bytes of its sha256.

    Example:
        >>> model_digest("ff" * 32).hex()
        'ffffffffffffffffffffffffffffffff'
    """
    return bytes.fromhex(sha256)[:DIGEST_BYTES]


def fresh_state(fleet: Fleet, fence: Fence | None = None) -> AssetState:
    """Return the state of an asset nothing is known of, at home where the fence says."""
    spec = fleet.spec
    ring = np.empty((0, spec.machine.row_width), np.float32)
    digest = model_digest(spec.ref.sha256)
    return AssetState(spec.machine.digest, digest, ring, fence=fence or Fence(), fleet=fleet.name)


def unpack(value: bytes) -> AssetState:
    """Return the state a value holds.

    Raises:
        ValueError: If the value is not of this layout.
    """
    try:
        return _unpacked(value)
    except struct.error as exc:
        raise ValueError(f"an asset state is cut off at {len(value)} bytes") from exc


def _unpacked(value: bytes) -> AssetState:
    partition, next_offset = FENCE.unpack_from(value)
    version = value[FENCE.size] if len(value) > FENCE.size else 0
    if version not in READABLE:
        layouts = ", ".join(str(layout) for layout in READABLE)
        raise ValueError(f"asset state of layout {version}; this program reads {layouts}")
    (
        _, machine, model, last_cycle, seen_from, n, width, n_ages,
        level, onset, warn, crit, quiet,
    ) = HEADER.unpack_from(value, FENCE.size)  # fmt: skip
    more, end = _more(value, FENCE.size + HEADER.size, Fence(partition, next_offset))
    if level >= len(LEVELS) or min(last_cycle, seen_from, onset, next_offset) < 0:
        raise ValueError("asset state with a value no state has")
    alarm = AlarmState(LEVELS[level], onset, warn, crit, quiet)
    if version != WITHOUT_MORE:
        alarm, end = unpack_more(alarm, value, end)
    if n_ages > width:
        raise ValueError(f"asset state with {n_ages} ages of held values in {width} columns")
    ages_end = end + 2 * n_ages
    if ages_end > len(value):
        raise struct.error
    history, ring_at = NO_HISTORY, ages_end
    if version > WITHOUT_HISTORY:
        history, ring_at = unpack_history(value, ages_end)
    finals = None
    if version == WITH_FINALS:
        finals, ring_at = unpack_finals(value, ring_at)
        if len(finals.pending.sums) != n:
            raise ValueError(f"a ring of {n} rows, of which {len(finals.pending.sums)} are pending")
    ring = _ring(value, ring_at, (n, width), has_marks=version > WITHOUT_MARKS)
    return AssetState(
        machine,
        model,
        ring.rows,
        last_cycle,
        seen_from,
        alarm,
        more.fence,
        more.alarm_id,
        more.newest_us,
        more.opened,
        more.rival,
        more.former,
        tuple(np.frombuffer(value, "<u2", n_ages, end).tolist()),
        more.fleet,
        history,
        ring.marks,
        finals,
    )


def _ring(value: bytes, at: int, shape: tuple[int, int], *, has_marks: bool) -> Ring:
    n, width = shape
    if has_marks:
        ring, begin = unpack_ring(value)
        if begin != at or ring.rows.shape != shape:
            raise ValueError(
                f"a ring of {ring.rows.shape} from byte {begin}; one of {shape} from {at} was "
                "expected"
            )
        return ring
    body = value[at:]
    if len(body) != n * width * 4:
        raise ValueError(f"a ring of {n} x {width} has {n * width * 4} bytes, not {len(body)}")
    rows = np.frombuffer(body, "<f4").reshape(n, width)
    if not np.isfinite(rows).all():
        raise ValueError("a ring with a value that is no number")
    return Ring(rows, Marks.unknown(n))


@dataclass(frozen=True, slots=True)
class _More:
    """What stands between header and ring."""

    fence: Fence
    alarm_id: str
    newest_us: int
    opened: Place | None
    rival: Rival
    former: tuple[Fence, ...]
    fleet: str


def _more(value: bytes, at: int, fence: Fence) -> tuple[_More, int]:
    """Return what stands between header and ages, and where the ages begin."""
    (
        life, alarm_id, newest_us, partition, offset, count, cycle, clock_us, homes, named,
    ) = TAIL.unpack_from(value, at)  # fmt: skip
    homes_end = at + TAIL.size + homes * FORMER.size
    end = homes_end + named
    if homes > MAX_FORMER_HOMES:
        raise ValueError(f"asset state with {homes} former homes; {MAX_FORMER_HOMES} at most")
    if end > len(value):
        raise struct.error
    return (
        _More(
            Fence(fence.partition, fence.next_offset, life),
            str(uuid.UUID(bytes=alarm_id)) if alarm_id != NO_ALARM else "",
            newest_us,
            None if partition < 0 else Place(partition, offset),
            Rival(count, cycle, clock_us),
            tuple(Fence(*at) for at in FORMER.iter_unpack(value[at + TAIL.size : homes_end])),
            value[homes_end:end].decode("ascii"),
        ),
        end,
    )


def _carried(alarm: AlarmState) -> AlarmState:
    """Return an alarm as another model takes it over: open as it is, its rows begun anew."""
    if alarm.level is Level.NONE:
        return AlarmState()
    carried = AlarmState(alarm.level, alarm.onset_cycle)
    return structs.replace(carried, open_for=alarm.open_for, flaps=alarm.flaps)
