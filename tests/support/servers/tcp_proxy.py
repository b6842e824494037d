"""A TCP proxy on loopback that cuts, delays and throttles, for tests of bad connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

BLOCK_BYTES = 65_536


class TcpProxy:
    """Hands bytes to a server and back; lives in a thread of its own.

    Attributes:
        delay_s: Added to every block of bytes, each way.
        bytes_per_s: Most bytes a second and connection, each way; none for no bound.
        refuses: Whether new connections are closed at once.
        cuts: How many connections have been cut.
    """

    def __init__(self, port: int, server_port: int) -> None:
        self.delay_s = 0.0
        self.bytes_per_s: float | None = None
        self.refuses = False
        self.cuts = 0
        self._port = port
        self._server_port = server_port
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[Any]] = set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        thread.start()
        listener = self._call(asyncio.start_server(self._serve, "127.0.0.1", self._port))
        try:
            yield
        finally:
            listener.close()
            self.cut()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
            self._loop.close()

    def cut(self) -> None:
        """Cut every connection there is."""
        self._call(self._cut())

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _cut(self) -> None:
        open_now = list(self._connections)
        for connection in open_now:
            connection.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
        self.cuts += len(open_now)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # cut; asyncio would report it as a failure
            await self._carry(client, back)

    async def _carry(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        forth: asyncio.StreamWriter | None = None
        try:
            if not self.refuses:
                server, forth = await asyncio.open_connection("127.0.0.1", self._server_port)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(client, forth))
                    group.create_task(self._pass(server, back))
        except* (OSError, EOFError):
            pass
        finally:
            self._connections.discard(task)
            for writer in (back, forth):
                if writer is not None:
                    writer.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(BLOCK_BYTES):
            wait_s = self.delay_s
            if self.bytes_per_s is not None:
                wait_s += len(data) / self.bytes_per_s
            if wait_s:
                await asyncio.sleep(wait_s)
            sink.write(data)
            with suppress(ConnectionError):
                await sink.drain()
        raise EOFError
