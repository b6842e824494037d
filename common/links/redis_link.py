"""The way to Redis: one server, or a cluster; and what their errors mean.

A cluster is named in the settings and never guessed: the names of the keys depend on it, and at
start the server need not be there yet. Whoever names the wrong one is told so in one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from aiokafka.partitioner import murmur2
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterCrossSlotError,
    MovedError,
    NoPermissionError,
    RedisClusterException,
    RedisError,
)

from common.errors import BackendError, BackendRefusedError, BackendUnavailableError, SettingsError
from common.links.redis_access import redis_access
from common.settings import RedisSettings
from common.tls import tls_refusal
from common.topics import HASH_TAGS

Command = tuple[str | bytes | int, ...]

IS_CLUSTER: Final = (
    "SURGELINE_REDIS__URL is a node of a Redis Cluster. Set SURGELINE_REDIS__CLUSTER=true."
)
IS_NO_CLUSTER: Final = (
    "SURGELINE_REDIS__URL is no node of a Redis Cluster. Leave SURGELINE_REDIS__CLUSTER unset."
)
NO_CLUSTER_WORDS: Final = "cluster mode is not enabled", "cluster support disabled"

NO_PERMISSION_IN_SCRIPT: Final = "ACL failure in script"

OPEN_ERRORS: Final = (RedisError, RedisClusterException, OSError)
"""What a call may raise. redis-py's cluster errors stand outside its own tree."""


def open_client(settings: RedisSettings) -> Redis | RedisCluster:
    """Return a client; it connects when it is first used.

    Raises:
        SettingsError: If the URL is none.
    """
    url, login_and_tls = settings.url.get_secret_value(), redis_access(settings)
    options: dict[str, Any] = {
        "socket_timeout": settings.op_timeout_s,
        "socket_connect_timeout": settings.op_timeout_s,
        **login_and_tls,
    }
    if settings.cluster and "ssl_password" in options:
        raise SettingsError(
            "The client of a Redis Cluster cannot open a key file with a password. Leave "
            "SURGELINE_REDIS__TLS__KEY_PASSWORD unset, and name a key file without one."
        )
    try:
        if not settings.cluster:
            return Redis.from_url(url, **options)
        nodes = [node.rsplit(":", 1) for node in settings.cluster_nodes.split(",") if node]
        return RedisCluster.from_url(
            url,
            startup_nodes=[ClusterNode(host, int(port)) for host, port in nodes] or None,
            retry=Retry(NoBackoff(), 1),  # the protocol's own retries wait, and say so
            **options,
        )
    except ValueError:
        raise SettingsError(
            "SURGELINE_REDIS__URL is not a Redis URL. Expected redis://:PASSWORD@HOST:PORT/0, "
            "with @ : / in a password written %40 %3A %2F."
        ) from None  # what redis-py says shows parts of it
    except RedisClusterException:
        raise SettingsError(
            "SURGELINE_REDIS__URL cannot name a Redis Cluster: it has database 0 alone, and no "
            "Unix socket."
        ) from None


async def run(client: Redis | RedisCluster, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one round trip, of a cluster one to each node; return their answers.

    Raises:
        RedisError: The first that any of them raised. What a cluster's layout had become is asked
            anew before the next call.
    """
    if isinstance(client, Redis):
        pipeline: Any = client.pipeline(transaction=False)
    else:
        pipeline = client.pipeline()
    for command in commands:
        pipeline.execute_command(*command)
    answers: list[Any] = await pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            if isinstance(client, RedisCluster):
                await client.aclose()
            raise answer
    return answers


async def information(client: Redis | RedisCluster, section: str) -> list[dict[str, Any]]:
    """Return what each server that takes writes says of itself."""
    if isinstance(client, Redis):
        return [await client.info(section)]
    await client.initialize()
    nodes = client.get_primaries()
    found = await client.info(section, target_nodes=nodes)
    return [found] if len(nodes) == 1 else list(found.values())


def translated(exc: Exception, what: str) -> BackendError:
    """Return our error for one of ``OPEN_ERRORS``; what may pass is asked for again."""
    said = str(exc)
    if isinstance(exc, MovedError | ClusterCrossSlotError) or said.startswith("CROSSSLOT"):
        return BackendRefusedError(IS_CLUSTER)
    if any(words in said.lower() for words in NO_CLUSTER_WORDS):
        return BackendRefusedError(IS_NO_CLUSTER)
    if (why := tls_refusal(exc)) is not None:
        return BackendRefusedError(f"Redis: could not {what}: no connection: {why}.")
    message = f"Redis: could not {what}: {said}"
    refusals = AuthenticationError | AuthorizationError | NoPermissionError
    if isinstance(exc, refusals) or said.startswith(NO_PERMISSION_IN_SCRIPT):
        return BackendRefusedError(message)
    # READONLY, OOM, LOADING, MISCONF, CLUSTERDOWN and the like pass when the operator acts or time
    # goes by; nothing is lost by asking again.
    return BackendUnavailableError(message)


@lru_cache(maxsize=100_000)
def tag_of(asset_id: str) -> int:
    """Return which hash tag an asset has, by the rule by which Kafka's clients choose partitions.

    So with 64 partitions, or half or a quarter as many, the assets of one are in few slots.
    """
    number: int = murmur2(asset_id.encode()) & 0x7FFFFFFF
    return number % HASH_TAGS
