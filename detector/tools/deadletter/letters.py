"""Dead letters: what they hold, which to pick, and how one re-enters the stream.

A retry sends the very bytes under the very key, so the reading has the same asset, run and cycle,
and whatever comes of it the same ids.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from aiokafka.errors import KafkaError

from common.errors import BackendUnavailableError, RejectReason, UserError
from common.links.kafka import make_producer, started
from common.records.letters import MAX_ORIGINAL_BYTES, MAX_ORIGINAL_KEY_BYTES, DeadLetter
from common.records.times import moment_of
from common.records.verdicts import SourcePosition
from common.settings import KafkaSettings
from common.terminal.nearest import suggestion
from common.topics import Topics
from detector.core.reading.decoding import ReadingIdentity, identify
from detector.core.reading.source import SourceRecord
from detector.tools.topic import Progress, silent, topic_messages

AGE: Final = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
AGE_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
HEX_WIDTH: Final = 16
_NOWHERE: Final = SourcePosition("", 0, 0)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, decoded.

    Attributes:
        letter: As it is on the topic.
        key: The original message's key; none if it had none.
        value: The original message's bytes, or the first of them.
        identity: Whose reading it says it is; none if it does not say so intelligibly.
        copies: How often it is on the topic; a redelivery writes it again.
    """

    letter: DeadLetter
    key: bytes | None
    value: bytes
    identity: ReadingIdentity | None
    copies: int = 1

    @property
    def position(self) -> str:
        """Where the original stood, ``topic-partition-offset``: the letter's name."""
        return f"{self.letter.topic}-{self.letter.partition}-{self.letter.offset}"

    @property
    def asset_id(self) -> str:
        """Whose it is by its payload, else by its key; empty if neither says."""
        if self.identity is not None:
            return self.identity.asset_id
        return (self.key or b"").decode(errors="backslashreplace")

    def of_asset(self, asset_id: str) -> bool:
        """Return whether payload or key name this asset."""
        return asset_id in (self.asset_id, (self.key or b"").decode(errors="backslashreplace"))

    def since(self, moment: datetime) -> bool:
        """Return whether it may have come at that moment or later; some have no stamp to tell."""
        return self.letter.received_at is None or self.letter.received_at >= moment


async def read_letters(settings: KafkaSettings, progress: Progress = silent) -> list[Letter]:
    """Return all dead letters, each once, oldest first.

    Raises:
        UserError: If a message on the topic is no dead letter.
        BackendMissingError: If no broker answers.
    """
    topic = Topics(settings.topic_prefix).dead_letter
    letters: dict[DeadLetter, Letter] = {}
    messages = topic_messages(settings, topic, DeadLetter, "a dead letter", progress)
    async for letter, _ in messages:
        known = letters.get(letter)
        letters[letter] = (
            open_letter(letter) if known is None else replace(known, copies=known.copies + 1)
        )
    return list(letters.values())


def open_letter(letter: DeadLetter) -> Letter:
    """Return a letter with its key and bytes decoded."""
    key = None if letter.original_key is None else base64.b64decode(letter.original_key)
    value = base64.b64decode(letter.original)
    identity = identify(SourceRecord(_NOWHERE, 0, key, value))
    return Letter(letter, key, value, identity)


def select(
    letters: Iterable[Letter],
    *,
    reason: str | None = None,
    asset_id: str | None = None,
    since: datetime | None = None,
) -> list[Letter]:
    """Return the letters that all given filters let through."""
    return [
        item
        for item in letters
        if (reason is None or item.letter.reason == reason)
        and (asset_id is None or item.of_asset(asset_id))
        and (since is None or item.since(since))
    ]


def none_found(letters: Sequence[Letter], asset_id: str | None) -> str:
    """Return the sentence for a list that came out empty.

    Args:
        letters: All there are, whatever was asked for.
        asset_id: The asset that was asked for; none if any.
    """
    if not letters:
        return "No dead letters."
    counts = ", ".join(f"{count:,} {reason}" for reason, count in count_reasons(letters).items())
    near = "" if asset_id is None else suggestion(asset_id, {item.asset_id for item in letters})
    return (
        f"No dead letter matches: there are {len(letters):,} ({counts}), none as asked for.{near}"
    )


def by_position(letters: Sequence[Letter], position: str) -> Letter:
    """Return the letter whose original stood there; the latest, if a topic was made anew.

    Args:
        letters: Oldest first.
        position: ``topic-partition-offset``, or ``partition-offset`` alone.

    Raises:
        UserError: If there is none.
    """
    for item in reversed(letters):
        if position in (item.position, f"{item.letter.partition}-{item.letter.offset}"):
            return item
    if not letters:
        raise UserError(f"No dead letter {position!r}: there are none at all.")
    raise UserError(
        f"No dead letter {position!r}; the latest is {letters[-1].position}. "
        "`surgeline deadletter list` shows them."
    )


