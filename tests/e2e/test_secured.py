"""The main job where every server speaks TLS and asks who is there; and what nobody gets to see.

Replay, detector, alerts, api and the operators' tools run at debug level, with all secrets in
files. Redis, InfluxDB's front and PostgreSQL speak TLS themselves, the broker behind a door
(``tests/support/secure/kafka_door.py``).
"""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from common.settings import load_settings
from deploy.local.programs import free_port
from detector.tools.parity.report import parity_report
from tests.support.secure.secured import WRONG, Secured, secured_installation
from tests.support.servers.backends import wait_until

pytestmark = pytest.mark.slow

RUN = "simulated-night"
REPLAY = {
    "run_id": RUN,
    "dataset": "SIM",
    "engines": "1-6",
    "seed": 5,
    "start": "2026-01-01T00:00:00Z",
    "speed": "max",
}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_installation(tmp_path_factory.mktemp("secured")) as made:
        yield made


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End it with the block, politely."""
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def until(process: subprocess.Popen[bytes], url: str, holds: Callable[[Any], bool]) -> Any:
    """Return what an address answers, once it answers what is waited for."""
    found: list[Any] = []

    def asked() -> bool:
        assert process.poll() is None
        try:
            found[:] = [httpx.get(url, timeout=10, trust_env=False).json()]
        except (httpx.HTTPError, ValueError):
            return False
        return holds(found[0])

    try:
        wait_until(asked, url, timeout_s=120)
    except TimeoutError as exc:
        raise TimeoutError(f"{url} answers {found}") from exc
    return found[0]


@pytest.fixture(scope="module")
def done(secured: Secured) -> dict[str, Any]:
    """What is known after a fleet was replayed through api and detector."""
    port = free_port()
    worker = secured.start("worker", "detector", SURGELINE_DETECTOR__HTTP_PORT=str(port))
    api = secured.start("api", "api", SURGELINE_API__DETECTOR_URL=f"http://127.0.0.1:{port}")
    with running(worker), running(api):
        until(worker, f"http://127.0.0.1:{port}/ready", lambda told: told.get("ready") is True)
        log = secured.folder / "api.log"
        wait_until(lambda: "listening on" in log.read_text(), "the api listens", 60)
        listening = re.search(r"listening on (http://\S+)", log.read_text())
        assert listening is not None
        url = f"{listening[1]}/api/v1"
        accepted = httpx.post(f"{url}/replays", json=REPLAY, timeout=30, trust_env=False)
        assert accepted.is_success, accepted.text
        wait_until(lambda: _sees_a_producer(secured), "a producer among the processes", 60)
        replay = until(api, f"{url}/replays/{RUN}", lambda told: told["state"] != "running")
        wait_until(lambda: _is_equal(secured), "live equals batch", timeout_s=120)
        alerts = until(api, f"{url}/alerts?limit=500", lambda told: len(told["items"]) > 0)
        scores = until(api, f"{url}/scores?run_id={RUN}&limit=5", lambda told: "items" in told)
        secured.look_at_processes()
        ready = httpx.get(f"{listening[1]}/ready", timeout=30, trust_env=False).json()
    return {"replay": replay, "alerts": alerts, "scores": scores, "ready": ready}


def _sees_a_producer(secured: Secured) -> bool:
    secured.look_at_processes()
    return any("-m producer replay" in line for line in secured.command_lines)


def _is_equal(secured: Secured) -> bool:
    settings = load_settings(secured.environment)
    return asyncio.run(parity_report(RUN, settings)).equal


def test_the_main_job_is_done_over_tls_and_sasl(secured: Secured, done: dict[str, Any]) -> None:
    assert done["replay"]["state"] == "done"
    assert done["replay"]["sent"] == done["replay"]["total"] > 500
    assert len(done["scores"]["items"]) == 5
    assert {item["state"] for item in done["alerts"]["items"]} >= {"raised"}
    assert done["ready"]["status"] == "ready", done["ready"]
    assert secured.door.passed > 5


def test_the_operators_tools_work_over_it_and_live_equals_batch(
    secured: Secured, done: dict[str, Any]
) -> None:
    code, said = secured.run("parity", "deploy.cli", "parity", "--run-id", RUN)
    made = secured.run("provision", "deploy.cli", "provision")
    listed = secured.run("letters", "deploy.cli", "deadletter", "list")
    by_plain = secured.run(
        "plain",
        "deploy.cli",
        "whatif",
        "--run-id",
        RUN,
        "--bridge",
        "0",
        SURGELINE_KAFKA__SASL_MECHANISM="PLAIN",
    )

    assert code == 0, said
    assert "live equals batch" in said
    assert made[0] == 0, made
    assert listed[0] == 0, listed
    assert by_plain[0] == 0, by_plain


REFUSED: list[Any] = [
    pytest.param({"SURGELINE_KAFKA__SASL_PASSWORD": WRONG}, "does not know the user", id="kafka"),
    pytest.param(
        {"SURGELINE_KAFKA__SASL_PASSWORD": WRONG, "SURGELINE_KAFKA__SASL_MECHANISM": "PLAIN"},
        "does not know the user",
        id="kafka, in the clear",
    ),
    pytest.param(
        {"SURGELINE_KAFKA__TLS__KEY_PASSWORD": WRONG},
        "SURGELINE_KAFKA__TLS__KEY_PASSWORD is wrong",
        id="key",
    ),
]


@pytest.mark.parametrize(("changed", "words"), REFUSED)
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("detector",), id="worker"),
        pytest.param(("producer", "replay", "--dataset", "SIM", "--engines", "1"), id="producer"),
        pytest.param(("deploy.cli", "deadletter", "list"), id="tool"),
    ],
)
def test_who_is_not_let_in_ends_at_once_with_one_line(
    secured: Secured, arguments: tuple[str, ...], changed: dict[str, str], words: str
) -> None:
    code, said = secured.run(f"refused-{uuid.uuid4().hex}", *arguments, **changed)

    assert code in (1, 2), said
    assert "Traceback" not in said
    # a worker says twice that it ends: when it fails, and last
    assert sum(words in line for line in said.splitlines()) == (2 if "detector" in arguments else 1)


def test_a_worker_whose_redis_does_not_know_it_ends_when_it_has_work(
    secured: Secured, done: dict[str, Any]
) -> None:
    name = "refused-redis"

    code, said = secured.run(
        name,
        "detector",
        SURGELINE_REDIS__PASSWORD=WRONG,
        SURGELINE_DETECTOR__GROUP_ID=f"{secured.prefix}-other",
        SURGELINE_DETECTOR__HTTP_PORT="0",
    )

    assert code == 1, said
    assert "Redis: could not" in said
    assert "invalid username-password" in said


def test_an_api_whose_database_does_not_know_it_ends_with_one_line(secured: Secured) -> None:
    code, said = secured.run("refused-api", "api", SURGELINE_ALERTS__PASSWORD=WRONG)

    assert code == 1, said
    assert "password authentication failed" in said


def test_settings_show_no_secret(secured: Secured) -> None:
    code, said = secured.run("settings", "deploy.cli", "settings")

    assert code == 0
    assert "SURGELINE_KAFKA__SASL_PASSWORD=(set)" in said.replace("\n", "")


def test_nobody_gets_to_see_a_secret(secured: Secured, done: dict[str, Any]) -> None:
    """Last: of all that ran before, also at debug level, and with passwords that were refused."""
    assert len(secured.outputs) >= 3
    assert any("-m detector" in line for line in secured.command_lines)
    assert any("-m producer" in line for line in secured.command_lines)
    said = (secured.folder / "worker.log").read_text()
    assert "debug" in said
    assert "SaslAuthenticateRequest" in said  # the driver does write what it sends

    assert secured.leaks() == []
