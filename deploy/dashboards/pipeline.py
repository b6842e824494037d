"""How the pipeline is: what flows, how late, what each step costs, what fails."""

from __future__ import annotations

from typing import Final

from common.metering import names
from deploy.dashboards.model import GREEN, RED, YELLOW, Dashboard, Panel
from deploy.dashboards.sources import API_JOB, DETECTOR_JOB, prometheus, quantile, rate

GOOD_AT_ONE: Final = ((None, RED), (1.0, GREEN))
BAD_FROM_ONE: Final = ((None, GREEN), (1.0, RED))
QUANTILES: Final = (0.5, 0.95, 0.99)

PIPELINE: Final = Dashboard(
    "pipeline",
    "pipeline health",
    "Whether readings get their verdicts in time, and if not, why. What to do: docs/runbooks.md.",
    {
        "Now": [
            Panel(
                "Workers that answer",
                "stat",
                (prometheus(f'sum(up{{job="{DETECTOR_JOB}"}})', "workers"),),
                "Detectors whose /metrics Prometheus could read.",
                width=4,
                height=4,
                steps=GOOD_AT_ONE,
            ),
            Panel(
                "Workers that are ready",
                "stat",
                (prometheus(f"sum({names.READY.series})", "workers"),),
                "As their /ready says.",
                width=4,
                height=4,
                steps=GOOD_AT_ONE,
            ),
            Panel(
                "Workers that wait",
                "stat",
                (prometheus(f"sum({names.PAUSED.series})", "workers"),),
                "For a backend that is down.",
                width=4,
                height=4,
                steps=BAD_FROM_ONE,
            ),
            Panel(
                "Messages behind",
                "stat",
                (prometheus(f"sum({names.LAG.series})", "messages"),),
                "Of all partitions, as the last fetches said.",
                width=4,
                height=4,
                steps=((None, GREEN), (10_000.0, YELLOW), (100_000.0, RED)),
            ),
            Panel(
                "Apis that answer",
                "stat",
                (prometheus(f'sum(up{{job="{API_JOB}"}})', "apis"),),
                "Whose /metrics Prometheus could read.",
                width=4,
                height=4,
                steps=GOOD_AT_ONE,
            ),
            Panel(
                "Alert rules that fire",
                "stat",
                (
                    prometheus(
                        'count(ALERTS{alertname=~"Surgeline.*", alertstate="firing"}) or vector(0)',
                        "alerts",
                    ),
                ),
                "Each has its section in docs/runbooks.md.",
                width=4,
                height=4,
                steps=BAD_FROM_ONE,
            ),
        ],
        "What flows": [
            Panel(
                "Readings",
                "timeseries",
                (
                    prometheus(rate(names.READINGS), "taken"),
                    prometheus(rate(names.VERDICTS), "with a verdict"),
                    prometheus(rate(names.HELD), "with a held value"),
                    prometheus(rate(names.BRIDGED), "behind a bridged gap"),
                ),
                "A second.",
                unit="reqps",
                lowest=0,
            ),
            Panel(
                "Verdicts",
                "timeseries",
                (prometheus(rate(names.VERDICTS, "status"), "{{status}}"),),
                "A second, by verdict.",
                unit="reqps",
                stacked=True,
                lowest=0,
            ),
            Panel(
                "Dead letters",
                "timeseries",
                (prometheus(rate(names.DEAD_LETTERS, "reason"), "{{reason}}"),),
                "A second, by reason. `surgeline deadletter list` shows them.",
                unit="reqps",
                stacked=True,
                lowest=0,
            ),
            Panel(
                "Replays",
                "timeseries",
                (
                    prometheus(f"sum({names.API_REPLAYS_RUNNING.series})", "running"),
                    prometheus(rate(names.API_REPLAYED), "readings sent a second"),
                    prometheus(
                        f"sum by (state) (increase({names.API_REPLAYS_ENDED.series}[1h]))",
                        "{{state}} in the last hour",
                    ),
                ),
                "Those the api started.",
                lowest=0,
            ),
        ],
        "How late": [
            Panel(
                "From broker to stored verdict",
                "timeseries",
                tuple(
                    prometheus(quantile(names.LATENCY, q), f"{q:.0%} are faster") for q in QUANTILES
                ),
                "End to end. Of a backlog, the time it has lain on the topic counts too.",
                unit="s",
                lowest=0,
            ),
            Panel(
                "Messages behind",
                "timeseries",
                (
                    prometheus(
                        f"sum by (partition) ({names.LAG.series})", "partition {{partition}}"
                    ),
                ),
                "By partition, as the last fetch from it said.",
                stacked=True,
                lowest=0,
            ),
            Panel(
                "Seconds behind",
                "timeseries",
                (prometheus("surgeline:lag_seconds", "at the present pace"),),
                "Messages behind over messages taken a second.",
                unit="s",
                lowest=0,
            ),
            Panel(
                "Readings in a batch",
                "timeseries",
                (
                    prometheus(quantile(names.BATCH_ROWS, 0.5), "half are smaller"),
                    prometheus(quantile(names.BATCH_ROWS, 0.95), "95 in 100 are smaller"),
                ),
                "Large batches are what a worker does when it has much to catch up with.",
                lowest=0,
            ),
        ],
        "What it costs": [
            Panel(
                "Time in each step",
                "timeseries",
                (
                    prometheus(
                        f"sum by (step) (rate({names.STEP_SECONDS.name}_sum[$__rate_interval]))",
                        "{{step}}",
                    ),
                ),
                "Seconds a second, of all workers; 1 is one worker's whole time.",
                unit="s",
                stacked=True,
                lowest=0,
            ),
            Panel(
                "Slow steps",
                "timeseries",
                (prometheus(quantile(names.STEP_SECONDS, 0.95, "step"), "{{step}}"),),
                "95 in 100 of each are faster.",
                unit="s",
                lowest=0,
            ),
            Panel(
                "Memory",
                "timeseries",
                (
                    prometheus(
                        f'process_resident_memory_bytes{{job=~"{DETECTOR_JOB}|{API_JOB}"}}',
                        "{{job}} {{instance}}",
                    ),
                ),
                "Resident.",
                unit="bytes",
                lowest=0,
            ),
            Panel(
                "Processor",
                "timeseries",
                (
                    prometheus(
                        "rate(process_cpu_seconds_total"
                        f'{{job=~"{DETECTOR_JOB}|{API_JOB}"}}[$__rate_interval])',
                        "{{job}} {{instance}}",
                    ),
                ),
                "Seconds a second.",
                unit="s",
                lowest=0,
            ),
        ],
        "What fails": [
            Panel(
                "Backends that are down",
                "timeseries",
                (prometheus(f"max by (sink) ({names.SINK_DOWN.series})", "{{sink}}"),),
                "1 while a worker's last try has failed.",
                steps=BAD_FROM_ONE,
                lowest=0,
            ),
            Panel(
                "Failed tries",
                "timeseries",
                (
                    prometheus(rate(names.SINK_ERRORS, "sink"), "{{sink}}"),
                    prometheus(rate(names.RETRIES, "step"), "step {{step}}"),
                ),
                "A second, by backend and by step. Each is repeated.",
                lowest=0,
            ),
            Panel(
                "States",
                "timeseries",
                tuple(
                    prometheus(f"sum(increase({metric.series}[15m]))", legend)
                    for metric, legend in (
                        (names.REBUILDS, "partitions rebuilt"),
                        (names.LOST_STATES, "single states lost"),
                        (names.UNREADABLE_STATES, "foreign states replaced"),
                        (names.STALE_STATES, "writes refused: another worker went on"),
                        (names.TOPICS_MADE_ANEW, "partitions made anew"),
                        (names.RUNS_OPENED, "runs opened by rule"),
                        (names.ALERTS_ADOPTED, "alerts published for another worker"),
                    )
                ),
                "In the last quarter of an hour. After a quiet day all are 0.",
                lowest=0,
            ),
            Panel(
                "Partitions and batches",
                "timeseries",
                (
                    prometheus(
                        f"sum by (instance) ({names.PARTITIONS.series})", "{{instance}} owns"
                    ),
                    prometheus(
                        f"sum by (instance) ({names.IN_HAND.series})", "{{instance}} has in hand"
                    ),
                ),
                "How the group has shared out its work.",
                lowest=0,
            ),
        ],
        "The api": [
            Panel(
                "Requests",
                "timeseries",
                (
                    prometheus(
                        f"sum by (route, status) (rate({names.API_REQUEST_SECONDS.name}_count"
                        "[$__rate_interval]))",
                        "{{route}} {{status}}",
                    ),
                ),
                "A second, by route.",
                unit="reqps",
                lowest=0,
            ),
            Panel(
                "Time to the first byte",
                "timeseries",
                (prometheus(quantile(names.API_REQUEST_SECONDS, 0.95, "route"), "{{route}}"),),
                "95 in 100 are faster.",
                unit="s",
                lowest=0,
            ),
            Panel(
                "Questions to the scoring process",
                "timeseries",
                (
                    prometheus(f"sum({names.API_SCORING_OPEN.series})", "without an answer yet"),
                    prometheus(rate(names.API_SCORING_FAILURES, "reason"), "{{reason}}, a second"),
                ),
                "Windows, files and what-ifs; what is refused is told to ask again.",
                lowest=0,
            ),
            Panel(
                "Time to an answer of the scoring process",
                "timeseries",
                (
                    prometheus(
                        quantile(names.API_SCORING_SECONDS, 0.95, "question"), "{{question}}"
                    ),
                ),
                "95 in 100 are faster, the wait for others included.",
                unit="s",
                lowest=0,
            ),
        ],
        "What runs": [
            Panel(
                "Models",
                "table",
                (
                    prometheus(
                        f"max by (fleet, model, version, sha256) ({names.MODEL_INFO.series})",
                        format="table",
                    ),
                ),
                "Of each fleet. Two versions of one fleet: workers differ.",
            ),
            Panel(
                "Versions",
                "table",
                (
                    prometheus(
                        f"count by (service, version) ({names.BUILD_INFO.series})", format="table"
                    ),
                ),
                "How many processes run which version.",
                width=6,
            ),
            Panel(
                "Fleets loaded anew",
                "table",
                (
                    prometheus(f"sum by (instance) ({names.FLEETS_LOADED.series})", format="table"),
                    prometheus(
                        f"sum by (instance) ({names.FLEETS_REFUSED.series})", format="table"
                    ),
                ),
                "And how often new ones were refused.",
                width=6,
            ),
        ],
    },
    since="now-1h",
)
