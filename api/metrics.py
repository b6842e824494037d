"""What the api counts for Prometheus. One registry per app, so that apps do not share counters."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.metering import names

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods with a count of their own; anything may be sent as a method."""


@dataclass(frozen=True, slots=True)
class ProjectionMetrics:
    """What is counted of a topic that is carried into the history.

    Attributes:
        new: Items that were new.
        repeated: Items that came again and were left alone.
        gaps: Times items had expired from the topic before they were read.
        failures: Times it had to start over.
    """

    new: Counter
    repeated: Counter
    gaps: Counter
    failures: Counter


class ApiMetrics:
    """The api's instruments.

    Attributes:
        registry: What ``/metrics`` writes out.
        alerts: Of the projection of alerts.
        evidence: Of the projection of what alerts rest on.
        sse_subscribers: Open alert streams.
        sse_events: Alerts sent on streams.
        request_seconds: Time to the first byte of the answer, by route and status.
        scoring_seconds: Time that questions to the scoring process take, by kind.
        scoring_open: Those without an answer yet.
        scoring_failures: Those that got none, by reason.
        replays_running: Replays that run.
        replays_ended: Replays that have ended, by how.
        replayed: Readings that replays of this api have sent.
        notes_delivered: Alerts that receivers were told of.
        note_failures: Alerts that receivers did not take, each try.
        notes_waiting: Alerts that receivers are yet to be told of.
        notes_given_up: Alerts that receivers will not be told of.
        watched: Assets that are watched for silence, by fleet.
        silent: Those that are silent, by fleet.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        failures = names.API_PROJECTION_FAILURES.make(registry)
        self.alerts = ProjectionMetrics(
            names.API_PROJECTED.make(registry),
            names.API_REPEATED.make(registry),
            names.API_GAPS.make(registry),
            failures,
        )
        self.evidence = ProjectionMetrics(
            names.API_EVIDENCE_PROJECTED.make(registry),
            names.API_EVIDENCE_REPEATED.make(registry),
            names.API_EVIDENCE_GAPS.make(registry),
            failures,
        )
        self.sse_subscribers = names.API_SUBSCRIBERS.make(registry)
        self.sse_events = names.API_EVENTS.make(registry)
        self.request_seconds = names.API_REQUEST_SECONDS.make(registry)
        self.scoring_seconds = names.API_SCORING_SECONDS.make(registry)
        self.scoring_open = names.API_SCORING_OPEN.make(registry)
        self.scoring_failures = names.API_SCORING_FAILURES.make(registry)
        self.replays_running = names.API_REPLAYS_RUNNING.make(registry)
        self.replays_ended = names.API_REPLAYS_ENDED.make(registry)
        self.replayed = names.API_REPLAYED.make(registry)
        self.notes_delivered = names.API_NOTES_DELIVERED.make(registry)
        self.note_failures = names.API_NOTE_FAILURES.make(registry)
        self.notes_waiting = names.API_NOTES_WAITING.make(registry)
        self.notes_given_up = names.API_NOTES_GIVEN_UP.make(registry)
        self.watched = names.API_WATCHED.make(registry)
        self.silent = names.API_SILENT.make(registry)
        names.BUILD_INFO.make(registry).labels("api", version("surgeline")).set(1)

    def show_silent(self, fleets: Mapping[str, tuple[int, int]]) -> None:
        """Show how many assets of each fleet are watched and silent, and no fleet that is gone."""
        self.watched.clear()
        self.silent.clear()
        for fleet, (watched, silent) in fleets.items():
            self.watched.labels(fleet).set(watched)
            self.silent.labels(fleet).set(silent)


class TimedRequests:
    """ASGI middleware: observes each request. Works on streams, which it does not hold back."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note when its answer begins."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def timed_send(message: Message) -> None:
            if message["type"].endswith("response.start") or message["type"] == "websocket.accept":
                route = scope.get("route")
                # the pattern, not the path: ids in labels would grow without end
                path = route.path if isinstance(route, Route | WebSocketRoute) else names.OTHER
                asked = scope.get("method", "GET")  # which a WebSocket begins as
                method = asked if asked in METHODS else names.OTHER
                status = str(message.get("status", HTTPStatus.SWITCHING_PROTOCOLS.value))
                self._metrics.request_seconds.labels(method, path, status).observe(
                    time.perf_counter() - began
                )
            await send(message)

        await self._app(scope, receive, timed_send)
