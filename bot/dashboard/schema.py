"""The JSON Schema of what the API answers, from the types of the views."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_PATTERN = re.compile(r"\{(\w+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")


def document(pages: Mapping[str, type[msgspec.Struct]], fault: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of every answer.

    Args:
        pages: by route, the type of its answer.
        fault: that of what is answered instead, with a status of 400 or more.
    """
    kinds = [*dict.fromkeys([*pages.values(), fault])]
    schemas, components = msgspec.json.schema_components(kinds, schema_hook=_text, ref_template="#/$defs/{name}")
    by_kind = dict(zip(kinds, schemas, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "winparity's dashboard API",
        "description": "x-answers has the schema of the answer at each path; x-fault that of an answer with an error.",
        "anyOf": [*schemas],
        "x-answers": {_PATTERN.sub(r"{\1}", path): by_kind[kind] for path, kind in pages.items()},
        "x-fault": by_kind[fault],
        "$defs": components,
    }


def _text(_kind: type) -> dict[str, Any]:
    """What is written as a string, such as a repository's name."""
    return {"type": "string"}
