"""Logging: one line an event, for people or as JSON; text from outside cannot forge a line or colour a terminal.

What is logged while something is done for a delivery has its id, whoever logs it: it is bound to the context
(`structlog.contextvars`), which tasks inherit, and which child processes are given (`bot.analysis`).
"""

import logging
import sys
from types import TracebackType
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Form = Literal["console", "json"]

_chosen: tuple[Form, bool] = ("console", True)


def chosen() -> tuple[Form, bool]:
    """What `set_up` was told last: the form, and whether it is quiet. A child process logs as its parent does."""
    return _chosen


def set_up(form: Form, *, quiet: bool = False) -> None:
    """Send everything to stderr: stdout belongs to results. ``quiet`` leaves only warnings and worse."""
    global _chosen  # noqa: PLW0603 - a process logs in one way
    _chosen = (form, quiet)
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
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    engine = logging.getLogger("saq")
    engine.filters = [known for known in engine.filters if known is not _is_news]
    engine.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """The engine logs each failure of a job, too. Only that one took too long is not said by us before."""
    if record.msg != "Error processing job %s":
        return True
    return record.exc_info is not None and isinstance(record.exc_info[1], TimeoutError)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The end of a process is an event like any other; Ctrl-C is none."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        structlog.get_logger().critical("the process ends", exc_info=(kind, error, trace))


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Show control characters as escapes; a traceback keeps its lines, set in so that none of them looks like an entry."""
    shown = {key: _visible(value) for key, value in event.items()}
    if isinstance(event.get("exception"), str):
        shown["exception"] = "\n".join("  " + _visible(line) for line in event["exception"].split("\n"))
    return shown


def _visible(value: Any) -> Any:
    return value.encode("unicode_escape").decode() if isinstance(value, str) and not value.isprintable() else value
