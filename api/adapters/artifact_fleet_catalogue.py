"""Knows the fleets from their file and the manifests of their artifacts, as a worker reads them.

No network is opened here. What is read is read again when it changes: a file of fleets or a
manifest at the next question, a registry's alias after ``REGISTRY_EVERY_S``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from api.known_fleets import PROBLEM_EVERY_S, KnownFleet, KnownFleets, KnownModel
from common.clock import Clock
from common.errors import FleetsError, SurgelineError
from common.files.stamp import FileStamp, file_stamp
from common.fleets import FleetEntry, load_fleets
from common.logs import get_logger
from common.redaction import without_credentials
from common.settings import Settings
from common.tracebacks import one_line
from models.artifact.asset_parts import read_about
from models.artifact.store import (
    MANIFEST_FILE,
    PARTS_ABOUT_FILE,
    REGISTRY_SCHEME,
    RegistryFolder,
    artifact_folder,
    is_of_parts,
    load_artifact,
)

LOOK_EVERY_S: Final = 1.0
"""Questions that come sooner after a look get what it found."""

FIRST_WAIT_S: Final = 2.0
WAIT_S: Final = 0.2
"""A question waits this long for a look, and longer for the first of all; then the answer is what
was known before. Files take milliseconds; a registry may take as long as its time limit."""

REGISTRY_EVERY_S: Final = 60.0

NOT_YET: Final = KnownFleets(problem="The fleets are being read; ask again in a moment.")

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Read:
    """What one artifact said, and how long that holds."""

    model: KnownModel | None
    problem: str
    manifest: Path | None
    stamp: FileStamp
    until: float

    def holds(self, now_s: float) -> bool:
        return now_s < self.until and file_stamp(self.manifest) == self.stamp


class FleetReader:
    """Reads the fleets, and of each artifact no more than what has changed. Not thread-safe.

    Args:
        settings: Where the file of fleets is.
        registry: Says where the artifact of a registry URL is.
    """

    def __init__(self, settings: Settings, registry: RegistryFolder) -> None:
        self._settings = settings
        self._registry = registry
        self._known = KnownFleets()
        self._artifacts: Mapping[str, _Read] = {}

    def read(self, now_s: float) -> KnownFleets:
        """Return the fleets as they are now; what cannot be read is told, not raised.

        Args:
            now_s: Seconds from any origin, never less than before.
        """
        try:
            entries = load_fleets(self._settings)
        except FleetsError as exc:
            return replace(self._known, problem=without_credentials(str(exc)))
        artifacts = dict.fromkeys(entry.artifact for entry in entries.values())
        self._artifacts = {each: self._artifact(each, now_s) for each in artifacts}
        self._known = KnownFleets(
            {name: self._fleet(name, entry) for name, entry in entries.items()}
        )
        return self._known

    def _fleet(self, name: str, entry: FleetEntry) -> KnownFleet:
        read = self._artifacts[entry.artifact]
        rule = entry.alarm.over(self._settings.detector.alarm)
        own = {asset_id: asset.alarm.over(rule) for asset_id, asset in entry.asset.items()}
        artifact = without_credentials(entry.artifact)
        return KnownFleet(name, artifact, read.model, read.problem, rule, own)

    def _artifact(self, artifact: str, now_s: float) -> _Read:
        known = self._artifacts.get(artifact)
        if known is not None and known.holds(now_s):
            return known
        manifest, stamp = None, None
        try:
            folder = artifact_folder(artifact, self._registry).absolute()
            manifest = folder / (PARTS_ABOUT_FILE if is_of_parts(folder) else MANIFEST_FILE)
            stamp = file_stamp(manifest)  # before it is read: a later change is a change
            model = _model(folder)
        except (SurgelineError, OSError) as exc:
            problem = without_credentials(str(exc))
            return _Read(None, problem, manifest, stamp, now_s + PROBLEM_EVERY_S)
        moves = artifact.startswith(REGISTRY_SCHEME)
        return _Read(model, "", manifest, stamp, now_s + REGISTRY_EVERY_S if moves else math.inf)


class ArtifactFleetCatalogue:
    """Reads the fleets on a thread, so that nobody waits for a slow registry.

    Args:
        reader: What reads them.
        clock: Tells how long ago they were read.
    """

    def __init__(self, reader: FleetReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._known = NOT_YET
        self._looked_at = -math.inf
        self._looking: asyncio.Task[KnownFleets] | None = None

    async def fleets(self) -> KnownFleets:
        """Return the fleets; see the port."""
        if self._looking is None and self._clock.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looking = asyncio.create_task(
                asyncio.to_thread(self._reader.read, self._clock.monotonic()), name="fleets"
            )
            self._looking.add_done_callback(self._note)
        if (looking := self._looking) is not None:
            wait_s = FIRST_WAIT_S if self._known is NOT_YET else WAIT_S
            await asyncio.wait({looking}, timeout=wait_s)
        return self._known

    async def close(self) -> None:
        """End a look that is going on."""
        if (looking := self._looking) is not None:
            looking.cancel()
            await asyncio.wait({looking})

    def _note(self, done: asyncio.Task[KnownFleets]) -> None:
        """Keep what a look found. A defect in it takes the words from answers, nothing else."""
        self._looked_at, self._looking = self._clock.monotonic(), None
        if done.cancelled():
            return
        if (defect := done.exception()) is None:
            self._known = done.result()
            return
        _log.error("the fleets cannot be read", error=one_line(defect))
        problem = f"The fleets cannot be read ({type(defect).__name__}). The api's log says more."
        self._known = replace(self._known, problem=problem)


def _model(folder: Path) -> KnownModel:
    if is_of_parts(folder):
        about, ref = read_about(folder)
        return KnownModel(ref, about.machine, None, None, folder=str(folder))
    artifact = load_artifact(str(folder))
    manifest = artifact.manifest
    thresholds, channel, life = manifest.thresholds, manifest.channel, manifest.life
    return KnownModel(
        artifact.ref,
        manifest.machine,
        thresholds.warning.value,
        thresholds.critical.value,
        None if channel is None else channel.warning.value,
        None if life is None else life.limit,
        str(folder),
    )
