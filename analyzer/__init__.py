"""The Windows support of Go source: values in, values out. No I/O, no clock, no environment (ruff.toml enforces it)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.around import Search
    from analyzer.findings import accepting, analyze
    from analyzer.table import scan

__all__ = ["Search", "accepting", "analyze", "scan"]

_HOMES = {"Search": "around", "accepting": "findings", "analyze": "findings", "scan": "table"}


def __getattr__(name: str) -> object:
    """Import what is asked for only then: a table needs no rule and no comparison, which take long to import."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
