"""How people say that something is not there: in messages, in names, and in the names of what builds such an error."""

import re

SAYS_UNSUPPORTED = re.compile(
    r"(?:not|never|n't)\s+(?:\w+\s+)?(?:support(?:ed|s|ing)?|implemented|available)\b|\bunsupported\b|\bunimplemented\b"
    r"|\b(?:only|solely)\s+(?:\w+\s+)?(?:supported|implemented|available|works?)\b|\bno\s+support\b"
    r"|\b(?:on|for|under)\s+(?:linux|unix)\s+only\b|\bonly\s+(?:on|for|under)\s+(?:linux|unix)\b"
    r"|\bonly\s+(?:be\s+)?\w+\s+(?:on|under)\s+(?:linux|unix)\b"
    r"|\b(?:not|never)\s+(?:\w+\s+)?(?:on|for|under)\s+(?:windows|this\s+(?:platform|os|system))"
    r"|\b(?:cannot|can't|can\s+not)\b.{0,120}\b(?:on|under)\s+(?:windows|this\s+(?:platform|os|system))"
    r"|\bwindows\b[^.;\n]{0,80}\bonly\s+(?:supports?|allows?|accepts?)\b|\bonly\s+(?:supports?|allows?|accepts?)\b[^.;\n]{0,80}\bon\s+windows\b"
    r"|\b(?:invalid|(?:not|n't)\s+(?:valid|allowed|permitted|possible))\b[^;\n]{0,80}\b(?:on|for|under)\s+windows\b"
    r"|\bnot\s+yet\b",
    re.IGNORECASE,
)
"""A text that says "not on this platform"."""

NAMES_UNSUPPORTED = re.compile(
    r"not_?(?:yet)?_?(?:supported|implemented|available|impl)|unsupported|unimplemented"
    r"|^(?:ENOTSUP|EOPNOTSUPP|ENOSYS|EWINDOWS|EPLAN9|ERROR_CALL_NOT_IMPLEMENTED)$",
    re.IGNORECASE,
)
"""The name of an error, or of an error's type, that says so."""

BUILDS_ERROR = re.compile(
    r"^(?:new)?err|error$|^(?:new_?)?(?:not|un)_?(?:supported|implemented|available)", re.IGNORECASE
)
"""A function that returns one error and is named for it is a helper that builds it, not a stub of a feature."""
