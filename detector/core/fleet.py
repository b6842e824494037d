"""A fleet as the core needs it: its model, its alarm rule, what is made of odd readings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from common.records.ids import DEFAULT_FLEET
from detector.core.policy import InputPolicy
from models.alarm import AlarmPolicy
from models.scoring.scorer import ScorerSpec, Thresholds, WindowScorer
from models.thresholding.series_rule import AssetFinals


class AssetPart(Protocol):
    """What judges one asset alone."""

    @property
    def scorer(self) -> WindowScorer:
        """Its scorer."""

    @property
    def finals(self) -> AssetFinals:
        """How its scores become final."""


class AssetParts(Protocol):
    """A model with a part for each asset."""

    def of(self, asset_id: str) -> AssetPart:
        """Return an asset's part; of one that has none, one that says why it is not scored."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Machines that share a model and an alarm rule.

    Attributes:
        name: As readings say it.
        scorer: The model.
        alarm: The alarm rule.
        inputs: What is made of readings that are not as they should be.
        thresholds: In place of the model's own; none for these.
        own_alarms: The rules of single assets, by asset id.
        parts: Gives each asset a scorer of its own; none where all share the model.
        finals: How scores become final later; none where they are so at once.
    """

    name: str
    scorer: WindowScorer
    alarm: AlarmPolicy
    inputs: InputPolicy
    thresholds: Thresholds | None = None
    own_alarms: Mapping[str, AlarmPolicy] = field(default_factory=dict)
    parts: AssetParts | None = None
    finals: AssetFinals | None = None

    @property
    def spec(self) -> ScorerSpec:
        """What the model is, with the fleet's thresholds."""
        spec = self.scorer.spec
        return spec if self.thresholds is None else replace(spec, thresholds=self.thresholds)

    def of(self, asset_id: str) -> Fleet:
        """Return what judges one asset: this, or where each has a part, its own."""
        if self.parts is None:
            return self
        own = self.parts.of(asset_id)
        return replace(self, scorer=own.scorer, parts=None, finals=own.finals)

    def alarm_of(self, asset_id: str) -> AlarmPolicy:
        """Return the rule of one asset: its own, or the fleet's."""
        return self.own_alarms.get(asset_id, self.alarm)


Fleets = Mapping[str, Fleet]
"""All fleets a worker serves, by name."""


def one_fleet(scorer: WindowScorer, alarm: AlarmPolicy, inputs: InputPolicy) -> Fleets:
    """Return the fleet of all who name none."""
    return {DEFAULT_FLEET: Fleet(DEFAULT_FLEET, scorer, alarm, inputs)}


def rules_digest(fleets: Fleets) -> str:
    """Return what tells two workers' rules apart."""
    parts = {
        name: [
            fleet.spec.ref.model_dump(),
            asdict(fleet.spec.thresholds),
            asdict(fleet.alarm),
            {asset_id: asdict(own) for asset_id, own in fleet.own_alarms.items()},
            asdict(fleet.inputs),
        ]
        for name, fleet in fleets.items()
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
