"""Why a benchmark has no figure. A figure that is not right is not printed: the run fails."""

from __future__ import annotations

from common.errors import SurgelineError


class MeasurementError(SurgelineError):
    """What was measured is not what was to be measured."""


class WrongCountError(MeasurementError):
    """Another number of scores came than was due."""


class WrongScoresError(MeasurementError):
    """A score differs from that of the batch path."""


class ProgramEndedError(MeasurementError):
    """A program ended while it was measured."""
