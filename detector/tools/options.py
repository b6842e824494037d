"""Options that more than one tool has, and what they come to.

What is needed beyond Typer is imported when a command runs, so that ``--help`` stays quick.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from common.errors import UserError
from common.settings import Settings, load_settings

if TYPE_CHECKING:
    from detector.tools.recording import DatasetRecording

RunOption = Annotated[str, typer.Option("--run-id", help="Which run.")]
SourceOption = Annotated[
    Literal["topic", "dataset"] | None,
    typer.Option(
        help="Where the readings are read: the topic, or the data set that was replayed. By "
        "default the topic, unless --dataset is given.",
        show_default=False,
    ),
]
DatasetOption = Annotated[
    str | None,
    typer.Option(help="Data set that was replayed, FD001 if left out.", show_default=False),
]
SplitOption = Annotated[Literal["train", "test"], typer.Option(help="Which file of it.")]
EnginesOption = Annotated[
    str, typer.Option(help="Which engines of it were replayed: all, 1-20, or 1,5,7.")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the whole report to this file, too.")
]
ArtifactOption = Annotated[
    str | None,
    typer.Option(
        help="Model: a shipped name, or a folder. By default each fleet's own.",
        show_default=False,
    ),
]


def dataset_recording(
    settings: Settings,
    run_id: str,
    source: Literal["topic", "dataset"] | None,
    dataset: str | None,
    split: Literal["train", "test"],
    engines: str,
) -> DatasetRecording | None:
    """Return the data set's recording, or none if the topic is to be read.

    Raises:
        UserError: If options contradict each other, or the data set cannot be read.
    """
    from common.cmapss.engines import parse_engines
    from common.cmapss.reader import load_dataset
    from common.fleets import fleet_of_dataset, load_fleets
    from detector.tools.recording import DatasetRecording

    if source == "topic" and dataset is not None:
        raise UserError("--source topic and --dataset contradict each other; leave one out.")
    if source == "topic" or (source is None and dataset is None):
        return None
    loaded = load_dataset(settings.data_dir, dataset or "FD001", split)
    fleet = fleet_of_dataset(loaded.name, None, load_fleets(settings))
    return DatasetRecording(loaded, parse_engines(engines, len(loaded.engines)), run_id, fleet)


def tool_settings() -> Settings:
    """Return the settings, with the broker's driver silenced."""
    # what the driver complains of reaches the user as one error of ours
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return load_settings()
