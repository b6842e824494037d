"""A door before the local broker: TLS, and the name and password that Kafka's SASL asks for.

The local broker has neither. The door ends TLS, answers SASL by itself as Apache Kafka does
(nothing but ApiVersions passes before it), and hands everything else on. The broker behind it
advertises the door's address, so clients that follow its metadata come back through it.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.local.programs import broker_command, free_port
from tests.support.secure.certificates import Pair
from tests.support.secure.sasl import Conversation, WrongPasswordError, conversation
from tests.support.servers.backends import build, server

API_VERSIONS: Final = 18
HANDSHAKE: Final = 17
AUTHENTICATE: Final = 36

UNSUPPORTED_MECHANISM: Final = 33
AUTHENTICATION_FAILED: Final = 58
"""Kafka's error codes."""

MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass
class Door:
    """Who may pass, and what it shows. May be changed while it is open: it holds for what comes.

    Attributes:
        port: Where it listens.
        broker_port: Where the broker does.
        shows: The certificate that it shows.
        user: Who is let in; none where nobody is asked.
        password: With which password.
        mechanisms: What it offers.
        asks_clients_for: Authority of the certificates that clients must show; none for no such.
        passed: Connections that were let in.
    """

    port: int
    broker_port: int
    shows: Pair
    user: str | None = None
    password: str = ""
    mechanisms: tuple[str, ...] = MECHANISMS
    asks_clients_for: Path | None = None
    passed: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _listener: asyncio.Server | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        """What clients are given."""
        return f"127.0.0.1:{self.port}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Stand open until the block ends."""
        thread = threading.Thread(target=self._loop.run_forever, name="door", daemon=True)
        thread.start()
        self._call(self._start())
        try:
            yield
        finally:
            self._call(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
            self._loop.close()

    def again(self) -> None:
        """Close, cut every connection, and open as it is set now: a restarted broker."""
        self._call(self._stop())
        self._call(self._start())

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.shows.cert, self.shows.key)
        if self.asks_clients_for is not None:
            context.load_verify_locations(self.asks_clients_for)
            context.verify_mode = ssl.CERT_REQUIRED
        self._listener = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=context
        )

    async def _stop(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        forth: asyncio.StreamWriter | None = None
        try:
            broker, forth = await asyncio.open_connection("127.0.0.1", self.broker_port)
            if self.user is not None:
                await self._ask(client, back, broker, forth)
            self.passed += 1
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass(client, forth))
                group.create_task(_pass(broker, back))
        except* (OSError, EOFError, WrongPasswordError):
            pass
        except* asyncio.CancelledError:
            pass
        finally:
            self._open.discard(task)
            for writer in (back, forth):
                if writer is not None:
                    writer.close()

    async def _ask(
        self,
        client: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        broker: asyncio.StreamReader,
        forth: asyncio.StreamWriter,
    ) -> None:
        """Return when the client has proven who it is.

        Raises:
            EOFError: If it asks for something else first.
            WrongPasswordError: If it cannot.
        """
        assert self.user is not None
        talk: Conversation | None = None
        while True:
            request = await _frame(client)
            key, version, correlation = struct.unpack(">hhi", request[:8])
            client_id_length = max(0, struct.unpack(">h", request[8:10])[0])
            body = request[10 + client_id_length :]
            if key == API_VERSIONS:
                _send(forth, request)
                _send(back, await _frame(broker))
            elif key == HANDSHAKE:
                mechanism = body[2:].decode()
                offered = mechanism in self.mechanisms
                if offered:
                    talk = conversation(mechanism, self.user, self.password)
                code = 0 if offered else UNSUPPORTED_MECHANISM
                names = b"".join(_text(name) for name in self.mechanisms)
                _answer(back, correlation, struct.pack(">hi", code, len(self.mechanisms)) + names)
            elif key == AUTHENTICATE and talk is not None and version < 2:  # later ones are compact
                life = b"" if version == 0 else bytes(8)
                try:
                    said, is_last = talk.send(body[4:])
                except WrongPasswordError:
                    refused = struct.pack(">h", AUTHENTICATION_FAILED) + _text(
                        "Authentication failed"
                    )
                    _answer(back, correlation, refused + bytes(4) + life)
                    await back.drain()
                    raise
                _answer(back, correlation, struct.pack(">hhi", 0, -1, len(said)) + said + life)
                if is_last:
                    return
            else:
                raise EOFError


async def _frame(source: asyncio.StreamReader) -> bytes:
    (size,) = struct.unpack(">i", await source.readexactly(4))
    return await source.readexactly(size)


def _send(sink: asyncio.StreamWriter, frame: bytes) -> None:
    sink.write(struct.pack(">i", len(frame)) + frame)


def _answer(sink: asyncio.StreamWriter, correlation: int, body: bytes) -> None:
    _send(sink, struct.pack(">i", correlation) + body)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
        with suppress(ConnectionError):
            await sink.drain()
    raise EOFError


@contextmanager
def broker_behind_a_door(folder: Path, shows: Pair) -> Iterator[Door]:
    """Run a broker of this test's own behind a door, until the block ends."""
    door = Door(free_port(), free_port(), shows)
    command = build(lambda: broker_command(door.broker_port))
    advertised = command.index("--advertised-listener-url") + 1
    command[advertised] = f"tcp://{door.address}"
    with server(command, door.broker_port, folder / "broker.log"), door.listening():
        yield door
