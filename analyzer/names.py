"""What people call a platform. Rules write of Windows and Linux; here their words become those of other platforms."""

import re

from analyzer.model import LINUX, WINDOWS, Options, Platform

_NAMES = {
    "aix": "AIX",
    "android": "Android",
    "darwin": "macOS",
    "dragonfly": "DragonFly BSD",
    "freebsd": "FreeBSD",
    "illumos": "illumos",
    "ios": "iOS",
    "js": "JavaScript",
    "linux": "Linux",
    "netbsd": "NetBSD",
    "openbsd": "OpenBSD",
    "plan9": "Plan 9",
    "solaris": "Solaris",
    "wasip1": "WASI",
    "windows": "Windows",
}
# A word of a sentence, and not part of code: no quote, dot or bracket leads into it or on from it.
_WORD = re.compile(r"(?<![\w.\"'`/])(Windows|Linux)(?![\w\"'`/(]|\.\w)")


def platform_name(platform: Platform) -> str:
    """The name that people know."""
    return _NAMES.get(platform.goos, platform.goos)


def in_words_of(options: Options, text: str, symbol: str | None = None) -> str:
    """A sentence about Windows and Linux as one about the platforms that were compared.

    Rules and pages are written for the two that nearly everybody compares, and stay readable so. A symbol at the
    beginning keeps its name.

    Args:
        options: the platforms.
        text: plain text of ours.
        symbol: what it may begin with.
    """
    if (options.target.goos, options.reference.goos) == (WINDOWS.goos, LINUX.goos):
        return text
    names = {"Windows": platform_name(options.target), "Linux": platform_name(options.reference)}
    rest = text.removeprefix(symbol) if symbol else text
    return text[: len(text) - len(rest)] + _WORD.sub(lambda match: names[match[1]], rest)