def count_reasons(letters: Iterable[Letter]) -> Mapping[str, int]:
    """Return how many letters have each reason, most frequent first."""
    return dict(Counter(item.letter.reason for item in letters).most_common())


def parse_since(text: str, now: datetime) -> datetime:
    """Return the moment meant by RFC 3339 text, or by an age such as ``15m``, ``2h``, ``1d``.

    Raises:
        UserError: If it is neither, or has no time zone.

    Example:
        >>> noon = datetime.fromisoformat("2026-01-01T12:00:00+00:00")
        >>> parse_since("2h", noon).isoformat()
        '2026-01-01T10:00:00+00:00'
    """
    age = AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return now - timedelta(**{AGE_UNITS[age[2]]: int(age[1])})
        return moment_of(text)
    except (ValueError, OverflowError) as exc:
        raise UserError(
            f"--since {text!r} came; expected an age such as 15m, 2h or 1d, or a time with its "
            "zone such as 2026-01-01T00:00:00Z."
        ) from exc


def refusal(item: Letter, topic: str) -> str | None:
    """Return why a letter cannot re-enter the stream; none if it can.

    Args:
        item: The letter.
        topic: The readings topic of this installation.
    """
    letter = item.letter
    if letter.topic != topic:
        return f"it was read from {letter.topic}, and this installation reads {topic}"
    if letter.last_offset is not None:
        return (
            f"it is a batch of records, {letter.offset} to {letter.last_offset}, that cannot be "
            "decoded; send them again from their source"
        )
    if letter.original_size > len(item.value):
        return (
            f"it is cut: a dead letter keeps {MAX_ORIGINAL_BYTES:,} bytes and the message had "
            f"{letter.original_size:,}; send it again from its source"
        )
    if hashlib.sha256(item.value).hexdigest() != letter.original_sha256:
        return "its bytes do not match their sha256; the letter was changed"
    if item.key is not None and len(item.key) >= MAX_ORIGINAL_KEY_BYTES:
        return "its key is cut; send it again from its source"
    if letter.reason == RejectReason.EMPTY.value:
        return "it is empty: nothing could come of it but the same dead letter"
    return None


def rekeyed(item: Letter) -> Letter:
    """Return a letter with its payload's asset as its key, if the key is what was wrong.

    Raises:
        UserError: If it was rejected for something else.
    """
    if item.letter.reason != RejectReason.KEY_MISMATCH.value or item.identity is None:
        raise UserError(
            f"{item.position} was rejected as {item.letter.reason}; another key mends only "
            f"{RejectReason.KEY_MISMATCH.value}. Leave --rekey out, or add --reason "
            f"{RejectReason.KEY_MISMATCH.value}."
        )
    return replace(item, key=item.identity.asset_id.encode())


async def send_again(settings: KafkaSettings, letters: Iterable[Letter]) -> int:
    """Put the originals on the readings topic, in the order in which they once stood there.

    Args:
        settings: Which broker and topics.
        letters: Letters without a :func:`refusal`.

    Returns:
        How many; the broker has acknowledged every one.

    Raises:
        BackendMissingError: If no broker answers.
        BackendUnavailableError: If it did not acknowledge all; sending again is harmless, a
            reading that came twice is a duplicate.
    """
    topic = Topics(settings.topic_prefix).readings
    # all of one asset stood on one partition, so this is the order in which it sent them
    ordered = sorted(letters, key=lambda item: (item.letter.partition, item.letter.offset))
    try:
        async with started(make_producer(settings), settings) as producer:
            waiting = [await producer.send(topic, item.value, key=item.key) for item in ordered]
            await asyncio.wait_for(asyncio.gather(*waiting), settings.op_timeout_s)
    except (KafkaError, TimeoutError) as exc:
        raise BackendUnavailableError(
            f"The broker did not acknowledge all of {len(ordered)} messages: {exc!r}. Sending them "
            "again is harmless."
        ) from exc
    return len(ordered)


def decoded_original(value: bytes) -> str:
    """Return a message for a person: indented if it is JSON, as it is if it is text, else in hex.

    Example:
        >>> print(decoded_original(b"abc" + bytes([0xFF])))
        00000000  61 62 63 ff                                      |abc.|
    """
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return hexdump(value)
    try:
        pretty = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        return pretty if _is_plain(pretty) else json.dumps(json.loads(text), indent=2)
    except (ValueError, RecursionError):
        return text if _is_plain(text) else hexdump(value)


def hexdump(value: bytes) -> str:
    """Return bytes sixteen a line: where, in hexadecimal, and as ASCII."""
    lines = []
    for start in range(0, len(value), HEX_WIDTH):
        part = value[start : start + HEX_WIDTH]
        ascii_text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' '):<{HEX_WIDTH * 3}} |{ascii_text}|")
    return "\n".join(lines)


def _is_plain(text: str) -> bool:
    """Whether a terminal shows it as it is: no control characters that would command it."""
    return all(character.isprintable() or character in "\n\t" for character in text)
