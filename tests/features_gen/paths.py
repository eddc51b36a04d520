"""Paths of requests and routes, compared without the names of their parameters."""

import re
from typing import NamedTuple

from bot.features import shape

_PARAMETER = re.compile(r"\{(\w*)(?::(?:[^{}]|\{[^{}]*\})*)?\}")


class Request(NamedTuple):
    """A verb and a path; ``{}`` stands for what is filled in."""

    verb: str
    path: str


def without_patterns(path: str) -> str:
    """``/a/{name:.*}`` as ``/a/{name}``."""
    return _PARAMETER.sub(r"{\1}", path)


def without_names(path: str) -> str:
    """``/a/{name}/`` as ``/a/{}``."""
    return shape(path).rstrip("/") or "/"
