"""All models over all series, on several cores; what is done is kept, and not done again.

One series is one task: all its models, then their figures. Results lie in a folder, one file each
of a name that says all they depend on, so a study that was stopped goes on where it was, and one
with other settings begins anew.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.files.atomic import write_bytes
from common.machines.machine import MachineType
from common.recording import AssetRecord
from models.evaluation.series import SeriesResult, Span
from models.scoring.finals import final_after
from models.training.series.catalogue import ROLLING_Z, SERIES_MODELS, SeriesModel, Shared
from models.training.series.network import (
    CONFIG,
    SharedNetwork,
    Tuning,
    packed_network,
    read_network,
    train_shared,
)
from models.training.series.part import fit_part, past_scores, score_rows
from models.training.series.threshold import FlagRule, flag_rows

LAYOUT: Final = 2
"""Of what is kept, and of how it is computed: raised when either changes."""

ARRAYS: Final = ("provisional", "final", "past")


@dataclass(frozen=True, slots=True)
class Series:
    """One series to be studied.

    Attributes:
        name: Such as ``A-1``.
        spacecraft: The data set it is of.
        clean: Whether nobody disputes its labels.
        machine: What was recorded.
        train: Readings taken for healthy.
        test: Later ones.
        true: Anomalies among the later ones.
        sha256: Digest of the data, hexadecimal.
    """

    name: str
    spacecraft: str
    clean: bool
    machine: MachineType
    train: AssetRecord
    test: AssetRecord
    true: tuple[Span, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one model on one series.

    Attributes:
        provisional: Shape ``(rows,)``.
        final: Shape ``(rows,)``.
        past: Shape ``(train_rows,)``; final scores of the training readings, as if they came later.
    """

    provisional: NDArray[np.float64]
    final: NDArray[np.float64]
    past: NDArray[np.float64]


class NetworkOf(NamedTuple):
    """A network that the streams of a data set share."""

    spacecraft: str
    kind: str


OnNetwork = Callable[[str, int, int], None]
"""Told which network was trained last, how many are, and how many will be."""


@dataclass(frozen=True, slots=True)
class Task:
    """One series with the models that are still to be run on it."""

    series: Series
    models: tuple[str, ...]
    networks: Mapping[str, SharedNetwork]  # by kind


def run_study(
    series: Sequence[Series],
    models: Sequence[str],
    rule: FlagRule,
    folder: Path,
    jobs: int,
    on_done: Callable[[str], None] = lambda what: None,
    on_network: OnNetwork = lambda what, done, total: None,
) -> list[SeriesResult]:
    """Return what each model found in each series, in the order of both.

    Args:
        series: What to study.
        models: Which of ``catalogue.SERIES_MODELS``.
        rule: From scores to flags; not kept, so another costs nothing.
        folder: Where scores and networks are kept.
        jobs: Processes at a time.
        on_done: Told each series that is done.
        on_network: Told each network that is trained.

    Raises:
        DatasetError: If a series has too few healthy readings.
        UserError: If the folder cannot be written.
    """
    left = {
        at: tuple(name for name in models if _kept(folder, each, name) is None)
        for at, each in enumerate(series)
    }
    needed = {
        NetworkOf(series[at].spacecraft, SERIES_MODELS[name].network)
        for at, names in left.items()
        for name in names
        if SERIES_MODELS[name].shared is not Shared.NOTHING
    }
    networks = shared_networks(series, needed, folder, jobs, on_network)
    tasks = []
    for at, names in left.items():
        if names:
            own = {
                key.kind: network
                for key, network in networks.items()
                if key.spacecraft == series[at].spacecraft
            }
            tasks.append(Task(series[at], names, own))
        else:
            on_done(series[at].name)
    _run(tasks, folder, jobs, on_done)
    found = []
    for name in models:
        for each in series:
            scored = _kept(folder, each, name)
            if scored is None:
                raise UserError(
                    f"The scores of {name} on {each.name} are gone from {folder}: something else "
                    "writes there. Choose another folder with --out."
                )
            found.append(result_of(each, SERIES_MODELS[name], scored, rule))
    return found


def shared_networks(
    series: Sequence[Series],
    needed: Collection[NetworkOf],
    folder: Path,
    jobs: int,
    on_network: OnNetwork = lambda what, done, total: None,
) -> dict[NetworkOf, SharedNetwork]:
    """Return networks that the streams of a data set share; those that were kept are not trained.

    Args:
        series: All series.
        needed: Which.
        folder: Where networks are kept.
        jobs: Processes at a time.
        on_network: Told each that is trained.
    """
    found: dict[NetworkOf, SharedNetwork] = {}
    missing: dict[NetworkOf, list[Series]] = {}
    for key in sorted(needed):
        own = [each for each in series if each.spacecraft == key.spacecraft]
        kept = read_network(network_path(folder, own, key.kind))
        if kept is None:
            missing[key] = own
        else:
            found[key] = kept
    if not missing:
        return found
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(max(1, jobs), len(missing)), mp_context=context) as pool:
        pending = {pool.submit(_train, own, key.kind): key for key, own in missing.items()}
        on_network("", 0, len(missing))
        try:
            for done, future in enumerate(as_completed(pending), start=1):
                key = pending[future]
                found[key] = future.result()
                path = network_path(folder, missing[key], key.kind)
                write_bytes(path, packed_network(found[key]))
                on_network(f"{key.kind} of {key.spacecraft}", done, len(missing))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return found


