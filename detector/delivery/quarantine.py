"""One record that cannot be processed does not stop the others.

Whatever can be wrong with a record is found when it is decoded. As a last resort, a batch that
raises all the same is cut in halves until the record that does it stands alone; it is set aside as
a dead letter, ``internal_error``, with the traceback in the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from common.errors import SurgelineError
from common.logs import get_logger
from detector.core.reading.source import FailedRecord, SourceBatch

logger = get_logger(__name__)

MAX_IN_A_ROW: Final = 20
"""More records than this, without a single score between them, are not at fault: the program is,
and it ends."""

NOT_A_RECORDS_FAULT: Final = (SurgelineError, MemoryError, OSError)


class Quarantine:
    """Processes batches; sets aside the records that make it raise.

    Args:
        process: Processes a batch, and returns whether any reading of it got a score. What it puts
            out may be repeated; nothing may be assumed of a batch for which it raised.
    """

    def __init__(self, process: Callable[[SourceBatch], Awaitable[bool]]) -> None:
        self._process = process
        self._in_a_row = 0

    async def take(self, source: SourceBatch) -> None:
        """Process a batch.

        Raises:
            SurgelineError: What ``process`` raised of a backend.
            Exception: What it raised, if one record after the other does it.
        """
        try:
            if await self._process(source):
                self._in_a_row = 0
        except NOT_A_RECORDS_FAULT:
            raise
        except Exception as exc:
            if not source.records:
                raise
            if len(source.records) == 1:
                await self._set_aside(source, exc)
                return
            logger.warning(
                "a batch cannot be processed: looking for the record that is at fault",
                records=len(source.records),
                error=repr(exc)[:500],
            )
            for half in source.halves():
                await self.take(half)

    async def _set_aside(self, source: SourceBatch, exc: Exception) -> None:
        self._in_a_row += 1
        if self._in_a_row > MAX_IN_A_ROW:
            raise exc
        (record,) = source.records
        logger.error(
            "a record cannot be processed and is set aside",
            partition=record.position.partition,
            offset=record.position.offset,
            exc_info=exc,
        )
        failed = FailedRecord(record, f"{type(exc).__name__}: {exc}")
        await self._process(replace(source, records=[], failed=(*source.failed, failed)))
