"""Structured logs: a constant event plus key-values, on standard error; the standard library's records go the same way.

https://www.structlog.org/en/stable/logging-best-practices.html. People at a terminal get lines, everything else gets
one JSON object per line with ``timestamp`` (RFC 3339, UTC), ``level``, ``logger``, ``event`` and the key-values.
"""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kraut_core.redaction import redact
from kraut_core.settings import LogSettings

_QUIET = {
    "kubernetes_asyncio": logging.INFO,
    "aiohttp": logging.INFO,
    "asyncio": logging.INFO,
    "uvicorn": logging.INFO,
    "temporalio": logging.INFO,
    "asyncssh": logging.WARNING,
}
"""Libraries that log bodies (Secrets included) or every packet at debug, asyncssh every channel at info: never below
this, whatever the level."""


def configure_logs(settings: LogSettings, *, component: str, stream: TextIO | None = None) -> None:
    """Route structlog and ``logging`` to ``stream`` (default standard error); ``component`` stands in every record.

    Called once by an entry point, and again without harm. Warnings of the ``warnings`` module are logged too.
    """
    out = stream or sys.stderr
    shared = _shared_processors(component)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_final_processors(settings, out))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.captureWarnings(capture=True)


def _shared_processors(component: str) -> list[Processor]:
    def add_component(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.setdefault("component", component)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # the text of the traceback and not its frames: frames hold local variables, and those hold secrets
        structlog.processors.format_exc_info,
        add_component,
    ]


def _final_processors(settings: LogSettings, out: TextIO) -> list[Processor]:
    console = settings.format == "console" or (settings.format == "auto" and out.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_event, renderer]


def redact_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Processor: blank what looks like a secret in keys and values; runs last, so that tracebacks are covered."""
    redacted: EventDict = redact(dict(event))
    return redacted
