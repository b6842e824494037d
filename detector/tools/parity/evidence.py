"""What alerts rest on: live evidence against that of the batch path, field by field. Pure."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Final

from common.records.alerts import Alert
from common.records.evidence import AlertEvidence, derive_evidence_id
from detector.core.conclusion.evidence import Case, make_evidence

MEASURED: Final = "values"
"""Fields of this name hold what was measured: equal to the last bit, or not the same."""
OF_THE_ALERT: Final = "evidence_id"
"""Follows from the alert's rounded numbers, by which evidence is looked up; no content."""
TIMES: Final = "ts"
"""When readings were taken: the topic says it, a data set does not."""
COMPRESSION: Final = 1
"""A run's evidence is in memory all at once: a fifth of its 13 kB an alert, quickly."""


@dataclass(frozen=True, slots=True)
class EvidenceDifference:
    """One field of an alert's evidence that is not what it must be.

    Attributes:
        alert_id: Which alert's.
        asset_id: Whose.
        cycle: The cycle that caused it.
        field: Which field, such as ``channels.0.expected.29``; the first that differs.
        live: What the topic has, in words.
        expected: What it must be.
    """

    alert_id: str
    asset_id: str
    cycle: int
    field: str
    live: str
    expected: str


@dataclass(frozen=True, slots=True)
class EvidenceDiff:
    """Evidence on the topic against evidence made again.

    Attributes:
        compared: Alerts, live and derived, whose evidence was looked up.
        missing: Those of them whose evidence is not on the topic.
        different: The others whose evidence has another content.
    """

    compared: int
    missing: tuple[Alert, ...]
    different: tuple[EvidenceDifference, ...]

    @property
    def equal(self) -> bool:
        """Whether each alert has its evidence, and that is as it must be."""
        return not (self.missing or self.different)

    @property
    def same(self) -> int:
        """How many alerts have the evidence they must have."""
        return self.compared - len(self.missing) - len(self.different)


class LiveEvidence:
    """A run's evidence as the topic has it, compressed: a redelivery is kept once."""

    def __init__(self) -> None:
        self._found: dict[str, set[bytes]] = {}

    def add(self, evidence_id: str, content: bytes) -> None:
        """Keep one message's JSON."""
        packed = zlib.compress(content, COMPRESSION)
        self._found.setdefault(evidence_id, set()).add(packed)

    def of(self, alert: Alert) -> Iterator[AlertEvidence]:
        """Yield all that the topic has on an alert, one unless messages disagree."""
        for packed in sorted(self._found.get(derive_evidence_id(alert), ())):
            yield AlertEvidence.model_validate_json(zlib.decompress(packed))


@dataclass(slots=True)
class EvidenceComparison:
    """Counts up what differs, alert by alert. Alerts that are live or derived only are not its own.

    Attributes:
        live: Alerts on the topic, by id.
        found: Evidence on the topic.
        tolerance: As :func:`first_difference` has it.
        times: Likewise.
    """

    live: Mapping[str, Alert]
    found: LiveEvidence
    tolerance: float
    times: bool = True
    _compared: int = 0
    _missing: list[Alert] = field(default_factory=list)
    _different: list[EvidenceDifference] = field(default_factory=list)

    def add(self, cases: Iterable[Case]) -> None:
        """Compare the evidence of alerts that were derived again."""
        for case in cases:
            alert = self.live.get(case.alert.alert_id)
            if alert is not None:
                self._compared += 1
                self._compare(alert, case)

    def _compare(self, alert: Alert, case: Case) -> None:
        wanted, there = make_evidence(case), False
        for came in self.found.of(alert):
            there = True
            found = first_difference(came, wanted, self.tolerance, times=self.times)
            if found is not None:
                self._different.append(
                    EvidenceDifference(alert.alert_id, alert.asset_id, alert.cycle, *found)
                )
                return
        if not there:
            self._missing.append(alert)

    def result(self) -> EvidenceDiff:
        """Return what was found."""
        return EvidenceDiff(self._compared, tuple(self._missing), tuple(self._different))


def first_difference(
    live: AlertEvidence, expected: AlertEvidence, tolerance: float, *, times: bool = True
) -> tuple[str, str, str] | None:
    """Return the first field that differs, with what came and what was expected; none if none does.

    Args:
        live: From the topic.
        expected: Made again.
        tolerance: Bound on the difference of two computed numbers, relative or, below 1, absolute.
            What was measured must be equal.
        times: Whether both say when readings were taken.
    """
    left_out = {OF_THE_ALERT} if times else {OF_THE_ALERT, TIMES}
    found = _differences("", live.model_dump(), expected.model_dump(), tolerance, left_out)
    return next(found, None)


def _differences(
    where: str, came: object, wanted: object, tolerance: float, left_out: Set[str]
) -> Iterator[tuple[str, str, str]]:
    if isinstance(came, dict) and isinstance(wanted, dict):
        for name in (each for each in came if each not in left_out):
            exact = 0.0 if name == MEASURED else tolerance
            yield from _differences(f"{where}.{name}", came[name], wanted[name], exact, left_out)
    elif isinstance(came, tuple) and isinstance(wanted, tuple) and len(came) == len(wanted):
        for index, (one, other) in enumerate(zip(came, wanted, strict=True)):
            yield from _differences(f"{where}.{index}", one, other, tolerance, left_out)
    elif not _same(came, wanted, tolerance):
        yield where.lstrip("."), _in_words(came), _in_words(wanted)


def _same(came: object, wanted: object, tolerance: float) -> bool:
    if isinstance(came, float) and isinstance(wanted, float):
        return math.isclose(came, wanted, rel_tol=tolerance, abs_tol=tolerance)
    return came == wanted


def _in_words(value: object) -> str:
    return f"{len(value)} values" if isinstance(value, tuple) else str(value)
