"""``surgeline train`` of SMAP, MSL and ``--per-asset``: one artifact with a part for each asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from common.errors import UserError
from common.files.atomic import write_text
from common.fleets import SHIPPED, fleets_text
from common.records.ids import DEFAULT_FLEET
from common.settings import load_settings
from common.terminal.cli import output_console
from models.cli.showing.epochs import epoch_progress
from models.cli.showing.series_progress import progress
from models.cli.support import check_folder, check_name, require

if TYPE_CHECKING:
    from common.recording import Recording


FLEETS_FILE: Final = "telemetry.toml"
"""Beside the artifacts of several data sets: what ``SURGELINE_FLEETS`` names to serve them all."""


@dataclass(frozen=True, slots=True)
class PartsRequest:
    """What was asked for.

    Attributes:
        dataset: ``SMAP`` or ``MSL``; none for somebody's own data.
        model: Name of the model; none for the default.
        name: Of the artifact; none for the data set's, or the machine type's.
        out: Where to write; none for the default.
        seed: Decides first weights and order.
        finetune: Whether a network is shared, and its last layer fitted to each asset.
        data_dir: Where the data are; none for the settings'.
    """

    dataset: str | None
    model: str | None
    name: str | None
    out: Path | None
    seed: int
    finetune: bool
    data_dir: Path | None


def train_parts_of(request: PartsRequest, own: Recording | None) -> None:
    """Train, write and show an artifact with a part for each asset.

    Args:
        request: What was asked for.
        own: Somebody's own recording; none reads the data set's training readings.

    Raises:
        UserError: If the model is none of these, or the folder cannot be written.
        DatasetError: If the data are not there, or an asset has too few healthy readings.
    """
    from models.training.series.artifact import train_parts
    from models.training.series.catalogue import DEFAULT, SERIES_MODELS, Shared
    from models.training.series.network import CONFIG, train_shared

    known = [name for name, model in SERIES_MODELS.items() if model.score]
    tuned = [name for name in known if SERIES_MODELS[name].shared is Shared.TUNED]
    chosen = request.model or (tuned[0] if request.finetune else DEFAULT)
    if chosen not in known or (request.finetune and chosen not in tuned):
        expected = tuned if request.finetune else known
        with_finetune = " with --finetune" if request.finetune else ""
        raise UserError(
            f"--model {chosen} came; one of {', '.join(expected)} was expected{with_finetune}."
        )
    model = SERIES_MODELS[chosen]
    recording = _training(request) if own is None else own
    name = request.name or (request.dataset or recording.machine.name).lower()
    check_name(name)
    folder = request.out or load_settings().var_dir / "artifacts" / name
    check_folder(folder)
    network = None
    if model.shared is not Shared.NOTHING:
        require("train", "torch", "onnx")
        config = replace(CONFIG, seed=request.seed)
        with epoch_progress(f"network of {name}", config.epochs) as on_epoch:
            network = train_shared(
                recording.machine, recording.assets, config, on_epoch, model.network
            )
    with progress("parts", len(recording.assets)) as on_asset:
        about = train_parts(recording, name, model, network, folder, on_asset=on_asset)
    console = output_console(soft_wrap=True)
    shared = "nothing" if network is None else f"{network.parameters:,} numbers of a network"
    console.print(f"artifact    {about.name} {about.version}", markup=False)
    console.print(f"model       {about.model}: {model.summary}", markup=False)
    console.print(
        f"parts       {len(about.parts)} assets; shared: {shared}; a score is there at once, and "
        f"final {about.final_after} readings later"
    )
    console.print(f"written to  {folder}")


def train_several(request: PartsRequest, spacecraft: Sequence[str]) -> None:
    """Train an artifact for each data set, and write the file of fleets that they serve.

    Args:
        request: What was asked for; its ``out`` is the folder of all.
        spacecraft: Names of the data sets.

    Raises:
        UserError: As :func:`train_parts_of`; also for a name, which several cannot have.
        DatasetError: As :func:`train_parts_of`.
    """
    if request.name is not None:
        raise UserError(
            f"--name came with --dataset {','.join(spacecraft)}; each artifact has the name of its "
            "data set. Leave it out, or train one data set."
        )
    above = request.out or load_settings().var_dir / "artifacts"
    folders = {name: above / name.lower() for name in spacecraft}
    for name, folder in folders.items():
        train_parts_of(replace(request, dataset=name, out=folder), None)
    path = above / FLEETS_FILE
    own = (fleets_text({name: str(each.absolute())}) for name, each in folders.items())
    shipped = fleets_text({DEFAULT_FLEET: SHIPPED["FD001"], **SHIPPED})
    write_text(path, "\n".join([shipped, *(text + _alarm_line() for text in own)]))
    console = output_console(soft_wrap=True)
    console.print(f"fleets      {path}: these, and the shipped ones")
    console.print(f"next        SURGELINE_FLEETS={path} surgeline up", markup=False)
    console.print(
        f"            surgeline replay --dataset {spacecraft[0]} --speed max", markup=False
    )


def _alarm_line() -> str:
    """Return the alarm rule that does live what the clean-up of flags does in reports."""
    from models.training.series.threshold import DEFAULT_RULE

    rule = DEFAULT_RULE.clean_up
    return (
        f"alarm = {{ on_delay_cycles = {rule.min_length}, off_delay_cycles = 1, deadband = 0.0, "
        f"merge_gap_cycles = {rule.merge_gap} }}\n"
    )


def training_readings(dataset: str, data_dir: Path | None) -> Recording:
    """Return the training readings of a spacecraft's streams.

    Raises:
        DatasetError: If they are not there, or damaged.
    """
    from common.readers.telemetry import as_recording
    from common.telemetry.streams import load_streams

    return as_recording(load_streams(data_dir or load_settings().data_dir, dataset, "train"))


def _training(request: PartsRequest) -> Recording:
    if request.dataset is None:
        raise UserError("--per-asset came without --machine and --data; they were expected too.")
    return training_readings(request.dataset, request.data_dir)
