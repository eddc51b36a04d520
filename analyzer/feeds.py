"""Work in the background: a loop over what a value holds, and the methods that put something there for it."""

import re
from collections.abc import Iterator, Mapping

from analyzer.symbols import Symbol

# Only the receiver's own fields: what lies deeper belongs to somebody else.
_RECEIVER = re.compile(rb"^func\s*\(\s*(\w+)\s")
_TAKES = rb"\brange\s+%s\.(\w+)\s*\{|<-\s*%s\.(\w+)\b"
_PUTS = rb"\b%s\.%s(?:\[[^\]\n]*\])?\s*(?:<-|=[^=])"


def feeders(name: str, functions: Mapping[str, Symbol]) -> Iterator[tuple[str, int]]:
    """The methods that give a method what it loops over or waits for, and the line on which they do.

    Args:
        name: the method, ``Recv.Name``.
        functions: those of its package.
    """
    receiver, dot, _ = name.partition(".")
    source = functions[name].source if dot else b""
    called = _RECEIVER.match(source) if b"for " in source else None
    if called is None:
        return
    word = re.escape(called[1])
    fields = {field for pair in re.findall(_TAKES % (word, word), source) for field in pair if field}
    for other, symbol in functions.items() if fields else ():
        own = _RECEIVER.match(symbol.source)
        if other == name or own is None or not other.startswith(f"{receiver}."):
            continue
        for field in sorted(fields):
            puts = re.search(_PUTS % (re.escape(own[1]), field), symbol.source)
            if puts is not None:
                yield other, symbol.declaration.line + symbol.source.count(b"\n", 0, puts.start())
                break
