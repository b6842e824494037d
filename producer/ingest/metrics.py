"""An ingest's ``/metrics``: its counts, read when somebody asks, so that counting costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from common.errors import UserError
from common.metering import names
from producer.ingest.tally import Tally
from producer.ingest.translate import Reason

HIGHEST_PORT: Final = 65_535


class IngestMetrics(Collector):
    """Shows the latest counts; those of no messages yet until it is told others."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._tally = Tally()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        names.BUILD_INFO.make(self.registry).labels("ingest", version("surgeline")).set(1)

    def __call__(self, tally: Tally) -> None:
        """Show these counts from now on."""
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """Yield the counts as they stand. Called in the server's thread."""
        tally = self._tally
        for spec, value in (
            (names.INGEST_MESSAGES, tally.messages),
            (names.INGEST_READINGS, tally.readings),
            (names.INGEST_UNZONED, tally.unzoned),
        ):
            yield CounterMetricFamily(spec.name, spec.meaning, value=value)
        refused = CounterMetricFamily(
            names.INGEST_REFUSED.name,
            names.INGEST_REFUSED.meaning,
            labels=names.INGEST_REFUSED.label_names,
        )
        for reason in Reason:
            refused.add_metric([reason.value], tally.refused.get(reason, 0))
        yield refused
        if tally.behind is not None:
            behind = names.INGEST_BEHIND
            yield GaugeMetricFamily(behind.name, behind.meaning, value=tally.behind)


@contextmanager
def serving(metrics: IngestMetrics, address: str) -> Iterator[None]:
    """Serve ``/metrics`` until the block ends.

    Args:
        metrics: What is served.
        address: Where it listens, ``host:port``.

    Raises:
        UserError: If the address is none, or is taken.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) <= HIGHEST_PORT):
        raise UserError(f"--metrics {address} came; host:port, such as 127.0.0.1:9101, expected.")
    try:
        server, thread = start_http_server(int(port), host, metrics.registry)
    except OSError as exc:
        raise UserError(f"--metrics {address}: it cannot listen there: {exc.strerror}.") from exc
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
