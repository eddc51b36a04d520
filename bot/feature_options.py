"""`winparity explain "docker update --memory"`: what of a feature's answer is about one option of a command."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from analyzer.standing import Reason
from bot.features import table

_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
# Terms of which one is enough.
_OR = re.compile(r"\s*\|\|\s*")
# A field is set, whatever it is set to.
_IS_SET = r"(?:len\((?:\w+\.)*{of}\.{field}\) (?:>|!=) 0|(?:\w+\.)*{of}\.{field}(?: (?:!= (?:0|nil|\"\")|> 0))?)"


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command.

    Attributes:
        command: the command, by the name that the table knows it by.
        name: ``--memory`` or ``-m``.
        fields: the fields of the engine's API that it fills, as ``Struct.Field``; none when that is not known.
    """

    command: str
    name: str
    fields: tuple[str, ...]


def option_of(wanted: str) -> Option | None:
    """The option that a text asks for: the first one behind a docker command; None when it asks for none."""
    words = wanted.split()
    given = next((word.partition("=")[0] for word in words if word.startswith("-")), "")
    command = table().command(wanted) if given else None
    if command is None:
        return None
    return Option(command, given, tuple(table().options.get(command, {}).get(given, ())))


def about(option: Option, reasons: Sequence[Reason]) -> list[Reason]:
    """The reasons that surely speak of an option: what they ask for is that one of its fields is set.

    Of several terms of which one is enough, only that of the option is kept.
    """
    found = []
    for reason in reasons:
        for at, condition in enumerate(reason.conditions):
            if term := _term(option.fields, condition):
                narrowed = (*reason.conditions[:at], term, *reason.conditions[at + 1 :])
                found.append(replace(reason, conditions=narrowed))
                break
    return found


def not_about_others(option: Option, reasons: Sequence[Reason]) -> list[Reason]:
    """The reasons that speak of no other option of the command, so that they may hold with this one."""
    fields = [
        f for name, fields in table().options.get(option.command, {}).items() if name != option.name for f in fields
    ]
    others = [field for field in fields if field not in option.fields]
    return [reason for reason in reasons if not any(_term(others, condition) for condition in reason.conditions)]


def _term(fields: Sequence[str], condition: str) -> str:
    """The term of a condition that says that one of some fields is set; "" when none does."""
    for term in _OR.split(condition):
        for field in fields:
            struct, _, name = field.partition(".")
            is_set = _IS_SET.format(of=_called(struct), field=re.escape(name))
            if re.fullmatch(is_set, term):
                return term
    return ""


def _called(struct: str) -> str:
    """What people call a variable that holds a struct: its name, the end of it, or its initials."""
    words = [word.lower() for word in _NAME.findall(struct)]
    ends = ["".join(words[at:]) for at in range(len(words))]
    return f"(?i:{'|'.join([*ends, ''.join(word[0] for word in words)])})"
