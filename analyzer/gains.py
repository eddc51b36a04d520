"""What the target gets to run of a function at base and at head: whether a branch that came or went makes a difference."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property

from analyzer.conditions import Scope
from analyzer.guards import Effect, Guard, refused, work_of
from analyzer.symbols import Symbol
from analyzer.taken import Step, taken

# What a refusal says, or what is asked before it, when it is about a platform.
_OF_PLATFORMS = re.compile(r"GOOS|OS\b|[sS]upport|[wW]indows|[lL]inux|[pP]latform|[iI]solation|OperatingSystem")
_CALL = re.compile(r"(?:\b\w+\.)?\b\w+\(")


class Sides:
    """One function that both revisions have.

    Args:
        base: the function at base.
        head: likewise at head.
        before: what conditions are worth on the target at base.
        after: likewise at head.
    """

    def __init__(self, base: Symbol, head: Symbol, before: Scope, after: Scope) -> None:
        self._symbols = base, head
        self._scopes = before, after

    @cached_property
    def before(self) -> Counter[Step]:
        """What the target got to run at base."""
        return taken(self._symbols[0], self._scopes[0])

    @cached_property
    def after(self) -> Counter[Step]:
        """What it gets to run at head."""
        return taken(self._symbols[1], self._scopes[1])

    @property
    def alike(self) -> bool:
        """Whether the target gets to run the same."""
        return self.before == self.after

    def kept_away(self, guard: Guard) -> bool:
        """Whether base had all that a guard of head keeps away, and the target did not get there either."""
        before = {step.whole or step.says for step in self.before}
        did = {*work_of(self._symbols[0])}
        if self.alike:
            return guard.lost <= did
        refuses = guard.refused <= before or guard.effect is not Effect.REFUSED
        return bool(guard.lost) and guard.lost <= did and refuses and not any(lost in before for lost in guard.lost)

    def refuses_instead(self, guard: Guard) -> bool:
        """Whether a refusal that is about platforms, and that the target did not come to, is there for a guard that refused."""
        if guard.effect is not Effect.REFUSED:
            return False
        old = {refusal.text for refusal in refused(self._symbols[0], self._scopes[0])}
        new = [r for r in refused(self._symbols[1], self._scopes[1]) if r.text not in old]
        of_platforms = {r.text for r in new if _OF_PLATFORMS.search(f"{r.asked} {r.text}")}
        always = {step.says for step in self.after if not step.asked}
        in_all_cases = guard.sure and not guard.asked and bool(guard.lost)
        return not of_platforms.isdisjoint(always) if in_all_cases else bool(of_platforms)

    def given(self, guard: Guard) -> list[str]:
        """What a guard of base kept away as an argument, and the target gives to some call at head."""
        return _moved(guard, self.before, self.after)

    def taken_away(self, guard: Guard) -> list[str]:
        """What the target gave to some call at base, and a guard of head keeps away as an argument."""
        return _moved(guard, self.after, self.before)


def _moved(guard: Guard, without: Iterable[Step], within: Iterable[Step]) -> list[str]:
    """What a guard keeps away as an argument where the target does without it, and the target makes where it has it."""
    lacks, has = ("\n".join(step.says for step in side) for side in (without, within))
    inner = {call for lost in guard.lost for call in _arguments(lost)}
    return sorted(call for call in inner if call in has and call not in lacks)


def _arguments(statement: str) -> Iterator[str]:
    """The calls among the arguments of a statement's call, in one spelling."""
    first = _CALL.search(statement)
    for found in _CALL.finditer(statement, first.end() if first is not None else len(statement)):
        depth = 1
        for end in range(found.end(), len(statement)):
            depth += {"(": 1, ")": -1}.get(statement[end], 0)
            if not depth:
                yield statement[found.start() : end + 1]
                break
