"""What a worker is about to publish, written down before it does.

Everything between reading a state and writing it is deterministic, so a batch that comes again
after a crash repeats its alerts with the same ids. That holds as long as model and rules are the
same. A successor with another model or other settings may raise elsewhere, or not at all, and the
alarm its predecessor had raised would stay open for ever. So the alerts of a batch are noted in the
state store first; a successor with other rules publishes them as they are, and goes on from the
alarms they left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from pydantic import ValidationError

from common.records.alerts import Alert
from detector.core.conclusion.conclude import Told
from detector.core.pipeline import AssetRun
from detector.core.state.progress import Progress


@dataclass(frozen=True, slots=True)
class Intent:
    """The alerts of one partition's part of a batch.

    Attributes:
        rules: Digest of model and settings under which they came about (:func:`rules_digest`).
        life: The partition's life.
        end: The offset after the batch: once the partition's progress has come there, all is done.
        adopted: Alerts of a worker with other rules, taken over before the batch was begun.
        alerts: Alerts of the batch, in the order of the topic.
    """

    rules: str
    life: int
    end: int
    adopted: Sequence[Told]
    alerts: Sequence[Told]

    def pack(self) -> bytes:
        """Return it as JSON."""
        parts = {
            "rules": self.rules,
            "life": self.life,
            "end": self.end,
            "adopted": [_told(item) for item in self.adopted],
            "alerts": [_told(item) for item in self.alerts],
        }
        return json.dumps(parts).encode()


@dataclass(frozen=True, slots=True)
class NextIntent:
    """An intent to write, if the partition's stored progress is still what it was made from.

    Attributes:
        intent: What is about to be published; none when nothing is, and only the progress counts.
        expected: What must be stored; none for nothing.
    """

    intent: Intent | None
    expected: Progress | None


class _Head(msgspec.Struct, gc=False):
    life: int
    end: int


_head = msgspec.json.Decoder(_Head).decode


def is_carried_out(value: bytes, known: Progress | None) -> bool:
    """Return whether a partition's progress has passed an intent, without reading its alerts.

    Args:
        value: What is stored of it.
        known: The partition's progress; nothing is passed where there is none.
    """
    if known is None:
        return False
    try:
        head = _head(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False  # whoever reads it says what it is
    return _is_passed(head.life, head.end, known)


def _is_passed(life: int, end: int, known: Progress) -> bool:
    return life != known.life or end <= known.next_offset


def unpack_intent(value: bytes) -> Intent:
    """Return the intent a value holds.

    Raises:
        ValueError: If it was not written by this program.
    """
    try:
        parts = json.loads(value)
        adopted, alerts = ([_heard(item) for item in parts[name]] for name in ("adopted", "alerts"))
        return Intent(str(parts["rules"]), int(parts["life"]), int(parts["end"]), adopted, alerts)
    except (KeyError, TypeError, RecursionError, ValidationError) as exc:
        raise ValueError(f"not an intent: {exc}") from exc


def _told(item: Told) -> list[str]:
    key, alert = item
    return [*key, alert.to_json().decode()]


def _heard(item: Sequence[str]) -> Told:
    asset_id, run_id, text = item
    return (asset_id, run_id), Alert.model_validate_json(text)


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Alerts of a batch not carried out to the end that our rules may not repeat.

    Attributes:
        alerts: The alerts.
        end: The offset up to which they hold.
    """

    alerts: Sequence[Told]
    end: int


def to_adopt(
    intents: Mapping[int, Intent], progress: Mapping[int, Progress], rules: str
) -> dict[int, TakenOver]:
    """Return, by partition, what must be taken over.

    Args:
        intents: What is stored.
        progress: How far the partitions have come.
        rules: Our own.
    """
    found: dict[int, TakenOver] = {}
    for partition, intent in intents.items():
        known = progress.get(partition, Progress(0))
        if _is_passed(intent.life, intent.end, known):
            continue
        alerts = [*intent.adopted, *(intent.alerts if intent.rules != rules else ())]
        if alerts:
            found[partition] = TakenOver(alerts, intent.end)
    return found


def by_asset(taken_over: Iterable[TakenOver]) -> dict[AssetRun, list[Alert]]:
    """Return the alerts of each asset."""
    found: dict[AssetRun, list[Alert]] = {}
    for part in taken_over:
        for key, alert in part.alerts:
            found.setdefault(key, []).append(alert)
    return found
