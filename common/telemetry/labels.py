"""The publisher's list of anomalies: ``labeled_anomalies.csv``; and which of them are disputed."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from common.errors import DatasetError
from common.records.ids import ID_PATTERN
from common.telemetry.files import SPACECRAFT

Span = tuple[int, int]
"""Rows ``[start, stop)`` of the test readings."""

COLUMNS: Final = ("chan_id", "spacecraft", "anomaly_sequences", "num_values")
MAX_LABELS_BYTES: Final = 1024 * 1024
COUNT: Final = re.compile(r"\s*[0-9]{1,9}\s*")

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
        reader = csv.DictReader(content.decode("utf-8-sig").splitlines())
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise DatasetError(f"{source} lacks the columns {', '.join(missing)}.")
        found: dict[str, Labels] = {}
        for row in reader:
            where = f"{source}, line {reader.line_num}"
            name, said = _name(row["chan_id"], where), _labels(row, where)
            found[name] = _both(found[name], said, where) if name in found else said
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DatasetError(f"{source} is no list of anomalies that can be read: {exc}.") from exc
    return found


def _labels(row: Mapping[str, str | None], where: str) -> Labels:
    spacecraft, text, count = (row[name] for name in COLUMNS[1:])
    if spacecraft not in SPACECRAFT:
        raise DatasetError(
            f"{where}: spacecraft {spacecraft!r} came; {' or '.join(SPACECRAFT)} was expected."
        )
    if not COUNT.fullmatch(count or ""):
        raise DatasetError(f"{where}: num_values {count!r:.80} came; a whole number was expected.")
    rows = int(count or 0)
    spans = _spans(text or "", where)
    wrong = [span for span in spans if not 0 <= span[0] < span[1] <= rows]
    if wrong:
        raise DatasetError(
            f"{where}: rows {wrong[0][0]} to {wrong[0][1] - 1} came; the stream has {rows}."
        )
    return Labels(spacecraft, _joined(spans), rows)


def _name(text: str | None, where: str) -> str:
    if not re.fullmatch(ID_PATTERN, text or ""):
        raise DatasetError(
            f"{where}: chan_id {text!r:.80} came; a name of letters, digits and . _ : - was "
            "expected, as every asset has."
        )
    return text or ""


def _spans(text: str, where: str) -> list[Span]:
    """Return the intervals of one line; whole numbers alone, for a row is one or another."""
    try:
        pairs = json.loads(text)
    except (ValueError, RecursionError):
        pairs = None
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise DatasetError(
            f"{where}: {text!r:.80} came; a list of [first, last] rows was expected."
        )
    return [(first, last + 1) for first, last in pairs]


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(row) is int for row in pair)


def _both(first: Labels, second: Labels, where: str) -> Labels:
    if (first.spacecraft, first.rows) != (second.spacecraft, second.rows):
        raise DatasetError(
            f"{where}: {second.spacecraft} and {second.rows} rows came; an earlier line says "
            f"{first.spacecraft} and {first.rows} of the same stream."
        )
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
