"""How peers without a framework meet the broker: all with the same consumer and producer."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.peers.settings import FETCH_MAX_WAIT_MS, PeerSettings


def consumer_of(settings: PeerSettings) -> AIOKafkaConsumer:
    """Return a consumer of the readings that commits when it is told to."""
    return AIOKafkaConsumer(
        settings.topic,
        bootstrap_servers=settings.brokers,
        group_id=settings.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
    )


def producer_of(settings: PeerSettings) -> AIOKafkaProducer:
    """Return a producer as its makers set it."""
    return AIOKafkaProducer(bootstrap_servers=settings.brokers)
