"""What the model commands share: their common options, files in and out, early checks."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.errors import ArtifactError, DatasetError, UserError
from common.machines.machine import SLUG_PATTERN
from common.settings import load_settings
from common.terminal.cli import output_console
from common.terminal.extras import how_to_install
from models.thresholding.rule import STRATEGIES, Rule, parse_rule

if TYPE_CHECKING:
    from common.cmapss.reader import Dataset
    from common.recording import Recording
    from models.artifact.store import Artifact
    from models.training.preparation.own_data import Split
    from models.training.preparation.windows import Prepared

DatasetName = Annotated[
    str, typer.Option(help="Data set: FD001 to FD004, or one of the simulator's.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the data files. Default: SURGELINE_DATA_DIR, else ./data/cmapss."),
]
TrainingSet = Annotated[
    str | None, typer.Option(help="Its training set, if it is called otherwise by now.")
]
RULE_HELP = f"STRATEGY or STRATEGY:option=value,... with {', '.join(STRATEGIES)}."


def load(name: str, split: str, data_dir: Path | None) -> Dataset:
    """Return one file of engines."""
    from common.cmapss.reader import load_dataset

    folder = data_dir or load_settings().data_dir
    return load_dataset(folder, name, "test" if split == "test" else "train")


def load_training_file(artifact: Artifact, dataset: str | None, data_dir: Path | None) -> Dataset:
    """Return the C-MAPSS file that an artifact was trained on, perhaps called otherwise by now.

    Raises:
        DatasetError: If it was trained on somebody's own data, or the file is not there.
    """
    training = artifact.manifest.training
    if training.own is not None:
        raise DatasetError(
            f"{artifact.manifest.name} was trained on {training.origin}; this command knows "
            "C-MAPSS files alone. Train it again with other options of `surgeline train`."
        )
    return load(dataset or training.dataset, "train", data_dir)


def prepare_own(recording: Recording, split: Split) -> Prepared:
    """Return somebody's own recording split, normalised and cut."""
    from models.training.preparation.own_data import prepare_recording

    return prepare_recording(recording, split)


def prepare(dataset: Dataset) -> Prepared:
    """Return a training file split, normalised and cut."""
    from models.training.preparation.windows import prepare

    return prepare(dataset)


def show_artifact(artifact: Artifact) -> None:
    """Print what an artifact is."""
    from models.cli.showing.tables import artifact_lines

    for line in artifact_lines(artifact):
        output_console().print(line, soft_wrap=True)


def require(command: str, *modules: str) -> None:
    """Fail before any work if a library is missing."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise UserError(
            f"`surgeline {command}` needs {', '.join(missing)}, not installed here. "
            + how_to_install("train")
        )


def check_model(model: str | None) -> None:
    """Refuse a model that is not in the catalogue."""
    from models.training.catalogue import AUTO, MODELS

    if model is not None and model not in (AUTO, *MODELS):
        raise UserError(f"--model {model} came; one of {', '.join((AUTO, *MODELS))} was expected.")


def require_for_training(*, own: bool, model: str | None, labels: bool) -> None:
    """Fail before any work if what this training needs is missing; the usual own one needs none."""
    from models.training.catalogue import OWN_DEFAULT

    if own and model in (None, OWN_DEFAULT):
        if labels:
            require("train", "sklearn")
        return
    require("train", "torch", "onnx", "sklearn")


def require_networks(models: Sequence[str] | None) -> None:
    """Fail before any work if models of telemetry have a network and torch is missing."""
    from models.training.series.catalogue import SERIES_MODELS, Shared

    names = models or tuple(SERIES_MODELS)
    known = [SERIES_MODELS[name] for name in names if name in SERIES_MODELS]
    if any(model.shared is not Shared.NOTHING for model in known):
        require("evaluate", "torch", "onnx")


def check_name(name: str) -> None:
    """Refuse a name that an artifact cannot have."""
    if not re.match(SLUG_PATTERN, name):
        raise ArtifactError(
            f"The name {name!r} came; letters, digits and . _ + - were expected, at most 64, the "
            "first a letter or digit. Choose another with --name."
        )


def check_folder(folder: Path) -> None:
    """Fail before training rather than after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ArtifactError(
            f"{folder} cannot be made: {exc.strerror}. Choose another folder with --out."
        ) from exc


def parse_rule_option(option: str, text: str) -> Rule:
    """Return the threshold rule that was typed.

    Raises:
        UserError: Saying what came and what was expected.
    """
    try:
        return parse_rule(text)
    except ValueError as exc:
        raise UserError(
            f"--{option} {text}: {exc}. Examples: quantile:q=0.99, pot:risk=0.001, best_f1."
        ) from exc
