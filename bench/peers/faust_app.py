"""The app of both that use stock Faust."""

from __future__ import annotations

import faust

from bench.peers.settings import PeerSettings


def faust_app(settings: PeerSettings) -> faust.App:
    """Return an app that takes bytes and keeps no table."""
    return faust.App(
        settings.group,
        broker=f"kafka://{settings.brokers}",
        store="memory://",
        value_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
    )
