"""The three data sources, and the parts that queries to them share.

Verdicts and scores are asked of InfluxDB in InfluxQL, alarms of the api's PostgreSQL, the pipeline
of Prometheus (docs/decisions/0015).
"""

from __future__ import annotations

from typing import Final

from api.adapters.sql.models import AlertRow
from common.metering import names
from common.metering.spec import MetricSpec
from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Verdict
from common.topics import REPEAT_MEASUREMENT, SCORE_MEASUREMENT
from deploy.dashboards.model import Annotation, Format, Query, Source, Variable

INFLUX: Final = Source("influxdb", "surgeline-influx")
PROMETHEUS: Final = Source("prometheus", "surgeline-prometheus")
ALARMS: Final = Source("postgres", "surgeline-alarms")
SOURCES: Final = (INFLUX, PROMETHEUS, ALARMS)

DETECTOR_JOB: Final = "surgeline-detector"
API_JOB: Final = "surgeline-api"
INGEST_JOB: Final = "surgeline-ingest"
"""As ``deploy/prometheus/prometheus.yml`` calls what it scrapes."""

OF_FLEET: Final = (
    '("fleet" =~ /^${fleet:regex}$/ OR '
    f"('${{fleet:raw}}' = '{DEFAULT_FLEET}' AND \"fleet\" = ''))"
)
"""Points of the fleet of all who name none have no tag ``fleet``."""

OF_ASSET: Final = '"asset_id" = \'${asset:raw}\' AND "run_id" =~ /^${run:regex}$/'

SCORED: Final = f"\"status\" = '{Verdict.SCORED.value}'"
"""Fields of a score may be left from before a point was rewritten with another verdict."""

EACH_INTERVAL: Final = "GROUP BY time($__interval)"

ALERTS_TABLE: Final = AlertRow.__tablename__

ALARMS_OF_FLEET: Final = "('${fleet:raw}' = '.*' OR fleet = '${fleet:raw}')"
ALARMS_OF_ASSET: Final = (
    "asset_id = '${asset:raw}' AND ('${run:raw}' = '.*' OR run_id = '${run:raw}')"
)


def scores(fields: str, *terms: str, rest: str = "") -> str:
    """Return an InfluxQL query for verdicts in the time range."""
    return _select(fields, SCORE_MEASUREMENT, terms, rest)


def repeats(fields: str, *terms: str, rest: str = "") -> str:
    """Return an InfluxQL query for repeats in the time range."""
    return _select(fields, REPEAT_MEASUREMENT, terms, rest)


def _select(fields: str, measurement: str, terms: tuple[str, ...], rest: str) -> str:
    where = " AND ".join([*terms, "$timeFilter"])
    tail = f" {rest}" if rest else ""
    return f'SELECT {fields} FROM "{measurement}" WHERE {where}{tail}'


def influx(text: str, legend: str = "", format: Format = "time_series") -> Query:
    """Return a query to InfluxDB."""
    return Query(INFLUX, text, legend, format)


def prometheus(text: str, legend: str = "", format: Format = "time_series") -> Query:
    """Return a query to Prometheus."""
    return Query(PROMETHEUS, text, legend, format)


def alarms(text: str, format: Format = "table") -> Query:
    """Return a query to the alert history."""
    return Query(ALARMS, text, format=format)


def rate(metric: MetricSpec, by: str = "", where: str = "") -> str:
    """Return how fast a metric grows, per second, summed over workers."""
    selected = f"rate({metric.series}{where}[$__rate_interval])"
    return f"sum by ({by}) ({selected})" if by else f"sum({selected})"


def quantile(metric: MetricSpec, q: float, by: str = "") -> str:
    """Return a quantile of a histogram over all workers."""
    return f"histogram_quantile({q}, {rate(metric, ', '.join(filter(None, ['le', by])))})"


FLEET_VARIABLE: Final = Variable(
    "fleet", "Fleet", PROMETHEUS, f"label_values({names.MODEL_INFO.series}, fleet)"
)
"""Of Prometheus, which knows the fleet of all who name none; InfluxDB's index does not."""

ASSET_VARIABLE: Final = Variable(
    "asset",
    "Asset",
    INFLUX,
    f'SHOW TAG VALUES FROM "{SCORE_MEASUREMENT}" WITH KEY = "asset_id" WHERE {OF_FLEET}',
    has_all=False,
)

RUN_VARIABLE: Final = Variable(
    "run",
    "Run",
    INFLUX,
    f'SHOW TAG VALUES FROM "{SCORE_MEASUREMENT}" WITH KEY = "run_id" '
    "WHERE \"asset_id\" = '${asset:raw}'",
)


def alert_marks(which: str) -> Annotation:
    """Return the alerts of the time range as marks.

    Args:
        which: Whose, as a term of SQL.
    """
    text = (
        "SELECT ts AS time, asset_id || ' ' || state || ': ' || (body::json ->> 'reason') AS text,"
        f" level || ',' || state AS tags FROM {ALERTS_TABLE}"
        f" WHERE {which} AND $__timeFilter(ts) ORDER BY ts DESC LIMIT 500"
    )
    return Annotation("Alerts", alarms(text), "red")
