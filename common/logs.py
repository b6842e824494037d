"""Structured logs. Composition roots call :func:`configure_logging`; all else asks for a logger."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any, Final, TextIO, TypeAlias, cast

import structlog

from common.settings import LogSettings
from common.tracebacks import plain_traceback, shortened

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

CHATTY: Final = ("faust", "mode", "aiokafka", "httpx", "alembic")
"""Libraries whose INFO is our DEBUG."""

TELLING: Final = ("aiokafka.conn",)
"""Loggers that write requests and answers whole, at DEBUG: those that prove who we are too."""

ASKING: Final = "httpx"
"""Writes each request's address at INFO, which is our DEBUG; of a webhook it is a password."""

PROOFS: Final = ("SaslAuthenticate",)
"""What such messages' types begin with."""

MOST_CHARS: Final = 2000
"""Longest text of one value of an event; some libraries put whole dumps there."""


def configure_logging(settings: LogSettings, service: str, stream: TextIO | None = None) -> None:
    """Send our events and the libraries' to one stream, one line each.

    Errors have short plain tracebacks without the values of variables, which may be secrets: rich
    ones take seconds to render, in which an event loop serves nobody. Also those of threads.

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
        else structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
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
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        _bounded,
        structlog.processors.ExceptionRenderer(_exception),
    ]
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
    for name in TELLING:
        logging.getLogger(name).addFilter(without_proofs)
    logging.getLogger(ASKING).addFilter(without_paths)
    structlog.contextvars.bind_contextvars(service=service)
    threading.excepthook = _thread_failed


def without_proofs(record: logging.LogRecord) -> bool:
    """Leave of a message that holds a password, or the proof of one, its type; let all pass."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            type(each).__name__ if type(each).__name__.startswith(PROOFS) else each
            for each in record.args
        )
    return True


def without_paths(record: logging.LogRecord) -> bool:
    """Leave of an address its scheme, host and port; let all pass."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            _host_of(each) if type(each).__name__ == "URL" else each for each in record.args
        )
    return True


def _host_of(url: Any) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii').rpartition('@')[2]}/…"


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; ``name`` is the module's ``__name__``."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))


def _exception(exc_info: ExcInfo) -> str:
    return plain_traceback(exc_info[1])


def _bounded(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Cut what is too long to be read."""
    for name, value in event.items():
        if name != "exc_info" and not isinstance(value, bool | int | float | None):
            text = value if isinstance(value, str) else repr(value)
            if len(text) > MOST_CHARS:
                event[name] = shortened(text, MOST_CHARS)
    return event


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or isinstance(args.exc_value, SystemExit):
        return
    found: Any = (args.exc_type, args.exc_value, args.exc_traceback)
    name = args.thread.name if args.thread else "unknown"
    logging.getLogger("threading").error("a thread failed: %s", name, exc_info=found)
