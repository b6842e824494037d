"""Fleets: machines that share an artifact and an alarm rule. Which there are, from one file.

A reading says its fleet. The file maps each to what judges it; everybody reads it alike: the worker
to load models, a replay to know which fleet a data set belongs to, tools to compare.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from common.errors import FleetsError
from common.files.toml import built_of_toml, read_toml_text
from common.records.ids import DEFAULT_FLEET, FLEET_PATTERN, AssetId
from common.settings import AlarmSettings, Settings
from common.terminal.nearest import suggestion

MAX_FLEETS: Final = 200
"""Each has a model in every worker's memory."""

MAX_OWN_RULES: Final = 10_000
"""Assets of a fleet that may have a rule of their own."""

SHIPPED: Final[Mapping[str, str]] = {
    name: name.lower() for name in ("FD001", "FD002", "FD003", "FD004")
}
"""The fleets of the shipped models, and their artifacts."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AlarmOverrides(_Entry):
    """What a fleet's or an asset's alarm rule has other than the rule above it (``AlarmSettings``).

    Each is none for the one above.
    """

    on_delay_cycles: int | None = None
    on_window_cycles: int | None = None
    off_delay_cycles: int | None = None
    min_length_cycles: int | None = None
    merge_gap_cycles: int | None = None
    deadband: float | None = None

    @model_validator(mode="after")
    def _within_bounds(self) -> AlarmOverrides:
        given = self.model_dump(exclude_none=True)
        for name, value in given.items():
            try:
                AlarmSettings.model_validate({name: value})
            except ValidationError as exc:
                raise ValueError(f"{name}: {exc.errors()[0]['msg']}") from exc
        return self

    def over(self, settings: AlarmSettings) -> AlarmSettings:
        """Return the rule with these in their place."""
        return settings.model_copy(update=self.model_dump(exclude_none=True))


class AssetEntry(_Entry):
    """What one asset of a fleet has of its own.

    Attributes:
        alarm: What its alarm rule has other than its fleet's.
    """

    alarm: AlarmOverrides


class FleetEntry(_Entry):
    """One fleet.

    Attributes:
        artifact: Name of a shipped artifact, a folder, or a registry URL.
        alarm: What its alarm rule has other than the settings'.
        asset: What single assets have other than the fleet, by asset id.
        bridge_cycles: Longest gap a window may span; none for the settings'.
    """

    artifact: Annotated[str, Field(min_length=1, max_length=4000)]
    alarm: AlarmOverrides = AlarmOverrides()
    asset: Annotated[dict[AssetId, AssetEntry], Field(max_length=MAX_OWN_RULES)] = {}
    bridge_cycles: Annotated[int, Field(ge=0, le=1000)] | None = None


class _File(_Entry):
    fleet: Annotated[
        dict[Annotated[str, Field(pattern=FLEET_PATTERN)], FleetEntry],
        Field(min_length=1, max_length=MAX_FLEETS),
    ]


def load_fleets(settings: Settings) -> dict[str, FleetEntry]:
    """Return the fleets of the file that ``SURGELINE_FLEETS`` names, or else the shipped ones.

    Without a file there are ``default``, judged by ``SURGELINE_DETECTOR__ARTIFACT``, and one fleet
    for each shipped data set.

    Raises:
        FleetsError: If the file cannot be read, or says what none may say.
    """
    if settings.fleets is None:
        default = FleetEntry(artifact=settings.detector.artifact)
        return {DEFAULT_FLEET: default} | {
            name: FleetEntry(artifact=artifact) for name, artifact in SHIPPED.items()
        }
    mend = "Mend the file of SURGELINE_FLEETS, or leave the variable out for the shipped fleets."
    text = read_toml_text(settings.fleets, "a file of fleets", FleetsError, mend)
    return parse_fleets(text, str(settings.fleets))


def parse_fleets(text: str, source: str) -> dict[str, FleetEntry]:
    """Return the fleets that a TOML text names.

    Args:
        text: The file's content: a table ``[fleet.NAME]`` each.
        source: Its name, for messages.

    Raises:
        FleetsError: Naming ``source``, the entry at fault and what was expected.
    """
    file = built_of_toml(text, source, FleetsError, _File.model_validate, _first)
    return dict(file.fleet)


def _first(exc: ValidationError) -> str:
    first = exc.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part != "[key]")
    more = f" ({exc.error_count() - 1} more)" if exc.error_count() > 1 else ""
    return (
        f"{place}: {first['msg']}{more}. Expected for each fleet a table such as "
        '[fleet.pumps] with artifact = "./pumps", and perhaps bridge_cycles, alarm and asset.'
    )


def fleets_text(artifacts: Mapping[str, str]) -> str:
    """Return the text of a file that maps each fleet to an artifact.

    Example:
        >>> print(fleets_text({"pumps": "./my pumps"}), end="")
        [fleet."pumps"]
        artifact = "./my pumps"
    """
    # JSON's escapes are TOML's, but for what TOML wants escaped and JSON does not
    return "\n".join(
        f'[fleet."{name}"]\nartifact = '
        + json.dumps(artifact, ensure_ascii=False).replace("\x7f", "\\u007f")
        + "\n"
        for name, artifact in artifacts.items()
    )


def fleet_of_dataset(name: str, given: str | None, known: Mapping[str, FleetEntry]) -> str:
    """Return the fleet that a data set's assets belong to.

    Args:
        name: Of the data set.
        given: What the user named; none leaves it to the data set's name.
        known: The fleets there are.

    Raises:
        FleetsError: If there is no such fleet: nothing would be scored.
    """
    wanted = given or (name if name in known else DEFAULT_FLEET)
    if given is None and name not in known and name in SHIPPED:
        wanted = name
    if wanted in known:
        return wanted
    near = suggestion(wanted, known)
    raise FleetsError(
        f"No fleet {wanted!r}: there are {', '.join(sorted(known))}.{near} Name one of these with "
        "--fleet, or add it to the file that SURGELINE_FLEETS names."
    )
