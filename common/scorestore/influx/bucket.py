"""Makes the bucket that the score store writes to: InfluxDB 2.x by its API, 1.x by InfluxQL."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import httpx
from influxdb_client import BucketRetentionRules, InfluxDBClient
from influxdb_client.client.bucket_api import BucketsApi
from influxdb_client.rest import ApiException

from common.scorestore.influx.access import influx_tls
from common.scorestore.influx.errors import (
    influx_errors,
    split_address,
    statement_error,
    status_error,
)
from common.settings import ScoreStoreSettings

DAY_S: Final = 86_400
RETENTION_POLICY: Final = "autogen"
"""What 1.x calls the policy of a new database."""


def ensure_bucket(
    settings: ScoreStoreSettings, retention_days: int | None, initial_days: int = 0
) -> str:
    """Make the bucket if it is missing, and set its retention if one is given. Blocks.

    Called again it changes nothing. A bucket that is there keeps its retention unless
    ``retention_days`` says another; a shorter one deletes what is older.

    Args:
        settings: Server, organisation, bucket, and a token that may read and make buckets.
        retention_days: How long scores are kept, days; 0 for ever; none leaves it as it is.
        initial_days: How long a bucket that is made now keeps them, where ``retention_days`` is
            none.

    Returns:
        What was done, in a few words.

    Raises:
        BackendUnavailableError: If the server does not answer, or says to try later.
        BackendRefusedError: If the token is wrong or may not do this.
    """
    url, token = split_address(settings.influx_url)
    token = settings.influx_token.get_secret_value() or token
    timeout_ms = int(settings.op_timeout_s * 1000)
    with (
        influx_errors(url),
        InfluxDBClient(
            url,
            token,
            org=settings.influx_org,
            timeout=timeout_ms,
            ssl_context=influx_tls(settings, url),
        ) as client,
    ):
        try:
            return _by_api(client.buckets_api(), settings, retention_days, initial_days)
        except ApiException as exc:
            if exc.status != HTTPStatus.NOT_FOUND or _is_v2(exc):
                raise
        return _by_influxql(url, token, settings, retention_days, initial_days)


def _by_api(
    buckets: BucketsApi,
    settings: ScoreStoreSettings,
    retention_days: int | None,
    initial_days: int,
) -> str:
    name = settings.influx_bucket
    found = buckets.find_bucket_by_name(name)
    if found is None:
        days = initial_days if retention_days is None else retention_days
        buckets.create_bucket(
            bucket_name=name, org=settings.influx_org, retention_rules=_rules(days)
        )
        return _made(name, days)
    if retention_days is None:
        return f"bucket {name} is there"
    kept = found.retention_rules or []
    if (kept[0].every_seconds if kept else 0) == retention_days * DAY_S:
        return f"bucket {name} is there, {_kept(retention_days)}"
    found.retention_rules = _rules(retention_days)
    buckets.update_bucket(found)
    return f"bucket {name} is now {_kept(retention_days)}"


def _is_v2(exc: ApiException) -> bool:
    """Whether a 404 is a 2.x server's word on what was asked for, not on the address."""
    return '"code"' in (exc.body or "")


def _by_influxql(
    url: str,
    token: str,
    settings: ScoreStoreSettings,
    retention_days: int | None,
    initial_days: int,
) -> str:
    name = _quoted(settings.influx_bucket)
    headers = {"Authorization": f"Token {token}"} if token else {}
    with httpx.Client(
        base_url=url,
        headers=headers,
        timeout=settings.op_timeout_s,
        verify=influx_tls(settings, url) or True,
        trust_env=False,
    ) as client:
        if retention_days is None and settings.influx_bucket not in _databases(client):
            retention_days = initial_days
        _run(client, f"CREATE DATABASE {name}")
        if retention_days is not None:
            duration = f"{retention_days}d" if retention_days else "INF"
            _run(
                client,
                f'ALTER RETENTION POLICY "{RETENTION_POLICY}" ON {name} DURATION {duration}',
            )
    return f"database {settings.influx_bucket} is there, {_kept(retention_days)}"


def _databases(client: httpx.Client) -> set[str]:
    (result,) = _run(client, "SHOW DATABASES")
    return {row[0] for row in result["series"][0].get("values", ())}


def _run(client: httpx.Client, statement: str) -> list[dict[str, Any]]:
    answer = client.post("/query", params={"q": statement})
    url = str(client.base_url)
    if not answer.is_success:
        raise status_error(url, answer.status_code, answer.text)
    results: list[dict[str, Any]] = answer.json()["results"]
    for result in results:
        if "error" in result:
            raise statement_error(url, result["error"])
    return results


def _rules(days: int) -> list[BucketRetentionRules]:
    return [BucketRetentionRules(type="expire", every_seconds=days * DAY_S)]


def _made(name: str, days: int | None) -> str:
    return f"bucket {name} was made, {_kept(days)}"


def _kept(days: int | None) -> str:
    if days is None:
        return "with its own retention"
    return f"kept for {days} days" if days else "kept for ever"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
