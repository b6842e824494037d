"""Alarms and what they say of the alarm system: how many, how long, whose, how often again."""

from __future__ import annotations

from typing import Final

from common.metering import names
from common.records.alerts import Transition
from deploy.dashboards.model import GREEN, RED, YELLOW, Dashboard, Panel
from deploy.dashboards.sources import (
    ALARMS_OF_FLEET,
    ALERTS_TABLE,
    FLEET_VARIABLE,
    alarms,
    alert_marks,
    prometheus,
    rate,
)

RAISED: Final = f"state = '{Transition.RAISED.value}'"
IN_RANGE: Final = f"{ALARMS_OF_FLEET} AND $__timeFilter(ts)"

MANY: Final = 10
"""Machines that are listed as raising most; they usually make most of all alarms."""

LASTED: Final = (
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended.ts - begun.ts))"
    f" AS median FROM {ALERTS_TABLE} AS begun JOIN {ALERTS_TABLE} AS ended"
    f" USING (alarm_id) WHERE begun.{RAISED}"
    f" AND ended.state = '{Transition.CLEARED.value}' AND $__timeFilter(begun.ts)"
    f" AND ('${{fleet:raw}}' = '.*' OR begun.fleet = '${{fleet:raw}}')"
)

AGAIN: Final = (
    "SELECT count(*) AS again FROM (SELECT ts - lag(ts) OVER (PARTITION BY asset_id, run_id "
    f"ORDER BY ts) AS since FROM {ALERTS_TABLE} WHERE {RAISED} AND {IN_RANGE}) AS raised"
    " WHERE since < interval '24 hours'"
)


def count(what: str, where: str) -> str:
    """Return the query for how many alerts there are."""
    return f"SELECT count(*) AS {what} FROM {ALERTS_TABLE} WHERE {where}"


ALARMS_BOARD: Final = Dashboard(
    "alarms",
    "alarms",
    "What was raised, and whether people can keep up with it. From the api's alert history; times "
    "are those of the readings.",
    {
        "In the time range": [
            Panel(
                "Raised",
                "stat",
                (alarms(count("raised", f"{RAISED} AND {IN_RANGE}")),),
                "Alarms raised.",
                width=4,
                height=4,
            ),
            Panel(
                "Became critical",
                "stat",
                (
                    alarms(
                        count("escalated", f"state = '{Transition.ESCALATED.value}' AND {IN_RANGE}")
                    ),
                ),
                "Alarms that began as a warning.",
                width=4,
                height=4,
            ),
            Panel(
                "Cleared",
                "stat",
                (alarms(count("cleared", f"state = '{Transition.CLEARED.value}' AND {IN_RANGE}")),),
                "Alarms that ended. A machine that fails never clears its alarm.",
                width=4,
                height=4,
            ),
            Panel(
                "Stand now",
                "stat",
                (alarms(count("open", f"is_open AND {ALARMS_OF_FLEET}")),),
                "Raised and not cleared, whenever that was.",
                width=4,
                height=4,
                steps=((None, GREEN), (1.0, YELLOW)),
            ),
            Panel(
                "Median duration",
                "stat",
                (alarms(LASTED),),
                "From raised to cleared, of alarms that have ended.",
                unit="s",
                width=4,
                height=4,
            ),
            Panel(
                "Raised again within a day",
                "stat",
                (alarms(AGAIN),),
                "A machine whose alarm comes and goes: raise its off-delay or its deadband.",
                width=4,
                height=4,
                steps=((None, GREEN), (1.0, YELLOW)),
            ),
        ],
        "Over time": [
            Panel(
                "Alerts by transition",
                "timeseries",
                (
                    alarms(
                        "SELECT $__timeGroupAlias(ts, $__interval), state AS metric,"
                        f" count(*) AS value FROM {ALERTS_TABLE} WHERE {IN_RANGE}"
                        " GROUP BY 1, 2 ORDER BY 1",
                        "time_series",
                    ),
                ),
                "How many an interval.",
                stacked=True,
                lowest=0,
            ),
            Panel(
                "Alerts published",
                "timeseries",
                (
                    prometheus(
                        f"sum by (state, level) (increase({names.ALERTS.series}"
                        "[$__rate_interval]))",
                        "{{state}} {{level}}",
                    ),
                ),
                "By when they were published: in a replay, another time than the readings'.",
                lowest=0,
            ),
        ],
        "Whose": [
            Panel(
                f"The {MANY} machines that raise most",
                "barchart",
                (
                    alarms(
                        f"SELECT asset_id, count(*) AS raised FROM {ALERTS_TABLE} "
                        f"WHERE {RAISED} AND {IN_RANGE} GROUP BY asset_id "
                        f"ORDER BY raised DESC, asset_id LIMIT {MANY}"
                    ),
                ),
                "A few machines, or sensors, often make most of all alarms.",
            ),
            Panel(
                "What caused them",
                "barchart",
                (
                    alarms(
                        "SELECT body::json ->> 'evidence' AS evidence, count(*) AS raised "
                        f"FROM {ALERTS_TABLE} WHERE {RAISED} AND {IN_RANGE} GROUP BY 1 ORDER BY 2"
                    ),
                ),
                "Kinds of evidence.",
            ),
            Panel(
                "Alarms that stand",
                "table",
                (
                    alarms(
                        "SELECT ts, fleet, asset_id, run_id, level, cycle, onset_cycle, "
                        "(body::json ->> 'severity')::float AS severity, "
                        f"body::json ->> 'reason' AS reason FROM {ALERTS_TABLE} "
                        f"WHERE is_open AND {ALARMS_OF_FLEET} ORDER BY sequence DESC LIMIT 200"
                    ),
                ),
                "The newest two hundred, whenever they were raised.",
                width=24,
                height=10,
                steps=((None, GREEN), (1.0, RED)),
            ),
        ],
        "Delivery": [
            Panel(
                "Alerts that reached the history",
                "timeseries",
                (
                    prometheus(rate(names.API_PROJECTED), "new"),
                    prometheus(rate(names.API_REPEATED), "came again"),
                    prometheus(rate(names.API_PROJECTION_FAILURES), "failed tries"),
                    prometheus(rate(names.API_GAPS), "expired before they were read"),
                ),
                "A second, by the api.",
                lowest=0,
            ),
            Panel(
                "Streams",
                "timeseries",
                (
                    prometheus(f"sum({names.API_SUBSCRIBERS.series})", "open"),
                    prometheus(rate(names.API_EVENTS), "alerts sent a second"),
                ),
                "Who follows alerts over HTTP.",
                lowest=0,
            ),
        ],
    },
    (FLEET_VARIABLE,),
    (alert_marks(ALARMS_OF_FLEET),),
    since="now-30d",
)
