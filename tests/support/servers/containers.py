"""Servers from container images in place of the local ones: SURGELINE_TEST_BACKENDS=containers.

For people with a container engine (Docker, or Podman behind Docker's API). Apache Kafka, Redis,
InfluxDB 2 and PostgreSQL then stand behind the fixtures that otherwise start the local broker,
Valkey, InfluxDB 1 and PostgreSQL; the tests are the same. Whoever asks for containers and has no
engine is told so before any test runs. Ports are published on 127.0.0.1 alone, and no helper
container is started (testcontainers' own one listens on every address).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.local.programs import LOOPBACK, free_port
from tests.support.servers.backends import wait_until

VARIABLE: Final = "SURGELINE_TEST_BACKENDS"
CHOICES: Final = ("local", "containers")
IMAGES: Final[Mapping[str, str]] = tomllib.loads(
    (Path(__file__).parents[3] / "deploy/docker/images.toml").read_text()
)
STARTS_WITHIN_S: Final = 120.0
INFLUX_TOKEN: Final = "test-token"  # noqa: S105 - of a server that lives as long as the test
INFLUX_ORG: Final = "surgeline"
NO_LIMIT_MS: Final = str(2**63 - 1)


def are_chosen() -> bool:
    """Whether the tests are to run on containers.

    Raises:
        pytest.UsageError: If the variable says something else than the two choices.
    """
    chosen = os.environ.get(VARIABLE) or CHOICES[0]
    if chosen not in CHOICES:
        raise pytest.UsageError(f"{VARIABLE} is {chosen!r}; expected {' or '.join(CHOICES)}")
    return chosen == "containers"


def require_engine_if_chosen() -> None:
    """Stop before the first test if containers are asked for and cannot be started.

    Raises:
        pytest.UsageError: One line: what is missing, and what to do.
    """
    if not are_chosen():
        return
    if why := _what_is_missing():
        raise pytest.UsageError(
            f"{VARIABLE}=containers, but {why}. Start one (DOCKER_HOST names it), or unset "
            f"{VARIABLE} to test on local servers."
        )


def _what_is_missing() -> str:
    try:
        import docker
        import testcontainers.core.container  # noqa: F401 - only whether it is there
    except ImportError as exc:
        return f"the package {exc.name} is not installed (make setup)"
    try:
        client = docker.from_env(timeout=5)
        client.ping()
        client.close()
    except docker.errors.DockerException as exc:
        return f"no container engine answers ({' '.join(str(exc).split())})"
    return ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A server as a container.

    Attributes:
        image: The image, with its tag.
        port: Where the server listens inside.
        is_healthy: A command inside that ends with 0 once the server can be used. That its
            published port answers says nothing: the engine answers there in its place.
        environment: Of the server.
        command: In place of the image's own; none for that.
    """

    image: str
    port: int
    is_healthy: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] | None = None


def kafka(host_port: int) -> Definition:
    """Apache Kafka, one node; it tells its clients to come to ``host_port`` on this machine."""
    return Definition(
        IMAGES["kafka"],
        port=29092,
        is_healthy=("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/29092"),
        environment={
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_LISTENERS": (
                "INSIDE://localhost:9092,OUTSIDE://:29092,CONTROLLER://localhost:9093"
            ),
            "KAFKA_ADVERTISED_LISTENERS": (
                f"INSIDE://localhost:9092,OUTSIDE://{LOOPBACK}:{host_port}"
            ),
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": (
                "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            # tests have sessions of 2 s, messages of 32 MiB, and stamps of any age
            "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
            "KAFKA_MESSAGE_MAX_BYTES": str(33 * 1024 * 1024),
            "KAFKA_REPLICA_FETCH_MAX_BYTES": str(33 * 1024 * 1024),
            "KAFKA_LOG_MESSAGE_TIMESTAMP_BEFORE_MAX_MS": NO_LIMIT_MS,
            "KAFKA_LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS": NO_LIMIT_MS,
            "KAFKA_LOG_RETENTION_MS": "-1",
            "KAFKA_HEAP_OPTS": "-Xms512m -Xmx512m",
        },
    )


