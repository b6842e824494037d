"""Many plain states as columns: read, moved on and packed without an object for each.

``asset.unpack`` and ``AssetState.pack`` are the definition; ``test_many_states.py`` holds both
against each other. Whatever is not plain stands alone, as an :class:`AssetState`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from common.ring import NOTHING_HELD, STAMP_BYTES, Marks
from detector.core.state.asset import (
    DIGEST_BYTES,
    LAYOUT_VERSION,
    LEVELS,
    NO_ALARM,
    AssetState,
    Fence,
    Place,
    Rival,
    model_digest,
)
from detector.core.state.layout import END, HEAD, MORE, STAMP, layout_of
from models.alarm import AlarmState
from models.scoring.history import SUMS, LifeHistory
from models.scoring.scorer import ScorerSpec

NO_RIVAL: Final = Rival()
NOT_OPENED: Final = Place(-1, 0)
LONGEST_NAME: Final = 255
"""Of a fleet: its length is one byte."""

OF_HEAD: Final = (
    "partition", "next_offset", "life", "last_cycle", "seen_from", "level", "onset",
    "warning_row", "critical_row", "quiet_row", "newest_us", "opened_partition", "opened_offset",
    "rivals", "rival_cycle", "rival_us", "n", "width",
)  # fmt: skip
OF_MORE: Final = ("open_for", "closing", "flaps", "taken_in", "whole", "channels")
"""What differs from state to state, beside arrays and digests."""
OF_ALARM: Final = (
    "level", "onset", "warning_row", "critical_row", "quiet_row", "open_for", "closing", "flaps",
)  # fmt: skip
KINDS: Final = [*(HEAD[name] for name in OF_HEAD), *(MORE[name] for name in OF_MORE)]
LEAST: Final = np.array([np.iinfo(kind).min for kind in KINDS])
MOST: Final = np.array([min(np.iinfo(kind).max, 2**63 - 1) for kind in KINDS])


class Standing(NamedTuple):
    """Where an asset's run and alarm stand.

    Attributes:
        alarm: The alarm.
        alarm_id: Its id, while it is open.
        opened: Where the run was opened by rule.
    """

    alarm: AlarmState
    alarm_id: str
    opened: Place | None


@dataclass(frozen=True, slots=True, eq=False)
class StateTable:
    """Plain states of one fleet.

    Attributes:
        fleet: Its name.
        head: Their numbers, shape ``(n,)``, of dtype :data:`HEAD`.
        more: The others, shape ``(n,)``, of dtype :data:`MORE`.
        sums: What is remembered of each run, shape ``(n, 3, channels)``; of no account for a state
            that says it has no channels.
        rows: The rings, one behind the other, shape ``(m, width)``.
        stamps: Cycle and time of each row, shape ``(m, 2)``.
    """

    fleet: str
    head: NDArray[np.void]
    more: NDArray[np.void]
    sums: NDArray[np.float64]
    rows: NDArray[np.float32]
    stamps: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.head)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many rows each ring has, shape ``(n,)``."""
        return self.head["n"].astype(np.int64)

    def fences(self) -> Iterator[Fence]:
        """Yield how far each is applied."""
        head = self.head
        columns = (head[name].tolist() for name in ("partition", "next_offset", "life"))
        return map(Fence, *columns)

    @classmethod
    def of(cls, states: Sequence[AssetState]) -> Self | None:
        """Return plain states of one fleet as a table, if every number fits into its field.

        Args:
            states: At least one; of one width, and of one number of channels or none.
        """
        flat = chain.from_iterable(map(_numbers, states))
        numbers = np.fromiter(flat, np.int64, len(states) * len(KINDS)).reshape(-1, len(KINDS))
        if ((numbers < LEAST) | (numbers > MOST)).any():
            return None
        head, more = np.zeros(len(states), HEAD), np.zeros(len(states), MORE)
        for name, column in zip(OF_HEAD, numbers.T[: len(OF_HEAD)], strict=True):
            head[name] = column
        for name, column in zip(OF_MORE, numbers.T[len(OF_HEAD) :], strict=True):
            more[name] = column
        head["version"], head["named"] = LAYOUT_VERSION, len(states[0].fleet)
        for name in ("machine", "model"):
            head[name] = np.frombuffer(b"".join([getattr(each, name) for each in states]), "V16")
        ids = b"".join([_packed_id(each.alarm_id) for each in states])
        head["alarm_id"] = np.frombuffer(ids, "V16")
        sums = np.zeros((len(states), SUMS, int(more["channels"].max())))
        for index in np.flatnonzero(more["channels"]).tolist():
            sums[index] = states[index].history.sums
        stamps = b"".join([each.marks.stamps for each in states])
        return cls(
            states[0].fleet,
            head,
            more,
            sums,
            np.concatenate([each.ring for each in states]),
            np.frombuffer(stamps, STAMP).reshape(-1, 2),
        )

    @classmethod
    def read(cls, values: NDArray[np.void], fleet: str) -> Self:
        """Return sound values of one layout as a table."""
        n, width = values.dtype["rows"].shape
        return cls(
            fleet,
            values["head"].copy(),
            values["more"].copy(),
            values["sums"].copy(),
            values["rows"].reshape(len(values) * n, width),
            values["stamps"].reshape(len(values) * n, 2),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return tables of one fleet, width and number of channels, or none, as one table."""
        if len(parts) == 1:
            return parts[0]
        channels = max(part.sums.shape[2] for part in parts)
        sums = np.zeros((sum(map(len, parts)), SUMS, channels))
        begin = 0
        for part in parts:
            if part.sums.shape[2]:
                sums[begin : begin + len(part)] = part.sums
            begin += len(part)
        return cls(
            parts[0].fleet,
            np.concatenate([part.head for part in parts]),
            np.concatenate([part.more for part in parts]),
            sums,
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.stamps for part in parts]),
        )

    @classmethod
    def nothing(cls, fleet: str, width: int) -> Self:
        """Return the table of no states."""
        return cls(
            fleet,
            np.empty(0, HEAD),
            np.empty(0, MORE),
            np.empty((0, SUMS, 0)),
            np.empty((0, width), np.float32),
            np.empty((0, 2), STAMP),
        )

    def where(self, mask: NDArray[np.bool_]) -> StateTable:
        """Return those for which a mask, shape ``(n,)``, is true."""
        return self if mask.all() else self.take(np.flatnonzero(mask))

    def goes_on_under(self, spec: ScorerSpec) -> NDArray[np.bool_]:
        """Return which go on under a model as they are, shape ``(n,)``.

        Of these :meth:`AssetState.under` changes nothing.
        """
        head, more, machine = self.head, self.more, spec.machine
        found: NDArray[np.bool_] = head["machine"] == np.void(machine.digest)
        found &= head["model"] == np.void(model_digest(spec.ref.sha256))
        found &= head["width"] == machine.row_width
        found &= head["n"] <= machine.window.length
        found &= (more["taken_in"] == 0) | (more["channels"] == len(machine.used))
        return found

    def take(self, which: NDArray[np.int64]) -> StateTable:
        """Return some of them, in the order asked for."""
        sizes = self.sizes
        at = stretches((np.cumsum(sizes) - sizes)[which], sizes[which])
        return StateTable(
            self.fleet,
            self.head[which],
            self.more[which],
            self.sums[which],
            self.rows[at],
            self.stamps[at],
        )

    def states(self) -> Iterator[AssetState]:
        """Yield each as what stands alone."""
        head, more = _columns(self.head), _columns(self.more)
        ends = np.cumsum(self.sizes).tolist()
        bounds = list(zip([0, *ends], ends, strict=False))
        stamps = self.stamps.tobytes()
        return map(
            AssetState,
            head["machine"],
            head["model"],
            [self.rows[begin:end] for begin, end in bounds],
            head["last_cycle"],
            head["seen_from"],
            _alarms(head, more),
            self.fences(),
            map(_alarm_id, head["alarm_id"]),
            head["newest_us"],
            _opened(head),
            _rivals(head),
            repeat(()),  # no former homes, no ages
            repeat(()),
            repeat(self.fleet),
            map(
                LifeHistory,
                more["taken_in"],
                map(bool, more["whole"]),
                [
                    sums[:, :channels]
                    for sums, channels in zip(self.sums, more["channels"], strict=True)
                ],
            ),
            [
                Marks(stamps[begin * STAMP_BYTES : end * STAMP_BYTES], NOTHING_HELD)
                for begin, end in bounds
            ],
        )

    def some(self, which: Sequence[int]) -> Iterator[AssetState]:
        """Yield some as what stands alone, in the order asked for."""
        return self.take(np.array(which)).states() if len(which) else iter(())

    def standings(self, which: NDArray[np.int64]) -> list[Standing]:
        """Return where runs and alarms of some of them stand."""
        head, more = _columns(self.head[which]), _columns(self.more[which])
        ids = map(_alarm_id, head["alarm_id"])
        return list(map(Standing, _alarms(head, more), ids, _opened(head)))

    def with_alarms(
        self, which: Sequence[int], alarms: Sequence[tuple[AlarmState, str]]
    ) -> StateTable:
        """Return them with other alarms of some of them; of these no warning is remembered."""
        head, more = self.head.copy(), self.more.copy()
        numbers = np.array(
            [
                (each.level.rank, each.onset_cycle, each.warning_row, each.critical_row,
                 each.quiet_row, each.open_for, each.closing, each.flaps)
                for each, _ in alarms
            ],
            np.int64,
        ).reshape(-1, 8)  # fmt: skip
        for name, column in zip(OF_ALARM, numbers.T, strict=True):
            (head if name in OF_HEAD else more)[name][which] = column
        ids = [_packed_id(alarm_id) for _, alarm_id in alarms]
        head["alarm_id"][which] = np.frombuffer(b"".join(ids), "V16")
        return replace(self, head=head, more=more)

    def pack(self) -> tuple[bytes, list[int]]:
        """Return their values, one behind the other, and the bytes of each."""
        shapes: dict[tuple[int, int], list[int]] = {}
        for index, shape in enumerate(
            zip(self.head["n"].tolist(), self.more["channels"].tolist(), strict=True)
        ):
            shapes.setdefault(shape, []).append(index)
        if len(shapes) == 1:
            ((shape, _),) = shapes.items()
            packed = self._pack(*shape)
            return packed.tobytes(), [packed.itemsize] * len(self)
        values = [b""] * len(self)
        for shape, which in shapes.items():
            packed = self.take(np.array(which))._pack(*shape)
            alone, size = packed.tobytes(), packed.itemsize
            for number, index in enumerate(which):
                values[index] = alone[number * size : (number + 1) * size]
        return b"".join(values), list(map(len, values))

    def _pack(self, n: int, channels: int) -> NDArray[np.void]:
        """Return the values of states of one shape."""
        name, width = self.fleet.encode(), self.rows.shape[1]
        packed = np.empty(len(self), layout_of(n, width, len(name), channels))
        packed["head"], packed["more"] = self.head, self.more
        packed["fleet"] = np.void(name)
        packed["sums"] = self.sums[:, :, :channels]
        packed["rows"] = self.rows.reshape(len(self), n, width)
        packed["stamps"] = self.stamps.reshape(len(self), n, 2)
        packed["end"] = np.array((n, width, 0), END)
        return packed


def stretches(begins: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of several stretches, one behind the other.

    Example:
        >>> stretches(np.array([2, 7]), np.array([1, 3])).tolist()
        [2, 7, 8, 9]
    """
    ends = counts.cumsum()
    places: NDArray[np.int64] = (begins - ends + counts).repeat(counts)
    places += np.arange(len(places))
    return places


def is_plain(state: AssetState) -> bool:
    """Return whether a state can stand in a table."""
    return not (
        state.former
        or state.ages
        or state.finals is not None
        or state.alarm.recent
        or state.marks.held.size
        or len(state.marks) != len(state.ring)
        or not state.fleet.isascii()
        or not 0 < len(state.fleet) <= LONGEST_NAME
        or len(state.machine) != DIGEST_BYTES
        or len(state.model) != DIGEST_BYTES
    )


def _numbers(state: AssetState) -> tuple[int, ...]:
    """Return what ``OF_HEAD`` and ``OF_MORE`` name."""
    fence, alarm, rival, history = state.fence, state.alarm, state.rival, state.history
    opened_partition, opened_offset = state.opened or NOT_OPENED
    n, width = state.ring.shape
    return (
        fence.partition, fence.next_offset, fence.life, state.last_cycle, state.seen_from,
        alarm.level.rank, alarm.onset_cycle, alarm.warning_row, alarm.critical_row,
        alarm.quiet_row, state.newest_us, opened_partition, opened_offset, rival.count,
        rival.cycle, rival.clock_us, n, width, alarm.open_for, alarm.closing, alarm.flaps,
        history.count, history.whole, history.sums.shape[1],
    )  # fmt: skip


def _columns(numbers: NDArray[np.void]) -> dict[str, Any]:
    return {name: numbers[name].tolist() for name in numbers.dtype.names or ()}


def _packed_id(alarm_id: str) -> bytes:
    return uuid.UUID(alarm_id).bytes if alarm_id else NO_ALARM


def _alarm_id(value: bytes) -> str:
    return "" if value == NO_ALARM else str(uuid.UUID(bytes=value))


def _opened(head: dict[str, Any]) -> Iterable[Place | None]:
    """Return where each run was opened by rule; hardly any was."""
    return [
        None if at[0] < 0 else Place(*at)
        for at in zip(head["opened_partition"], head["opened_offset"], strict=True)
    ]


def _rivals(head: dict[str, Any]) -> Iterable[Rival]:
    """Return each rival; hardly any asset has one."""
    each = zip(*(head[name] for name in ("rivals", "rival_cycle", "rival_us")), strict=True)
    return [Rival(*numbers) if any(numbers) else NO_RIVAL for numbers in each]


def _alarms(head: dict[str, Any], more: dict[str, Any]) -> Iterator[AlarmState]:
    return map(
        AlarmState,
        map(LEVELS.__getitem__, head["level"]),
        head["onset"],
        head["warning_row"],
        head["critical_row"],
        head["quiet_row"],
        repeat(()),  # no warning remembered
        more["open_for"],
        more["closing"],
        more["flaps"],
    )
