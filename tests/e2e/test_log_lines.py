"""What `surgeline up` says while it idles, a fleet is replayed and a stream's reader leaves."""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.local.programs import free_port
from producer.simulator.simulate import simulate
from tests.e2e.test_up import Up, surgeline_up
from tests.support.servers.backends import wait_until

IMPATIENT = {"STREAM_PROCESSING_TIMEOUT": "1"}
"""Faust's own variable: how long a stream may have been idle when readings come again before Faust
says so, s; 300 by default. It looks every 2.5 s. How a reader's leaving is heard of is tested in
``tests/integration/test_stream_reader_leaves.py``, where more is on the way."""

IDLE_S = 12.0
PATIENCE_S = 10.0
LINE = re.compile(r"^(?P<who>\S+) +\| (?P<said>.*)$")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z ")
MOST_LINES = 14

READ_BY_PEOPLE = (
    "ready after", "everything is ready", "Ctrl-C stops", "all stopped", "stopping",
    "api listening on", "reading alerts", "reading evidence", "status pages", "joined the group",
)  # fmt: skip
"""Lines that tell where the stack is in its life: a handful, however long it runs."""


def said_lines(said: str) -> list[str]:
    """Return the lines of the processes and of the supervisor, without colours."""
    lines = ESCAPE.sub("", said).splitlines()
    return [line.strip() for line in lines if (heard := LINE.match(line)) and heard["said"].strip()]


def by_kind(lines: Iterable[str]) -> Counter[str]:
    """Count lines by kind: stamps and numbers do not make one."""
    return Counter(re.sub(r"[0-9]+", "N", STAMP.sub("", line))[:200] for line in lines)


def leave_in_the_middle(url: str) -> None:
    """Read some of the stream of all alerts and hang up while more are on the way."""
    address = urlsplit(url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.connect((address.hostname, address.port))
        client.sendall(b"GET /api/v1/alerts/stream?replay=all HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(1024)
        assert select.select([client], [], [], PATIENCE_S)[0], "nothing more is on the way"


def replay(up: Up, run_id: str, engines: int) -> None:
    sent = up.command(
        *("replay", "--dataset", "SIM", "--engines", f"1-{engines}", "--speed", "max"),
        *("--seed", "0", "--run-id", run_id),
    )
    assert sent.returncode == 0, sent.stderr
    rows = simulate(engines, seed=0, split="test").rows

    def verdicts() -> int:
        items = up.get("/api/v1/assets?limit=1000").json()["items"]
        return sum(sum(one["verdicts"].values()) for one in items if one["run_id"] == run_id)

    wait_until(lambda: verdicts() == rows, "a verdict for each reading", 60)


@pytest.mark.slow
def test_nothing_is_said_that_nobody_need_read(tmp_path: Path) -> None:
    with surgeline_up(tmp_path, "--api-port", str(free_port()), variables=IMPATIENT) as up:
        replay(up, "simulated-first", 40)
        for _ in range(20):
            leave_in_the_middle(up.api)
        time.sleep(IDLE_S)
        replay(up, "simulated-second", 60)
        said = up.said

    lines = said_lines(said)
    unasked = [line for line in lines if not any(words in line for words in READ_BY_PEOPLE)]
    assert by_kind(unasked) == {}
    assert len(lines) <= MOST_LINES, by_kind(lines)
