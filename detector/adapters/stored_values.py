"""From bytes in a state store to states, progress and intents; foreign values are told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from common.logs import get_logger
from detector.core.intent import is_carried_out, unpack_intent
from detector.core.ledger import Ledger, entry_key, entry_name, pack_entry, unpack_entry
from detector.core.pipeline import AssetRun
from detector.core.state.asset import FENCE, Fence, unpack
from detector.core.state.known import Stand, States
from detector.core.state.many import unpack_many
from detector.core.state.progress import Progress, unpack_progress
from detector.ports import Stored

Name = TypeVar("Name")
Value = TypeVar("Value")
logger = get_logger(__name__)

SHOWN_BYTES = 40


class Foreign(NamedTuple):
    """Partitions with a value that was not written by this program."""

    progress: Sequence[int]
    intents: Sequence[int]


@dataclass(frozen=True, slots=True)
class RawValues:
    """What a store holds, as it holds it."""

    states: Mapping[AssetRun, bytes]
    progress: Mapping[int, bytes]
    intents: Mapping[int, bytes]
    ledgers: Mapping[int, Mapping[AssetRun, bytes]] = field(default_factory=dict)

    def read(self) -> tuple[Stored, Foreign]:
        """Return what it says, and the names of what says nothing to us."""
        keys = list(self.states)
        parts, odd = unpack_many(list(self.states.values()))
        alone, no_states = _sorted({keys[index]: self.states[keys[index]] for index in odd}, unpack)
        states = States(
            alone,
            [
                Stand([keys[index] for index in part.which], part.table, range(len(part.which)))
                for part in parts
            ],
        )
        progress, no_progress = _sorted(self.progress, unpack_progress)
        # mostly the last batch's, which is behind us: its alerts are not read again
        open_intents = {
            partition: value
            for partition, value in self.intents.items()
            if not is_carried_out(value, progress.get(partition))
        }
        intents, no_intents = _sorted(open_intents, unpack_intent)
        unreadable = {key: _fence_bytes(self.states[key]) for key in no_states}
        ledgers = {
            partition: {
                key: unpack_entry(value, partition) for key, value in found.items() if value
            }
            for partition, found in self.ledgers.items()
            if partition in progress
        }
        stored = Stored(states, progress, intents, unreadable, ledgers)
        return stored, Foreign(no_progress, no_intents)


def packed_progress(progress: Progress | None) -> bytes:
    """Return progress as a store compares it; nothing stored is empty."""
    return b"" if progress is None else progress.pack()


def packed_entries(ledger: Mapping[AssetRun, Fence | None]) -> Iterator[str | bytes]:
    """Yield name and value of each entry; the value is empty where nothing is to be said."""
    for key, fence in ledger.items():
        yield entry_name(key)
        yield b"" if fence is None else pack_entry(fence)


def read_ledger(fields: Mapping[bytes, bytes], partition: int) -> Ledger:
    """Return the ledger of a partition's record; what is no entry of ours is left out."""
    entries: list[tuple[AssetRun, bytes]] = []
    for name, value in fields.items():
        with suppress(ValueError):
            entries.append((entry_key(name.decode()), value))
    return _entries(entries, partition)


def _entries(values: Iterable[tuple[AssetRun, bytes]], partition: int) -> dict[AssetRun, Fence]:
    found: dict[AssetRun, Fence] = {}
    for key, value in values:
        with suppress(ValueError):
            found[key] = unpack_entry(value, partition)
    return found


def _fence_bytes(value: bytes) -> Fence:
    """Return what a foreign value has where a state has its fence, so that it can be replaced."""
    return Fence(*FENCE.unpack_from(value.ljust(FENCE.size, b"\0")))


def _sorted(
    values: Mapping[Name, bytes], read: Callable[[bytes], Value]
) -> tuple[dict[Name, Value], list[Name]]:
    found: dict[Name, Value] = {}
    foreign: list[Name] = []
    for name, value in values.items():
        try:
            found[name] = read(value)
        except ValueError as exc:
            foreign.append(name)
            logger.error(  # noqa: TRY400 - what is wrong is the value, not the code
                "a value in the state store is not of this program: what it should have been is "
                "rebuilt from the topic",
                name=str(name),
                begins_with=repr(value[:SHOWN_BYTES]),
                why=str(exc),
            )
    return found, foreign
