"""What Grafana does to a query, as the tests do it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.grafana import ALL, Look, filled

LOOK = Look(
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 2, tzinfo=UTC),
    10,
    {"fleet": "a.b", "all": ALL},
)


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        pytest.param(
            "influxdb",
            "SELECT x FROM y WHERE $timeFilter GROUP BY time($__interval)",
            "SELECT x FROM y WHERE time >= 1767225600000ms and time <= 1767312000000ms "
            "GROUP BY time(10s)",
            id="macros of InfluxQL",
        ),
        pytest.param(
            "influxdb", "=~ /^${fleet:regex}$/ '${fleet:raw}'", r"=~ /^a\.b$/ 'a.b'", id="one"
        ),
        pytest.param("influxdb", "/^${all:regex}$/ '${all:raw}'", "/^.*$/ '.*'", id="all"),
        pytest.param(
            "prometheus",
            'rate(x{fleet=~"$fleet"}[$__rate_interval])',
            r'rate(x{fleet=~"a\\.b"}[40s])',
            id="PromQL",
        ),
        pytest.param(
            "postgres",
            "SELECT $__timeGroupAlias(ts, $__interval) WHERE $__timeFilter(b.ts)",
            'SELECT floor(extract(epoch from ts)/10)*10 AS "time" '
            "WHERE b.ts BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-02T00:00:00Z'",
            id="SQL",
        ),
    ],
)
def test_variables_and_macros_are_filled_in(source: str, text: str, expected: str) -> None:
    assert filled(text, source, LOOK) == expected


@pytest.mark.parametrize(
    ("source", "text"),
    [
        pytest.param("influxdb", "$asset", id="nobody chose it"),
        pytest.param("influxdb", "$__nonsense", id="no macro of InfluxQL"),
        pytest.param("postgres", "$timeFilter", id="a macro of another source"),
        pytest.param("influxdb", "${fleet}", id="no format"),
        pytest.param("influxdb", "${fleet:csv}", id="another format"),
        pytest.param("mysql", "x", id="another source"),
    ],
)
def test_what_grafana_would_not_fill_in_is_refused(source: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|no such|left|format|say"):
        filled(text, source, LOOK)
