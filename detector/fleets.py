"""Opens the fleets: from the file that names them to models ready to score."""

from __future__ import annotations

from collections.abc import Mapping

from common.errors import ArtifactError, FleetsError
from common.fleets import FleetEntry, load_fleets
from common.settings import AlarmSettings, Settings
from detector.core.fleet import Fleet, Fleets
from detector.core.policy import InputPolicy
from models.alarm import AlarmPolicy
from models.artifact.opening import is_parts_scorer, open_parts, open_scorer
from models.artifact.store import RegistryFolder, artifact_folder, is_of_parts, load_artifact
from models.scoring.scorer import WindowScorer


def open_fleets(settings: Settings, registry: RegistryFolder) -> Fleets:
    """Return all fleets; two with the same artifact share its scorer.

    Args:
        settings: Where the file is, and the rules of fleets that have none of their own.
        registry: Says where the artifact of a registry URL is.

    Raises:
        FleetsError: If the file is wrong, or a fleet's artifact cannot be loaded.
        BackendError: If a registry does not answer, or refuses.
    """
    return fleets_of(load_fleets(settings), settings, registry)


def fleets_of(
    entries: Mapping[str, FleetEntry], settings: Settings, registry: RegistryFolder
) -> Fleets:
    """Return the fleets of entries; see :func:`open_fleets`."""
    detector = settings.detector
    by_artifact: dict[str, WindowScorer] = {}
    for name, entry in entries.items():
        if entry.artifact not in by_artifact:
            by_artifact[entry.artifact] = _opened(name, entry, registry, detector.inference_threads)
    return {
        name: _fleet(name, entry, by_artifact[entry.artifact], settings)
        for name, entry in entries.items()
    }


def _fleet(name: str, entry: FleetEntry, scorer: WindowScorer, settings: Settings) -> Fleet:
    rule = entry.alarm.over(settings.detector.alarm)
    own = {
        asset_id: _alarm(f"{name}, asset {asset_id}", asset.alarm.over(rule))
        for asset_id, asset in entry.asset.items()
    }
    return Fleet(
        name,
        scorer,
        _alarm(name, rule),
        _inputs(entry, settings),
        own_alarms=own,
        parts=scorer if is_parts_scorer(scorer) else None,
    )


def _alarm(whose: str, rule: AlarmSettings) -> AlarmPolicy:
    try:
        return AlarmPolicy(**rule.model_dump())
    except ValueError as exc:
        raise FleetsError(
            f"Fleet {whose}: {exc}. Set on_window_cycles and on_delay_cycles of its alarm together."
        ) from exc


def _opened(name: str, entry: FleetEntry, registry: RegistryFolder, threads: int) -> WindowScorer:
    try:
        folder = artifact_folder(entry.artifact, registry)
        if is_of_parts(folder):
            return open_parts(folder, threads)
        return open_scorer(load_artifact(entry.artifact, registry), threads)
    except ArtifactError as exc:
        raise FleetsError(f"Fleet {name}: {exc}") from exc


def _inputs(entry: FleetEntry, settings: Settings) -> InputPolicy:
    fields = settings.detector.input.model_dump()
    if entry.bridge_cycles is not None:
        fields["bridge_cycles"] = entry.bridge_cycles
    return InputPolicy(**fields)
