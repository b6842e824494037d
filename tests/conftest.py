"""Fixtures shared by all tests: real servers, fresh names, the real data."""

from __future__ import annotations

import os

# Several test processes share a few cores. Threads of numpy and its like that wait for each other
# spin meanwhile: with them some tests took two and a half times the processor time. It has to be
# said before numpy is imported; processes that tests start are told by it too.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import gc
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from common.settings import KafkaSettings, RedisSettings
from common.telemetry.files import find_folder
from deploy.local.programs import broker_command, free_port, valkey_command
from tests.support.detector import DetectorBench
from tests.support.servers import containers
from tests.support.servers.backends import build, require, server
from tests.support.servers.cluster import UNDISTURBED_MS, Cluster, valkey_cluster
from tests.support.servers.postgres import postgres_server

# where no composition root has set up logs, structlog would draw tracebacks with all variables,
# which takes seconds
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


REAL_DATA = {"cmapss_dir", "skab_dir", "smap_msl_dir"}
"""The fixtures that say where real data lie, or skip and say what is missing."""

# what is slow here depends on what else the machine does; that a test ends, its timeout sees to
settings.register_profile("surgeline", deadline=None)
settings.load_profile("surgeline")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to begin where containers are asked for and no engine answers."""
    if not hasattr(config, "workerinput"):  # of xdist: its controller has asked already
        containers.require_engine_if_chosen()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what stays to the end: modules, tests, and their assertions.

    It would look through all of it again and again, which takes a fifth of the time of many tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test of the real data that would fail, not skip, where they are missing."""
    for item in items:
        if item.get_closest_marker("real_data"):
            fixtures = set(getattr(item, "fixturenames", ()))
            if not fixtures & REAL_DATA:
                raise pytest.UsageError(
                    f"{item.nodeid} is marked real_data: it takes one of {sorted(REAL_DATA)}"
                )


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap servers of a real Kafka-protocol broker."""
    if given := os.environ.get("SURGELINE_TEST_KAFKA"):
        yield given
        return
    if containers.are_chosen():
        with containers.kafka_container() as servers:
            yield servers
        return
    port = free_port()
    log = tmp_path_factory.mktemp("broker") / "log"
    with server(build(lambda: broker_command(port)), port, log):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Redis-protocol server."""
    if given := os.environ.get("SURGELINE_TEST_REDIS"):
        yield given
        return
    if containers.are_chosen():
        with containers.redis_container() as url:
            yield url
        return
    port = free_port()
    folder = tmp_path_factory.mktemp("valkey")
    with server(build(lambda: valkey_command(port, folder)), port, folder / "log"):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def valkey_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real cluster of three masters, which no test disturbs."""
    folder = tmp_path_factory.mktemp("cluster")
    with valkey_cluster(folder, replicas=False, node_timeout_ms=UNDISTURBED_MS) as cluster:
        yield cluster


@pytest.fixture
def cluster_settings(valkey_nodes: Cluster) -> RedisSettings:
    """Settings of that cluster with keys of this test's own."""
    return valkey_nodes.settings(f"test:{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The SQLAlchemy URL of a real PostgreSQL server's maintenance database."""
    if given := os.environ.get("SURGELINE_TEST_POSTGRES"):
        yield given
        return
    if containers.are_chosen():
        with containers.postgres_container() as url:
            yield url
        return
    with postgres_server() as url:
        yield url


@pytest.fixture
def kafka_settings(broker: str) -> KafkaSettings:
    """Broker settings with topics of this test's own."""
    return KafkaSettings(
        bootstrap_servers=broker,
        topic_prefix=f"test-{uuid.uuid4().hex[:12]}",
        partitions=8,
        ingest_session_timeout_s=2,
    )


@pytest.fixture
def redis_settings(valkey: str) -> RedisSettings:
    """Redis settings with keys of this test's own."""
    return RedisSettings.model_validate(
        {"url": valkey, "key_prefix": f"test:{uuid.uuid4().hex[:12]}"}
    )


@pytest.fixture(scope="session")
def cmapss_dir() -> Path:
    """The folder of the real C-MAPSS files."""
    given = os.environ.get("SURGELINE_DATA_DIR")
    if not given:
        require("the real C-MAPSS data are needed: set SURGELINE_DATA_DIR")
        raise AssertionError("unreachable")
    folder = Path(given)
    nested = folder / "cmapss"
    return nested if nested.is_dir() else folder


@pytest.fixture(scope="session")
def skab_dir() -> Path:
    """The folder of the SKAB files, beside that of the C-MAPSS files."""
    given = os.environ.get("SURGELINE_DATA_DIR")
    folder = Path(given or ".").parent / "skab"
    if not given or not folder.is_dir():
        pytest.skip("the SKAB data are needed: a folder skab beside that of SURGELINE_DATA_DIR")
    return folder


@pytest.fixture(scope="session")
def smap_msl_dir() -> Path:
    """The folder of the telemetry of SMAP and MSL, found as the program finds it."""
    given = os.environ.get("SURGELINE_DATA_DIR")
    folder = find_folder(Path(given)) if given else None
    if folder is None:
        pytest.skip(
            "the telemetry of SMAP and MSL is needed: a folder smap_msl in that of "
            "SURGELINE_DATA_DIR, or beside it"
        )
    return folder


@pytest.fixture
def bench(
    kafka_settings: KafkaSettings, redis_settings: RedisSettings, tmp_path: Path
) -> DetectorBench:
    """An installation of the detector of this test's own."""
    return DetectorBench(kafka_settings, redis_settings, tmp_path)
