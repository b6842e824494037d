"""Has an InfluxDB server aggregate scores by the hour: `score_hour`, kept longer than the scores.

Set up by ``surgeline provision``, never by a worker: it needs more rights than writing does.
Repeating it changes nothing but what the settings say differently. The server does the work, by a
continuous query on 1.x and a task on 2.x: so it needs no process of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import httpx

from common.errors import BackendRefusedError
from common.scorestore.influx.access import influx_tls
from common.scorestore.influx.errors import (
    influx_errors,
    split_address,
    statement_error,
    status_error,
)
from common.scorestore.influx.policies import name, policies_of, show_policies
from common.settings import RetentionSettings, ScoreStoreSettings
from common.topics import COARSE_MEASUREMENT, COARSE_POLICY, SCORE_MEASUREMENT

TASK: Final = "surgeline hourly scores"
CONTINUOUS_QUERY: Final = "surgeline_hourly"

HOUR_S: Final = 3600
DAY_S: Final = 86_400

LATE_HOURS: Final = 6
"""Hours that are aggregated anew each hour: what comes later than that is not in the hourly scores.
A worker that was down for less has caught up by then."""

AGGREGATES: Final = (
    ("score_mean", "mean", "score"),
    ("score_max", "max", "score"),
    ("severity_max", "max", "severity"),
    ("scored", "count", "score"),
)
"""Field, function, field it is of: of each hour, asset, run, fleet and model."""


class Server(Protocol):
    """One version's way of doing it. It may be repeated."""

    async def keep_coarse(self, bucket: str, seconds: int) -> None:
        """Make the place of the hourly scores, and what fills it; 0 seconds are for ever."""


async def ensure_hourly(settings: ScoreStoreSettings, retention: RetentionSettings) -> str:
    """Make or change what is needed; return what there is now, in a few words.

    Raises:
        BackendError: If the server does not answer, or the token has not the rights.
    """
    url, token = split_address(settings.influx_url)
    token = settings.influx_token.get_secret_value() or token
    coarse_s = int(retention.coarse_days * DAY_S)
    async with httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Token {token}"} if token else {},
        timeout=settings.op_timeout_s,
        verify=influx_tls(settings, url) or True,
        trust_env=False,
    ) as client:
        version = await server_version(client, url)
        server: Server = (
            Version1(client, url)
            if version.startswith("1.")
            else Version2(client, url, settings.influx_org)
        )
        await server.keep_coarse(settings.influx_bucket, coarse_s)
    return f"hourly scores ({COARSE_POLICY}.{COARSE_MEASUREMENT}) are kept {_words(coarse_s)}"


async def server_version(client: httpx.AsyncClient, url: str) -> str:
    """Return the server's version, such as 1.6.7.

    Raises:
        BackendRefusedError: If what answers is not InfluxDB 1.x or 2.x.
    """
    with influx_errors(url):
        answer = await client.get("/ping")
    version = answer.headers.get("X-Influxdb-Version", "").removeprefix("v")
    if not version.startswith(("1.", "2.")):
        raise BackendRefusedError(
            f"SURGELINE_SCORES__INFLUX_URL is {url}: what answers there says it is "
            f"{version or 'nothing'}; expected InfluxDB 1.x or 2.x. Prepare the bucket by hand "
            "(docs/score-store.md)."
        )
    return str(version)


