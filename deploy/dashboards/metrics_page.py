"""Writes ``docs/metrics.md`` from ``common/metering/names.py``, its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from common.metering.names import OF_ALL
from common.metering.spec import Label, MetricSpec

METRICS_PAGE: Final = Path("docs/metrics.md")

HEAD: Final = """\
# Metrics

<!-- Written by `python -m deploy.dashboards` from common/metering/names.py. Do not edit. -->

Each detector serves them on `/metrics` of its status port (`SURGELINE_DETECTOR__HTTP_PORT`), the
api on `/metrics` of its own, `surgeline ingest` where its `--metrics` says.
`deploy/prometheus/prometheus.yml` scrapes them; alerts are in [runbooks.md](runbooks.md),
dashboards in [dashboards.md](dashboards.md). Beside these, each serves Prometheus' own `process_*`
(memory, processor, start time).

Everything is counted once a batch. A label's values come from lists of ours, never from what a
message says: no asset id is ever one. In queries a counter's name ends in `_total`, a histogram's
in `_bucket`, `_sum` and `_count`.
"""


def metrics_page() -> str:
    """Return the text of ``docs/metrics.md``."""
    lines = [HEAD]
    for title, specs in OF_ALL.items():
        lines += [
            f"## {title}",
            "",
            "| name | kind | labels | meaning |",
            "| --- | --- | --- | --- |",
        ]
        lines += [
            f"| `{spec.name}` | {spec.kind} | {', '.join(f'`{n}`' for n in spec.label_names)} "
            f"| {spec.meaning} |"
            for spec in specs
        ]
        lines.append("")
    lines += ["## Labels", "", "| label | values are | all of them |", "| --- | --- | --- |"]
    lines += [
        f"| `{label.name}` | {label.bound} | {', '.join(f'`{v}`' for v in label.values)} |"
        for label in _labels(chain.from_iterable(OF_ALL.values()))
    ]
    return "\n".join(lines) + "\n"


def _labels(specs: Iterable[MetricSpec]) -> Iterator[Label]:
    """Yield each label once."""
    seen: set[Label] = set()
    for spec in specs:
        for label in spec.labels:
            if label not in seen:
                seen.add(label)
                yield label
