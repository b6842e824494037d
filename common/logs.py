"""Structured logs. Composition roots call :func:`configure_logging`; all else asks for a logger."""

from __future__ import annotations

import logging
import sys
from typing import Final, TextIO, cast

import structlog

from common.settings import LogSettings

CHATTY: Final = ("faust", "mode", "aiokafka", "httpx", "alembic")
"""Libraries whose INFO is our DEBUG."""


def configure_logging(settings: LogSettings, service: str, stream: TextIO | None = None) -> None:
    """Send our events and the libraries' to one stream, one line each.

    Args:
        settings: Level and format.
        service: Name added to every line.
        stream: Where lines go; none means standard error.
    """
    stream = sys.stderr if stream is None else stream
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.level]
        ),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    final: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta
    ]
    if settings.format == "json":
        final.append(structlog.processors.format_exc_info)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*final, renderer])
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    if settings.level == "INFO":
        # They narrate every start, stop, heartbeat and request at INFO.
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; ``name`` is the module's ``__name__``."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))
