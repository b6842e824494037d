"""A stream's reader hangs up while more is on the way: the api notices, and the log stays empty."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct

import pytest
import uvicorn

from api.app import create_app
from common.settings import Settings
from deploy.local.programs import free_port
from tests.support.alerts import batch, make_alert
from tests.support.api import Fakes, eventually

ALERTS = 20_000
READ_BYTES = 2_000_000
"""About a twentieth of them."""


def read_some(port: int, *, abruptly: bool) -> None:
    """Read a part of the stream of all alerts, then hang up: with a reset, or politely."""
    with socket.socket() as client:
        if abruptly:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /api/v1/alerts/stream?replay=all HTTP/1.1\r\nHost: localhost\r\n\r\n")
        left = READ_BYTES
        while left > 0:
            left -= len(client.recv(65_536))


@pytest.mark.parametrize("abruptly", [True, False])
async def test_a_reader_that_leaves_in_the_middle_leaves_no_line_in_the_log(
    abruptly: bool, caplog: pytest.LogCaptureFixture
) -> None:
    fakes, port = Fakes(), free_port()
    await fakes.history.store(batch([make_alert(cycle) for cycle in range(1, ALERTS + 1)]))
    app = create_app(Settings(), fakes.opened)
    config = uvicorn.Config(app, port=port, log_config=None, log_level="warning")
    server = uvicorn.Server(config)
    with caplog.at_level(logging.WARNING):
        serving = asyncio.create_task(server.serve())
        await eventually(lambda: server.started, 30)
        for _ in range(3):
            await asyncio.to_thread(read_some, port, abruptly=abruptly)

            def nobody_reads() -> bool:
                metrics = app.state.services.metrics
                return metrics.sse_subscribers._value.get() == 0  # type: ignore[no-any-return]

            await eventually(nobody_reads, 30)
        server.should_exit = True
        await serving

    assert [record.getMessage() for record in caplog.records] == []
