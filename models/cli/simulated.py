"""Fresh simulated engines to measure on, where a command asks for the simulator by its name.

Models know no producer, so who composes the commands hands the simulator in (Typer's ``obj``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

import typer

from common.cmapss.files import SIMULATED_NAME, Split
from common.errors import DatasetError, UserError

if TYPE_CHECKING:
    from common.cmapss.reader import Dataset
    from models.artifact.store import Artifact
    from models.report.comparison import Measured

FRESH_ENGINES: Final = 100
FRESH_SEED: Final = 7
"""Nothing that ships was fitted on simulated engines, and no fleet of `bench/quality/alarm_rates`
on those of this seed."""


class Simulate(Protocol):
    """Makes engines; the same arguments give the same engines."""

    def __call__(self, n_engines: int, seed: int, split: Split) -> Dataset:
        """Return a fleet of which engine ``k`` depends on ``seed``, ``split`` and ``k`` alone.

        Raises:
            DatasetError: If a number is out of range.
        """


@dataclass(frozen=True, slots=True)
class Fresh:
    """Engines that are simulated to be measured on.

    Attributes:
        simulate: Makes them.
        engines: How many.
        seed: Which.
    """

    simulate: Simulate
    engines: int
    seed: int

    def measured(self, split: Literal["heldout", "test"]) -> Measured:
        """Return all of them: until they fail, or (``test``) cut off before.

        Raises:
            DatasetError: If there would be too many.
        """
        from models.evaluation.splits import EngineRange
        from models.report.comparison import Measured

        made = self.simulate(self.engines, self.seed, "test" if split == "test" else "train")
        return Measured(made, split, EngineRange(1, len(made.engines)))

    def refuse_known(self, artifact: Artifact, split: Split) -> None:
        """Refuse engines a model has learned from: a larger fleet begins with the smaller one.

        Raises:
            DatasetError: Naming the seed.
        """
        training = artifact.manifest.training
        same_kind = training.own is None and training.split == split
        if not (same_kind and is_simulated(training.dataset)):
            return
        last = (training.heldout or training.validate_).last
        if self.simulate(last, self.seed, split).sha256 == training.data_sha256:
            raise DatasetError(
                f"{artifact.manifest.name} was trained on simulated engines of seed {self.seed}, "
                "so these are not new to it. Choose another --seed."
            )

    def told(self, made: Dataset) -> str:
        """Return in words which engines these are."""
        how = "cut off before they fail" if made.split == "test" else "run until they fail"
        return f"{made.name}: {len(made.engines)} simulated engines, seed {self.seed}, {how}"


def is_simulated(name: str) -> bool:
    """Return whether a data set's name is the simulator's, in whatever letters."""
    return name.upper() == SIMULATED_NAME


def simulator_of(ctx: typer.Context) -> Simulate:
    """Return the simulator that was handed in.

    Raises:
        UserError: If this command was mounted by somebody who has none.
    """
    if not callable(ctx.obj):
        raise UserError(
            f"There is no simulator here. Run this as `surgeline {ctx.info_name}`, or name the "
            "folder of simulated files with --data-dir."
        )
    found: Simulate = ctx.obj
    return found
