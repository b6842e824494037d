"""Other fleets while the worker runs: on SIGHUP, or when the file that names them changes.

What is loaded takes effect between two batches, so no reading is lost or judged by halves. A file
or a model that cannot be used is refused with a line in the log, and the fleets stay as they are.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from common.errors import SurgelineError
from common.files.stamp import file_stamp
from common.logs import get_logger
from common.settings import Settings
from detector.core.fleet import Fleets
from detector.fleets import open_fleets
from detector.metrics import DetectorMetrics
from models.artifact.store import RegistryFolder

LOOK_EVERY_S: Final = 1.0

logger = get_logger(__name__)


class FleetWatch:
    """Loads the fleets anew when it is asked to, and hands them over.

    Args:
        settings: Where the file is.
        registry: Says where the artifact of a registry URL is.
        serve: Takes the new fleets.
        metrics: Counts.
    """

    def __init__(
        self,
        settings: Settings,
        registry: RegistryFolder,
        serve: Callable[[Fleets], None],
        metrics: DetectorMetrics,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._serve = serve
        self._metrics = metrics
        self._asked = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        path = self._settings.fleets
        seen = file_stamp(path)
        with _heard(self._asked):
            while True:
                with suppress(TimeoutError):
                    every_s = None if path is None else LOOK_EVERY_S
                    await asyncio.wait_for(self._asked.wait(), every_s)
                now = file_stamp(path)
                if self._asked.is_set() or now != seen:
                    self._asked.clear()
                    seen = now
                    await self._load()

    async def _load(self) -> None:
        try:
            fleets = await asyncio.to_thread(open_fleets, self._settings, self._registry)
        except SurgelineError as exc:
            self._metrics.fleets_refused.inc()
            logger.error(  # noqa: TRY400 - a person's mistake: the message says it all
                "the fleets are not loaded anew: those before stay", error=str(exc)
            )
            return
        self._serve(fleets)


@contextmanager
def _heard(asked: asyncio.Event) -> Iterator[None]:
    """Set an event at each SIGHUP."""
    loop = asyncio.get_running_loop()
    # not through the loop: its way of hearing signals is taken (``ending.py``)
    before = signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(asked.set))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