def _train(series: Sequence[Series], kind: str) -> SharedNetwork:
    return train_shared(series[0].machine, [each.train for each in series], kind=kind)


def network_path(folder: Path, series: Sequence[Series], kind: str) -> Path:
    """Return where the network of some series is kept: its name says all it depends on."""
    parts = [str(LAYOUT), kind, repr(CONFIG), *sorted(each.sha256 for each in series)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return folder / f"{series[0].spacecraft}_network_{digest}.npz"


def _run(tasks: Sequence[Task], folder: Path, jobs: int, on_done: Callable[[str], None]) -> None:
    # the longest first, so that no core waits for one at the end
    ordered = sorted(tasks, key=lambda task: -len(task.series.test))
    if jobs <= 1 or len(ordered) <= 1:
        for task in ordered:
            _keep(folder, task.series, study_series(task))
            on_done(task.series.name)
        return
    # spawned, not forked: the runtime of networks has threads that a fork would lose
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(ordered)), mp_context=context) as pool:
        pending: dict[Future[dict[str, Scored]], Task] = {
            pool.submit(study_series, task): task for task in ordered
        }
        try:
            for done in as_completed(pending):
                task = pending[done]
                _keep(folder, task.series, done.result())
                on_done(task.series.name)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def study_series(task: Task) -> dict[str, Scored]:
    """Return the scores of each of a task's models on its series."""
    series = task.series
    opened = {kind: Tuning(series.machine, network) for kind, network in task.networks.items()}
    none = Tuning(series.machine, None)
    found = {}
    for name in task.models:
        model = SERIES_MODELS[name]
        found[name] = score_series(model, series, opened.get(model.network, none))
    return found


def score_series(model: SeriesModel, series: Series, tuning: Tuning) -> Scored:
    """Fit one model to the training readings of a series, and score all of it."""
    machine, tune = series.machine, tuning.of(model.shared)
    part = None
    if model.name != ROLLING_Z:
        part = fit_part(model, machine, series.train, tune)
    later = score_rows(model, machine, part, series.test)
    before = past_scores(model, machine, series.train, tune)
    return Scored(later.provisional, later.final, before.final)


def result_of(series: Series, model: SeriesModel, scored: Scored, rule: FlagRule) -> SeriesResult:
    """Return what a model found: the final score flags, by the asset's own threshold."""
    threshold, flags = flag_rows(scored.final, scored.past, rule)
    at_once = model.name == ROLLING_Z
    return SeriesResult(
        series=series.name,
        spacecraft=series.spacecraft,
        clean=series.clean,
        model=model.name,
        signal=series.test.values(series.machine)[:, 0],
        true=series.true,
        provisional=scored.provisional,
        final=scored.provisional if at_once else scored.final,
        threshold=threshold,
        flags=flags,
        wait_rows=0 if at_once else final_after(series.machine.window.length),
    )


def trimmed(record: AssetRecord, machine: MachineType) -> tuple[AssetRecord, MachineType]:
    """Return a record and its machine type without the channels that no model looks at."""
    used = [index for index, channel in enumerate(machine.channels) if channel.used]
    kept = replace(record, channels=np.ascontiguousarray(record.channels[:, used]))
    return kept, machine.model_copy(update={"channels": machine.used})


def _path(folder: Path, series: Series, model: str) -> Path:
    parts = (
        str(LAYOUT), series.sha256, series.machine.digest.hex(), str(series.machine.window.length),
        repr(SERIES_MODELS[model]),
    )  # fmt: skip
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return folder / f"{series.spacecraft}_{series.name}_{model}_{digest}.npz"


def _keep(folder: Path, series: Series, found: dict[str, Scored]) -> None:
    for model, scored in found.items():
        content = io.BytesIO()
        np.savez(content, **{name: getattr(scored, name) for name in ARRAYS})
        write_bytes(_path(folder, series, model), content.getvalue())


def _kept(folder: Path, series: Series, model: str) -> Scored | None:
    """Return what was kept; none if nothing was, or it is damaged."""
    path = _path(folder, series, model)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            scored = Scored(*(arrays[name] for name in ARRAYS))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    sizes = (len(series.test), len(series.test), len(series.train))
    if tuple(len(getattr(scored, name)) for name in ARRAYS) != sizes:
        return None
    return scored
