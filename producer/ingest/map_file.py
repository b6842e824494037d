"""``map.toml``: where in somebody's JSON the asset, the time and the channels are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from common.errors import MapError
from common.files.toml import built_of_toml, read_toml_text
from common.machines.machine import MAX_CHANNELS, ChannelName
from common.records.ids import FleetName
from common.terminal.nearest import suggestion
from common.terminal.printable import one_line
from producer.ingest.paths import parse_path
from producer.ingest.values import TimeFormat

MAX_CONDITIONS: Final = 16
TOPIC_PATTERN: Final = r"^[A-Za-z0-9._-]{1,249}$"
"""What Kafka lets a topic be called."""


def _is_path(text: str) -> str:
    parse_path(text)
    return text


def _path_alone(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


PathText = Annotated[str, AfterValidator(_is_path)]
Factor = Annotated[float, Field(allow_inf_nan=False)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(_Entry):
    """Where one channel or condition is, and how it becomes the machine type's unit.

    Attributes:
        path: Where it is.
        factor: What a value is multiplied by.
        offset: What is added then.
    """

    path: PathText
    factor: Factor = 1.0
    offset: Factor = 0.0

    @field_validator("factor")
    @classmethod
    def _is_not_zero(cls, factor: float) -> float:
        if factor == 0.0:
            raise ValueError("0 makes all values alike; another factor was expected")
        return factor


MeasuredOrPath = Annotated[Measured, BeforeValidator(_path_alone)]


class MessageMap(_Entry):
    """What the file says.

    Attributes:
        fleet: Whose model judges the readings.
        topic: Where the messages are; ``--topic`` goes before it.
        records: Where a list of readings is in a message; none: the message is one reading.
        asset: Where the asset's name is; like time and run it is looked for in the record, then in
            the message around it.
        time: Where the time is.
        time_format: How it is written.
        cycle: Where the count is, for machines that count.
        run_id: Where the run is; none: the asset has only one.
        channels: Where each channel is.
        conditions: Where each condition is.
    """

    fleet: FleetName
    topic: Annotated[str, Field(pattern=TOPIC_PATTERN)] | None = None
    records: PathText | None = None
    asset: PathText
    time: PathText
    time_format: TimeFormat = "auto"
    cycle: PathText | None = None
    run_id: PathText | None = None
    channels: Annotated[
        dict[ChannelName, MeasuredOrPath], Field(min_length=1, max_length=MAX_CHANNELS)
    ]
    conditions: Annotated[dict[ChannelName, MeasuredOrPath], Field(max_length=MAX_CONDITIONS)] = {}


def load_map(path: Path) -> MessageMap:
    """Return what a map file says.

    Raises:
        MapError: If it cannot be read, or says what none may say.
    """
    mend = "docs/ingest.md shows one to begin with."
    return parse_map(read_toml_text(path, "a map", MapError, mend), str(path))


def parse_map(text: str, source: str) -> MessageMap:
    """Return what a map's TOML text says.

    Args:
        text: The file's content.
        source: Its name, for messages.

    Raises:
        MapError: Naming ``source``, the entry at fault and what was expected.
    """
    return built_of_toml(text, source, MapError, MessageMap.model_validate, _first)


def _first(invalid: ValidationError) -> str:
    errors = invalid.errors(include_url=False)
    # a misspelt entry is missing, too: the one that came says more
    error = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in error["loc"] if part != "[key]")
    others = f" ({invalid.error_count() - 1} more)" if invalid.error_count() > 1 else ""
    return f"{one_line(place)}: {_told(error)}.{others}".replace("?.", "?")


def _told(error: Any) -> str:
    inside = MessageMap if len(error["loc"]) == 1 else Measured
    known = list(inside.model_fields)
    match error["type"]:
        case "extra_forbidden":
            near = suggestion(str(error["loc"][-1]), known)
            return f"no such entry; there are {', '.join(known)}.{near}".removesuffix(".")
        case "missing":
            return "this entry is missing" + _EXAMPLES.get(str(error["loc"][-1]), "")
        case "value_error":
            return one_line(str(error["ctx"]["error"]))
        case _:
            return one_line(f"{error['msg']}; got {error['input']!r:.80}")


_EXAMPLES: Final = {
    "fleet": ', such as fleet = "pumps"',
    "asset": ', the path to the asset\'s name, such as asset = "meta.device"',
    "time": ', the path to the time, such as time = "ts"',
    "channels": ', a table [channels] with lines such as "Flow [m3/h]" = "data.flow"',
    "path": ', such as path = "data.flow"',
}
