"""The score store in InfluxDB, for production.

Writes go through ``influxdb-client`` (``/api/v2/write``), on a thread, as line protocol; reads are
InfluxQL on ``/query``. Nothing is retried here: the caller repeats the whole batch, which is
harmless, and retries inside would multiply with its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import httpx
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from common.errors import BackendRefusedError
from common.logs import get_logger
from common.records.verdicts import FinalScore, ScoreRecord, Verdict
from common.redaction import without_credentials
from common.scorestore.batch import Batch, gather
from common.scorestore.influx.access import influx_tls
from common.scorestore.influx.activity import activity_of, select_activity
from common.scorestore.influx.errors import (
    influx_errors,
    is_too_old,
    split_address,
    statement_error,
    status_error,
)
from common.scorestore.influx.lines import column_lines, final_lines, repeat_lines, verdict_lines
from common.scorestore.influx.plots import (
    PLOT_ROWS,
    plot_rows,
    select_edges,
    select_last_verdicts,
    select_plot,
    time_of_edge,
    verdicts_of,
)
from common.scorestore.influx.policies import kept_seconds, show_policies
from common.scorestore.influx.queries import (
    Series,
    records_of,
    select_moment,
    select_nothing,
    select_page,
    within,
)
from common.scorestore.influx.summaries import (
    counts_of,
    in_questions,
    names_of,
    select_counts,
    select_names,
    select_runs,
    summaries_of,
)
from common.scorestore.paging import (
    Bounds,
    Position,
    check_plot,
    check_query,
    epoch_us,
    page_of,
    position_of,
)
from common.scorestore.plotting import PlotReducer, with_finals
from common.scorestore.port import (
    Glance,
    Keeping,
    Plot,
    PlotQuery,
    RunActivity,
    RunPage,
    RunSummary,
    ScorePage,
    ScoreQuery,
    Trimmed,
)
from common.scorestore.tally import filling, glance_of, latest_of
from common.settings import ScoreStoreSettings

LINES_PER_REQUEST: Final = 5000
"""Lines InfluxDB recommends for one write; about 2.5 MB of ours."""


logger = get_logger(__name__)


class InfluxScoreStore:
    """Keeps the promises of the port, except that a verdict's row is (asset, run, cycle, model).

    When another model scores a reading again, or the reading comes again with another ``ts``,
    InfluxDB has both; pages show one for each time and cycle, and cycles are counted once for each
    verdict.

    A write is as durable as the server makes it: InfluxDB syncs its log before it answers.
    Entering connects to nothing, so that services start in any order: only a malformed address is
    refused. :meth:`ping` tells the rest.
    """

    def __init__(self, settings: ScoreStoreSettings) -> None:
        """Prepare a store; the settings name the server, organisation, bucket and token."""
        self._settings = settings
        self._url = without_credentials(settings.influx_url)
        self._said_too_old = False

    async def __aenter__(self) -> Self:
        """Make the clients. The bucket must exist: making one needs more rights than writing."""
        self._url, token = split_address(self._settings.influx_url)
        token = self._settings.influx_token.get_secret_value() or token
        if not (token.isascii() and token.isprintable()):
            raise BackendRefusedError(
                "SURGELINE_SCORES__INFLUX_TOKEN, or the password in SURGELINE_SCORES__INFLUX_URL, "
                "has characters that no HTTP header takes; expected printable ASCII."
            )
        timeout_s = self._settings.op_timeout_s
        context = influx_tls(self._settings, self._url)
        self._reading = httpx.AsyncClient(
            base_url=self._url,
            headers={"Authorization": f"Token {token}"} if token else {},
            timeout=timeout_s,
            verify=context or True,
            trust_env=False,  # as the writing client: no proxy that only one of them uses
        )
        self._client = InfluxDBClient(
            self._url,
            token,
            org=self._settings.influx_org,
            timeout=int(timeout_s * 1000),
            ssl_context=context,
        )
        self._writing = self._client.write_api(write_options=SYNCHRONOUS)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._reading.aclose()
        await asyncio.to_thread(self._client.close)

    async def write(
        self, records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = ()
    ) -> None:
        """Send the rows, ``LINES_PER_REQUEST`` at a time; verdicts before what is beside them."""
        await asyncio.to_thread(self._write, gather(records, finals))

    def _write(self, batch: Batch) -> None:
        lines: list[str] = []
        for part in batch.columns:
            lines += column_lines(part)
        for run in batch.verdicts.values():
            lines += verdict_lines(run.values())
        lines += repeat_lines(batch.repeats.values())
        lines += final_lines(batch.finals)
        for start in range(0, len(lines), LINES_PER_REQUEST):
            payload = "\n".join(lines[start : start + LINES_PER_REQUEST]).encode()
            with influx_errors(self._url):
                try:
                    self._writing.write(
                        self._settings.influx_bucket,
                        record=payload,
                        write_precision=WritePrecision.NS,
                    )
                except ApiException as exc:
                    if not is_too_old(exc):
                        raise
                    self._say_too_old(exc)

    def _say_too_old(self, exc: ApiException) -> None:
        """Say, once for each opening, that verdicts went where the bucket keeps nothing.

        They have been given, and would be gone by now; to refuse them would stop the stream.
        """
        if not self._said_too_old:
            logger.warning(
                "readings are older than what the bucket keeps: their verdicts are not stored",
                bucket=self._settings.influx_bucket,
                answer=str(exc.body).strip(),
            )
        self._said_too_old = True

    async def query(self, query: ScoreQuery) -> ScorePage:
        """Return one page.

        InfluxDB orders by time alone, a point's time may be anywhere in its reading's millisecond,
        and the limit may cut rows of one apart; so the milliseconds at both edges are read whole,
        and sorted here.
        """
        bounds = check_query(query)
        wanted = query.limit + 1
        rows: dict[Position, ScoreRecord] = {}
        if bounds.after is not None:
            rows = await self._moment(query, bounds, bounds.after.ts_us)
            rows = {place: row for place, row in rows.items() if _is_behind(place, query, bounds)}
        while len(rows) < wanted:
            found = await self._records(select_page(query, bounds, wanted))
            rows |= _by_position(found, bounds)
            if len(found) < wanted:
                break
            edge = position_of(found[-1])
            rows |= await self._moment(query, bounds, edge.ts_us)
            bounds = replace(bounds, after=edge)
        ordered = sorted(rows, reverse=query.newest_first)
        return page_of([rows[position] for position in ordered[:wanted]], query.limit)

    async def runs(
        self,
        *,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> Sequence[RunSummary]:
        """Return a summary of each run, counted by the server now."""
        return summaries_of(await self._ask(select_runs(asset_id, run_id, (), fleet)))

    async def run_page(
        self,
        most_assets: int,
        *,
        after: str | None = None,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> RunPage:
        """Return the summaries of a few assets, counted by the server now.

        InfluxQL has no "the next names": all are listed, from the index, and a page picked here.
        """
        (listed,) = await self._ask([select_names(asset_id, run_id, fleet)])
        names = await asyncio.to_thread(names_of, listed, after)
        chosen = names[:most_assets]
        runs: list[RunSummary] = []
        for group in in_questions(chosen):
            runs += summaries_of(await self._ask(select_runs(asset_id, run_id, group, fleet)))
        return RunPage(runs, chosen[-1] if len(names) > most_assets else None)

    async def activity(self, since: datetime) -> Sequence[RunActivity]:
        """Return how far each run has come, counted by the server from ``since`` on."""
        return activity_of(await self._ask(select_activity(epoch_us(since))))

    async def summaries(self, asset_ids: Collection[str]) -> Sequence[RunSummary]:
        """Return the summaries of these assets, counted by the server now."""
        runs: list[RunSummary] = []
        for group in in_questions(sorted(asset_ids)):
            runs += summaries_of(await self._ask(select_runs(None, None, group)))
        return runs

    async def latest_runs(
        self,
        *,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> Sequence[Glance]:
        """Return the latest run of each asset, counted by the server now."""
        runs = await self.runs(asset_id=asset_id, run_id=run_id, fleet=fleet)
        return [glance_of(run) for run in latest_of(runs)]

    async def warm_ups(self, runs: Collection[tuple[str, str]], most: int) -> Sequence[int]:
        """Return how many readings the window that is being filled has."""
        statements = [select_last_verdicts(asset_id, run_id, most) for asset_id, run_id in runs]
        counts: list[int] = []
        for group in in_questions(statements):
            counts += [filling(verdicts_of(answer)) for answer in await self._ask(group)]
        return counts

    async def plot(self, query: PlotQuery) -> Plot:
        """Return a plot, reading ``PLOT_ROWS`` points at a time."""
        bounds = check_plot(query)
        edges = [time_of_edge(answer) for answer in await self._ask(select_edges(query, bounds))]
        if None in edges:
            return Plot([])
        begin_us, end_us = (edge or 0 for edge in edges)
        reducer, finals = (PlotReducer(begin_us, end_us, query.most) for _ in range(2))
        from_us, most = begin_us, PLOT_ROWS
        while True:
            (answer,) = await self._ask([select_plot(query, bounds, from_us, most)])
            found = await asyncio.to_thread(plot_rows, answer, bounds, most)
            await asyncio.to_thread(reducer.add, found.rows)
            await asyncio.to_thread(finals.add, found.finals)
            if found.next_us is None:
                return with_finals(reducer.plot(), finals)
            most = most if found.rows else 2 * most  # more points than that in one millisecond
            from_us = found.next_us

    async def verdict_counts(self, run_id: str | None = None) -> Mapping[Verdict, int]:
        """Return how many readings got each verdict, counted by the server now."""
        return counts_of(await self._ask(select_counts(None, run_id)))

    async def trim(self, keep: Keeping, now: datetime, most_rows: int) -> Trimmed:
        """Do nothing: the server removes what is older than its bucket says (``setup.py``)."""
        return Trimmed(0)

    async def removed_until(self) -> datetime | None:
        """Return the beginning of what the bucket keeps; none where it keeps everything.

        None, too, where the server does not say how long it keeps.
        """
        try:
            (series,) = await self._ask([show_policies(self._settings.influx_bucket)])
        except BackendRefusedError:
            return None
        kept_s = kept_seconds(series)
        return None if kept_s is None else datetime.now(UTC) - timedelta(seconds=kept_s)

    async def ping(self) -> None:
        """Return when the server answers a query on our bucket."""
        await self._ask([select_nothing()])

    async def _moment(
        self, query: ScoreQuery, bounds: Bounds, ts_us: int
    ) -> dict[Position, ScoreRecord]:
        return _by_position(await self._records(select_moment(query, bounds, ts_us)), bounds)

    async def _records(self, statement: str) -> list[ScoreRecord]:
        (series,) = await self._ask([statement])
        return await asyncio.to_thread(lambda: list(records_of(series)))

    async def _ask(self, statements: Sequence[str]) -> list[Sequence[Series]]:
        """Return the series that answer each statement."""
        parameters = {
            "db": self._settings.influx_bucket,
            "epoch": "ns",
            "q": "; ".join(statements),
        }
        with influx_errors(self._url):
            answer = await self._reading.get("/query", params=parameters)
        if not answer.is_success:
            raise status_error(self._url, answer.status_code, answer.text)
        results = (await asyncio.to_thread(_parse, self._url, answer.content))["results"]
        for result in results:
            if "error" in result:
                if len(statements) > 1:  # of several, old servers say only "not executed"
                    await self._ask(statements[:1])
                raise statement_error(self._url, result["error"])
        return [result.get("series", ()) for result in results]


def _parse(url: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as exc:
        raise BackendRefusedError(
            f"SURGELINE_SCORES__INFLUX_URL is {url}: what answers there is not InfluxDB."
        ) from exc


def _by_position(records: Iterable[ScoreRecord], bounds: Bounds) -> dict[Position, ScoreRecord]:
    """Return one row for each position; of several models' rows, the last by name and version."""
    rows: dict[Position, ScoreRecord] = {}
    for record in records:
        if not within(epoch_us(record.ts), bounds):
            continue
        known = rows.setdefault(position_of(record), record)
        if record.model > known.model:
            rows[position_of(record)] = record
    return rows


def _is_behind(position: Position, query: ScoreQuery, bounds: Bounds) -> bool:
    assert bounds.after is not None  # noqa: S101 - asked only then
    return position < bounds.after if query.newest_first else position > bounds.after
