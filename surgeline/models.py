"""A trained model, opened: what it is, and what it says of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from common.errors import ArtifactError

if TYPE_CHECKING:
    from common.machines.machine import MachineType
    from models.artifact.store import Artifact, RegistryFolder
    from models.scoring.scorer import Thresholds, WindowScorer

FrameT = TypeVar("FrameT")
"""A DataFrame of pandas or polars."""


class Model:
    """A trained model. Comes from :func:`load` or :func:`surgeline.train`.

    Args:
        artifact: What was trained.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact

    def __repr__(self) -> str:
        return (
            f"<surgeline.Model {self.name} {self.version}: {len(self.channels)} channels of "
            f"{self.machine.name}, {self.machine.window.length} readings a window>"
        )

    @property
    def name(self) -> str:
        """Its name."""
        return self._artifact.manifest.name

    @property
    def version(self) -> str:
        """A digest of all it has learned: models that differ in anything differ in it."""
        return self._artifact.manifest.version

    @property
    def machine(self) -> MachineType:
        """What it is a model of."""
        return self._artifact.manifest.machine

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that it looks at."""
        return self._artifact.manifest.channels

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what its machine type has, used or not: conditions, then channels, in order."""
        names = (channel.name for channel in self.machine.channels)
        return (*self.machine.condition_names, *names)

    @property
    def thresholds(self) -> Thresholds:
        """From where on what it says is a warning, or critical.

        ``warning`` and ``critical`` are the score's, ``channel`` is that of single channels, all
        reached when ``score >= threshold``; at most ``life`` steps left make a warning critical.
        """
        return self._scorer.spec.thresholds

    def score(
        self,
        frame: FrameT,
        *,
        asset: str | None = None,
        time: str | None = None,
        cycle: str | None = None,
        ignore: Sequence[str] = (),
        bridge_cycles: int | None = None,
    ) -> FrameT:
        """Say of each row what the live detector would.

        Args:
            frame: Readings as a DataFrame of pandas or polars, in any order, of any number of
                assets; columns as the machine type calls them. It is not changed.
            asset: Column that says whose a row is, if it is not found: else ``asset``,
                ``asset_id``, ``unit``, or what looks like it. Without one, all are of one asset.
            time: Column of times, if it is not found.
            cycle: Column that counts the readings of an asset, if it is not found: else ``cycle``.
            ignore: Columns that are not to be looked at.
            bridge_cycles: Longest gap that a window may span, missing cycles; none for the live
                detector's default.

        Returns:
            A frame of the same kind, row by row: ``asset``, ``cycle``, ``time`` where there is
            one, ``outcome`` (``docs/machines.md``), ``score`` (higher is more anomalous; NaN or
            null where none), ``level`` (``none``, ``warning``, ``critical``), ``severity`` (1 is a
            warning) and ``evidence`` (what kind), ``life``, ``life_low``, ``life_high`` (steps
            left, if the model knows), and for each channel ``share:NAME`` (its part of the
            evidence; they sum to 1) and ``direction:NAME`` (1 above its healthy level, -1 below).

        Raises:
            SurgelineError: Saying what came, what was expected, what to do.
        """
        from surgeline.reading import Named
        from surgeline.rows import score_frame
        from surgeline.wording import in_words_of_python

        with in_words_of_python():
            named = Named(asset, time, cycle, None, ignore)
            found: FrameT = score_frame(self._scorer, frame, named, bridge_cycles)
            return found

    def save(self, folder: str | PathLike[str]) -> None:
        """Write it to a folder, from which ``load`` and the live detector take it.

        Raises:
            SurgelineError: If the folder cannot be written.
        """
        from models.artifact.store import save_artifact

        save_artifact(self._artifact, Path(folder))

    @cached_property
    def _scorer(self) -> WindowScorer:
        from models.artifact.opening import open_scorer

        return open_scorer(self._artifact)


def load(name_or_path: str | PathLike[str], registry: RegistryFolder | None = None) -> Model:
    """Load a model that ships, such as ``fd001``, or one of a folder or a registry.

    Args:
        name_or_path: A shipped name; a folder that ``surgeline train`` wrote; or, where MLflow is
            set up, ``models:/surgeline@production``.
        registry: Says where the artifact of a registry URL is; none for the settings' own.

    Raises:
        SurgelineError: If there is none, or it is damaged.
    """
    from models.artifact.store import REGISTRY_SCHEME, load_artifact

    if not isinstance(name_or_path, str | PathLike):
        raise ArtifactError(
            f"{name_or_path!r:.80} came; the name of a shipped model or a folder was expected."
        )
    named = str(name_or_path)
    if named.startswith(REGISTRY_SCHEME) and registry is None:
        from models.tracking.resolve import registry_folder as registry
    model = Model(load_artifact(named, registry))
    _ = model.thresholds  # opens it: a network that does not fit is told here, not at the first row
    return model
