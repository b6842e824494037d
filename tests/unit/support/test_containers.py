"""What a container engine is asked for when the tests are to run on containers.

The engine is one of make-believe: nothing here shows that the images work.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from deploy.local.programs import free_port
from tests.support.servers import containers
from tests.support.servers.container_engine import Engine, pretended_engine

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "docker-compose.yml"
A_TEST = "tests/contract/test_state_store.py"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The engine that everybody finds."""
    with pretended_engine() as running:
        monkeypatch.setenv("DOCKER_HOST", running.url)
        yield running


def pytest_run(chosen: str, host: str) -> subprocess.CompletedProcess[str]:
    """Collect a test module with this choice, where the engine is said to be at ``host``."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", A_TEST, "--collect-only", "-q", "-p", "no:cacheprovider"],
        env={"PATH": "/usr/bin:/bin", containers.VARIABLE: chosen, "DOCKER_HOST": host},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_who_asks_for_containers_without_an_engine_is_told_in_one_line() -> None:
    nobody = f"tcp://127.0.0.1:{free_port()}"

    ended = pytest_run("containers", nobody)

    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, ended.stderr.splitlines())
    assert "SURGELINE_TEST_BACKENDS=containers, but no container engine answers" in line
    assert "test_" not in ended.stdout


def test_a_choice_that_is_none_is_refused() -> None:
    ended = pytest_run("dokcer", "")

    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "'dokcer'; expected local or containers" in ended.stderr


def test_with_an_engine_the_tests_begin(engine: Engine) -> None:
    ended = pytest_run("containers", engine.url)

    assert ended.returncode == pytest.ExitCode.OK, ended.stdout + ended.stderr
    assert engine.created == []


@pytest.mark.parametrize(
    ("start", "image", "inside", "address"),
    [
        (containers.kafka_container, "kafka", 29092, "127.0.0.1:{port}"),
        (containers.redis_container, "redis", 6379, "redis://127.0.0.1:{port}/0"),
        (
            containers.postgres_container,
            "postgres",
            5432,
            "postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres",
        ),
    ],
)
def test_each_server_is_published_on_loopback_alone_and_removed(
    engine: Engine,
    start: Callable[[], AbstractContextManager[str]],
    image: str,
    inside: int,
    address: str,
) -> None:
    engine.exec_codes = [1, 1, 0]  # it takes a while to start

    with start() as where:
        (asked,) = engine.created
        assert len(engine.executed) == 3
        assert not any(call.startswith("DELETE") for call in engine.calls)

    assert asked["Image"] == containers.IMAGES[image]
    bindings = asked["HostConfig"]["PortBindings"]
    assert bindings.keys() == {f"{inside}/tcp"}
    ((published,),) = bindings.values()
    assert published["HostIp"] == "127.0.0.1"
    assert where == address.format(port=published["HostPort"])
    assert "DELETE /containers/c1" in engine.calls
    assert len(engine.created) == 1  # no helper that listens on every address


def test_kafka_tells_its_clients_where_it_is_published(engine: Engine) -> None:
    with containers.kafka_container() as where:
        (asked,) = engine.created

    given = dict(item.split("=", 1) for item in asked["Env"])
    advertised = dict(item.split("://") for item in given["KAFKA_ADVERTISED_LISTENERS"].split(","))
    listeners = dict(item.split("://") for item in given["KAFKA_LISTENERS"].split(","))
    assert advertised["OUTSIDE"] == where
    assert listeners["OUTSIDE"] == ":29092"
    assert advertised.keys() | {"CONTROLLER"} == listeners.keys()


def test_a_server_can_be_frozen_and_killed_and_comes_back(engine: Engine) -> None:
    with containers.running(containers.influxdb()) as server:
        done = len(engine.calls)
        with server.frozen():
            pass
        with server.killed():
            pass
        calls = [call.rpartition("/")[2] for call in engine.calls[done:] if "json" not in call]

    assert calls == ["pause", "unpause", "kill", "start", "exec"]


def test_a_server_that_never_can_be_used_is_said_and_removed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "STARTS_WITHIN_S", 0.2)
    engine.exec_codes = [1]

    with (
        pytest.raises(TimeoutError, match=re.escape(containers.IMAGES["redis"])),
        containers.redis_container(),
    ):
        pass

    assert "DELETE /containers/c1" in engine.calls


@pytest.mark.parametrize("name", sorted(containers.IMAGES))
def test_every_image_has_a_version_and_is_the_one_of_the_compose_file(name: str) -> None:
    image, _, tag = containers.IMAGES[name].partition(":")
    assert re.match(r"\d+\.\d+", tag), "a tag that moves is no version"
    if not COMPOSE.exists():
        pytest.skip("there is no docker-compose.yml")

    used = re.findall(rf"image:.*\b{re.escape(image)}:([\w.-]+)", COMPOSE.read_text())

    assert used == [tag]
