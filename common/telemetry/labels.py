"""The publisher's list of anomalies: ``labeled_anomalies.csv``; and which of them are disputed."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from common.errors import DatasetError
from common.telemetry.files import SPACECRAFT

Span = tuple[int, int]
"""Rows ``[start, stop)`` of the test readings."""

COLUMNS: Final = ("chan_id", "spacecraft", "anomaly_sequences", "num_values")
MAX_LABELS_BYTES: Final = 1024 * 1024

DISPUTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "P-10": "its test readings are those of P-14, byte for byte, with other labels",
        "P-14": "its test readings are those of P-10, byte for byte, with other labels",
        "M-1": "half of its test readings are one labelled anomaly",
        "M-2": "half of its test readings are one labelled anomaly",
        "D-2": "half of its test readings are one labelled anomaly",
        "A-9": "nearly half of its test readings are one labelled anomaly",
        "D-1": "over a third of its test readings are one labelled anomaly",
        "D-3": "over a third of its test readings are one labelled anomaly",
        "D-7": "over a third of its test readings are one labelled anomaly",
        "E-3": "over a third of its test readings are one labelled anomaly",
        "F-2": "over a third of its test readings are one labelled anomaly",
    }
)
"""Streams left out of the *clean* subset, and why. An anomaly of more than a third of the readings
is a new state rather than an event: where it begins is a matter of taste, and flagging it all is
what every share of flagged readings forbids. The rule is ours; which streams it names follows from
the labels alone (``tests/unit/common/test_telemetry.py`` counts)."""

LONGEST_CLEAN: Final = 1 / 3
"""Part of the test readings that an anomaly of the clean subset covers at most."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What is said of one stream.

    Attributes:
        spacecraft: ``SMAP`` or ``MSL``.
        anomalies: Ascending, apart; those that touch or overlap in the list are one.
        rows: How many test readings it has.
    """

    spacecraft: str
    anomalies: tuple[Span, ...]
    rows: int


def parse_labels(content: bytes, source: str) -> dict[str, Labels]:
    """Return what is said of each stream, in the order of the list.

    Args:
        content: The file. Its intervals are of first and last row, both included.
        source: Its name, for messages.

    Raises:
        DatasetError: Naming ``source`` and the first line at fault.
    """
    if len(content) > MAX_LABELS_BYTES:
        raise DatasetError(f"{source} is larger than {MAX_LABELS_BYTES:,} bytes.")
    try:
        lines = content.decode().splitlines()
        reader = csv.DictReader(lines)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise DatasetError(f"{source} lacks the columns {', '.join(missing)}.")
        found: dict[str, Labels] = {}
        for row in reader:
            name = row["chan_id"]
            said = _labels(row, f"{source}, line {reader.line_num}")
            found[name] = _both(found[name], said) if name in found else said
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DatasetError(f"{source} is no list of anomalies that can be read: {exc}.") from exc
    return found


def _labels(row: Mapping[str, str | None], where: str) -> Labels:
    spacecraft, text, count = (row[name] for name in COLUMNS[1:])
    if spacecraft not in SPACECRAFT:
        raise DatasetError(
            f"{where}: spacecraft {spacecraft!r} came; {' or '.join(SPACECRAFT)} was expected."
        )
    if not (count or "").strip().isdigit():
        raise DatasetError(f"{where}: num_values {count!r} came; a whole number was expected.")
    rows = int(count or 0)
    try:
        pairs = json.loads(text or "")
        spans = [(int(first), int(last) + 1) for first, last in pairs]
    except (ValueError, TypeError) as exc:
        raise DatasetError(
            f"{where}: {text!r:.80} came; a list of [first, last] rows was expected."
        ) from exc
    wrong = [span for span in spans if not 0 <= span[0] < span[1] <= rows]
    if wrong:
        raise DatasetError(
            f"{where}: rows {wrong[0][0]} to {wrong[0][1] - 1} came; the stream has {rows}."
        )
    return Labels(spacecraft, _joined(spans), rows)


def _both(first: Labels, second: Labels) -> Labels:
    return Labels(first.spacecraft, _joined([*first.anomalies, *second.anomalies]), first.rows)


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    """Return spans in order; those that touch are one."""
    joined: list[Span] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return tuple(joined)
