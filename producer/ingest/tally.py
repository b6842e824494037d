"""What became of their messages: counts, the first refusals of each kind, which names are taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from producer.ingest.translate import Outcome, Reason, Refusal, Translated

FIRST_LOGGED: Final = 5
"""Refusals of one reason that are logged one by one; after them only the 10th, 100th, 1000th..."""

MAX_NAMES: Final = 100_000
"""Assets whose names are remembered; 10 MB. Beyond it, two that become the same are not noticed."""

LogRefusal = Callable[[Refusal, int], None]
"""Told a refusal, and how many there were for its reason with it."""


@dataclass(slots=True)
class Tally:
    """Counts of one ingest since it began.

    Attributes:
        messages: Messages taken.
        readings: Readings sent and acknowledged.
        unzoned: Readings whose time had no zone and was taken as UTC.
        refused: Records that became no reading, by reason.
        behind: Messages on the topic that were not taken yet; none if not known.
        names: Their name of each asset, by asset id.
    """

    messages: int = 0
    readings: int = 0
    unzoned: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    behind: int | None = None
    names: dict[str, str] = field(default_factory=dict)

    def refuse(self, refusal: Refusal, log: LogRefusal) -> None:
        """Count a refusal, and log it if it is one of the first or the 10th, 100th, 1000th."""
        self.refused[refusal.reason] += 1
        times = self.refused[refusal.reason]
        if times <= FIRST_LOGGED or str(times).strip("0") == "1":
            log(refusal, times)

    def checked(self, outcome: Outcome) -> Outcome:
        """Return a reading as it came, or a refusal if its asset id is another asset's already."""
        if isinstance(outcome, Refusal):
            return outcome
        other = self._same_name(outcome)
        if other is None:
            self.unzoned += not outcome.zoned
        return other or outcome

    def _same_name(self, made: Translated) -> Refusal | None:
        asset = made.reading.asset_id
        known = self.names.get(asset)
        if known is None:
            if len(self.names) < MAX_NAMES:
                self.names[asset] = made.called
            return None
        if known == made.called:
            return None
        return Refusal(
            Reason.SAME_NAME,
            f"the assets {known!r} and {made.called!r} would both be called {asset!r}; different "
            "names were expected",
        )

    @property
    def refusals(self) -> int:
        """Records that became no reading."""
        return self.refused.total()

    def in_words(self) -> str:
        """Return the counts as the end of a sentence."""
        why = ", ".join(f"{reason}: {times:,}" for reason, times in self.refused.most_common())
        refused = f", {self.refusals:,} refused ({why})" if why else ""
        unzoned = f", {self.unzoned:,} times without a zone taken as UTC" if self.unzoned else ""
        return (
            f"{_counted(self.messages, 'message')} taken, {_counted(self.readings, 'reading')} of "
            f"{_counted(len(self.names), 'asset')} sent{refused}{unzoned}"
        )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
