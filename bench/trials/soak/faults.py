"""What a soak does to the system: one method a fault, and what it needs to undo it."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from redis.asyncio import Redis

from deploy.local.programs import answers, free_port, valkey_command
from tests.support.detector import DetectorBench
from tests.support.servers.backends import wait_until
from tests.support.servers.tcp_proxy import TcpProxy

LASTS_S: Final = 4.0
"""Longer than the workers' session of 2 s and any timeout of theirs below."""

PATIENT: Final = {"SURGELINE_REDIS__OP_TIMEOUT_S": "2", "SURGELINE_SCORES__OP_TIMEOUT_S": "2"}

FAULTS: Final = (
    "kill_worker",
    "restart_worker",
    "freeze_worker",
    "join_and_leave",
    "freeze_valkey",
    "empty_valkey",
    "kill_valkey",
    "read_only_valkey",
    "lock_scores",
    "cut_line",
    "slow_line",
    "throttle_line",
)


@dataclass
class Target:
    """What is harmed: a worker, the state store, the score store, the line to the broker.

    Attributes:
        bench: Topics, keys, score store.
        proxy: The line to the broker, which every client shares: the broker advertises it.
        valkey_port: Where the state store listens.
        line: Held while the line is bad, so that the feed, which is not under test, can wait.
        valkey: The state store's process.
        workers: Every worker started here that may be running; the first is the victim.
    """

    bench: DetectorBench
    proxy: TcpProxy
    valkey_port: int
    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    valkey: subprocess.Popen[bytes] = field(init=False)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run Valkey and the victim; end everything that was started here with the block."""
        self._start_valkey()
        try:
            self._start_worker()
            yield
        finally:
            for process in (*self.workers, self.valkey):
                process.kill()
                process.wait()

    async def kill_worker(self) -> None:
        """Kill the victim, and start another."""
        self.workers[0].kill()
        self._replace_worker()

    async def restart_worker(self) -> None:
        """Stop the victim politely, and start another."""
        self.workers[0].send_signal(signal.SIGTERM)
        await asyncio.to_thread(self.workers[0].wait, 60)
        self._replace_worker()

    async def freeze_worker(self) -> None:
        """Freeze the victim past its session."""
        await self._frozen(self.workers[0])

    async def join_and_leave(self) -> None:
        """Let another worker join for a while, and leave politely."""
        self._start_worker()
        await asyncio.sleep(2 * LASTS_S)
        guest = self.workers.pop()
        guest.send_signal(signal.SIGTERM)
        await asyncio.to_thread(guest.wait, 60)

    async def freeze_valkey(self) -> None:
        """Freeze the state store."""
        await self._frozen(self.valkey)

    async def empty_valkey(self) -> None:
        """Delete every state: all must come back from the topic."""
        async with self._admin() as redis:
            await redis.flushall()

    async def kill_valkey(self) -> None:
        """Kill the state store; a while later it is there again, empty."""
        self.valkey.kill()
        self.valkey.wait()
        await asyncio.sleep(LASTS_S)
        await asyncio.to_thread(self._start_valkey)

    async def read_only_valkey(self) -> None:
        """Make the state store a replica, which takes no writes."""
        async with self._admin() as redis:
            await redis.slaveof("127.0.0.1", free_port())
            await asyncio.sleep(LASTS_S)
            await redis.slaveof()

    async def lock_scores(self) -> None:
        """Lock the score store."""
        lock = sqlite3.connect(self.bench.scores.sqlite_path, timeout=30, check_same_thread=False)
        await asyncio.to_thread(lock.execute, "BEGIN IMMEDIATE")
        await asyncio.sleep(LASTS_S)
        lock.rollback()
        lock.close()

    async def cut_line(self) -> None:
        """Cut every connection to the broker, and refuse new ones."""
        async with self.line:
            self.proxy.refuses = True
            await asyncio.to_thread(self.proxy.cut)
            await asyncio.sleep(LASTS_S)
            self.proxy.refuses = False

    async def slow_line(self) -> None:
        """Delay everything to and from the broker."""
        async with self.line:
            self.proxy.delay_s = 0.2
            await asyncio.sleep(2 * LASTS_S)
            self.proxy.delay_s = 0.0

    async def throttle_line(self) -> None:
        """Let little through to and from the broker."""
        async with self.line:
            self.proxy.bytes_per_s = 100_000
            await asyncio.sleep(2 * LASTS_S)
            self.proxy.bytes_per_s = None

    def _admin(self) -> Redis:
        return Redis.from_url(self.bench.redis.url.get_secret_value())

    def _start_valkey(self) -> None:
        with (self.bench.folder / "valkey.log").open("ab") as log:
            self.valkey = subprocess.Popen(
                valkey_command(self.valkey_port, self.bench.folder),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: answers(self.valkey_port), "Valkey answers")

    def _start_worker(self) -> None:
        self.workers.append(self.bench.start(SURGELINE_DETECTOR__HTTP_PORT="0", **PATIENT))

    def _replace_worker(self) -> None:
        self.workers.pop(0).wait()
        self._start_worker()

    async def _frozen(self, process: subprocess.Popen[bytes]) -> None:
        os.kill(process.pid, signal.SIGSTOP)
        await asyncio.sleep(LASTS_S)
        os.kill(process.pid, signal.SIGCONT)
