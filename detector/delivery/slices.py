"""What one batch publishes, cut into slices that are acknowledged one by one.

One timeout for thousands of messages may never be met, and then all of them are sent again each
time. A slice that was acknowledged is never sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from common.records.alerts import Alert
from common.records.letters import DeadLetter

MAX_SLICE_MESSAGES: Final = 200

MAX_SLICE_BYTES: Final = 4 * 1024 * 1024
"""About ten dead letters of the largest kind."""

MAX_SLICE_VALUES: Final = 256 * 1024
"""Of evidence: some 2 MB as text, and what is in memory of it at once."""

FIXED_BYTES: Final = 2048
"""Counted for a message beside what it carries of the original: ids, reason, contributions."""


@dataclass(slots=True)
class Slice:
    """Messages that are published under one acknowledgement.

    Attributes:
        alerts: In the order of the topic per asset.
        dead_letters: Behind them.
    """

    alerts: list[Alert] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


def slices(alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]) -> Iterator[Slice]:
    """Yield slices that hold all messages in order, alerts first; none where there is nothing.

    Each is published before the next, so the alerts of one asset keep their order.

    Example:
        >>> [len(part.dead_letters) for part in slices([], dead_letters=[])]
        []
    """
    part, messages, size = Slice(), 0, 0
    everything: list[Alert | DeadLetter] = [*alerts, *dead_letters]
    for message in everything:
        grown = size + carried_bytes(message)
        if messages and (messages == MAX_SLICE_MESSAGES or grown > MAX_SLICE_BYTES):
            yield part
            part, messages, grown = Slice(), 0, carried_bytes(message)
        if isinstance(message, Alert):
            part.alerts.append(message)
        else:
            part.dead_letters.append(message)
        messages, size = messages + 1, grown
    if messages:
        yield part


def carried_bytes(message: Alert | DeadLetter) -> int:
    """Return about how large a message is on the wire."""
    if isinstance(message, Alert):
        return FIXED_BYTES
    return FIXED_BYTES + len(message.original) + len(message.original_key or "")