class Version1:
    """InfluxDB 1.x: a second retention policy, and a continuous query."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client, self._url = client, url

    async def keep_coarse(self, bucket: str, seconds: int) -> None:
        """Make or change the policy of hourly scores, and make the continuous query anew."""
        there = {row["name"] for row in await self._policies(bucket)}
        coarse = f"RETENTION POLICY {name(COARSE_POLICY)} ON {name(bucket)} {_duration(seconds)}"
        verb = "ALTER" if COARSE_POLICY in there else "CREATE"
        replication = "" if COARSE_POLICY in there else " REPLICATION 1"
        await self._do(f"{verb} {coarse.replace(' SHARD', f'{replication} SHARD', 1)}")
        await self._do(f"DROP CONTINUOUS QUERY {name(CONTINUOUS_QUERY)} ON {name(bucket)}")
        await self._do(continuous_query(bucket))

    async def _policies(self, bucket: str) -> Sequence[Mapping[str, Any]]:
        return policies_of(await self._do(show_policies(bucket)))

    async def _do(self, statement: str) -> Sequence[Mapping[str, Any]]:
        with influx_errors(self._url):
            answer = await self._client.post("/query", params={"q": statement})
        if not answer.is_success:
            raise status_error(self._url, answer.status_code, answer.text)
        (result,) = answer.json()["results"]
        if "error" in result and not (
            statement.startswith("DROP") and "not found" in result["error"]
        ):
            raise statement_error(self._url, result["error"])
        series: Sequence[Mapping[str, Any]] = result.get("series", ())
        return series


def continuous_query(
    bucket: str, interval_s: int = HOUR_S, late_s: int = LATE_HOURS * HOUR_S
) -> str:
    """Return the statement that makes a 1.x server aggregate each hour, and late ones anew."""
    wanted = ", ".join(
        f'{function}("{field}") AS "{alias}"' for alias, function, field in AGGREGATES
    )
    target = ".".join(map(name, (bucket, COARSE_POLICY, COARSE_MEASUREMENT)))
    select = (
        f"SELECT {wanted} INTO {target} FROM {name(SCORE_MEASUREMENT)} "  # noqa: S608 - quoted
        f"WHERE \"status\" = 'scored' "
        f'GROUP BY time({interval_s}s), "asset_id", "run_id", "model", "fleet"'
    )
    return (
        f"CREATE CONTINUOUS QUERY {name(CONTINUOUS_QUERY)} ON {name(bucket)} "
        f"RESAMPLE EVERY {interval_s}s FOR {late_s}s BEGIN {select} END"
    )


class Version2:
    """InfluxDB 2.x: a second bucket, `BUCKET/coarse`, and a task.

    InfluxQL sees that bucket as a policy of the first.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, org: str) -> None:
        self._client, self._url, self._org = client, url, org

    async def _keep(self, bucket: str, seconds: int) -> None:
        """Make the bucket, or change its rule."""
        rules = [{"type": "expire", "everySeconds": seconds}] if seconds else []
        found = await self._ask("GET", "/buckets", {"org": self._org, "name": bucket}, missing=True)
        buckets = found.get("buckets", ())
        if buckets:
            await self._ask("PATCH", f"/buckets/{buckets[0]['id']}", json={"retentionRules": rules})
            return
        org_id = await self._org_id()
        await self._ask(
            "POST",
            "/buckets",
            json={"orgID": org_id, "name": bucket, "retentionRules": rules},
        )

    async def keep_coarse(self, bucket: str, seconds: int) -> None:
        """Make the second bucket and the task that fills it, or bring both up to date."""
        await self._keep(f"{bucket}/{COARSE_POLICY}", seconds)
        flux = hourly_task(bucket, self._org)
        found = await self._ask("GET", "/tasks", {"org": self._org, "name": TASK})
        for task in found["tasks"]:
            await self._ask("PATCH", f"/tasks/{task['id']}", json={"flux": flux})
        if not found["tasks"]:
            await self._ask("POST", "/tasks", json={"orgID": await self._org_id(), "flux": flux})

    async def _org_id(self) -> str:
        found = await self._ask("GET", "/orgs", {"org": self._org})
        return str(found["orgs"][0]["id"])

    async def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        json: object = None,
        missing: bool = False,
    ) -> Any:
        with influx_errors(self._url):
            answer = await self._client.request(method, f"/api/v2{path}", params=params, json=json)
        if missing and answer.status_code == httpx.codes.NOT_FOUND:
            return {}
        if not answer.is_success:
            raise status_error(self._url, answer.status_code, answer.text)
        return answer.json()


def hourly_task(bucket: str, org: str) -> str:
    """Return the Flux of the task: the hours up to now, late ones anew, one field at a time."""
    parts = "".join(
        f"\nhours(field: {text(field)}, fn: {function}, as: {text(alias)})\n"
        for alias, function, field in AGGREGATES
    )
    return (
        f"option task = {{name: {text(TASK)}, every: 1h, offset: 1m}}\n\n"
        "hours = (field, fn, as) =>\n"
        f"    from(bucket: {text(bucket)})\n"
        f"        |> range(start: date.truncate(t: date.sub(from: now(), d: {LATE_HOURS}h), "
        "unit: 1h))\n"
        f"        |> filter(fn: (r) => r._measurement == {text(SCORE_MEASUREMENT)})\n"
        "        |> filter(fn: (r) => r._field == field)\n"
        '        |> aggregateWindow(every: 1h, fn: fn, timeSrc: "_start", createEmpty: false)\n'
        f'        |> set(key: "_measurement", value: {text(COARSE_MEASUREMENT)})\n'
        '        |> set(key: "_field", value: as)\n'
        f"        |> to(bucket: {text(f'{bucket}/{COARSE_POLICY}')}, org: {text(org)})\n"
        f"{parts}"
    ).replace("option task", 'import "date"\n\noption task', 1)


def text(value: str) -> str:
    """Return a Flux string."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def _duration(seconds: int) -> str:
    """Return a policy's duration, with shards that are small beside it: a shard goes as a whole."""
    if not seconds:
        return "DURATION INF SHARD DURATION 7d"
    shard_s = 7 * DAY_S if seconds > 180 * DAY_S else DAY_S if seconds > 2 * DAY_S else HOUR_S
    return f"DURATION {max(seconds, HOUR_S)}s SHARD DURATION {shard_s}s"


def _words(seconds: int) -> str:
    return f"for {seconds / DAY_S:g} days" if seconds else "for ever"
