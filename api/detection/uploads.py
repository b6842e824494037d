"""Files that are sent to be scored: kept on disk while they are read, a few at a time."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from common.errors import BackendUnavailableError, RequestRefusedError

AT_A_TIME: Final = 4
RETRY_AFTER_S: Final = 2


class Uploads:
    """Keeps a file in the folder of temporary files until it has been read.

    Nothing is held in memory but the piece at hand. How large a file may be, the gate sees to.
    """

    def __init__(self) -> None:
        self._here = 0

    @asynccontextmanager
    async def kept(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
        """Yield the path of a file with these pieces; it is gone afterwards.

        Raises:
            RequestRefusedError: 503, if too many are being read.
            BackendUnavailableError: If there is no room for it.
        """
        if self._here >= AT_A_TIME:
            raise RequestRefusedError(
                503,
                "scoring_busy",
                f"{AT_A_TIME} files are being read; no more are taken at a time. Ask again in a "
                "moment.",
                RETRY_AFTER_S,
            )
        self._here += 1
        try:
            with writable():
                file = tempfile.NamedTemporaryFile(prefix="surgeline-csv-", suffix=".csv")  # noqa: SIM115 - closed below
            with file:
                async for piece in pieces:
                    with writable():
                        await asyncio.to_thread(file.write, piece)
                with writable():
                    await asyncio.to_thread(file.flush)
                yield file.name
        finally:
            self._here -= 1


@contextmanager
def writable() -> Iterator[None]:
    """Tell that there is no room for a file.

    Raises:
        BackendUnavailableError: Instead of what the operating system raises.
    """
    try:
        yield
    except OSError as exc:
        raise BackendUnavailableError(
            f"The file cannot be kept while it is read ({exc.strerror}): make room in the folder "
            "of temporary files, or name another with TMPDIR."
        ) from exc
