"""What a connection knows of the runs it wrote last, as long as nobody else has written."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from common.scorestore.batch import RunKey
from common.scorestore.sqlite.rows import ChannelSets

MOST_RUNS: Final = 10_000
"""With their names about 360 bytes each, 4 MB in all."""


@dataclass(slots=True)
class KnownRun:
    """One run.

    Attributes:
        key: Its number.
        last_cycle: Highest cycle with a verdict; none before the first.
    """

    key: int
    last_cycle: int | None = None

    def goes_on(self, cycle: int) -> bool:
        """Return whether a cycle is beyond the last one."""
        return self.last_cycle is None or cycle > self.last_cycle


class Known:
    """The numbers of runs and of channel names, and how far the runs have come.

    Holds from one transaction of a connection to its next if no row was changed in between, by
    another connection or through this one: by what removes old rows, or a transaction that was
    rolled back. Else all of it is forgotten and read anew.
    """

    def __init__(self, most_runs: int = MOST_RUNS) -> None:
        """Know nothing.

        Args:
            most_runs: Of more runs all are forgotten.
        """
        self.runs: dict[RunKey, KnownRun] = {}
        self.channel_sets = ChannelSets()
        self._most_runs = most_runs
        self._moment: tuple[sqlite3.Connection, int, int] | None = None
        self._by_others = 0

    def begin(self, connection: sqlite3.Connection) -> None:
        """Forget what may not be true any more, in a transaction that lets nobody else write.

        Until :meth:`keep` is called all counts as untrue: the transaction may be rolled back.
        """
        (self._by_others,) = connection.execute("PRAGMA data_version").fetchone()
        if self._moment != (connection, self._by_others, connection.total_changes):
            self.runs.clear()
            self.channel_sets.load(connection)
        self._moment = None

    def keep(self, connection: sqlite3.Connection) -> None:
        """Let what is known hold for the next transaction, now that this one is committed.

        Others may have written since, so their count is that of the transaction.
        """
        if len(self.runs) > self._most_runs:
            self.runs.clear()
        self._moment = connection, self._by_others, connection.total_changes
