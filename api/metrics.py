"""What the api counts for Prometheus. One registry per app, so that apps do not share counters."""

from __future__ import annotations

import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods with a count of their own; anything may be sent as a method."""


class ApiMetrics:
    """The api's instruments.

    Attributes:
        registry: What ``/metrics`` writes out.
        alerts_projected: Alerts that were new to the history.
        alerts_repeated: Alerts that came again and were left alone.
        alert_gaps: Times alerts had expired from the topic before they were read.
        projection_failures: Times the projection had to start over.
        sse_subscribers: Open alert streams.
        sse_events: Alerts sent on streams.
        request_seconds: Time to the first byte of the answer, by route and status.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.alerts_projected = Counter(
            "surgeline_api_alerts_projected",
            "Alerts that were new to the history.",
            registry=self.registry,
        )
        self.alerts_repeated = Counter(
            "surgeline_api_alerts_repeated",
            "Alerts that were delivered again and left alone.",
            registry=self.registry,
        )
        self.alert_gaps = Counter(
            "surgeline_api_alert_gaps",
            "Times alerts had expired from the topic before they were read.",
            registry=self.registry,
        )
        self.projection_failures = Counter(
            "surgeline_api_projection_failures",
            "Times the projection of alerts failed and started over.",
            registry=self.registry,
        )
        self.sse_subscribers = Gauge(
            "surgeline_api_sse_subscribers", "Open alert streams.", registry=self.registry
        )
        self.sse_events = Counter(
            "surgeline_api_sse_events", "Alerts sent on streams.", registry=self.registry
        )
        self.request_seconds = Histogram(
            "surgeline_api_request_seconds",
            "Time to the first byte of the answer.",
            ("method", "route", "status"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )


class TimedRequests:
    """ASGI middleware: observes each request. Works on streams, which it does not hold back."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note when its answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def timed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("route")
                # the pattern, not the path: ids in labels would grow without end
                path = route.path if isinstance(route, Route) else "other"
                method = scope["method"] if scope["method"] in METHODS else "other"
                self._metrics.request_seconds.labels(method, path, str(message["status"])).observe(
                    time.perf_counter() - began
                )
            await send(message)

        await self._app(scope, receive, timed_send)
