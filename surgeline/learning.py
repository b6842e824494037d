"""``surgeline train --machine --data`` on a frame."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from common.errors import UserError
from surgeline.description import Description
from surgeline.models import Model

if TYPE_CHECKING:
    from common.machines.machine import MachineType
    from common.recording import Recording
    from models.cli.training_job import Job
    from surgeline.reading import Named

Split = Literal["auto", "asset", "time"]
SPLITS: Final[tuple[str, ...]] = get_args(Split)


def train(
    frame: Any,
    machine: MachineType | Description | str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    name: str | None = None,
    asset: str | None = None,
    time: str | None = None,
    cycle: str | None = None,
    ignore: Sequence[str] = (),
    label: str | None = None,
    healthy_until: str | int | datetime | None = None,
    split: Split = "auto",
    model: str | None = None,
    warning: str | None = None,
    critical: str | None = None,
    seed: int = 0,
    epochs: int = 80,
) -> Model:
    """Train a model of one's own machines, as ``surgeline train --machine --data`` does.

    The default model needs no extra, others need ``train``. No failure and no label need be in the
    frame: then all of it counts
    as of sound machines.

    Args:
        frame: Readings as a DataFrame of pandas or polars.
        machine: What they are: a machine type, what ``machine_from_frame`` returned, the name of
            one that ships, or a file.
        out: Folder to write; none to keep it in memory alone.
        name: Of the model; none for the machine type's.
        asset: Column that says whose a row is, if it is not found.
        time: Column of times, if it is not found.
        cycle: Column that counts the readings of an asset, if it is not found.
        ignore: Columns that are not to be looked at.
        label: Column that is 0 where a machine is sound, above 0 where it fails.
        healthy_until: Readings up to this time (or count) are of sound machines; of later ones
            nothing is known.
        split: Choose thresholds on other assets, or on later readings of the same.
        model: One of ``docs/models.md``; none for the default of one's own machines.
        warning: How the lower threshold is chosen, such as ``robust_quantile:spread=1``.
        critical: How the higher one is chosen, likewise.
        seed: Decides first weights and order; same seed, same model.
        epochs: Passes over the windows, where there is a network.

    Raises:
        SurgelineError: If the extra is not installed, or the frame cannot carry training.
    """
    from models.cli.support import require_for_training
    from surgeline.reading import Named
    from surgeline.wording import in_words_of_python

    with in_words_of_python():
        require_for_training(own=True, model=model, labels=label is not None)
        kind = _machine_of(machine)
        job = _job(kind, name, out, (model, warning, critical, seed, epochs))
        named = Named(asset, time, cycle, label, ignore)
        return _trained(job, _recording(frame, kind, named, healthy_until), split, save=bool(out))


def _job(
    machine: MachineType,
    name: str | None,
    out: str | PathLike[str] | None,
    chosen: tuple[str | None, str | None, str | None, int, int],
) -> Job:
    """Return what to train, checked before anything is read."""
    from models.cli.support import check_folder, check_model, check_name, parse_rule_option
    from models.cli.training_job import Job
    from models.training.catalogue import OWN_DEFAULT

    model, warning, critical, seed, epochs = chosen
    check_model(model)
    named = name or machine.name
    check_name(named)
    numbers: tuple[tuple[str, object, int], ...] = (("seed", seed, 0), ("epochs", epochs, 1))
    for what, count, least in numbers:
        if not isinstance(count, int) or count < least:
            raise UserError(
                f"{what}={count!r:.40} came; a whole number from {least} on was expected."
            )
    lower, higher = (
        None if text is None else parse_rule_option(option, text)
        for option, text in (("warning", warning), ("critical", critical))
    )
    folder = Path() if out is None else Path(out)
    check_folder(folder)
    return Job(named, model or OWN_DEFAULT, lower, higher, seed, epochs, folder)


def _recording(
    frame: object,
    machine: MachineType,
    named: Named,
    healthy_until: str | int | datetime | None,
) -> Recording:
    from common.readers.frames import read_frame
    from common.recording import unlabelled
    from models.cli.own_recording import known_healthy
    from surgeline.reading import recording_of

    if named.label is not None and healthy_until is not None:
        raise UserError("label= and healthy_until= came; one of the two was expected.")
    recording = recording_of(read_frame(frame), machine, named).recording
    if named.label is None:  # what looks like a label is none until somebody says so
        recording = unlabelled(recording)
    if healthy_until is None:
        return recording
    return known_healthy(
        recording,
        healthy_until.isoformat() if isinstance(healthy_until, datetime) else str(healthy_until),
    )


def _trained(job: Job, recording: Recording, split: Split, *, save: bool) -> Model:
    from models.artifact.store import save_artifact
    from models.cli.support import prepare_own
    from models.cli.training_job import fit

    if split not in SPLITS:
        raise UserError(f"split={split!r:.40} came; one of {', '.join(SPLITS)} was expected.")
    artifact = fit(job, prepare_own(recording, split))
    if save:
        save_artifact(artifact, job.folder)
    return Model(artifact)


def _machine_of(machine: object) -> MachineType:
    from common.machines.files import load_machine
    from common.machines.machine import MachineType

    if isinstance(machine, Description):
        return machine.machine
    if isinstance(machine, MachineType):
        return machine
    if isinstance(machine, str | PathLike):
        return load_machine(str(machine))
    raise UserError(
        f"machine={machine!r:.60} came; a machine type, what machine_from_frame returned, a name "
        "or a file was expected."
    )