def redis() -> Definition:
    """Redis that keeps nothing on disk, as the local Valkey."""
    return Definition(
        IMAGES["redis"],
        port=6379,
        is_healthy=("redis-cli", "ping"),
        command=("redis-server", "--save", "", "--appendonly", "no"),
    )


def influxdb() -> Definition:
    """InfluxDB 2 with an organisation and a token that may do anything."""
    return Definition(
        IMAGES["influxdb"],
        port=8086,
        is_healthy=("influx", "ping", "--host", "http://127.0.0.1:8086"),
        environment={
            "DOCKER_INFLUXDB_INIT_MODE": "setup",
            "DOCKER_INFLUXDB_INIT_USERNAME": "surgeline",
            "DOCKER_INFLUXDB_INIT_PASSWORD": "of-a-test-alone",
            "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN": INFLUX_TOKEN,
            "DOCKER_INFLUXDB_INIT_ORG": INFLUX_ORG,
            "DOCKER_INFLUXDB_INIT_BUCKET": "unused",
            "INFLUXD_REPORTING_DISABLED": "true",
        },
    )


def postgres() -> Definition:
    """PostgreSQL that lets everybody in, as the local one: it listens on loopback alone."""
    return Definition(
        IMAGES["postgres"],
        port=5432,
        # by address: while it is set up it listens on its socket alone
        is_healthy=("pg_isready", "-q", "-h", LOOPBACK, "-U", "postgres"),
        environment={"POSTGRES_HOST_AUTH_METHOD": "trust"},
    )


@dataclass(frozen=True, slots=True)
class ContainerServer:
    """A running container: to be frozen, or killed and started again where it was.

    Attributes:
        port: Where it is published on loopback.
    """

    port: int
    _container: Any
    _is_healthy: Sequence[str]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep its connections open and its lips closed until the block ends."""
        wrapped = self._container.get_wrapped_container()
        wrapped.pause()
        try:
            yield
        finally:
            wrapped.unpause()

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Kill it with ``SIGKILL``; when the block ends it runs again, with what its disk holds."""
        wrapped = self._container.get_wrapped_container()
        wrapped.kill()
        yield
        wrapped.start()
        self.wait_healthy()

    def wait_healthy(self) -> None:
        """Return when the server inside can be used.

        Raises:
            TimeoutError: With the container's last words.
        """

        def healthy() -> bool:
            return bool(self._container.exec(list(self._is_healthy)).exit_code == 0)

        try:
            wait_until(healthy, self._container.image, timeout_s=STARTS_WITHIN_S)
        except TimeoutError as exc:
            said = self._container.get_wrapped_container().logs(tail=20).decode(errors="replace")
            raise TimeoutError(f"{exc}; it said: {said}") from exc


@contextmanager
def running(definition: Definition, host_port: int = 0) -> Iterator[ContainerServer]:
    """Run a container until the block ends; it can be used when the block begins.

    Args:
        definition: What to run.
        host_port: Where to publish it on loopback; 0 for any free port.
    """
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    testcontainers_config.ryuk_disabled = True
    port = host_port or free_port()
    container = DockerContainer(definition.image, env=dict(definition.environment))
    if definition.command is not None:
        container.with_command(list(definition.command))
    # with_bind_ports knows no address; without one the engine publishes on all
    published: dict[str, Any] = container.ports
    published[f"{definition.port}/tcp"] = (LOOPBACK, port)
    with container:
        server = ContainerServer(port, container, definition.is_healthy)
        server.wait_healthy()
        yield server


@contextmanager
def kafka_container() -> Iterator[str]:
    """Run Apache Kafka until the block ends; yields its bootstrap servers."""
    port = free_port()
    with running(kafka(port), port):
        yield f"{LOOPBACK}:{port}"


@contextmanager
def redis_container() -> Iterator[str]:
    """Run Redis until the block ends; yields its URL."""
    with running(redis()) as server:
        yield f"redis://{LOOPBACK}:{server.port}/0"


@contextmanager
def postgres_container() -> Iterator[str]:
    """Run PostgreSQL until the block ends; yields its SQLAlchemy URL."""
    with running(postgres()) as server:
        yield f"postgresql+asyncpg://postgres@{LOOPBACK}:{server.port}/postgres"
