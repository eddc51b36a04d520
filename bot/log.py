"""Logging: one line an event, for people or as JSON; text from outside cannot forge a line or colour a terminal."""

import logging
import sys
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def set_up(form: Literal["console", "json"], *, quiet: bool = False) -> None:
    """Send everything to stderr: stdout belongs to results. ``quiet`` leaves only warnings and worse."""
    renderer = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        _one_line,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # The engine logs each failure that we log ourselves, with the delivery.
    logging.getLogger("saq").setLevel(logging.CRITICAL)


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Show control characters as escapes; a traceback keeps its lines, set in so that none of them looks like an entry."""
    shown = {key: _visible(value) for key, value in event.items()}
    if isinstance(event.get("exception"), str):
        shown["exception"] = "\n".join("  " + _visible(line) for line in event["exception"].split("\n"))
    return shown


def _visible(value: Any) -> Any:
    return value.encode("unicode_escape").decode() if isinstance(value, str) and not value.isprintable() else value
