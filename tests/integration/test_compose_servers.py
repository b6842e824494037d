"""What docker-compose.yml and deploy/docker tell Redis and PostgreSQL, told to real ones."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis
import yaml
from sqlalchemy import make_url

from deploy.local.programs import free_port, valkey_command
from tests.support.programs import REPOSITORY
from tests.support.servers.backends import build, server
from tests.support.servers.postgres import programs

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
PASSWORD = "0f1e2d3c"  # noqa: S105 - of servers that live as long as the test
READER = REPOSITORY / "deploy" / "docker" / "postgres-reader.sh"


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    """A Valkey started as the container starts Redis, with folders and program of this machine."""
    port = free_port()
    program = build(lambda: valkey_command(port, tmp_path))[0]
    (tmp_path / "data").mkdir()
    shell, option, script = COMPOSE["services"]["redis"]["command"]
    for old, new in {
        "$$": "$",
        "/run/redis": str(tmp_path),
        "dir /data": f"dir {tmp_path / 'data'}\\nbind 127.0.0.1\\nport {port}",
        "exec redis-server": f"exec {program}",
    }.items():
        assert old in script
        script = script.replace(old, new)
    command = ["env", f"STACK_REDIS_PASSWORD={PASSWORD}", shell, option, script]
    with server(command, port, tmp_path / "log"):
        yield port


def test_redis_asks_for_the_password_keeps_everything_and_evicts_nothing(
    redis_port: int, tmp_path: Path
) -> None:
    with redis.Redis(port=redis_port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis(port=redis_port, password=PASSWORD, decode_responses=True) as client:
        assert client.ping()
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory") == {"maxmemory": str(384 * 1024 * 1024)}
    assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0


async def test_grafanas_role_may_read_and_change_nothing(postgres: str) -> None:
    url = make_url(postgres)
    where = {"PGHOST": str(url.host), "PGPORT": str(url.port)}
    owner = {"POSTGRES_USER": str(url.username), "POSTGRES_DB": str(url.database)}
    path = f"{programs()}:{os.environ['PATH']}"
    admin = await asyncpg.connect(
        host=url.host, port=url.port, user=url.username, database=url.database
    )
    try:
        await asyncio.to_thread(
            subprocess.run,
            ["sh", str(READER)],
            env={"PATH": path, "STACK_POSTGRES_READER_PASSWORD": PASSWORD, **where, **owner},
            check=True,
        )
        await admin.execute("CREATE TABLE made_later (n int); INSERT INTO made_later VALUES (1)")
        reader = await asyncpg.connect(
            host=url.host,
            port=url.port,
            user="surgeline_reader",
            password=PASSWORD,
            database=url.database,
        )
        try:
            assert await reader.fetchval("SELECT n FROM made_later") == 1
            await reader.execute("SET default_transaction_read_only = off")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.execute("DELETE FROM made_later")
        finally:
            await reader.close()
    finally:
        await admin.execute("DROP TABLE IF EXISTS made_later; DROP ROLE IF EXISTS surgeline_reader")
        await admin.close()
