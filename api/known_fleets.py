"""The fleets as the api knows them: which model judges each, and what its machines report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from common.machines.machine import MachineType
from common.records.alerts import ModelRef
from common.settings import AlarmSettings

PROBLEM_EVERY_S: Final = 10
"""An artifact that could not be read is tried again this often, s, even if its manifest is as it
was: another of its files may have been mended. Whoever asked is told to come back then."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """What an artifact says of itself.

    Attributes:
        ref: Which it is.
        machine: The machine type it is for; ``used`` channels are those it looks at.
        warning: Anomalous when ``score >= warning``; none where each asset has its own.
        critical: As above, for critical; of no account where ``life`` is there; likewise.
        channel: As ``warning``, of single channels; none for a model without.
        life: Critical when at most so many steps are left; none for a model that does not know.
        folder: Where the artifact is.
    """

    ref: ModelRef
    machine: MachineType
    warning: float | None
    critical: float | None
    channel: float | None = None
    life: float | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True)
class KnownFleet:
    """One fleet.

    Attributes:
        name: What readings say.
        artifact: As the file of fleets names it.
        model: What the artifact says; none if it cannot be read.
        problem: Why it cannot be read; empty if it can.
        alarm: The alarm rule.
        own_alarms: The rules of single assets, by asset id.
    """

    name: str
    artifact: str
    model: KnownModel | None
    problem: str = ""
    alarm: AlarmSettings = field(default_factory=AlarmSettings)
    own_alarms: Mapping[str, AlarmSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownFleets:
    """All fleets.

    Attributes:
        fleets: By name, in the order of the file.
        problem: Why the file of fleets cannot be read; ``fleets`` are then those of before.
    """

    fleets: Mapping[str, KnownFleet] = field(default_factory=dict)
    problem: str = ""

    def machine(self, fleet: str) -> MachineType | None:
        """Return a fleet's machine type; none where it is not known."""
        known = self.fleets.get(fleet)
        return None if known is None or known.model is None else known.model.machine
